/**
 * Stores the real executables that came with the development dependencies, and gets them back bit for bit.
 *
 *   npm run demo        or: node scripts/demo.ts [FOLDER]      FOLDER: where to look for executables
 *
 * Everything happens in a temporary folder that is removed at the end. The exit code is 1 when anything that
 * comes back differs from what went in, when adding it again costs more than a few bytes, or when a check of the
 * repository finds something.
 */
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { Repository, type StoreEvent } from "../src/index.ts";
import { type Executable, findExecutables } from "./demo-executables.ts";
import { Progress, share, size, table } from "./demo-terminal.ts";

/** Smaller files are helpers of a package, not programs. */
const MIN_BYTES = 1e6;
/** Adding what is there must cost less than this. */
const AGAIN_BYTES = 1000;

const root = join(import.meta.dirname, "..");
const folder = resolve(process.argv[2] ?? join(root, "node_modules"));
const place = mkdtempSync(join(tmpdir(), "tenon-demo-"));
const failures: string[] = [];

async function sha256File(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

type Item = Extract<StoreEvent, { type: "item" }>;

/** Adds each executable under its name; what was told about each. */
async function add(
  repository: Repository,
  executables: readonly Executable[],
  phase: string,
): Promise<{ readonly items: Map<string, Item>; readonly storedBytes: number; readonly seconds: number }> {
  const items = new Map<string, Item>();
  const progress = new Progress(phase, totalBytes);
  let storedBytes = 0;
  let before = 0;
  for (const { path, name, sizeBytes } of executables) {
    const result = await repository.add([path], {
      ref: `${name}:demo`,
      who: "demo",
      onEvent(event) {
        if (event.type === "progress") progress.show(before + event.doneBytes);
        else if (event.type === "item") items.set(name, event);
        else failures.push(event.message);
      },
    });
    storedBytes += result.storedBytes;
    before += sizeBytes;
  }
  return { items, storedBytes, seconds: progress.end() };
}

async function getBack(repository: Repository, executables: readonly Executable[]): Promise<number> {
  const progress = new Progress("getting back", totalBytes);
  const output = join(place, "back");
  mkdirSync(output);
  let before = 0;
  for (const { name, sizeBytes } of executables) {
    await repository.get(`${name}:demo`, {
      output: join(output, name),
      onEvent: (event) => {
        if (event.type === "progress") progress.show(before + event.doneBytes);
      },
    });
    before += sizeBytes;
  }
  return progress.end();
}

function rate(bytes: number, seconds: number): string {
  return `${seconds.toFixed(1)} s, ${size(bytes / seconds)}/s`;
}

console.log(`Looking for executables in ${relative(process.cwd(), folder) || "."}`);
const executables = findExecutables(folder, MIN_BYTES);
if (executables.length === 0) throw new Error(`no executables of ${size(MIN_BYTES)} or more in ${folder}`);
const totalBytes = executables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

try {
  await using repository = await Repository.init(join(place, "repository"));
  console.log(`Adding ${executables.length} programs, ${size(totalBytes)}, to a new repository\n`);
  const first = await add(repository, executables, "adding");
  const rows = executables.map(({ name, language, sizeBytes }) => {
    const item = first.items.get(name);
    const stored = item?.storedBytes ?? 0;
    const kept = item?.representation ?? "?";
    return [name, language, size(sizeBytes), size(stored), share(stored, sizeBytes), kept];
  });
  console.log(table([["program", "made with", "size", "stored", "", "kept as"], ...rows], [2, 3, 4]));
  for (const { name } of executables) {
    const reasons = first.items.get(name)?.declined ?? [];
    for (const { representation, reason } of reasons)
      console.log(`  ${name}: not ${representation}: ${reason}`);
  }
  const { storedBytes, logicalBytes } = await repository.stats();
  const all = `${size(storedBytes)}, ${share(storedBytes, logicalBytes)}`;
  console.log(`\nThe whole repository, indexes and all: ${all} of what went in`);
  console.log(`First time:  ${rate(totalBytes, first.seconds)}`);

  const again = await add(repository, executables, "adding again");
  console.log(`Added again: ${rate(totalBytes, again.seconds)}, cost ${again.storedBytes} bytes`);
  if (again.storedBytes >= AGAIN_BYTES) failures.push(`adding again cost ${again.storedBytes} bytes`);

  console.log(`Got back:    ${rate(totalBytes, await getBack(repository, executables))}`);
  for (const { path, name } of executables) {
    const [digest, back] = [await sha256File(path), await sha256File(join(place, "back", name))];
    if (digest !== back) failures.push(`${name} differs: went in as ${digest}, came back as ${back}`);
    const told = first.items.get(name)?.digest;
    if (told !== digest) failures.push(`${name} has SHA-256 ${digest}, but tenon says ${told}`);
  }
  const { damages } = await repository.check();
  failures.push(...damages.map(({ what }) => what));
} finally {
  rmSync(place, { recursive: true });
}

for (const failure of failures) console.error(`FAILED: ${failure}`);
if (failures.length === 0)
  console.log(`All ${executables.length} are bit for bit what went in (SHA-256 compared).`);
else process.exitCode = 1;
