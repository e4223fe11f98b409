import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeX86_64 } from "./decode.ts";
import { INSTRUCTION_LENGTH, X86_64_IMM32, X86_64_REL8, X86_64_REL32, X86_64_RIP32 } from "./layout.ts";
import {
  Immediate,
  partsDisplacementBytes,
  partsHasSib,
  partsHeadBytes,
  partsImmediate,
  partsIsRip,
  partsX86_64,
} from "./parts.ts";

const parts = (...bytes: number[]) => {
  const found = partsX86_64(Uint8Array.from(bytes), 0, bytes.length);
  return [
    partsHeadBytes(found),
    partsDisplacementBytes(found),
    partsImmediate(found),
    partsHasSib(found),
    partsIsRip(found),
  ];
};

test("parts: head, displacement, immediate, SIB, RIP of known instructions", () => {
  assert.deepEqual(parts(0xc3), [1, 0, Immediate.other, false, false]);
  assert.deepEqual(parts(0x83, 0x44, 0x24, 0x10, 5), [3, 1, Immediate.byte, true, false]);
  assert.deepEqual(parts(0x48, 0xc7, 0x05, 1, 2, 3, 4, 5, 6, 7, 8), [3, 4, Immediate.word, false, true]);
  assert.deepEqual(parts(0x8b, 0x80, 1, 2, 3, 4), [2, 4, Immediate.other, false, false]);
  assert.deepEqual(parts(0x8b, 0x04, 0xcd, 1, 2, 3, 4), [3, 4, Immediate.other, true, false]);
  assert.deepEqual(parts(0x74, 5), [1, 0, Immediate.shortBranch, false, false]);
  assert.deepEqual(parts(0x0f, 0x84, 1, 2, 3, 4), [2, 0, Immediate.branch, false, false]);
  assert.deepEqual(parts(0x66, 0xb8, 1, 2), [2, 0, Immediate.other, false, false]);
  assert.deepEqual(parts(0xc5, 0xf8, 0x28, 0x45, 8), [4, 1, Immediate.other, false, false]);
  assert.deepEqual(parts(0x06, 0x90), [1, 0, Immediate.other, false, false]);
});

test("parts: they fit the fields that the decoder gives, and depend on the head alone", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 20 }),
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      (code, other) => {
        const found = partsX86_64(code, 0, code.length);
        const { lengthBytes, fields, invalid, truncated } = decodeX86_64(code, 0);
        assert.equal(found & INSTRUCTION_LENGTH, lengthBytes);
        if (invalid || truncated) return;
        const head = partsHeadBytes(found);
        const displacement = partsDisplacementBytes(found);
        const immediate = partsImmediate(found);
        const kinds = fields.map((field) => field.kind);
        const last = kinds.at(-1);
        assert.equal(kinds.includes(X86_64_RIP32), partsIsRip(found));
        assert.equal(immediate === Immediate.branch, last === X86_64_REL32);
        assert.equal(immediate === Immediate.word, last === X86_64_IMM32);
        assert.equal(immediate === Immediate.shortBranch, last === X86_64_REL8);
        if (displacement === 4) assert.equal(fields[0]!.offset, head);
        assert.ok(head + displacement <= lengthBytes);
        const changed = code.slice();
        for (let i = head; i < lengthBytes; i++) changed[i] = other[i % 20]!;
        assert.equal(partsX86_64(changed, 0, changed.length), found);
      },
    ),
    { seed: 20261121, numRuns: 20_000 },
  );
});
