import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../bytes/index.ts";
import { compareWithIced, noDifferences } from "../testing/iced.ts";
import { decodeX86_64, type X86_64Instruction } from "./decode.ts";

const KIND_NAMES = ["none", "rel32", "rip32", "disp32", "based32", "imm32", "rel8"];

function render({ lengthBytes, invalid, truncated, fields }: X86_64Instruction): string {
  const flags = `${invalid ? " invalid" : ""}${truncated ? " truncated" : ""}`;
  return `${lengthBytes}${flags}${fields.map(({ kind, offset }) => ` ${KIND_NAMES[kind]}@${offset}`).join("")}`;
}

/** Bytes, and what version 1 makes of the first instruction in them. The format rests on these rows. */
const GOLDEN: readonly (readonly [hex: string, expected: string, note: string])[] = [
  ["90", "1", "nop"],
  ["e811223344", "5 rel32@1", "call"],
  ["e911223344", "5 rel32@1", "jmp"],
  ["0f8411223344", "6 rel32@2", "je near"],
  ["7411", "2 rel8@1", "je short"],
  ["e311", "2 rel8@1", "jrcxz"],
  ["66e811223344", "6 rel32@2", "66 on a near branch is ignored"],
  ["66480fc8", "4", "bswap with both size prefixes"],
  ["67e811223344", "6 rel32@2", "address-size prefix as padding"],
  ["c7f811223344", "6 rel32@2", "xbegin"],
  ["66c7f81122", "5", "xbegin rel16"],
  ["c7f011223344", "6 imm32@2", "C7 with another register field"],
  ["c6f811", "3", "xabort"],
  ["488d0511223344", "7 rip32@3", "lea rax,[rip+x]"],
  ["48833d1122334401", "8 rip32@3", "cmp qword [rip+x],1: the distance counts from the end"],
  ["48c7051122334455667788", "11 rip32@3 imm32@7", "mov qword [rip+x],imm32"],
  ["66c70511223344aabb", "9 rip32@3", "mov word [rip+x],imm16"],
  ["8b042511223344", "7 disp32@3", "mov eax,[disp32]"],
  ["8b04cd11223344", "7 disp32@3", "mov eax,[rcx*8+disp32]"],
  ["8b0424", "3", "mov eax,[rsp]"],
  ["8b442411", "4", "mov eax,[rsp+d8]"],
  ["8b842411223344", "7 based32@3", "mov eax,[rsp+d32]"],
  ["8b8011223344", "6 based32@2", "mov eax,[rax+d32]"],
  ["8b4505", "3", "mov eax,[rbp+d8]: SIB test must not see the displacement"],
  ["418b4500", "4", "mov eax,[r13]"],
  ["f6c001", "3", "test al,1"],
  ["f6d0", "2", "not al"],
  ["f7051122334455667788", "10 rip32@2 imm32@6", "test dword [rip+x],imm32"],
  ["f71511223344", "6 rip32@2", "not dword [rip+x]"],
  ["66f7c01122", "5", "test ax,imm16"],
  ["48b81122334455667788", "10", "movabs rax,imm64"],
  ["b811223344", "5 imm32@1", "mov eax,imm32"],
  ["66b81122", "4", "mov ax,imm16"],
  ["6648b81122334455667788", "11", "REX.W wins over 66"],
  ["4866b81122", "5", "REX before a legacy prefix counts for nothing"],
  ["4841b811223344", "7 imm32@3", "of two REX the last holds"],
  ["a11122334455667788", "9", "mov eax,moffs64"],
  ["67a111223344", "6", "mov eax,moffs32"],
  ["c8112233", "4", "enter"],
  ["c21122", "3", "ret imm16"],
  ["6811223344", "5 imm32@1", "push imm32"],
  ["66681122", "4", "push imm16"],
  ["0f20c0", "3", "mov rax,cr0"],
  ["0f2005", "3", "mov rbp,cr0: the mod field is ignored"],
  ["0f0f05112233449e", "8 rip32@3", "pfmul mm0,[rip+x]"],
  ["660f78c01122", "6", "extrq xmm0,imm8,imm8"],
  ["f20f78c01122", "6", "insertq"],
  ["0f78c0", "3", "vmread"],
  ["660f3a0f0511223344aa", "10 rip32@5", "palignr xmm0,[rip+x],imm8"],
  ["660f38000511223344", "9 rip32@5", "pshufb xmm0,[rip+x]"],
  ["0f0b", "2", "ud2"],
  ["0fb90511223344", "7 rip32@3", "ud1 has operands"],
  ["f30f1efa", "4", "endbr64"],
  ["662e0f1f840000000000", "10 based32@6", "nop of 10 bytes"],
  ["c5fc77", "3", "vzeroall"],
  ["c5f8280511223344", "8 rip32@4", "vmovaps xmm0,[rip+x]"],
  ["c5f970c011", "5", "vpshufd"],
  ["c4e37d180511223344aa", "10 rip32@5", "vinsertf128 ymm0,[rip+x],imm8"],
  ["c4e2f9a90511223344", "9 rip32@5", "vfmadd213sd"],
  ["62f1fe486f0511223344", "10 rip32@6", "vmovdqu64 zmm0,[rip+x]"],
  ["62f3fd48ce0511223344aa", "11 rip32@6", "vgf2p8affineqb with imm8"],
  ["62f27d4892040d11223344", "11 disp32@7", "gather with an index and no base"],
  ["62f57c4858c0", "6", "vaddph, map 5"],
  ["62f67d4898c0", "6", "vfmadd132ph, map 6"],
  ["8fe878c0c011", "6", "vprotb, XOP map 8"],
  ["8fea7810c011223344", "9 imm32@5", "bextr, XOP map A"],
  ["8fc0", "2", "pop rax"],
  ["06", "1 invalid", "push es"],
  ["0f04", "1 invalid", "hole in the map"],
  ["d500", "1 invalid", "REX2 (APX)"],
  ["62f47c4858c0", "1 invalid", "EVEX map 4 (APX)"],
  ["c4e07d18", "1 invalid", "VEX map 0"],
  ["66c5f877", "1 invalid", "66 before VEX"],
  ["48c5f877", "1 invalid", "REX before VEX"],
  ["4864c5f877", "5", "a prefix between takes REX away"],
  ["6666666666666666666666666690", "14", "13 prefixes"],
  ["666666666666666666666666666690", "15", "14 prefixes"],
  ["66666666666666666666666666666690", "1 invalid", "15 prefixes"],
  ["2e2e2e2e2e2e2e2e2e2e48833d1122334401", "1 invalid", "18 bytes"],
  ["e8112233", "4 truncated", "call, one byte short"],
  ["c4e2", "2 truncated", "VEX without an opcode"],
  ["66", "1 truncated", "prefix alone"],
  ["0f", "1 truncated", "escape alone"],
  ["488d05112233", "6 truncated", "the field is not reported"],
];

test("golden vectors", () => {
  for (const [hex, expected, note] of GOLDEN) {
    assert.equal(render(decodeX86_64(fromHex(hex), 0)), expected, `${hex} ${note}`);
  }
});

test("iced-x86 reads the valid golden vectors in the same way", () => {
  const differences = noDifferences();
  for (const [hex, expected] of GOLDEN) {
    if (!/invalid|truncated/.test(expected)) compareWithIced(fromHex(hex), differences);
  }
  assert.deepEqual([...differences.classes.keys()], []);
  assert.ok(differences.compared > 60);
});

/** ModRM and SIB bytes: every way to have a displacement or none, with different register fields. */
const OPERAND_FORMS = ["0524", "0c25", "0c24", "9024", "5424", "9c25", "c024", "f824", "d124"].map(fromHex);

test("every opcode of every map has the length and fields that iced-x86 gives it", () => {
  const legacy = [[], [0x66], [0xf2], [0xf3], [0x48], [0x66, 0x48], [0x67], [0x41]];
  const heads: number[][] = [];
  for (const prefixes of legacy)
    for (const opcodeMap of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]]) {
      heads.push([...prefixes, ...opcodeMap]);
    }
  for (const p of [0, 1, 2, 3, 5, 0x81]) {
    heads.push([0xc5, 0x78 | p]);
    for (const map of [1, 2, 3]) heads.push([0xc4, 0xe0 | map, 0x78 | p]);
    for (const map of [8, 9, 10]) heads.push([0x8f, 0xe0 | map, 0x78 | p]);
    for (const map of [1, 2, 3, 5, 6])
      heads.push([0x62, 0xf0 | map, 0x7c | p, 0x48], [0x62, 0xf0 | map, 0x7c | p, 0x0a]);
  }
  const differences = noDifferences();
  const STRIDE = 16; // an instruction and NOPs, many in one call of iced
  const batch = new Uint8Array(heads.length * STRIDE);
  for (let op = 0; op < 256; op++) {
    for (const form of OPERAND_FORMS) {
      batch.fill(0x90);
      for (const [i, head] of heads.entries()) batch.set([...head, op, ...form], i * STRIDE);
      compareWithIced(batch, differences);
    }
  }
  assert.deepEqual([...differences.classes.keys()], []);
  assert.ok(differences.compared > 256 * OPERAND_FORMS.length * heads.length);
});

test("looking outside the code is refused", () => {
  const code = new Uint8Array(4);
  for (const [offset, end] of [
    [4, 4],
    [-1, 4],
    [0, 5],
    [2, 1],
  ] as const) {
    assert.throws(() => decodeX86_64(code, offset, end), RangeError);
  }
  assert.equal(decodeX86_64(fromHex("90e8000000"), 1, 5).truncated, true);
});
