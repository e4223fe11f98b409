import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { AtomReader } from "./atom-reader.ts";
import { IndexSet } from "./index-set.ts";
import { writeIndexOf } from "./index-writer.ts";
import { Kind } from "./kinds.ts";
import { PackWriter, placesOfPack } from "./pack.ts";
import { PackFiles } from "./pack-files.ts";
import { segmentOf } from "./testing/packs.ts";

/** Each a frame of its own, six of them more than a reader keeps at first. */
const FRAMES = 6;
const FRAME_BYTES = 15 << 20;

test("a reader that goes round and round ends up with all it needs; one that passes once keeps little", async (t) => {
  const backend = new MemoryBackend();
  const writer = new PackWriter(backend, 0);
  const segments = Array.from({ length: FRAMES }, (_, i) => {
    const head = noise(64, i + 1);
    const atom = new Uint8Array(FRAME_BYTES);
    atom.set(head);
    return segmentOf(Kind.chunk, [atom]);
  });
  for (const segment of segments) writer.add(Kind.chunk, [segment], "default");
  const { name, directory } = await writer.commit();
  await writeIndexOf(backend, {
    packs: [name],
    segments: placesOfPack(name, directory),
    blobs: new Map(),
    chunks: new Map(),
  });
  const files = new PackFiles(backend);
  const reads = t.mock.method(files, "read");
  const atoms = new AtomReader(backend, await IndexSet.open(backend), { files });
  const round = async () => {
    reads.mock.resetCalls();
    for (const { id } of segments) assert.equal((await atoms.atom(id, 0)).length, FRAME_BYTES);
    return reads.mock.callCount();
  };
  assert.equal(await round(), FRAMES);
  assert.ok((await round()) > 0, "the first frames were kept although nobody had asked for them again");
  await round();
  assert.equal(await round(), 0, "frames are still decoded anew");
  atoms.close();
});
