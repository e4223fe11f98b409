import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { FaultyBackend } from "../backend/testing/faulty.ts";
import { ByteWriter, concatBytes } from "../bytes/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { Codec } from "./codec.ts";
import {
  PackWriter,
  packOfPath,
  packPath,
  placesOfPack,
  readFrame,
  readPackDirectory,
  segmentsOfFrame,
} from "./pack.ts";
import { PACK_TRAILER_BYTES } from "./pack-format.ts";
import { fileDigest, scanFrames } from "./pack-scan.ts";
import { segmentOf, writePack } from "./testing/packs.ts";

const frames = [
  { kind: 1, segments: [[noise(300, 1), noise(20, 2)], [new Uint8Array(4000)]] },
  { kind: 3, segments: [[noise(100, 3)]] },
];

test("pack: is named by its SHA-256, and its frames give the segments back", async () => {
  const backend = new MemoryBackend();
  const name = await writePack(backend, frames);
  assert.equal(sha256(await backend.read(packPath(name))), name);
  assert.equal(await fileDigest(backend, packPath(name)), name);
  assert.equal(packOfPath(packPath(name)), name);
  for (const other of [`packs/00/${name}.pack`, `packs/${name}.pack`, `${packPath(name)}x`, "config"]) {
    assert.equal(packOfPath(other), undefined, other);
  }
  const directory = await readPackDirectory(backend, name);
  assert.deepEqual([directory.frames.length, directory.segments, directory.atoms], [2, 3, 4]);
  const bodies = frames.flatMap(({ kind, segments }) => segments.map((atoms) => segmentOf(kind, atoms)));
  const found: Uint8Array[] = [];
  for (const frame of directory.frames) {
    const raw = await readFrame(backend, { pack: name, ...frame });
    for (const { body, intact } of segmentsOfFrame(frame, raw)) {
      assert.ok(intact);
      found.push(body);
    }
  }
  assert.deepEqual(
    found.map((body) => Buffer.from(body)),
    bodies.map(({ body }) => Buffer.from(body)),
  );
  const places = placesOfPack(name, directory);
  assert.deepEqual(
    [...places.keys()],
    bodies.map(({ id }) => id),
  );
  assert.equal(places.get(bodies[1]!.id)!.offsetInFrame, bodies[0]!.body.length);
});

test("pack: the same content has the same name, whatever the timing; an epoch gives another one", async () => {
  const names = await Promise.all([0, 0, 1].map((epoch) => writePack(new MemoryBackend(), frames, epoch)));
  assert.equal(names[0], names[1]);
  assert.notEqual(names[0], names[2]);
});

test("pack: every flipped byte outside of frames is noticed by the directory, every one by the name", async () => {
  const backend = new MemoryBackend();
  const name = await writePack(backend, frames);
  const path = packPath(name);
  const bytes = await backend.read(path);
  const directory = await readPackDirectory(backend, name);
  const last = directory.frames.at(-1)!;
  for (let i = 0; i < bytes.length; i++) {
    const flipped = Uint8Array.from(bytes);
    flipped[i]! ^= 1 << (i % 8);
    await backend.replace(path, flipped);
    assert.notEqual(await fileDigest(backend, path), name);
    const inFrames = i >= 16 && i < last.offset + last.bytes;
    if (inFrames) await readPackDirectory(backend, name);
    else {
      await assert.rejects(
        readPackDirectory(backend, name),
        (error) =>
          isTenonError(error) && ["damaged", "unsupported"].includes(error.code) && error.data.path === path,
        `byte ${i}`,
      );
    }
  }
});

test("pack: cut off anywhere, the directory is refused", async () => {
  const backend = new MemoryBackend();
  const name = await writePack(backend, frames);
  const bytes = await backend.read(packPath(name));
  for (let length = 0; length < bytes.length; length++) {
    await backend.replace(packPath(name), bytes.subarray(0, length));
    await assert.rejects(readPackDirectory(backend, name), { code: "damaged" }, `${length} bytes`);
  }
  await backend.remove(packPath(name));
  await assert.rejects(readPackDirectory(backend, name), { code: "damaged" });
});

test("pack: a newer version is told from damage", async () => {
  const backend = new MemoryBackend();
  const name = await writePack(backend, frames);
  const bytes = await backend.read(packPath(name));
  bytes[8] = 2;
  await backend.replace(packPath(name), bytes);
  await assert.rejects(readPackDirectory(backend, name), { code: "unsupported" });
});

test("pack: a directory with a right checksum and senseless content is refused", async () => {
  const backend = new MemoryBackend();
  const good = await writePack(backend, frames);
  const bytes = await backend.read(packPath(good));
  const directory = await readPackDirectory(backend, good);
  const last = directory.frames.at(-1)!;
  const framesEnd = last.offset + last.bytes;
  const attempts: [
    string,
    (directory: ByteWriter) => void,
    Partial<Record<"frames" | "segments", number>>,
  ][] = [
    ["no frames, but bytes", (out) => out.varint(0), { frames: 0, segments: 0 }],
    ["more frames than said", (out) => out.varint(0), { frames: 5, segments: 0 }],
    [
      "a frame beyond the directory",
      (out) =>
        out
          .varint(1)
          .u8(1)
          .u8(1)
          .varint(1 << 20)
          .varint(0),
      { frames: 1 },
    ],
    [
      "a frame above the bound",
      (out) =>
        out
          .varint(1)
          .u8(1)
          .u8(1)
          .varint(2 ** 27)
          .varint(0),
      { frames: 1 },
    ],
    ["more frames than can be", (out) => out.varint(2 ** 30), { frames: 2 ** 30 }],
  ];
  for (const [what, write, counts] of attempts) {
    const out = new ByteWriter();
    write(out);
    const trailer = new ByteWriter()
      .u64(framesEnd)
      .u32(out.length)
      .u32(counts.frames ?? 1)
      .u32(counts.segments ?? 0)
      .u32(0)
      .u64(0)
      .u64(0);
    const check = Buffer.from(
      sha256(concatBytes([bytes.subarray(0, 16), out.view(), trailer.view()])),
      "hex",
    );
    const end = [trailer.view(), check.subarray(0, 16), Buffer.from("TENONPKE")];
    const pack = concatBytes([bytes.subarray(0, framesEnd), out.view(), ...end]);
    assert.equal(
      end.reduce((sum, part) => sum + part.length, 0),
      PACK_TRAILER_BYTES,
    );
    await backend.replace(packPath(good), pack);
    await assert.rejects(readPackDirectory(backend, good), { code: "damaged" }, what);
  }
});

test("pack: a scan tells which segments are what their names say", async () => {
  const backend = new MemoryBackend();
  const writer = new PackWriter(backend, 0);
  const segments = [segmentOf(1, [noise(50, 1)]), segmentOf(1, [noise(50, 2)])];
  // Kept as they are, so that a flipped byte does not break the frame.
  writer.add(1, segments, "none");
  const { name, directory } = await writer.commit();
  const bytes = await backend.read(packPath(name));
  bytes[16 + segments[0]!.body.length + 10]! ^= 1;
  await backend.replace(packPath(name), bytes);
  for await (const { segments: scanned, problem } of scanFrames(backend, name, directory.frames)) {
    assert.equal(problem, undefined);
    assert.deepEqual(
      scanned.map(({ intact }) => intact),
      [true, false],
    );
  }
  await backend.replace(packPath(name), bytes.subarray(0, 30));
  for await (const { segments: scanned, problem } of scanFrames(backend, name, directory.frames)) {
    assert.equal(problem?.code, "damaged");
    assert.deepEqual(scanned, []);
  }
  await backend.remove(packPath(name));
  await assert.rejects(
    async () => {
      for await (const _ of scanFrames(backend, name, directory.frames));
    },
    { code: "not-found" },
  );
});

test("pack: what fails while it is written is told, and leaves no pack", async () => {
  for (let atChange = 1; atChange <= 4; atChange++) {
    const backend = new MemoryBackend();
    const faulty = new FaultyBackend(backend, { atChange, mode: "error" });
    const writer = new PackWriter(faulty, 0);
    writer.add(1, [segmentOf(1, [noise(50, 1)])], "default");
    await assert.rejects(writer.commit(), { code: "io" });
    await writer.abort();
    assert.deepEqual(await backend.list(""), []);
    assert.equal(await backend.totalBytes(), 0);
  }
});

test("pack: frames that were encoded before are taken as they are", async () => {
  const backend = new MemoryBackend();
  const writer = new PackWriter(backend, 0);
  const { id, atoms, body } = segmentOf(9, [noise(40, 1)]);
  writer.addEncoded(9, [{ id, bodyBytes: body.length, atoms }], body.length, {
    codec: Codec.none,
    bytes: body,
  });
  const { directory } = await writer.commit();
  assert.deepEqual([directory.frames[0]!.kind, directory.frames[0]!.codec], [9, Codec.none]);
});
