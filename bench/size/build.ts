/** The pair that no registry has: built from sources that registries have. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Built {
  /** Paths by member name. */
  readonly files: Map<string, string>;
  readonly origin: string;
}

const PAIR = join(import.meta.dirname, "pair");
const REGISTRY = "/usr/share/cargo/registry";
const TARGET = "x86_64-unknown-linux-gnu";

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
