/** The programs in several flavours that the measurements of fat files use. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFlavours } from "./size/flavours.ts";

/** What was fetched and built stays here. */
export const FOLDER = join(tmpdir(), "tenon-bench-fat");
const RUNTIME_VERSION = "1.3.14";

/** Paths of flavours by what they need; the default needs nothing. */
export type Flavours = readonly (readonly [features: string, path: string])[];

export function fetchRuntime(name: string): string {
  const folder = join(FOLDER, name);
  const path = join(folder, "package", "bin", "bun");
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const spec = `@oven/${name}@${RUNTIME_VERSION}`;
    const archive = execFileSync("npm", ["pack", "--silent", spec], { cwd: folder, encoding: "utf8" }).trim();
    execFileSync("tar", ["xzf", archive], { cwd: folder });
  }
  return path;
}

const isInstalled = (tool: string) => spawnSync(tool, ["version"]).error === undefined;

/** Builds into a folder that gets its name when all is there. */
function once(name: string, build: (draft: string) => ReadonlyMap<string, string>): Flavours {
  const folder = join(FOLDER, name);
  const names: [string, string][] = [];
  if (!existsSync(folder)) {
    mkdirSync(FOLDER, { recursive: true });
    const draft = mkdtempSync(join(FOLDER, "draft-"));
    const built = join(draft, "built");
    mkdirSync(built);
    const index: [string, string][] = [];
    for (const [i, [features, path]] of [...build(draft)].entries()) {
      renameSync(path, join(built, String(i)));
      index.push([features, String(i)]);
    }
    writeFileSync(join(built, "index.json"), JSON.stringify(index));
    renameSync(built, folder);
    rmSync(draft, { recursive: true });
  }
  names.push(
    ...(JSON.parse(execFileSync("cat", [join(folder, "index.json")], { encoding: "utf8" })) as [
      string,
      string,
    ][]),
  );
  return names.map(([features, file]) => [features, join(folder, file)]);
}

function buildGo(draft: string): Map<string, string> {
  const built = new Map<string, string>();
  for (const level of ["v1", "v2", "v3", "v4"]) {
    const path = join(draft, level);
    const env = {
      ...process.env,
      GOAMD64: level,
      GOFLAGS: "-trimpath",
      GOCACHE: join(draft, "cache"),
      CGO_ENABLED: "0",
    };
    execFileSync("go", ["build", "-o", path, "cmd/gofmt"], { env, stdio: "pipe" });
    built.set(level === "v1" ? "" : `x86-64-${level}`, path);
  }
  return built;
}

/** Sorting, hashing and formatting: what the standard library has, compiled into the program. */
const RUST = `
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for word in text.split_whitespace() { *counts.entry(word).or_default() += 1; }
    let mut sums: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (word, count) in &counts { sums.entry(word.len()).or_default().push(*count as f64); }
    for (length, values) in &mut sums {
        values.sort_by(|a, b| b.total_cmp(a));
        let total: f64 = values.iter().map(|v| v.sqrt() * 1.5 + 0.25).sum();
        println!("{length:>4} {total:>12.3} {:?}", values.first());
    }
}
`;

function buildRust(draft: string): Map<string, string> {
  const source = join(draft, "words.rs");
  writeFileSync(source, RUST);
  const built = new Map<string, string>();
  for (const cpu of ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"]) {
    const path = join(draft, cpu);
    execFileSync(
      "rustc",
      ["-O", "-C", `target-cpu=${cpu}`, "-C", "target-feature=+crt-static", "-o", path, source],
      {
        stdio: "pipe",
      },
    );
    built.set(cpu === "x86-64" ? "" : cpu, path);
  }
  return built;
}

/** By name; each is made when it is asked for. Undefined where its tools are missing. */
export const PROGRAMS: Readonly<Record<string, () => Flavours | undefined>> = {
  "sqlite3 (C), 4 flavours": () =>
    once("sqlite", (draft) => {
      const { files } = buildFlavours("sqlite", draft);
      return new Map([...files].map(([march, path]) => [march === "x86-64" ? "" : march, path]));
    }),
  "gofmt (Go), 4 flavours": () => (isInstalled("go") ? once("gofmt", buildGo) : undefined),
  "word counter (Rust), 4 flavours": () => (isInstalled("rustc") ? once("words", buildRust) : undefined),
  "JavaScript runtime (C++, Zig), 2 flavours": () => [
    ["", fetchRuntime("bun-linux-x64-baseline")],
    ["haswell", fetchRuntime("bun-linux-x64")],
  ],
};
