/** The executables that no registry has: built from sources that registries have. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unpackNpm } from "./sources.ts";

export interface Built {
  /** Paths by member name. */
  readonly files: Map<string, string>;
  readonly origin: string;
}

const PAIR = join(import.meta.dirname, "pair");
const FLAVOURS = join(import.meta.dirname, "flavours");
const REGISTRY = "/usr/share/cargo/registry";
const TARGET = "x86_64-unknown-linux-gnu";
const SQLITE = { package: "better-sqlite3", version: "12.11.1" };

const run = (command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}) =>
  execFileSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });

/**
 * Client, server and multicall of bench/size/pair with Debian's compiler and crates (bench/size/install.sh), so that
 * everybody who has the same Debian builds the same bytes. glibc is linked in; the result is position independent.
 */
export function buildPair(draft: string): Built {
  if (!existsSync(REGISTRY)) {
    throw new Error("Debian's Rust crates are not installed: run bench/size/install.sh");
  }
  cpSync(PAIR, draft, { recursive: true });
  const home = join(draft, "cargo-home");
  mkdirSync(home);
  writeFileSync(
    join(home, "config.toml"),
    `[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "${REGISTRY}"\n`,
  );
  run("/usr/bin/cargo", ["build", "--release", "--offline", "--quiet", "--target", TARGET], draft, {
    CARGO_HOME: home,
    RUSTC: "/usr/bin/rustc",
    // The folder's name must not reach the panic messages.
    RUSTFLAGS: `-C target-feature=+crt-static --remap-path-prefix=${draft}=/pair`,
  });
  const version = run("/usr/bin/rustc", ["--version"], draft).trim();
  const place = join(draft, "target", TARGET, "release");
  return {
    files: new Map(["client", "server", "multicall"].map((name) => [name, join(place, name)])),
    origin: `bench/size/pair, ${version}`,
  };
}

/** SQLite with the small shell of bench/size/flavours, for each level of x86-64. */
export function buildFlavours(draft: string): Built {
  unpackNpm(SQLITE.package, SQLITE.version, draft);
  const sqlite = join(draft, "package", "deps", "sqlite3");
  const files = new Map<string, string>();
  for (const march of ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"]) {
    const output = join(draft, march);
    const sources = [join(FLAVOURS, "shell.c"), join(sqlite, "sqlite3.c")];
    const features = ["-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE", "-DSQLITE_ENABLE_MATH_FUNCTIONS"];
    run(
      "gcc",
      ["-O2", `-march=${march}`, "-s", ...features, `-I${sqlite}`, ...sources, "-o", output, "-lm"],
      draft,
    );
    files.set(march, output);
  }
  const version = run("gcc", ["--version"], draft).split("\n")[0]!;
  return { files, origin: `SQLite of npm ${SQLITE.package}@${SQLITE.version}, ${version}` };
}
