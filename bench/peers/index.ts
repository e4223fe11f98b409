/**
 * peers: other programs that keep data without repeating it, run as their users run them.
 *
 * A peer has a command for each step; its state lives in one folder that the bench makes and removes. Settings are
 * the defaults, but for those that would let it pass over reading what it has seen (the bench measures reading).
 */
import { join } from "node:path";
import { run, type Taken } from "../measured.ts";

export interface Peer {
  readonly name: string;
  /** Makes an empty repository in `folder`; not measured. */
  init(folder: string): void;
  /** Stores the directory `data`. */
  add(folder: string, data: string): Taken;
  /** Stores it again. */
  addAgain(folder: string, data: string): Taken;
  /** Restores what was stored last into the empty directory `output`. */
  get(folder: string, output: string): Taken;
}

const PASSWORD = { RESTIC_PASSWORD: "bench", RESTIC_PROGRESS_FPS: "0.1" };
const UNENCRYPTED = {
  BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
  BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes",
};

const resticIn = (folder: string, ...args: string[]) =>
  run(["restic", "-q", "-r", join(folder, "repo"), "--cache-dir", join(folder, "cache"), ...args], {
    env: PASSWORD,
  });

/** restic; `--force` reads files that look unchanged. */
export const restic: Peer = {
  name: "restic",
  init: (folder) => void resticIn(folder, "init", "--repository-version", "2"),
  add: (folder, data) => resticIn(folder, "backup", "--compression", "auto", data),
  addAgain: (folder, data) => resticIn(folder, "backup", "--compression", "auto", "--force", data),
  get: (folder, output) => resticIn(folder, "restore", "latest", "--target", output),
};

const casyncMake = (folder: string, data: string) =>
  run(["casync", "make", `--store=${join(folder, "store")}`, join(folder, "index.caidx"), data]);

/** casync reads everything every time. */
export const casync: Peer = {
  name: "casync",
  init: () => {},
  add: casyncMake,
  addAgain: casyncMake,
  get: (folder, output) =>
    run(["casync", "extract", `--store=${join(folder, "store")}`, join(folder, "index.caidx"), output]),
};

const borgIn = (folder: string, args: readonly string[], cwd?: string) =>
  run(["borg", ...args], {
    env: { ...UNENCRYPTED, BORG_BASE_DIR: join(folder, "base") },
    ...(cwd && { cwd }),
  });
const borgCreate = (folder: string, data: string, archive: string) =>
  borgIn(folder, ["create", "--files-cache", "disabled", `${join(folder, "repo")}::${archive}`, data]);

/** borg (lz4, no encryption); without its cache of files it reads everything. */
export const borg: Peer = {
  name: "borg",
  init: (folder) => void borgIn(folder, ["init", "--encryption", "none", join(folder, "repo")]),
  add: (folder, data) => borgCreate(folder, data, "first"),
  addAgain: (folder, data) => borgCreate(folder, data, "again"),
  get: (folder, output) => borgIn(folder, ["extract", `${join(folder, "repo")}::first`], output),
};

const launcher = join(import.meta.dirname, "..", "..", "bin", "tenon.mjs");

/** tenon as it is built and installed, under the Node that runs the bench. */
export function tenonIn(folder: string, ...args: string[]): Taken {
  return run([process.execPath, launcher, "-q", "-r", join(folder, "repo"), ...args]);
}

export const tenon: Peer = {
  name: "tenon",
  init: (folder) => void tenonIn(folder, "init"),
  add: (folder, data) => tenonIn(folder, "add", "--ref", "bench:data", data),
  addAgain: (folder, data) => tenonIn(folder, "add", "--ref", "bench:data", data),
  get: (folder, output) => tenonIn(folder, "get", "bench:data", "-o", join(output, "data")),
};

/** tenon first, then the peers that are installed. `wanted`: names; an unknown or missing one is an error. */
export function contenders(wanted: readonly string[]): Peer[] {
  const known = new Map([restic, casync, borg].map((peer) => [peer.name, peer]));
  const peers = wanted.map((name) => {
    const peer = known.get(name);
    if (peer === undefined) throw new Error(`no peer ${name}; there are ${[...known.keys()].join(", ")}`);
    return peer;
  });
  return [tenon, ...peers];
}

/** First line of `--version`, or a reason to run bench/install-peers.sh. */
export function versionOf(peer: Peer): string {
  if (peer === tenon) return `tenon on Node ${process.versions.node}`;
  const args = peer.name === "restic" ? ["version"] : ["--version"];
  try {
    return run([peer.name, ...args])
      .output.split("\n")[0]!
      .trim();
  } catch (error) {
    throw new Error(`${peer.name} is not installed: run bench/install-peers.sh`, { cause: error });
  }
}
