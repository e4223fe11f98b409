import assert from "node:assert/strict";
import { test } from "node:test";
import { kindOfTopByte, low12Scale, writtenRegisters } from "./decode.ts";
import {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH19,
  AARCH64_BRANCH26,
  AARCH64_LITERAL19,
  aarch64Distance,
  withAarch64Distance,
} from "./layout.ts";

const NO_FIELD = 0;

/** Words from GNU as 2.40, what they are, and their distance in bytes. */
const FIELDS: readonly (readonly [word: number, kind: number, distance: number, note: string])[] = [
  [0x14000002, AARCH64_BRANCH26, 8, "b .+8"],
  [0x17ffffff, AARCH64_BRANCH26, -4, "b .-4"],
  [0x96000000, AARCH64_BRANCH26, -134217728, "bl .-128 MiB"],
  [0x547fffe0, AARCH64_BRANCH19, 1048572, "b.eq .+1048572"],
  [0x34000083, AARCH64_BRANCH19, 16, "cbz w3, .+16"],
  [0xb5ffff83, AARCH64_BRANCH19, -16, "cbnz x3, .-16"],
  [0x361bffe1, AARCH64_BRANCH14, 32764, "tbz w1, #3, .+32764"],
  [0xb7440001, AARCH64_BRANCH14, -32768, "tbnz x1, #40, .-32768"],
  [0x707fffe5, AARCH64_ADR21, 1048575, "adr x5, .+1048575"],
  [0x70ffffe5, AARCH64_ADR21, -1, "adr x5, .-1"],
  [0xd0000007, AARCH64_ADRP21, 8192, "adrp x7, two pages on"],
  [0xf0ffffe7, AARCH64_ADRP21, -4096, "adrp x7, one page back"],
  [0x90800007, AARCH64_ADRP21, -4294967296, "adrp x7, 4 GiB back"],
  [0x18000021, AARCH64_LITERAL19, 4, "ldr w1, .+4"],
  [0x58ffffe1, AARCH64_LITERAL19, -4, "ldr x1, .-4"],
  [0x98000042, AARCH64_LITERAL19, 8, "ldrsw x2, .+8"],
  [0x1c000041, AARCH64_LITERAL19, 8, "ldr s1, .+8"],
  [0x5c000041, AARCH64_LITERAL19, 8, "ldr d1, .+8"],
  [0x9c000041, AARCH64_LITERAL19, 8, "ldr q1, .+8"],
  [0xd8000040, AARCH64_LITERAL19, 8, "prfm pldl1keep, .+8"],
  [0xd65f03c0, NO_FIELD, 0, "ret"],
  [0xd61f0060, NO_FIELD, 0, "br x3"],
  [0xd63f0060, NO_FIELD, 0, "blr x3"],
  [0xd503201f, NO_FIELD, 0, "nop"],
];

const NO_USER = -1;

/** Words from GNU as 2.40 and the scale of their 12-bit offset. */
const SCALES: readonly (readonly [word: number, scale: number, note: string])[] = [
  [0x91004020, 0, "add x0, x1, #16"],
  [0x91404020, NO_USER, "add x0, x1, #16, lsl #12"],
  [0x11004020, NO_USER, "add w0, w1, #16"],
  [0xb1004020, NO_USER, "adds x0, x1, #16"],
  [0xd1004020, NO_USER, "sub x0, x1, #16"],
  [0x39400c20, 0, "ldrb w0, [x1, #3]"],
  [0x39802020, 0, "ldrsb x0, [x1, #8]"],
  [0x79400c20, 1, "ldrh w0, [x1, #6]"],
  [0xb9400420, 2, "ldr w0, [x1, #4]"],
  [0xb9800820, 2, "ldrsw x0, [x1, #8]"],
  [0xf9400420, 3, "ldr x0, [x1, #8]"],
  [0xf9000420, 3, "str x0, [x1, #8]"],
  [0xf9800420, 3, "prfm pldl1keep, [x1, #8]"],
  [0x3d400420, 0, "ldr b0, [x1, #1]"],
  [0x7d400420, 1, "ldr h0, [x1, #2]"],
  [0xbd400420, 2, "ldr s0, [x1, #4]"],
  [0xfd400420, 3, "ldr d0, [x1, #8]"],
  [0x3dc00420, 4, "ldr q0, [x1, #16]"],
  [0x3d800420, 4, "str q0, [x1, #16]"],
  [0x7dc00420, NO_USER, "128-bit access of another size: not allocated"],
  [0xf8408020, NO_USER, "ldur x0, [x1, #8]"],
  [0xa9410440, NO_USER, "ldp x0, x1, [x2, #16]"],
];

/** X0 to X18 and X30. */
const CALL = [...Array(19).keys(), 30];

/** Words from GNU as 2.40 and the general registers that they end the life of. */
const WRITES: readonly (readonly [word: number, registers: readonly number[], note: string])[] = [
  [0x94000001, CALL, "bl"],
  [0xd63f0060, CALL, "blr x3"],
  [0x14000002, [], "b"],
  [0x54000040, [], "b.eq"],
  [0xd65f03c0, [], "ret"],
  [0x90000007, [7], "adrp x7"],
  [0x91004020, [0], "add x0, x1, #16"],
  [0xd2800023, [3], "movz x3, #1"],
  [0xaa0103e0, [0], "mov x0, x1"],
  [0xeb02003f, [], "cmp x1, x2"],
  [0xfa420023, [], "ccmp x1, x2, #3, eq"],
  [0x9a820024, [4], "csel x4, x1, x2, eq"],
  [0x9e660063, [3], "fmov x3, d3"],
  [0x9e670063, [], "fmov d3, x3"],
  [0x9e780063, [3], "fcvtzs x3, d3"],
  [0x9e620063, [], "scvtf d3, x3"],
  [0x9e58f063, [3], "fcvtzs x3, d3, #4"],
  [0x1e652883, [], "fadd d3, d4, d5"],
  [0x0e033c63, [3], "umov w3, v3.b[1]"],
  [0x4e032c63, [3], "smov x3, v3.b[1]"],
  [0x4e031c63, [], "mov v3.b[1], w3"],
  [0x0420e3e3, [3], "cntb x3"],
  [0xf9400420, [0], "ldr x0, [x1, #8]"],
  [0xf9000420, [], "str x0, [x1, #8]"],
  [0xf9800420, [], "prfm pldl1keep, [x1, #8]"],
  [0xfd400420, [], "ldr d0, [x1, #8]"],
  [0xf8408020, [0], "ldur x0, [x1, #8]"],
  [0xf8408420, [0, 1], "ldr x0, [x1], #8"],
  [0xf8408c20, [0, 1], "ldr x0, [x1, #8]!"],
  [0xf8008420, [1], "str x0, [x1], #8"],
  [0x3cc10420, [1], "ldr q0, [x1], #16"],
  [0xf8626820, [0], "ldr x0, [x1, x2]"],
  [0xf8226820, [], "str x0, [x1, x2]"],
  [0x58ffffe1, [1], "ldr x1, .-4"],
  [0xd8000040, [], "prfm pldl1keep, .+8"],
  [0x1c000041, [], "ldr s1, .+8"],
  [0xa9410440, [0, 1], "ldp x0, x1, [x2, #16]"],
  [0xa9405053, [19, 20], "ldp x19, x20, [x2]"],
  [0xa94153f3, [], "ldp x19, x20, [sp, #16]: the end of a path"],
  [0xa8c253f3, [], "ldp x19, x20, [sp], #32"],
  [0xacc10440, [2], "ldp q0, q1, [x2], #32"],
  [0xa9bf04a0, [5], "stp x0, x1, [x5, #-16]!"],
  [0xc85f7c83, [3], "ldxr x3, [x4]"],
  [0xc8057c83, [5], "stxr w5, x3, [x4]"],
  [0xc87f1883, [3, 6], "ldxp x3, x6, [x4]"],
  [0xc89ffc83, [], "stlr x3, [x4]"],
  [0xc8dffc83, [3], "ldar x3, [x4]"],
  [0xc8a37c85, [3], "cas x3, x5, [x4]"],
  [0x48227cc4, [2, 3], "casp x2, x3, x4, x5, [x6]"],
  [0xf8230085, [5], "ldadd x3, x5, [x4]"],
  [0xf823009f, [], "stadd x3, [x4]"],
  [0xf8208483, [3], "ldraa x3, [x4, #64]"],
  [0xf8201c83, [3, 4], "ldraa x3, [x4, #8]!"],
  [0xd9408083, [3], "ldapur x3, [x4, #8]"],
  [0xd9008083, [], "stlur x3, [x4, #8]"],
  [0xd9600083, [3], "ldg x3, [x4]"],
  [0xd9201483, [4], "stg x3, [x4], #16"],
  [0x1d020461, [1, 2, 3], "cpyp [x1]!, [x2]!, x3!"],
  [0x4cdf7080, [4], "ld1 {v0.16b}, [x4], #16"],
  [0x4c407080, [], "ld1 {v0.16b}, [x4]"],
  [0x0d850480, [4], "st1 {v0.b}[1], [x4], x5"],
  [0xd53bd043, [3], "mrs x3, tpidr_el0"],
  [0xd51bd043, [], "msr tpidr_el0, x3"],
];

test("golden vectors: kinds and distances", () => {
  for (const [word, kind, distance, note] of FIELDS) {
    assert.equal(kindOfTopByte[word >>> 24], kind, note);
    if (kind === NO_FIELD) continue;
    assert.equal(aarch64Distance(kind, word | 0), distance, note);
    const blanked = withAarch64Distance(kind, word | 0, 0)!;
    assert.equal(aarch64Distance(kind, blanked | 0), 0, note);
    assert.equal(withAarch64Distance(kind, blanked | 0, distance), word, note);
  }
});

test("distances that a field can't hold are refused", () => {
  for (const [kind, word, distance] of [
    [AARCH64_BRANCH26, 0x14000000, 134217728],
    [AARCH64_BRANCH26, 0x14000000, 2],
    [AARCH64_BRANCH19, 0x54000000, 1048576],
    [AARCH64_BRANCH14, 0x36000000, -32772],
    [AARCH64_ADR21, 0x10000000, 1048576],
    [AARCH64_ADRP21, 0x90000000, 4294967296],
    [AARCH64_ADRP21, 0x90000000, 4095],
    [AARCH64_LITERAL19, 0x58000000, Number.NaN],
  ] as const) {
    assert.equal(withAarch64Distance(kind, word, distance), undefined, `${kind} ${distance}`);
  }
});

test("golden vectors: users of a page", () => {
  for (const [word, scale, note] of SCALES) assert.equal(low12Scale(word | 0), scale, note);
});

test("golden vectors: written registers", () => {
  for (const [word, registers, note] of WRITES) {
    const written = writtenRegisters(word | 0);
    assert.deepEqual(
      [...Array(31).keys()].filter((register) => ((written >>> register) & 1) !== 0),
      registers,
      note,
    );
  }
});
