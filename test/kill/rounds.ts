/** Rounds of the kill tests: two processes add and one collects garbage, each killed at a random moment. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { DirectoryBackend } from "../../src/backend/index.ts";
import { xorshift32 } from "../../src/bytes/testing/random.ts";
import { formatRef, parseRefName, RefStore } from "../../src/repository/index.ts";
import { Repository } from "../../src/store/index.ts";

const workerPath = fileURLToPath(new URL("./worker.ts", import.meta.url));

/** Longest life of a worker after it is ready. */
const MAX_LIFE_MS = 900;

interface Claim {
  readonly sequence: number;
  readonly digest: string;
}

/** What all workers of all rounds said is there: the newest claim of each ref. */
export class Ledger {
  readonly claims = new Map<string, Claim>();

  take(line: string): void {
    const [verb = "", ref = "", sequence, digest = ""] = line.split(" ");
    if (verb === "have") this.claims.set(ref, { sequence: Number(sequence), digest });
    // The removal may have come about or not: nothing is claimed until the next `have`.
    if (verb === "drop") this.claims.delete(ref);
  }
}

interface Worker {
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
}

function start(
  location: string,
  role: "add" | "gc",
  seed: number,
  ledger: Ledger,
): Worker & { ready: Promise<unknown> } {
  const child = spawn(process.execPath, [workerPath, location, role, String(seed)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let problems = "";
  let announce = () => {};
  const ready = new Promise<void>((resolve) => {
    announce = resolve;
  });
  child.stdout!.setEncoding("utf8").on("data", (piece: string) => {
    announce();
    text += piece;
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) ledger.take(line);
  });
  child.stderr!.setEncoding("utf8").on("data", (piece: string) => {
    problems += piece;
  });
  const ended = once(child, "close").then(([code, signal]) => {
    announce();
    return signal === "SIGKILL" ? "" : `${role} ended by itself (${code ?? signal}): ${problems}`;
  });
  return { child, ended, ready };
}

/** One round; fails with what a worker said when one of them ended by itself. */
export async function killRound(
  location: string,
  seed: number,
  ledger: Ledger,
  random: () => number,
): Promise<void> {
  const workers = [
    start(location, "add", 2 * seed, ledger),
    start(location, "add", 2 * seed + 1, ledger),
    start(location, "gc", seed, ledger),
  ];
  const failures = await Promise.all(
    workers.map(async ({ child, ended, ready }) => {
      await ready;
      const timer = setTimeout(() => child.kill("SIGKILL"), random() * MAX_LIFE_MS);
      const failure = await ended;
      clearTimeout(timer);
      return failure;
    }),
  );
  assert.deepEqual(
    failures.filter((failure) => failure !== ""),
    [],
    `round ${seed}`,
  );
}

/** No damage anywhere, and every claim still holds. */
export async function assertKept(location: string, ledger: Ledger, what: string): Promise<void> {
  await using repository = await Repository.open(location);
  const { ok, damages } = await repository.check({ readData: true });
  assert.ok(ok, `${what}: ${JSON.stringify(damages, undefined, 1)}`);
  const refs = new RefStore(new DirectoryBackend(location));
  for (const [ref, { sequence, digest }] of ledger.claims) {
    const name = parseRefName(ref);
    const present = await refs.read(name);
    assert.ok(
      present !== undefined && present.sequence >= sequence,
      `${what}: ${ref} is at ${present?.sequence}`,
    );
    // A later state is one that moved just before its worker could say so.
    if (present.sequence > sequence) continue;
    assert.equal(present.root?.digest, digest, `${what}: ${formatRef(name)} at ${sequence}`);
  }
}

/** Numbers from 0 to 1 from a seed. */
export function seeded(seed: number): () => number {
  const next = xorshift32(2 * seed + 1);
  return () => next() / 2 ** 32;
}
