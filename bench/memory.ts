/**
 * Peak memory of add and get of one file of 5 GB: a hole, and the same with random bytes here and there.
 *
 *   node bench/memory.ts [--json]
 *
 * The file takes next to no room: 5 GB of it are never written. Needs `npm run build`.
 */
import { randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tenonIn } from "./peers/index.ts";
import { makePlace } from "./place.ts";
import { megabytes, print, type Report, seconds } from "./report.ts";

const FILE_BYTES = 5e9;
const ISLANDS = 500;
const ISLAND_BYTES = 200_000;

export function measureMemory(): Report {
  const place = makePlace(1e9);
  const rows: string[][] = [];
  let peakBytes = 0;
  try {
    tenonIn(place, "init");
    const path = join(place, "large");
    const file = openSync(path, "w");
    ftruncateSync(file, FILE_BYTES);
    const step = (what: string, ...args: string[]) => {
      const taken = tenonIn(place, ...args);
      peakBytes = Math.max(peakBytes, taken.peakBytes);
      rows.push([what, megabytes(taken.peakBytes), seconds(taken.cpuSeconds), seconds(taken.wallSeconds)]);
    };
    step("add, a hole", "add", "--ref", "hole", path);
    step("get, a hole", "get", "hole", "--sparse", "-o", join(place, "hole"));
    for (let i = 0; i < ISLANDS; i++) {
      writeSync(file, randomBytes(ISLAND_BYTES), 0, ISLAND_BYTES, Math.floor((i * FILE_BYTES) / ISLANDS));
    }
    closeSync(file);
    step("add, with random islands", "add", "--ref", "islands", path);
    step("get, with random islands", "get", "islands", "--sparse", "-o", join(place, "islands"));
  } finally {
    rmSync(place, { recursive: true });
  }
  return {
    title: "Memory",
    command: "node bench/memory.ts",
    about: `One file of ${megabytes(FILE_BYTES)}; the islands are ${ISLANDS} times ${ISLAND_BYTES} random bytes.`,
    columns: ["", "peak memory", "CPU", "wall"],
    rows,
    aims: [{ what: "peak memory of a 5 GB file", measured: peakBytes / 1e6, atMost: 400, unit: "MB" }],
  };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { json: { type: "boolean" } } });
  print(measureMemory(), values.json);
}
