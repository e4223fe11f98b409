import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Backend, MemoryBackend } from "../backend/index.ts";
import { concatBytes } from "../bytes/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { buildPrograms } from "../executable/testing/programs.ts";
import { link, nextRelease, sampleProgram } from "../executable/testing/small-program.ts";
import { add } from "./add.ts";
import { openBase, openContext } from "./context.ts";
import { inspectAlone, inspectFile, inspectStored } from "./inspect.ts";
import type { InspectReport } from "./inspect-types.ts";
import { OverlayBackend } from "./overlay.ts";
import { addFiles, newRepository } from "./testing/small-repository.ts";

const folder = await mkdtemp(join(tmpdir(), "tenon-inspect-test-"));
after(() => rm(folder, { recursive: true }));

const program = sampleProgram(1, 300);
const first = link(program);
const second = link(nextRelease(program, 2, 8));

async function onDisk(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

/** What must hold of every report of an executable. */
function assertAddsUp({ executable, streams, rawBytes, storedBytes, size }: InspectReport): void {
  const { pieces, references } = executable!;
  for (const { count, copied, changed, fresh, bytes, copiedBytes, changedBytes, freshBytes } of pieces) {
    assert.equal(copied + changed + fresh, count);
    assert.equal(copiedBytes + changedBytes + freshBytes, bytes);
  }
  const inFile = pieces.filter(({ kind }) => kind !== "memory");
  assert.equal(
    inFile.reduce((sum, { bytes }) => sum + bytes, 0),
    size,
  );
  assert.equal(references.predicted + references.missed + references.explicit, references.count);
  assert.equal(
    references.kinds.reduce((sum, { count }) => sum + count, 0),
    references.count,
  );
  for (const { count, predicted, told } of references.groups) {
    assert.ok(predicted >= 0 && told >= 0);
    assert.equal(predicted + told, count);
  }
  assert.ok(references.missed >= 0 && references.explicit >= 0);
  assert.equal(
    streams.reduce((sum, stream) => sum + stream.rawBytes, 0),
    rawBytes,
  );
  assert.ok(storedBytes > 0 && storedBytes < size);
}

async function everything(backend: Backend): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await backend.listNames("")) files.set(name, sha256(await backend.read(name)));
  return files;
}

test("a file, by itself: nothing is left behind", async () => {
  const path = await onDisk("program", first);
  const report = await inspectAlone(path);
  assert.deepEqual(
    [report.version, report.name, report.size, report.isStored, report.representation],
    [1, "program", first.length, false, "executable"],
  );
  assert.equal(report.digest, sha256(first));
  assert.deepEqual([report.elf!.machine, report.elf!.type], ["x86-64", "shared"]);
  assert.deepEqual([report.executable!.bases, report.executable!.depth], [[], 0]);
  assertAddsUp(report);
  assert.deepEqual(await readdir(folder), ["program"]);
});

test("no temporary folder is made, so none stays behind whatever ends the process", async (t) => {
  const path = await onDisk("alone", first);
  const { TMPDIR: usual } = process.env;
  t.after(() => {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
  });
  // Whoever would make a folder there fails.
  process.env.TMPDIR = join(folder, "nowhere");
  assert.equal((await inspectAlone(path)).representation, "executable");
});

test("beside a repository: coded by its relative, and the repository is as it was", async () => {
  const backend = new MemoryBackend();
  const context = await newRepository(backend);
  await add(context, [await onDisk("one", first)], { ref: "app:1" });
  const before = await everything(backend);
  const report = await inspectFile(await onDisk("two", second), context);
  assert.deepEqual(await everything(backend), before);
  assert.equal(report.isStored, false);
  assert.deepEqual(report.executable!.bases, [{ digest: sha256(first), refs: ["app:1"] }]);
  assertAddsUp(report);
  const { references, pieces } = report.executable!;
  assert.ok(references.predicted > 0.9 * references.count, `${references.predicted} of ${references.count}`);
  const code = pieces.find(({ kind }) => kind === "code")!;
  assert.ok(code.copied > 0.9 * code.count && code.changed + code.fresh > 0, JSON.stringify(code));
  const known = await inspectFile(join(folder, "one"), context);
  assert.equal(known.isStored, true);
  // Storing it does what was foretold.
  const added = await add(context, [join(folder, "two")], { ref: "app:2" });
  const stored = await inspectStored(context, "app:2");
  assert.deepEqual(stored.executable, report.executable);
  assert.equal(stored.isStored, true);
  assert.ok(stored.storedBytes <= added.storedBytes);
});

test("chunks: the reason is told, of stored ones too", async () => {
  const strange = first.slice();
  strange[18] = 243; // RISC-V
  const path = await onDisk("strange", strange);
  const reason = /ELF for .* is not supported/;
  const alone = await inspectAlone(path);
  assert.equal(alone.representation, "chunks");
  assert.match(alone.declined[0]!.reason, reason);
  assert.match(alone.elf!.unsupported!, reason);
  assert.equal(alone.executable, undefined);
  const context = await newRepository(new MemoryBackend());
  await add(context, [path], { ref: "strange:1" });
  assert.match((await inspectStored(context, "strange:1")).declined[0]!.reason, reason);
  const text = await inspectAlone(await onDisk("text", noise(5000, 1)));
  assert.deepEqual([text.representation, text.elf, text.declined], ["chunks", undefined, []]);
  const tiny = await inspectAlone(await onDisk("tiny", first.subarray(0, 3000)));
  assert.match(tiny.declined[0]!.reason, /^3000 bytes: executables are taken apart from 4 KiB to 512 MiB$/);
  const small = await inspectAlone(await onDisk("small", noise(50, 1)));
  assert.deepEqual([small.representation, small.size], ["inline", 50]);
});

test("containers: what is in them, through all layers", async () => {
  const report = await inspectAlone(await onDisk("program.gz", gzipSync(first)));
  assert.equal(report.representation, "gzip");
  assert.equal(report.container!.files, 1);
  assert.equal(report.container!.fileBytes, first.length);
  assert.deepEqual(report.container!.representations, [
    { name: "executable", blobs: 1, bytes: first.length },
  ]);
  assert.equal(report.container!.largest[0]!.digest, sha256(first));
  assert.ok(report.streams.some(({ stream }) => stream === "executableCode"));
  await onDisk("program", first);
  await onDisk("two", second);
  const tar = spawnSync("tar", ["-cz", "program", "two"], { cwd: folder });
  if (tar.status !== 0) return;
  const layer = await inspectAlone(await onDisk("layer.tar.gz", tar.stdout));
  const { files, fileBytes, representations, largest } = layer.container!;
  assert.deepEqual([files, fileBytes], [2, first.length + second.length]);
  assert.deepEqual(representations.map(({ name, blobs }) => [name, blobs]).sort(), [
    ["executable", 2],
    ["tar", 1],
  ]);
  assert.deepEqual(largest.map(({ name }) => name).sort(), ["program", "two"]);
});

test("within a directory; what is none is refused", async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "both:1", { one: first, two: second });
  const report = await inspectStored(context, "both:1:/two");
  assert.deepEqual([report.name, report.digest], ["two", sha256(second)]);
  assertAddsUp(report);
  await assert.rejects(inspectStored(context, "both:1"), { code: "usage" });
  await assert.rejects(inspectAlone(folder), { code: "usage" });
  await assert.rejects(inspectAlone(join(folder, "gone")), { code: "not-found" });
});

const compiled = buildPrograms(["pie", "static", "static-pie", "relr", "aarch64-static"]);

test("compiled programs", { skip: compiled.length === 0 }, async () => {
  for (const { name, bytes } of compiled) {
    const report = await inspectAlone(await onDisk(name, bytes));
    const { elf } = report;
    assert.equal(elf!.machine, name.startsWith("aarch64") ? "AArch64" : "x86-64");
    assert.ok(elf!.functions! > 5, name);
    if (report.representation !== "executable") assert.ok(report.declined[0]!.reason.length > 5, name);
    else {
      assertAddsUp(report);
      // What linkers make of the unwind tables always follows from them; some make no index.
      const table = report.executable!.derived.find(({ kind }) => kind.startsWith(".eh_frame_hdr"));
      assert.equal(table?.exceptionBytes ?? 0, 0, name);
      if (name === "static-pie") assert.ok(table !== undefined);
    }
  }
});

test("overlay: reads through, writes above, removes nothing below", async () => {
  const [lower, upper] = [new MemoryBackend(), new MemoryBackend()];
  await lower.createIfAbsent("a/one", noise(10, 1));
  await lower.createIfAbsent("a/two", noise(10, 2));
  const overlay = new OverlayBackend(upper, lower);
  assert.equal(await overlay.createIfAbsent("a/one", noise(5, 9)), false);
  assert.equal(await overlay.createIfAbsent("a/three", noise(5, 9)), true);
  await overlay.replace("a/two", noise(7, 3));
  await overlay.remove("a/one");
  assert.deepEqual(await overlay.listNames("a"), ["a/three", "a/two"]);
  assert.deepEqual(await overlay.read("a/two"), noise(7, 3));
  assert.equal(await overlay.stat("a/one"), undefined);
  await assert.rejects(overlay.read("a/one"), { code: "not-found" });
  assert.deepEqual(await lower.read("a/two"), noise(10, 2));
  assert.deepEqual(await lower.listNames("a"), ["a/one", "a/two"]);
  await overlay.createIfAbsent("a/one", noise(3, 4));
  assert.deepEqual(await overlay.read("a/one"), noise(3, 4));
  const opened = await openContext(await openBase((await newRepository(new MemoryBackend())).backend));
  assert.ok(opened.index);
});

test("the program's own bytes are what is inspected", async () => {
  const path = await onDisk("again", concatBytes([first, noise(100, 3)]));
  assert.equal((await inspectAlone(path)).digest, sha256(await readFile(path)));
});
