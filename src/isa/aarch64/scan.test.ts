import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../../errors/index.ts";
import { instantiateKernel } from "../../kernels/index.ts";
import { blankAarch64 } from "../testing/blank.ts";
import { randomAarch64 } from "../testing/random-code.ts";
import { CALLEE_SAVED, CALLER_SAVED, PAIR_BYTES } from "./decode.ts";
import { AARCH64_ADRP21, AARCH64_FIELD_MASKS, AARCH64_LOW12, AARCH64_LOW12_MASK } from "./layout.ts";
import {
  type Aarch64Scan,
  scanAarch64,
  scanAarch64Pieces,
  scanAarch64PiecesTwin,
  scanAarch64Twin,
} from "./scan.ts";

const seed = 20262;

function codeOf(...words: number[]): Uint8Array {
  const code = new Uint8Array(words.length * 4);
  const view = new DataView(code.buffer);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word, true);
  return code;
}

/** Pairs as [word of the ADRP, word of the user, scale]. */
function pairsOf(scan: Aarch64Scan): number[][] {
  return [...scan.pairAdrpOffsets].map((adrp, i) => [
    adrp / 4,
    scan.pairUserOffsets[i]! / 4,
    scan.pairScales[i]!,
  ]);
}

const ADRP_X0 = 0xb0000000;
const ADRP_X19 = 0xb0000013;
const ADD_X0_X0 = 0x91004000;
const ADD_X1_X0 = 0x91004001;
const LDR_X1_X0 = 0xf9400401;
const LDR_Q1_X0 = 0x3dc00401;
const LDR_X1_X19 = 0xf9400661;
const NOP = 0xd503201f;
const BL = 0x94000001;
const B = 0x14000001;
const RET = 0xd65f03c0;
const LDP_X19_SP = 0xa94153f3;

test("pairs: golden cases", () => {
  const cases: readonly (readonly [words: number[], pairs: number[][], note: string])[] = [
    [[ADRP_X0, ADD_X0_X0], [[0, 1, 0]], "next word"],
    [[ADRP_X0, NOP, LDR_X1_X0], [[0, 2, 3]], "with a word between"],
    [
      [ADRP_X0, ADD_X1_X0, LDR_Q1_X0],
      [
        [0, 1, 0],
        [0, 2, 4],
      ],
      "several users",
    ],
    [[ADRP_X0, ADD_X0_X0, LDR_X1_X0], [[0, 1, 0]], "the user overwrites the page"],
    [[ADRP_X0, ADRP_X0, LDR_X1_X0], [[1, 2, 3]], "the later of two pages"],
    [[ADRP_X0, BL, LDR_X1_X0], [], "a call changes X0"],
    [[ADRP_X19, BL, LDR_X1_X19], [[0, 2, 3]], "a call keeps X19"],
    [
      [ADRP_X19, B, LDR_X1_X19, RET, LDR_X1_X19],
      [
        [0, 2, 3],
        [0, 4, 3],
      ],
      "branches change nothing",
    ],
    [[ADRP_X19, LDP_X19_SP, RET, LDR_X1_X19], [[0, 3, 3]], "restored at the end of another path"],
    [[LDR_X1_X0, ADRP_X0], [], "a user before the page"],
    [[0x9000001f, 0x910043e1], [], "ADRP XZR is no page for SP"],
  ];
  for (const [words, pairs, note] of cases) {
    assert.deepEqual(pairsOf(scanAarch64(codeOf(...words))), pairs, note);
    assert.deepEqual(pairsOf(scanAarch64Twin(codeOf(...words))), pairs, note);
  }
});

test("pairs reach PAIR_BYTES and no further, and never into another piece", () => {
  const within = Array.from({ length: PAIR_BYTES / 4 - 1 }, () => NOP);
  assert.equal(pairsOf(scanAarch64(codeOf(ADRP_X0, ...within, LDR_X1_X0))).length, 1);
  assert.equal(pairsOf(scanAarch64(codeOf(ADRP_X0, ...within, NOP, LDR_X1_X0))).length, 0);
  assert.deepEqual(pairsOf(scanAarch64(codeOf(ADRP_X0, LDR_X1_X0), { starts: [4] })), []);
});

/** Code of whole and broken words, and ascending starts of pieces within. */
const pieces = fc
  .tuple(fc.nat(), fc.integer({ min: 1, max: 4000 }), fc.array(fc.nat(999), { maxLength: 20 }))
  .map(([from, length, cuts]) => ({
    code: randomAarch64(length, from),
    starts: [...new Set(cuts.map((at) => at * 4))].filter((at) => at < length).sort((a, b) => a - b),
  }));

test("the kernel gives what its twin gives", () => {
  const property = fc.property(pieces, ({ code, starts }) => {
    assert.deepEqual(scanAarch64(code, { starts }), scanAarch64Twin(code, { starts }));
  });
  fc.assert(property, { seed, numRuns: 400 });
  for (const length of [0, 3, 65_532, 65_536, 65_540, 300_001]) {
    const code = randomAarch64(length, length);
    const scan = scanAarch64(code);
    assert.deepEqual(scan, scanAarch64Twin(code));
    if (length > 1000) assert.ok(scan.pairUserOffsets.length > length / 400);
  }
});

/** Every second to fourth stretch of some code, so that there are gaps and neighbours. */
function somePieces(code: Uint8Array, starts: readonly number[]): [Uint32Array, Uint32Array] {
  const bounds = [0, ...starts.filter((at) => at > 0), code.length];
  const chosen = [...bounds.keys()].slice(0, -1).filter((i) => i % 3 !== 1);
  return [Uint32Array.from(chosen, (i) => bounds[i]!), Uint32Array.from(chosen, (i) => bounds[i + 1]!)];
}

test("chosen pieces: the kernel gives what its twin gives, and of blanked code all that was blanked", () => {
  const property = fc.property(pieces, ({ code, starts }) => {
    const [begins, ends] = somePieces(code, starts);
    const blanked = blankAarch64(code, scanAarch64(code, { starts }));
    for (const bytes of [code, blanked]) {
      for (const onlyBlank of [false, true]) {
        const found = scanAarch64Pieces(bytes, begins, ends, onlyBlank);
        assert.deepEqual(found, scanAarch64PiecesTwin(bytes, begins, ends, onlyBlank));
      }
    }
    const all = scanAarch64Pieces(code, begins, ends, false);
    assert.deepEqual(scanAarch64Pieces(blanked, begins, ends, true), all);
  });
  fc.assert(property, { seed, numRuns: 200 });
  const code = randomAarch64(400_003, 9);
  const small = Array.from({ length: 9000 }, (_, i) => 12 * i + 3);
  for (const starts of [[], [65_536, 65_540, 200_001, 265_537], small]) {
    const [begins, ends] = somePieces(code, starts);
    for (const onlyBlank of [false, true]) {
      const found = scanAarch64Pieces(code, begins, ends, onlyBlank);
      assert.deepEqual(found, scanAarch64PiecesTwin(code, begins, ends, onlyBlank));
    }
  }
});

test("blanked code, and code with other values in its fields, gives the same places", () => {
  const property = fc.property(pieces, fc.integer(), ({ code, starts }, filler) => {
    const scan = scanAarch64(code, { starts });
    const other = blankAarch64(code, scan);
    assert.deepEqual(scanAarch64(other, { starts }), scan);
    const view = new DataView(other.buffer);
    const fill = (offset: number, mask: number) =>
      view.setInt32(offset, view.getInt32(offset, true) | (filler & mask), true);
    for (const [i, offset] of scan.fieldOffsets.entries())
      fill(offset, AARCH64_FIELD_MASKS[scan.fieldKinds[i]!]!);
    for (const offset of scan.pairUserOffsets) fill(offset, AARCH64_LOW12_MASK);
    assert.deepEqual(scanAarch64(other, { starts }), scan);
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test("a piece that starts inside a word is refused", () => {
  for (const scan of [scanAarch64, scanAarch64Twin]) {
    assert.throws(
      () => scan(new Uint8Array(16), { starts: [6] }),
      (e) => isTenonError(e, "invalid"),
    );
  }
});

test("the numbers that the kernel repeats are the twin's", () => {
  const exported = instantiateKernel<Record<string, { value: number }>>("isa-aarch64");
  const numbers: Record<string, number> = {
    AARCH64_ADRP21,
    AARCH64_LOW12,
    PAIR_BYTES,
    CALLER_SAVED,
    CALLEE_SAVED,
  };
  const own = ["WINDOW_BYTES", "MAX_PIECES"];
  const repeated = Object.keys(exported).filter((name) => /^[A-Z]/.test(name) && !own.includes(name));
  assert.deepEqual(repeated.sort(), Object.keys(numbers).sort());
  for (const name of repeated) assert.equal(exported[name]!.value, numbers[name], name);
});

test("golden digests: version 1 never changes", () => {
  const scan = scanAarch64(randomAarch64(100_000, 1));
  const hash = createHash("sha256");
  for (const part of [scan.fieldOffsets, scan.pairAdrpOffsets, scan.pairUserOffsets]) {
    hash.update(new Uint8Array(part.buffer));
  }
  hash.update(scan.fieldKinds).update(scan.pairScales);
  assert.equal(hash.digest("hex"), "4d5044337a117aebd79e25d69a26ad9afd1a045735ab55bdd28364618019d833");
});
