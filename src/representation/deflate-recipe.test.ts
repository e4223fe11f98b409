import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { concatBytes, fromHex, toHex, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { tokenParameters } from "../gzip/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { decodeStreams, encodeStreamRecipe, type StreamRecipe } from "./deflate-recipe.ts";

const member = fromHex("1f8b08000000000000ff4b040043beb7e801000000");
const recipe: StreamRecipe = {
  members: [
    {
      header: member.subarray(0, 10),
      model: { variant: "zlib", level: 6, memLevel: 8, blockBytes: 131072 },
      contentBytes: 1,
      trailer: member.subarray(-8),
    },
  ],
  trailing: new Uint8Array(0),
};

function recordOf(body: Uint8Array, children: readonly string[], size: number): BlobRecord {
  return {
    digest: sha256(member),
    size,
    representation: 18,
    runs: { level: 0, entries: [] },
    children,
    body,
  } as unknown as BlobRecord;
}

/** A repository whose only part is the content, and whose runs are the corrections. */
async function decoded(
  record: BlobRecord,
  content: Uint8Array,
  runs = new Uint8Array(0),
): Promise<Uint8Array> {
  const atoms = {
    async *read() {
      yield { offset: 0, bytes: runs };
    },
  } as unknown as AtomReader;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const readPart = async function* () {
    yield content;
  };
  for await (const piece of decodeStreams(record, atoms, 0, readPart)) {
    pieces.push(piece);
    bytes += piece.length;
    // The store stops here, since the blob would be too long.
    if (bytes > 10_000) break;
  }
  return concatBytes(pieces);
}

test("the test vector of docs/formats/gzip.md", async () => {
  const body = encodeStreamRecipe(recipe);
  assert.equal(toHex(body), "01010a1f8b08000000000000ff01060880800801" + "0843beb7e80100000000");
  const content = utf8("a");
  assert.deepEqual(await decoded(recordOf(body, [sha256(content)], member.length), content), member);
});

test("a damaged recipe gives an error or other bytes, and an end, seed 41", async () => {
  const header = gzipSync(Buffer.alloc(0)).subarray(0, 10);
  const body = encodeStreamRecipe({
    members: [
      recipe.members[0]!,
      {
        header,
        model: { ...tokenParameters[3]!, correctionBytes: 40 },
        contentBytes: 1,
        trailer: new Uint8Array(8),
      },
    ],
    trailing: new Uint8Array(3),
  });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      async (changes) => {
        const changed = body.slice();
        for (const [at, value] of changes) changed[at] = value;
        try {
          await decoded(recordOf(changed, [sha256(member)], 100), utf8("ab"), new Uint8Array(40));
        } catch (error) {
          assert.ok(isTenonError(error), `${error}`);
          refused++;
        }
      },
    ),
    { seed: 41, numRuns: 400 },
  );
  assert.ok(refused > 100, `${refused}`);
});
