/**
 * The programs that tenon is compared with, each at the settings that make it smallest. Each gets
 * the whole corpus in one call: what it spends on one archive for each file is not held against it.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { run, type Taken } from "../measured.ts";
import { sizeOf } from "./folder.ts";
import type { Input } from "./sources.ts";

export interface PeerResult {
  /** Every byte that has to be kept. */
  readonly bytes: number;
  /** Of each file, for a peer that keeps one after the other. */
  readonly parts?: readonly number[];
  readonly cpuSeconds: number;
  readonly version: string;
  readonly settings: string;
  /** Measured by an earlier run on the same bytes with the same version and settings. */
  readonly isCached: boolean;
}

export interface SizePeer {
  readonly name: string;
  /** As the notes show them; a change makes earlier results void. */
  readonly settings: string;
  readonly version: readonly string[];
  /** `work`: an empty folder on the file system of the inputs. */
  measure(inputs: readonly Input[], work: string): Pick<PeerResult, "bytes" | "parts" | "cpuSeconds">;
}

/** All inputs in one folder: hard links where possible. */
function folderOf(inputs: readonly Input[], work: string): string {
  const folder = join(work, "data");
  mkdirSync(folder);
  for (const { name, path } of inputs) {
    try {
      linkSync(path, join(folder, name));
    } catch {
      copyFileSync(path, join(folder, name));
    }
  }
  return folder;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The tar of the inputs in their order, through `filter`; its size. */
function throughTar(inputs: readonly Input[], work: string, filter: string) {
  const folder = folderOf(inputs, work);
  const names = inputs.map(({ name }) => quoted(name)).join(" ");
  const tar = `tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 -C ${quoted(folder)} -cf - ${names}`;
  return piped(`${tar} | ${filter}`);
}

function piped(pipeline: string): { bytes: number; cpuSeconds: number } {
  const { output, cpuSeconds } = run(["bash", "-o", "pipefail", "-c", `${pipeline} | wc -c`]);
  return { bytes: Number(output), cpuSeconds };
}

const total = (taken: readonly Taken[]) => taken.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);

/** Small chunks find more and compress worse: which mean is best depends on how much is alike. */
const casync = ["64", "256"].map((mean): SizePeer => {
  const kib = Number(mean) * 1024;
  return {
    name: "casync",
    settings: `--compression=xz, mean chunk ${mean} KiB`,
    version: ["casync", "--version"],
    measure(inputs, work) {
      const data = folderOf(inputs, work);
      const kept = join(work, "kept");
      mkdirSync(kept);
      const taken = run([
        ...[
          "casync",
          "make",
          "--compression=xz",
          `--chunk-size=${kib / 4}:${kib}:${kib * 4}`,
          "--without=all",
        ],
        ...[`--store=${join(kept, "store.castr")}`, join(kept, "index.caidx"), data],
      ]);
      return { bytes: sizeOf(kept), cpuSeconds: taken.cpuSeconds };
    },
  };
});

const restic: SizePeer = {
  name: "restic",
  settings: "--compression max",
  version: ["restic", "version"],
  measure(inputs, work) {
    const data = folderOf(inputs, work);
    const repo = join(work, "repo");
    const command = ["restic", "-q", "-r", repo, "--no-cache"];
    const options = { env: { RESTIC_PASSWORD: "bench", RESTIC_PROGRESS_FPS: "0.1" } };
    run([...command, "init", "--repository-version", "2"], options);
    const taken = run([...command, "backup", "--compression", "max", data], options);
    return { bytes: sizeOf(repo), cpuSeconds: taken.cpuSeconds };
  },
};

/** Smallest, largest and mean chunk as powers of two, and the window: the finer of these, and borg's own. */
const borg = ["12,20,14,4095", "19,23,21,4095"].map((chunker): SizePeer => {
  const settings = ["--compression", "zstd,19", "--chunker-params", `buzhash,${chunker}`];
  return {
    name: "borg",
    settings: settings.join(" "),
    version: ["borg", "--version"],
    measure(inputs, work) {
      const data = folderOf(inputs, work);
      const repo = join(work, "repo");
      const env = {
        BORG_BASE_DIR: join(work, "base"),
        BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
        BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes",
      };
      run(["borg", "init", "--encryption", "none", repo], { env });
      const taken = run(["borg", "create", ...settings, `${repo}::all`, data], { env });
      return { bytes: sizeOf(repo), cpuSeconds: taken.cpuSeconds };
    },
  };
});

const zstd: SizePeer = {
  name: "zstd",
  settings: "-19 --long=31 of the tar",
  version: ["zstd", "--version"],
  measure: (inputs, work) => throughTar(inputs, work, "zstd -q -19 --long=31 -T1 -c"),
};

export const xz: SizePeer = {
  name: "xz",
  settings: "-9e of the tar",
  version: ["xz", "--version"],
  measure: (inputs, work) => throughTar(inputs, work, "xz -9e -T1 -c"),
};

const bsdiff: SizePeer = {
  name: "bsdiff",
  settings: "first file by xz -9e, then a patch from each to the next",
  // It doesn't tell its version; Debian does.
  version: ["dpkg-query", "-W", "bsdiff"],
  measure(inputs, work) {
    const first = piped(`xz -9e -T1 -c ${quoted(inputs[0]!.path)}`);
    const taken: Taken[] = [];
    const parts = [first.bytes];
    for (let i = 1; i < inputs.length; i++) {
      const patch = patchPath(work, inputs[i]!);
      taken.push(run(["bsdiff", inputs[i - 1]!.path, inputs[i]!.path, patch]));
      parts.push(statSync(patch).size);
    }
    const bytes = parts.reduce((sum, part) => sum + part, 0);
    return { bytes, parts, cpuSeconds: first.cpuSeconds + total(taken) };
  },
};

const patchPath = (work: string, to: Input) => join(work, `${to.name}.patch`);

/** What the best general compressor makes of one executable alone, told that it is x86 code. */
export const xzX86: SizePeer = {
  name: "xz --x86",
  settings: "--x86 --lzma2=preset=9e of the file",
  version: ["xz", "--version"],
  measure(inputs) {
    const files = inputs.map(({ path }) => piped(`xz --x86 --lzma2=preset=9e -T1 -c ${quoted(path)}`));
    return {
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      cpuSeconds: files.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    };
  },
};

/** A peer with the settings that are tried; the smallest result counts. */
export interface Contender {
  readonly name: string;
  readonly variants: readonly SizePeer[];
}

export const CONTENDERS: readonly Contender[] = [
  { name: "casync", variants: casync },
  { name: "restic", variants: [restic] },
  { name: "borg", variants: borg },
  { name: "zstd", variants: [zstd] },
  { name: "xz", variants: [xz] },
  { name: "bsdiff", variants: [bsdiff] },
];

export function contendersNamed(names: readonly string[]): Contender[] {
  const unknown = names.filter((name) => !CONTENDERS.some((contender) => contender.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `no peer ${unknown.join(", ")}; there are ${CONTENDERS.map(({ name }) => name).join(", ")}`,
    );
  }
  return CONTENDERS.filter(({ name }) => names.includes(name));
}

function versionOf({ name, version }: SizePeer): string {
  try {
    const line = run(version).output.split("\n")[0]!;
    return line
      .replace(/\*+|, by .*/g, "")
      .replace(/\s+/g, " ")
      .trim();
  } catch (error) {
    throw new Error(`${name} is not installed: run bench/size/install.sh`, { cause: error });
  }
}

type Kept = Omit<PeerResult, "isCached">;

/** Results of earlier runs: a peer's answer depends on its version, its settings and the bytes alone. */
export class PeerCache {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  #read(): Record<string, Kept> {
    return existsSync(this.#path)
      ? (JSON.parse(readFileSync(this.#path, "utf8")) as Record<string, Kept>)
      : {};
  }

  #key({ name, settings }: SizePeer, version: string, digests: readonly string[]): string {
    return createHash("sha256")
      .update(JSON.stringify([name, version, settings, digests]))
      .digest("hex");
  }

  /** What an earlier run measured on files of these digests, in this order. */
  known(peer: SizePeer, digests: readonly string[]): PeerResult | undefined {
    const found = this.#read()[this.#key(peer, versionOf(peer), digests)];
    return found && { ...found, isCached: true };
  }

  /** `isFresh`: measure even what is known. `withWork` lends an empty folder for what the peer writes. */
  result(
    peer: SizePeer,
    inputs: readonly Input[],
    { isFresh, withWork }: { isFresh: boolean; withWork: <T>(use: (work: string) => T) => T },
  ): PeerResult {
    const digests = inputs.map(({ sha256 }) => sha256);
    const known = isFresh ? undefined : this.known(peer, digests);
    if (known !== undefined) return known;
    const { settings } = peer;
    const version = versionOf(peer);
    const kept: Kept = { ...withWork((work) => peer.measure(inputs, work)), version, settings };
    const key = this.#key(peer, version, digests);
    // Read again: a long measurement may have run beside another one.
    writeFileSync(`${this.#path}.draft`, `${JSON.stringify({ ...this.#read(), [key]: kept }, null, 2)}\n`);
    renameSync(`${this.#path}.draft`, this.#path);
    return { ...kept, isCached: false };
  }
}
