/** Files that were written once must read, and be written again, for ever: test/golden/ (docs/formats/). */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { concatBytes, fromHex, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { AtomReader } from "./atom-reader.ts";
import { Codec } from "./codec.ts";
import { indexPath } from "./index-format.ts";
import { IndexSet } from "./index-set.ts";
import { Kind } from "./kinds.ts";
import { PackWriter, packPath } from "./pack.ts";
import { rebuildIndex } from "./rebuild.ts";
import { encodeBlobRecord, encodeInlineRecord } from "./record.ts";
import { segmentOf } from "./testing/packs.ts";

const golden = new URL("../../test/golden/", import.meta.url);
const PACK = "94efde07a0d4eecebf8422c7e2f84298ba849066fec888a804e5d9e7319e017d";
const INDEX = "b3319bfe7014bbfaa13153f0013c0d77edb629cd53e8a88ac3f460e2ae87cef2";

/** 500 times "a" as an atom, compressed by zstd 1.5.7 at level 3. */
const ZSTD_FRAME = "28b52ffd60f7005d00002001f403610100f02a2002";
const chunks = [utf8("hello, "), utf8("world\n")];
const letters = utf8("a".repeat(500));
const blob = concatBytes([...chunks, letters]);
const small = utf8("a small file\n");

/** The pack of the test vector, made anew: a frame that is kept as it is, one that is compressed, one of recipes. */
async function writeGolden(backend: MemoryBackend): Promise<string> {
  const plain = segmentOf(Kind.chunk, chunks);
  const compressed = segmentOf(Kind.chunk, [letters]);
  const recipe = encodeBlobRecord({
    digest: sha256(blob),
    size: blob.length,
    representation: 1,
    runs: {
      level: 0,
      entries: [
        { segment: plain.id, first: 0, count: 2, bytes: 13 },
        { segment: compressed.id, first: 0, count: 1, bytes: 500 },
      ],
    },
    children: [],
    body: new Uint8Array(0),
  });
  const recipes = segmentOf(Kind.recipe, [encodeInlineRecord(sha256(small), small), recipe]);
  const writer = new PackWriter(backend, 7);
  const packed = ({ id, atoms, body }: typeof plain) => ({ id, atoms, bodyBytes: body.length });
  writer.addEncoded(1, [packed(plain)], plain.body.length, { codec: Codec.none, bytes: plain.body });
  const zstd = { codec: Codec.zstd, bytes: fromHex(ZSTD_FRAME) };
  writer.addEncoded(1, [packed(compressed)], compressed.body.length, zstd);
  writer.addEncoded(3, [packed(recipes)], recipes.body.length, { codec: Codec.none, bytes: recipes.body });
  return (await writer.commit()).name;
}

test("golden: this release writes the pack and the index of the test vectors", async () => {
  const backend = new MemoryBackend();
  assert.equal(await writeGolden(backend), PACK);
  await rebuildIndex(backend);
  const pack = await readFile(new URL(`${PACK}.pack`, golden));
  const index = await readFile(new URL(`${INDEX}.idx`, golden));
  assert.deepEqual(Buffer.from(await backend.read(packPath(PACK))), pack);
  assert.deepEqual(Buffer.from(await backend.read(indexPath(INDEX))), index);
});

test("golden: this release reads the pack and the index of the test vectors", async () => {
  const backend = new MemoryBackend();
  await backend.replace(packPath(PACK), await readFile(new URL(`${PACK}.pack`, golden)));
  await backend.replace(indexPath(INDEX), await readFile(new URL(`${INDEX}.idx`, golden)));
  const index = await IndexSet.open(backend);
  index.files[0]!.verify();
  const atoms = new AtomReader(backend, index, { verify: true });
  assert.deepEqual(Buffer.from((await atoms.needRecord(sha256(small))).inline!), Buffer.from(small));
  const parts: Uint8Array[] = [];
  for await (const { bytes } of atoms.read(await atoms.needRecord(sha256(blob)))) parts.push(bytes);
  assert.deepEqual(concatBytes(parts), blob);
  assert.equal(index.findChunk(sha256(chunks[1]!))!.atom, 1);
});
