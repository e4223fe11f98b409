import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dissect } from "./index.ts";
import { type HashedParts, pieceHashes } from "./match-identity.ts";
import { pieceHashesTwin } from "./testing/piece-hashes.ts";
import { installedPrograms } from "./testing/programs.ts";
import { PieceKind } from "./types.ts";

/** Pieces of these lengths, without references; the last has no bytes. */
function parts(lengths: readonly number[], siteLengths: readonly number[]): HashedParts {
  const count = lengths.length + 1;
  const length = Float64Array.from([...lengths, 5e9]);
  const offset = new Float64Array(count);
  const end = new Uint32Array(count);
  let at = 0;
  let sitesEnd = 0;
  for (let i = 0; i < count; i++) {
    offset[i] = at;
    at += lengths[i] ?? 0;
    sitesEnd += siteLengths[i % siteLengths.length] ?? 0;
    end[i] = sitesEnd;
  }
  const kind = new Uint8Array(count).map((_, i) => i % 7);
  kind[count - 1] = PieceKind.memory;
  const bytesOf = (size: number) => new Uint8Array(size).map((_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  const address = new Float64Array(count);
  return {
    blanked: bytesOf(at),
    pieces: { count, kind, offset, length, address },
    sites: { bytes: bytesOf(sitesEnd), end },
  };
}

test("hashes: the kernel gives what its twin gives", () => {
  const long = fc.constantFrom(131_071, 131_072, 131_073, 300_001);
  const length = fc.oneof({ weight: 20, arbitrary: fc.nat(300) }, long);
  fc.assert(
    fc.property(
      fc.array(length, { maxLength: 60 }),
      fc.array(fc.nat(9), { minLength: 1 }),
      (lengths, sites) => {
        const some = parts(lengths, sites);
        assert.deepEqual(pieceHashes(some), pieceHashesTwin(some));
      },
    ),
    { seed: 20261121, numRuns: 200 },
  );
  const many = parts(new Array(10_000).fill(3), [0, 0, 1]);
  assert.deepEqual(pieceHashes(many), pieceHashesTwin(many));
});

const [program] = installedPrograms();

test("hashes: the same of a program", { skip: !program && "no program" }, () => {
  const dissection = dissect(program!.bytes, { prove: false });
  assert.deepEqual(pieceHashes(dissection), pieceHashesTwin(dissection));
});
