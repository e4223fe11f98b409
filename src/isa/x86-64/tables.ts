/**
 * The x86-64 opcode maps, described once; the twin and the kernel both run on the bytes built here.
 *
 * Sources: Intel SDM volume 2 (appendix A, opcode maps), AMD APM volume 3 (appendix A; XOP, 3DNow!, EXTRQ).
 * Where the two differ (operand size of near branches) Intel's reading holds.
 */
import {
  ACTION_ESCAPE_0F,
  ACTION_ESCAPE_0F3A,
  ACTION_ESCAPE_0F38,
  ACTION_EVEX,
  ACTION_EXTRQ,
  ACTION_INVALID,
  ACTION_MOFFS,
  ACTION_PREFIX,
  ACTION_REGISTERS,
  ACTION_REX,
  ACTION_TEST_GROUP,
  ACTION_VEX2,
  ACTION_VEX3,
  ACTION_XBEGIN,
  ACTION_XOP,
  ENTRY_ACTION_SHIFT,
  ENTRY_IMM32,
  ENTRY_MODRM,
  ENTRY_REL8,
  ENTRY_REL32,
  MAP_0F,
  MAP_0F3A,
  MAP_0F38,
  MAP_EVEX,
  MAP_PRIMARY,
  MAP_PRIMARY_66,
  MAP_PRIMARY_W,
  MAP_VEX,
  MAP_XOP,
  MODRM_KIND_SHIFT,
  MODRM_RIP,
  MODRM_TABLE_OFFSET,
  TABLE_BYTES,
  X86_64_BASED_DISP32,
  X86_64_DISP32,
  X86_64_RIP32,
} from "./layout.ts";

/** Operand size in bytes, as 66 and REX.W leave it. */
type OperandSize = 2 | 4 | 8;

/**
 * What follows an opcode: `m` a ModRM byte; `b` `w` `e` an immediate of 1, 2, 3 (ENTER) bytes; `z` 2 or 4 by operand
 * size; `v` 2, 4 or 8; `a` an 8-byte address; `j` and `J` a branch distance of 1 or 4
 * bytes; `-` nothing. Rows are tried in turn, the last that names an opcode holds.
 */
type Row = readonly [opcodes: string, follows: string, action?: number];

const PRIMARY: readonly Row[] = [
  ["00-FF", "-"],
  ["00-03 08-0B 10-13 18-1B 20-23 28-2B 30-33 38-3B", "m"],
  ["04 0C 14 1C 24 2C 34 3C", "b"],
  ["05 0D 15 1D 25 2D 35 3D", "z"],
  ["06 07 0E 16 17 1E 1F 27 2F 37 3F 60 61 82 9A CE D4 D5 D6 EA", "-", ACTION_INVALID],
  ["26 2E 36 3E 64-67 F0 F2 F3", "-", ACTION_PREFIX],
  ["40-4F", "-", ACTION_REX],
  ["0F", "-", ACTION_ESCAPE_0F],
  ["62", "-", ACTION_EVEX],
  ["63 84-8E", "m"],
  ["68", "z"],
  ["69", "mz"],
  ["6A", "b"],
  ["6B", "mb"],
  ["70-7F E0-E3 EB", "j"],
  ["80 83 C0 C1 C6", "mb"],
  ["81", "mz"],
  ["8F", "m", ACTION_XOP],
  ["A0-A3", "a", ACTION_MOFFS],
  ["A8", "b"],
  ["A9", "z"],
  ["B0-B7", "b"],
  ["B8-BF", "v"],
  ["C2 CA", "w"],
  ["C4", "-", ACTION_VEX3],
  ["C5", "-", ACTION_VEX2],
  ["C7", "mz", ACTION_XBEGIN],
  ["C8", "e"],
  ["CD E4-E7", "b"],
  ["D0-D3 D8-DF FE FF", "m"],
  ["E8 E9", "J"],
  ["F6", "mb", ACTION_TEST_GROUP],
  ["F7", "mz", ACTION_TEST_GROUP],
];

const TWO_BYTE: readonly Row[] = [
  ["00-FF", "m"],
  ["04 0A 0C 24-27 36 39 3B-3F 7A 7B", "-", ACTION_INVALID],
  ["05-09 0B 0E 30-35 37 77 A0-A2 A8-AA C8-CF", "-"],
  ["0F", "mb"], // 3DNow!: the byte after the operands is the operation
  ["20-23", "m", ACTION_REGISTERS],
  ["38", "-", ACTION_ESCAPE_0F38],
  ["3A", "-", ACTION_ESCAPE_0F3A],
  ["70-73 A4 AC BA C2 C4-C6", "mb"],
  ["78", "m", ACTION_EXTRQ],
  ["80-8F", "J"],
];

// From here on the maps are regular: an opcode that nobody has defined yet is decoded as its neighbours are.
const NO_IMMEDIATE: readonly Row[] = [["00-FF", "m"]];
const BYTE_IMMEDIATE: readonly Row[] = [["00-FF", "mb"]];
const FOUR_BYTE_IMMEDIATE: readonly Row[] = [["00-FF", "mz"]];
const EVEX_1: readonly Row[] = [
  ["00-FF", "m"],
  ["70-73 C2 C4-C6", "mb"],
];
const VEX_1: readonly Row[] = [...EVEX_1, ["77", "-"]];

function* opcodesOf(list: string): Generator<number> {
  for (const range of list.split(" ")) {
    const [first, last = first] = range.split("-");
    for (let op = Number.parseInt(first!, 16); op <= Number.parseInt(last!, 16); op++) yield op;
  }
}

function entryOf(follows: string, action: number, size: OperandSize): number {
  let entry = action << ENTRY_ACTION_SHIFT;
  for (const part of follows) {
    const z = size === 2 ? 2 : 4 | ENTRY_IMM32;
    if (part === "m") entry |= ENTRY_MODRM;
    else if (part === "b") entry |= 1;
    else if (part === "w") entry |= 2;
    else if (part === "e") entry |= 3;
    else if (part === "a") entry |= 8;
    else if (part === "z") entry |= z;
    else if (part === "v") entry |= size === 8 ? 8 : z;
    else if (part === "j") entry |= 1 | ENTRY_REL8;
    else if (part === "J") entry |= 4 | ENTRY_REL32;
  }
  return entry;
}

/** The entry of a ModRM byte whose SIB byte, if it has one, has the base field 5 or not. */
function modrmEntry(modrm: number, sibBase5: boolean): number {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 3) return 1;
  const prefix = rm === 4 ? 2 : 1; // ModRM, and SIB
  if (mod === 1) return prefix + 1;
  if (mod === 2) return (prefix + 4) | (X86_64_BASED_DISP32 << MODRM_KIND_SHIFT);
  if (rm === 5) return 5 | (X86_64_RIP32 << MODRM_KIND_SHIFT) | MODRM_RIP;
  if (rm === 4 && sibBase5) return 6 | (X86_64_DISP32 << MODRM_KIND_SHIFT);
  return prefix;
}

/** All tables as the kernel keeps them: 16-bit opcode entries (little-endian), then 8-bit ModRM entries. */
function buildTables(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TABLE_BYTES);
  const view = new DataView(bytes.buffer);
  const fill = (map: number, rows: readonly Row[], size: OperandSize = 4) => {
    for (const [opcodes, follows, action = 0] of rows) {
      for (const op of opcodesOf(opcodes)) {
        view.setUint16(map * 512 + op * 2, entryOf(follows, action, size), true);
      }
    }
  };
  fill(MAP_PRIMARY, PRIMARY);
  fill(MAP_PRIMARY_66, PRIMARY, 2);
  fill(MAP_PRIMARY_W, PRIMARY, 8);
  fill(MAP_0F, TWO_BYTE);
  fill(MAP_0F38, NO_IMMEDIATE);
  fill(MAP_0F3A, BYTE_IMMEDIATE);
  for (const [i, rows] of [VEX_1, NO_IMMEDIATE, BYTE_IMMEDIATE].entries()) fill(MAP_VEX + i, rows);
  const evex = [EVEX_1, NO_IMMEDIATE, BYTE_IMMEDIATE, NO_IMMEDIATE, NO_IMMEDIATE];
  for (const [i, rows] of evex.entries()) fill(MAP_EVEX + i, rows);
  for (const [i, rows] of [BYTE_IMMEDIATE, NO_IMMEDIATE, FOUR_BYTE_IMMEDIATE].entries())
    fill(MAP_XOP + i, rows);
  for (let modrm = 0; modrm < 256; modrm++) {
    bytes[MODRM_TABLE_OFFSET + modrm] = modrmEntry(modrm, false);
    bytes[MODRM_TABLE_OFFSET + 256 + modrm] = modrmEntry(modrm, true);
  }
  return bytes;
}

/** What the kernel copies into its memory. Never written to. */
export const tableBytes: Uint8Array<ArrayBuffer> = buildTables();

/** Opcode entries, map after map: `entries[map * 256 + opcode]`. */
export const entries: Uint16Array = Uint16Array.from({ length: MODRM_TABLE_OFFSET / 2 }, (_, i) =>
  new DataView(tableBytes.buffer).getUint16(i * 2, true),
);

/** ModRM entries: `modrmEntries[modrm | (SIB base is 5 ? 256 : 0)]`. */
export const modrmEntries: Uint8Array = tableBytes.subarray(MODRM_TABLE_OFFSET);
