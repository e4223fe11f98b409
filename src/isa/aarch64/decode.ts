/**
 * AArch64 (A64): what an instruction word is to an address, and which registers it writes. The kernel's twin.
 *
 * Pairing: an ADRP's page is completed by the 12-bit offset of an ADD, load, store or prefetch whose base is the
 * ADRP's register. The words are gone through in program order with one slot a register: ADRP fills it, a word that
 * may write the register empties it, branches change nothing but what a called function may. Nothing looks at a
 * field's value, so blanked code pairs the same way. It is an approximation: a wrong pair costs space, never
 * correctness. Against the relocations of libc, libm, libstdc++ and libasan (gcc 12) it finds 93 to 99% of the
 * 12-bit users, and 99.9% of what it finds are users; most others take their page from a spilled register.
 */
import {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH19,
  AARCH64_BRANCH26,
  AARCH64_LITERAL19,
} from "./layout.ts";

/** Kind by the first 8 bits of the word: a list of values, the rest 0. */
const KINDS: readonly (readonly [kind: number, topBytes: readonly number[]])[] = [
  [AARCH64_BRANCH26, [0x14, 0x15, 0x16, 0x17, 0x94, 0x95, 0x96, 0x97]],
  [AARCH64_BRANCH19, [0x54, 0x34, 0x35, 0xb4, 0xb5]],
  [AARCH64_BRANCH14, [0x36, 0x37, 0xb6, 0xb7]],
  [AARCH64_LITERAL19, [0x18, 0x58, 0x98, 0xd8, 0x1c, 0x5c, 0x9c]],
  [AARCH64_ADR21, [0x10, 0x30, 0x50, 0x70]],
  [AARCH64_ADRP21, [0x90, 0xb0, 0xd0, 0xf0]],
];

/** Kind of address field by the top byte of the word. The kernel gets a copy. */
export const kindOfTopByte: Uint8Array<ArrayBuffer> = new Uint8Array(256);
for (const [kind, topBytes] of KINDS) for (const top of topBytes) kindOfTopByte[top] = kind;

/**
 * How far behind its ADRP a user may be, in bytes. No longer distance finds more in the libraries named above; 4 KiB
 * lose 3% of the users in the one that has the largest functions.
 */
export const PAIR_BYTES = 65536;
/** X0 to X18 and X30: what a called function may change (AAPCS64). */
export const CALLER_SAVED = 0x4007ffff;

/**
 * log2 of the bytes that one unit of the 12-bit offset stands for (0 to 4), when the word is an ADD (64-bit, not
 * shifted), load, store or prefetch with an unsigned scaled offset; else -1.
 */
export function low12Scale(word: number): number {
  if ((word & 0xffc00000) === (0x91000000 | 0)) return 0;
  if ((word & 0x3b000000) !== 0x39000000) return -1;
  const size = word >>> 30;
  if ((word & 0x04800000) === 0x04800000) return size === 0 ? 4 : -1; // 128-bit SIMD
  return size;
}

/** X19 to X28, which a function restores before it returns. */
export const CALLEE_SAVED = 0x1ff80000;

/**
 * Bit set of the registers that the word may write, as far as pairing is concerned; bit 31 (SP or XZR) has no
 * meaning. A pair of callee-saved registers loaded from the stack is taken for the end of a path through the
 * function: the code behind it is reached from before, with the registers as they were.
 */
export function writtenRegisters(word: number): number {
  const rd = 1 << (word & 31);
  switch ((word >>> 25) & 15) {
    case 0b1000: // data processing, immediate
    case 0b1001:
    case 0b0010: // SVE: a few write a general register
      return rd;
    case 0b0101: // data processing, register: all but conditional compares
    case 0b1101:
      return (word & 0x1fe00000) === 0x1a400000 ? 0 : rd;
    case 0b0111: // SIMD and floating point
    case 0b1111:
      return movesToGeneral(word) ? rd : 0;
    case 0b1010: // branches, exceptions, system
    case 0b1011:
      return writtenByBranch(word);
    case 0b0100: // loads and stores
    case 0b0110:
    case 0b1100:
    case 0b1110:
      return writtenByMemory(word);
    default:
      return 0;
  }
}

/** FMOV, FCVT*, FJCVTZS to a general register; UMOV, SMOV. */
function movesToGeneral(word: number): boolean {
  const opcode = (word >>> 16) & 7;
  if ((word & 0x7f20fc00) === 0x1e200000) return opcode !== 2 && opcode !== 3 && opcode !== 7;
  if ((word & 0x7f200000) === 0x1e000000) return opcode < 2; // fixed point
  return (word & 0xbfe0ec00) === 0x0e002c00;
}

function writtenByBranch(word: number): number {
  if ((word & 0xfc000000) === (0x94000000 | 0)) return CALLER_SAVED; // BL
  if ((word & 0xfe600000) === (0xd6200000 | 0)) return CALLER_SAVED; // BLR
  if ((word & 0xfff80000) === (0xd5280000 | 0) || (word & 0xfff00000) === (0xd5300000 | 0)) {
    return 1 << (word & 31); // SYSL, MRS
  }
  return 0;
}

function writtenByMemory(word: number): number {
  const rt = 1 << (word & 31);
  const rn = 1 << ((word >>> 5) & 31);
  const rt2 = 1 << ((word >>> 10) & 31);
  const rs = (word >>> 16) & 31;
  const vector = (word & 0x04000000) !== 0;
  const opc = (word >>> 22) & 3;
  const index = (word >>> 10) & 3; // of the forms with a 9-bit offset: 1 post-index, 3 pre-index
  // Loads have opc 1 to 3; size 3 with opc 2 is a prefetch.
  const loaded = vector || opc === 0 || (word >>> 30 === 3 && opc === 2) ? 0 : rt;
  switch ((word >>> 24) & 0x3b) {
    case 0x39: // unsigned offset
      return loaded;
    case 0x38:
      if ((word & 0x00200000) === 0) return loaded | ((index & 1) !== 0 ? rn : 0);
      if (index === 2) return loaded; // register offset
      if (vector) return 0;
      return index === 3 ? rt | rn : rt; // atomics; loads with pointer authentication
    case 0x28: // pairs; bit 23 of the first, as of the second, says that the base is changed
    case 0x29:
      return ((word & 0x00800000) !== 0 ? rn : 0) | (vector ? 0 : loadedPair(word, rt | rt2));
    case 0x18: // literal
      return vector || word >>> 30 === 3 ? 0 : rt;
    case 0x19:
      // Ordered with offset; ordered with SIMD register; memory copy and set; ordered pairs.
      if ((word & 0x00200000) === 0)
        return index === 0 || (index === 2 && vector) ? loaded : rt | rn | (1 << rs);
      if (index !== 0) return (index & 1) !== 0 ? rn : 0; // memory tags
      return word >>> 30 === 0 ? rt | (1 << rs) : loaded; // 128-bit atomics; LDG
    case 0x08: // exclusive, ordered, compare and swap
      if (!vector) return writtenByExclusive(word, rt, rt2, rs);
      break;
    default:
      break;
  }
  // SIMD structures: post-index.
  return (word & 0xbe800000) === 0x0c800000 ? rn : 0;
}

function loadedPair(word: number, registers: number): number {
  if ((word & 0x00400000) === 0) return 0; // STP
  return (word & 0x03e0) === 0x03e0 ? registers & ~CALLEE_SAVED : registers; // from the stack
}

function writtenByExclusive(word: number, rt: number, rt2: number, rs: number): number {
  const load = (word & 0x00400000) !== 0;
  const ordered = (word & 0x00800000) !== 0;
  const pair = (word & 0x00200000) !== 0; // or compare and swap
  let written = load ? rt : 0;
  if (load && pair) written |= rt2;
  if (pair && (ordered || word >>> 31 === 0))
    written |= (1 << rs) | (1 << (ordered ? rs : (rs + 1) & 31)); // CAS, CASP
  else if (!load && !ordered) written |= 1 << rs; // status of a store-exclusive
  return written;
}
