/**
 * The index of a repository with millions of atoms: its size on disk and in memory, and how fast it answers.
 *
 *   node bench/index.ts [--atoms N] [--json]
 *
 * Index files of a million atoms each are written as `add` writes them, for segments of 100 atoms, and merged into
 * one. Another process opens it and looks up chunks that are there, and chunks that aren't, in random order.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DirectoryBackend } from "../src/backend/index.ts";
import {
  type AtomPlace,
  IndexSet,
  indexPath,
  Kind,
  type SegmentPlace,
  writeIndexOf,
} from "../src/repository/index.ts";
import { run } from "./measured.ts";
import { makePlace } from "./place.ts";
import { megabytes, print, type Report, seconds } from "./report.ts";

export const INDEX_ATOMS = 10_000_000;
const ATOMS_PER_FILE = 1_000_000;
const ATOMS_PER_SEGMENT = 100;
/** With a mean chunk of about 10 KB a pack of 128 MiB, at a third of its raw size, holds some 400 segments. */
const SEGMENTS_PER_PACK = 400;
const LOOKUPS = 300_000;
/** Every so many keys of a file are kept, to be looked up. */
const SAMPLE = ATOMS_PER_FILE / 100_000;

let pool = "";
let poolAt = 0;

/** Random digits; drawn in large pieces, since each draw costs more than the rest of what is made of it. */
function hex(bytes: number): string {
  if (poolAt + 2 * bytes > pool.length) {
    pool = randomBytes(1 << 20).toString("hex");
    poolAt = 0;
  }
  poolAt += 2 * bytes;
  return pool.slice(poolAt - 2 * bytes, poolAt);
}

/** Writes one file; some of its keys, and what writing took. */
async function writeFile(
  backend: DirectoryBackend,
): Promise<{ readonly keys: readonly string[]; readonly cpuSeconds: number }> {
  const packs: string[] = [];
  const segments = new Map<string, SegmentPlace>();
  const chunks = new Map<string, AtomPlace>();
  const keys: string[] = [];
  for (let i = 0; i < ATOMS_PER_FILE / ATOMS_PER_SEGMENT; i++) {
    if (i % SEGMENTS_PER_PACK === 0) packs.push(hex(32));
    const pack = packs.at(-1)!;
    const segment = hex(16);
    const place = { pack, offset: (i % SEGMENTS_PER_PACK) * 400_000, bytes: 400_000, rawBytes: 1 << 20 };
    const shape = {
      codec: 1,
      offsetInFrame: 0,
      bodyBytes: 1 << 20,
      atoms: ATOMS_PER_SEGMENT,
      kind: Kind.chunk,
    };
    segments.set(segment, { ...place, ...shape });
    for (let atom = 0; atom < ATOMS_PER_SEGMENT; atom++) {
      const key = hex(16);
      chunks.set(key, { segment, atom, pack });
      if (chunks.size % SAMPLE === 0) keys.push(key);
    }
  }
  const before = process.cpuUsage();
  await writeIndexOf(backend, { packs, segments, blobs: new Map(), chunks });
  return { keys, cpuSeconds: cpuSince(before) };
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

interface Answers {
  readonly residentBytes: number;
  readonly hitsPerSecond: number;
  readonly missesPerSecond: number;
}

/** What another process, which has nothing else to do, needs for the index. */
async function askIn(folder: string): Promise<Answers> {
  const backend = new DirectoryBackend(folder);
  const keys = readFileSync(join(folder, "keys"), "utf8").split("\n");
  const wanted = Array.from({ length: LOOKUPS }, () => keys[Math.floor(Math.random() * keys.length)]!);
  const missing = Array.from({ length: LOOKUPS }, () => hex(16));
  global.gc?.();
  const before = process.memoryUsage.rss();
  const index = await IndexSet.open(backend);
  const rate = (digests: readonly string[], expected: boolean) => {
    const begin = process.cpuUsage();
    for (const digest of digests) {
      if ((index.findChunk(digest) !== undefined) !== expected)
        throw new Error(`a wrong answer for ${digest}`);
    }
    return digests.length / cpuSince(begin);
  };
  const hitsPerSecond = rate(wanted, true);
  const missesPerSecond = rate(missing, false);
  global.gc?.();
  const residentBytes = Math.max(0, process.memoryUsage.rss() - before);
  index.close();
  return { residentBytes, hitsPerSecond, missesPerSecond };
}

export async function measureIndex(atoms: number): Promise<Report> {
  const place = makePlace(60 * atoms);
  try {
    mkdirSync(join(place, "index"));
    const backend = new DirectoryBackend(place);
    const keys: string[] = [];
    let writeSeconds = 0;
    for (let written = 0; written < atoms; written += ATOMS_PER_FILE) {
      const file = await writeFile(backend);
      keys.push(...file.keys);
      writeSeconds += file.cpuSeconds;
    }
    const index = await IndexSet.open(backend);
    const merging = process.cpuUsage();
    await index.mergeAll(new Set());
    const mergeSeconds = cpuSince(merging);
    const [merged, ...others] = index.files;
    if (merged === undefined || others.length > 0) throw new Error("merging left several files");
    const fileBytes = statSync(join(place, indexPath(merged.name))).size;
    index.close();
    writeFileSync(join(place, "keys"), keys.join("\n"));
    const child = run([process.execPath, "--expose-gc", import.meta.filename, "--ask", place]);
    const answers = JSON.parse(child.output) as Answers;
    return {
      title: "Index",
      command: "node bench/index.ts",
      about: `${atoms.toLocaleString("en")} chunks in segments of ${ATOMS_PER_SEGMENT}; look-ups in random order, in the page cache.`,
      columns: ["", "measured"],
      rows: [
        ["on disk", `${megabytes(fileBytes)}, ${(fileBytes / atoms).toFixed(2)} bytes an atom`],
        [
          "resident, after the look-ups",
          `${megabytes(answers.residentBytes)}, ${(answers.residentBytes / atoms).toFixed(2)} bytes an atom`,
        ],
        ["found", `${Math.round(answers.hitsPerSecond / 1000)},000 look-ups a CPU second`],
        ["not found", `${Math.round(answers.missesPerSecond / 1000)},000 look-ups a CPU second`],
        ["writing, in files of a million", `${seconds(writeSeconds)} CPU`],
        ["merging them into one", `${seconds(mergeSeconds)} CPU`],
      ],
      aims: [],
    };
  } finally {
    rmSync(place, { recursive: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { atoms: { type: "string" }, ask: { type: "string" }, json: { type: "boolean" } },
  });
  if (values.ask !== undefined) console.log(JSON.stringify(await askIn(values.ask)));
  else print(await measureIndex(Number(values.atoms ?? INDEX_ATOMS)), values.json);
}
