/**
 * One program for each level of x86-64, as a fat file or a distribution with several builds would hold it: compiled
 * at -O2 with nothing else chosen, and linked statically, except for the first, which was measured before the others.
 *
 * Sources come from Debian's source packages and npm. All units of a program go through one call of the compiler: a
 * build system would add its own flags.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unpackNpm } from "./sources.ts";

/** The levels that compilers know; names of the corpora's files. */
export const LEVELS = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"] as const;

export type FlavourProgram = "sqlite" | "sqlite-static" | "zstd" | "brotli" | "lua" | "ninja";

interface Recipe {
  readonly source:
    | { readonly from: "npm"; readonly package: string; readonly version: string; readonly folder: string }
    | { readonly from: "debian"; readonly package: string };
  readonly compiler: "gcc" | "g++";
  /** Folders whose units all belong to the program, but for those that `except` names. */
  readonly folders: readonly string[];
  readonly except?: RegExp;
  /** Further units. */
  readonly units?: readonly string[];
  readonly options: readonly string[];
  readonly libraries?: readonly string[];
}

const SHELL = join(import.meta.dirname, "flavours", "shell.c");
const SQLITE: Recipe = {
  source: { from: "npm", package: "better-sqlite3", version: "12.11.1", folder: "package/deps/sqlite3" },
  compiler: "gcc",
  folders: [],
  units: [SHELL, "sqlite3.c"],
  options: ["-s", "-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE", "-DSQLITE_ENABLE_MATH_FUNCTIONS", "-I."],
  libraries: ["-lm"],
};

/** As released: stripped, without assertions. */
const STATIC = ["-s", "-static", "-DNDEBUG"];

const RECIPES: Readonly<Record<FlavourProgram, Recipe>> = {
  sqlite: SQLITE,
  "sqlite-static": { ...SQLITE, options: [...SQLITE.options, "-static"] },
  zstd: {
    source: { from: "debian", package: "libzstd" },
    compiler: "gcc",
    folders: ["lib/common", "lib/compress", "lib/decompress", "lib/dictBuilder", "programs"],
    options: [
      ...STATIC,
      "-DZSTD_MULTITHREAD",
      "-DXXH_NAMESPACE=ZSTD_",
      "-DZSTD_LEGACY_SUPPORT=0",
      "-pthread",
    ],
  },
  brotli: {
    source: { from: "debian", package: "brotli" },
    compiler: "gcc",
    folders: ["c/common", "c/dec", "c/enc", "c/tools"],
    options: [...STATIC, "-Ic/include"],
    libraries: ["-lm"],
  },
  lua: {
    source: { from: "debian", package: "lua5.4" },
    compiler: "gcc",
    folders: ["src"],
    except: /^luac\.c$/,
    options: [...STATIC, "-DLUA_USE_POSIX"],
    libraries: ["-lm"],
  },
  ninja: {
    source: { from: "debian", package: "ninja-build" },
    compiler: "g++",
    folders: ["src"],
    except: /win32|_test\.|_perftest\.|_bench\.|\.in\.cc$|^test\.cc$|^browse\.cc$|^getopt\.c$/,
    options: [...STATIC, "-DUSE_PPOLL"],
  },
};

const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });

/** Address of the machine's mirror and the release's name, as a line of sources has them. */
function debianRelease(folder: string): string {
  const release = run("sh", ["-c", ". /etc/os-release && echo $VERSION_CODENAME"], folder).trim();
  const format = "$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)";
  const targets = run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], folder);
  const start = `Debian ${release} main `;
  const found = targets.split("\n").find((target) => target.startsWith(start));
  if (found === undefined) throw new Error(`apt has no packages of Debian's ${release}: run apt-get update`);
  return `${found.slice(start.length)} ${release}`;
}

/** Unpacks a source package of the machine's own release of Debian; gives its folder and its version. */
function unpackDebianSource(
  name: string,
  draft: string,
): { readonly folder: string; readonly version: string } {
  // The machine's own lists mostly have no sources, and need not get them.
  const apt = join(draft, "apt");
  for (const folder of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(apt, folder), { recursive: true });
  const list = join(apt, "sources.list");
  writeFileSync(
    list,
    `deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${debianRelease(draft)} main\n`,
  );
  const options = [
    `Dir::Etc::SourceList=${list}`,
    "Dir::Etc::SourceParts=/dev/null",
    `Dir::State::Lists=${join(apt, "lists")}`,
    `Dir::Cache=${join(apt, "cache")}`,
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...options, "-qq", "update"], draft);
  run("apt-get", [...options, "-qq", "--download-only", "source", name], draft);
  const description = readdirSync(draft).find((file) => file.endsWith(".dsc"))!;
  // apt-get has compared the digests with the signed list. Debian's patches are for its own build system.
  run("dpkg-source", ["--no-check", "--skip-patches", "-x", description, "source"], draft);
  const version = run("dpkg-parsechangelog", ["-S", "Version"], join(draft, "source")).trim();
  return { folder: join(draft, "source"), version };
}

function unpackSource(
  { source }: Recipe,
  draft: string,
): { readonly folder: string; readonly origin: string } {
  if (source.from === "npm") {
    unpackNpm(source.package, source.version, draft);
    return { folder: join(draft, source.folder), origin: `npm ${source.package}@${source.version}` };
  }
  const { folder, version } = unpackDebianSource(source.package, draft);
  return { folder, origin: `Debian source ${source.package} ${version}` };
}

/** Builds a program at each level. Paths by level. */
export function buildFlavours(
  program: FlavourProgram,
  draft: string,
): { readonly files: Map<string, string>; readonly origin: string } {
  const recipe = RECIPES[program];
  const { folder, origin } = unpackSource(recipe, draft);
  const isUnit = (file: string) => /\.(c|cc|S)$/.test(file) && !recipe.except?.test(file);
  // In order of name, and relative: neither the folder's order nor its name reach the program.
  const units = recipe.folders.flatMap((part) =>
    readdirSync(join(folder, part))
      .filter(isUnit)
      .sort()
      .map((file) => `${part}/${file}`),
  );
  const files = new Map<string, string>();
  for (const level of LEVELS) {
    const output = join(draft, level);
    run(
      recipe.compiler,
      [
        "-O2",
        `-march=${level}`,
        ...recipe.options,
        ...(recipe.units ?? []),
        ...units,
        "-o",
        output,
        ...(recipe.libraries ?? []),
      ],
      folder,
    );
    files.set(level, output);
  }
  const version = run(recipe.compiler, ["--version"], draft).split("\n")[0]!;
  return { files, origin: `${program} of ${origin}, ${version}` };
}
