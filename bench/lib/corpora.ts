/**
 * What is measured: versions of static libraries, from packages of npm that carry the sources, oldest first.
 *
 * Nothing of them is in the project. The versions are the libraries' own; where a package calls two different trees the
 * same version, the package's is added.
 */
/**
 * `neutral`: `__LINE__` is 0 everywhere, and C has no unwind tables, as in kernels and unikernels. `lines`: `__LINE__` is
 * left as it is. `unwind`: with the unwind tables that compilers add by default.
 */
export type Compilation = "neutral" | "lines" | "unwind";

export interface LibraryRelease {
  readonly version: string;
  readonly packageVersion: string;
}

export interface Library {
  readonly name: string;
  readonly title: string;
  readonly language: "c" | "c++";
  /** In npm. */
  readonly package: string;
  /** The folder in the package that is kept. */
  readonly folder: string;
  readonly releases: readonly LibraryRelease[];
  /** Which of the kept files are compiled, by path from `folder`. */
  readonly sources: (path: string) => boolean;
  /** From `folder`. */
  readonly includes: readonly string[];
  readonly flags: readonly string[];
  /** Flags that contain the version. */
  readonly versionFlags?: (version: string) => readonly string[];
  /** In workloads/. */
  readonly workload: string;
  /** For the workload: how often, so that it takes some tenths of a second. */
  readonly rounds: number;
  readonly linkFlags: readonly string[];
  /** Compiled in other ways too, beside `neutral`. */
  readonly alsoCompiled: readonly Compilation[];
}

const release = (version: string, packageVersion: string): LibraryRelease => ({ version, packageVersion });

export const LIBRARIES: readonly Library[] = [
  {
    name: "sqlite",
    title: "SQLite, one C file",
    language: "c",
    package: "better-sqlite3",
    folder: "deps/sqlite3",
    releases: [
      release("3.47.0", "11.5.0"),
      release("3.48.0", "11.8.1"),
      release("3.49.1", "11.9.1"),
      release("3.49.2", "11.10.0"),
      release("3.50.2", "12.2.0"),
      release("3.50.4", "12.4.1"),
      release("3.51.1", "12.5.0"),
    ],
    sources: (path) => path === "sqlite3.c",
    includes: ["."],
    flags: [
      "-DSQLITE_THREADSAFE=0",
      "-DSQLITE_OMIT_LOAD_EXTENSION",
      "-DSQLITE_DQS=0",
      "-DSQLITE_ENABLE_FTS5",
      "-DSQLITE_ENABLE_RTREE",
      "-DSQLITE_ENABLE_MATH_FUNCTIONS",
    ],
    workload: "sqlite.c",
    rounds: 12,
    linkFlags: ["-lm"],
    alsoCompiled: ["lines", "unwind"],
  },
  {
    name: "zstd",
    title: "Zstandard, some thirty C files",
    language: "c",
    package: "zstd-napi",
    folder: "deps/zstd/lib",
    releases: [
      release("1.4.4", "0.0.5"),
      release("1.5.5", "0.0.7"),
      release("1.5.6", "0.0.8"),
      release("1.5.7", "0.0.13"),
    ],
    sources: (path) => path.endsWith(".c"),
    includes: [".", "common"],
    flags: ["-DZSTD_DISABLE_ASM=1", "-DNDEBUG"],
    workload: "zstd.c",
    rounds: 1,
    linkFlags: [],
    alsoCompiled: [],
  },
  {
    name: "sass",
    title: "LibSass, some fifty C++ files with exceptions",
    language: "c++",
    package: "node-sass",
    folder: "src/libsass",
    releases: [release("3.5.2", "4.8.3"), release("3.5.4", "4.9.4"), release("3.5.5", "4.14.1")],
    // c99func.c is for compilers without C99.
    sources: (path) => /^src\/.*\.(?:cpp|c)$/.test(path) && !path.endsWith("/c99func.c"),
    includes: ["include"],
    flags: ["-DNDEBUG"],
    versionFlags: (version) => [`-DLIBSASS_VERSION="${version}"`],
    workload: "sass.cpp",
    rounds: 20,
    linkFlags: [],
    alsoCompiled: [],
  },
];

export function librariesNamed(names: readonly string[]): readonly Library[] {
  for (const name of names) {
    if (!LIBRARIES.some((library) => library.name === name)) {
      throw new Error(`no library ${name}; there are ${LIBRARIES.map((library) => library.name).join(", ")}`);
    }
  }
  return names.length === 0 ? LIBRARIES : LIBRARIES.filter(({ name }) => names.includes(name));
}
