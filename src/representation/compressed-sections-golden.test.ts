/** Recipes of compressed sections that were written once must read for ever: test/golden/. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, concatBytes, toHex } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { compressedSections } from "./compressed-sections.ts";

interface Golden {
  readonly digest: string;
  readonly size: number;
  readonly body: Uint8Array;
  readonly runs: Uint8Array;
  readonly inflated: Uint8Array;
}

/** count varint, then for each: digest, size varint, and by length varint the body, the runs' bytes, the child. */
function readGolden(): Golden[] {
  const path = new URL("../../test/golden/compressed-sections-1.bin", import.meta.url);
  const reader = new ByteReader(new Uint8Array(readFileSync(path)), "golden");
  const bytes = () => reader.view(reader.varint("length"), "bytes");
  const files: Golden[] = [];
  for (let left = reader.varint("files"); left > 0; left--) {
    const digest = toHex(reader.view(32, "digest"));
    const size = reader.varint("size");
    files.push({ digest, size, body: bytes(), runs: bytes(), inflated: bytes() });
  }
  reader.end();
  return files;
}

async function decoded({ digest, size, body, runs, inflated }: Golden, from = 0): Promise<Uint8Array> {
  const record = { digest, size, representation: 22, children: [sha256(inflated)], body };
  const atoms = {
    async *read() {
      yield { offset: 0, bytes: runs };
    },
  };
  const readPart = async function* () {
    yield inflated;
  };
  const pieces: Uint8Array[] = [];
  const decoding = compressedSections.decode(
    record as unknown as BlobRecord,
    atoms as unknown as AtomReader,
    from,
    readPart,
  );
  for await (const piece of decoding) pieces.push(piece);
  return concatBytes(pieces);
}

const golden = readGolden();

test("golden: recipes of version 1 give the files that they were made of", async () => {
  assert.equal(golden.length, 3);
  // The last has corrections behind its handprint.
  assert.deepEqual(
    golden.map(({ runs }) => runs.length > 40),
    [false, false, true],
  );
  for (const file of golden) {
    const whole = await decoded(file);
    assert.equal(sha256(whole), file.digest);
    for (let from = 0; from <= file.size; from += 997)
      assert.deepEqual(await decoded(file, from), whole.subarray(from), `from ${from}`);
  }
});

test("a damaged recipe gives an error or other bytes, and an end, seed 22", async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...golden),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      async (file, changes) => {
        const body = file.body.slice();
        for (const [at, value] of changes) body[at % body.length] = value;
        try {
          assert.ok((await decoded({ ...file, body })).length <= file.size);
        } catch (error) {
          assert.ok(isTenonError(error), `${error}`);
          refused++;
        }
      },
    ),
    { seed: 22, numRuns: 200 },
  );
  assert.ok(refused > 100, `${refused}`);
});
