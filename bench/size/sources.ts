/**
 * Brings a corpus into its folder: each file once, with its digest in the folder's manifest. What is there already
 * is compared with the manifest and not fetched again.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buildPair } from "./build.ts";
import type { Corpus, Item, Source } from "./corpora.ts";
import { buildFlavours } from "./flavours.ts";

/** A file of a corpus that is there. */
export interface Input {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Where it came from, with its version. */
  readonly origin: string;
}

export interface Fetched {
  readonly inputs: readonly Input[];
  readonly beside: readonly Input[];
}

type Entry = Pick<Input, "bytes" | "sha256" | "origin">;

const run = (command: string, args: readonly string[], cwd?: string) =>
  execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });

export function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Unpacks one npm package of `source` into `folder`; its files are then below `package/`. */
export function unpackNpm(name: string, version: string, folder: string): void {
  run("npm", ["pack", "--silent", `${name}@${version}`, "--pack-destination", folder], folder);
  const archive = readdirSync(folder).find((file) => file.endsWith(".tgz"))!;
  run("tar", ["-xzf", archive], folder);
  rmSync(join(folder, archive));
}

/** Fetches what `source` names; several items of one build are made by one call, so this gives all its files. */
function bring(source: Source, draft: string): { files: Map<string, string>; origin: string } {
  switch (source.from) {
    case "npm": {
      unpackNpm(source.package, source.version, draft);
      const path = join(draft, "package", source.member);
      return { files: new Map([[source.member, path]]), origin: `npm ${source.package}@${source.version}` };
    }
    case "debian": {
      run("apt-get", ["download", "-q", source.package], draft);
      const archive = join(draft, readdirSync(draft).find((file) => file.endsWith(".deb"))!);
      run("dpkg-deb", ["-x", archive, join(draft, "root")]);
      const version = run("dpkg-deb", ["-f", archive, "Version"]).trim();
      const path = join(draft, "root", source.member);
      return { files: new Map([[source.member, path]]), origin: `Debian ${source.package} ${version}` };
    }
    case "build":
      return source.build === "pair" ? buildPair(draft) : buildFlavours(source.build, draft);
  }
}

const isSameBuild = (a: Source, b: Source) => a.from === "build" && b.from === "build" && a.build === b.build;

function readManifest(path: string): Record<string, Entry> {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, Entry>) : {};
}

/** `corpora`: the folder of all corpora; `progress` is told what is being fetched. */
export function fetchCorpus(corpus: Corpus, corpora: string, progress: (what: string) => void): Fetched {
  const folder = join(corpora, corpus.name);
  const files = join(folder, "files");
  const manifestPath = join(folder, "manifest.json");
  mkdirSync(files, { recursive: true });
  const manifest = readManifest(manifestPath);
  const items = [...corpus.items, ...(corpus.beside ?? [])];
  const isThere = ({ name }: Item) => manifest[name] !== undefined && existsSync(join(files, name));
  for (const item of items) {
    if (isThere(item)) continue;
    progress(`${corpus.name}: fetching ${item.name}`);
    const draft = mkdtempSync(join(folder, "draft-"));
    try {
      const brought = bring(item.source, draft);
      for (const other of items) {
        if (other !== item && !isSameBuild(other.source, item.source)) continue;
        const target = join(files, other.name);
        copyFileSync(brought.files.get(other.source.member)!, `${target}.draft`);
        // Peers keep modes and times: the same everywhere, so that the tables don't depend on the day.
        chmodSync(`${target}.draft`, 0o755);
        utimesSync(`${target}.draft`, 0, 0);
        renameSync(`${target}.draft`, target);
        const entry: Entry = {
          bytes: statSync(target).size,
          sha256: sha256Of(target),
          origin: `${brought.origin}: ${other.source.member}`,
        };
        manifest[other.name] = entry;
      }
      writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
    } finally {
      rmSync(draft, { recursive: true });
    }
  }
  const input = ({ name }: Item): Input => {
    const path = join(files, name);
    const entry = manifest[name]!;
    if (sha256Of(path) !== entry.sha256) {
      throw new Error(`${path} is not what was fetched: remove ${folder} and fetch it again`);
    }
    return { name, path, ...entry };
  };
  return { inputs: corpus.items.map(input), beside: (corpus.beside ?? []).map(input) };
}
