/** Which relocations can go through a slot, and which need a symbol of their own. */
import type { Machine } from "../elf/index.ts";

const R_X86_64_PC32 = 2;
/** R_X86_64_PLT32. */
const X86_BRANCHES: ReadonlySet<number> = new Set([4]);
/** R_AARCH64_JUMP26 and CALL26. CONDBR19 and TSTBR14 reach 1 MiB and 32 KiB only, so they stay direct. */
const AARCH64_BRANCHES: ReadonlySet<number> = new Set([282, 283]);

/** True for a call or a jump: nothing but control goes to the target, so that a slot can stand between. */
export function isBranch(machine: Machine, type: number, code: Uint8Array, offset: number): boolean {
  if (machine === "x86-64" && type === R_X86_64_PC32) return isX86Branch(code, offset);
  return (machine === "x86-64" ? X86_BRANCHES : AARCH64_BRANCHES).has(type);
}

/**
 * Assemblers write PC32 for branches to static functions. In front of the field of a branch is E8, E9 or 0F 80 to
 * 0F 8F; of a field that is added to RIP, a ModRM byte with mod 0 and rm 5, which none of these is.
 */
function isX86Branch(code: Uint8Array, offset: number): boolean {
  const opcode = code[offset - 1];
  if (opcode === undefined) return false;
  return opcode === 0xe8 || opcode === 0xe9 || ((opcode & 0xf0) === 0x80 && code[offset - 2] === 0x0f);
}

/** GOT32, GOTPCREL, GOT64, GOTPCREL64, GOTPCRELX, REX_GOTPCRELX. */
const X86_GOT: ReadonlySet<number> = new Set([3, 9, 27, 28, 41, 42]);
/** Those of the GOT group: 300 (MOVW_GOTOFF_G0) to 313 (LD64_GOTPAGE_LO15). */
const isAarch64Got = (type: number) => type >= 300 && type <= 313;

/** True when the linker makes an entry in its offset table for the symbol: it must be a symbol, not section + addend. */
export function needsGotEntry(machine: Machine, type: number): boolean {
  return machine === "x86-64" ? X86_GOT.has(type) : isAarch64Got(type);
}

/** GOTPCRELX and REX_GOTPCRELX, which linkers turn into direct references when the target is in the program. */
const X86_RELAXED: ReadonlySet<number> = new Set([41, 42]);

/** True when the bytes depend on where the linker puts its offset table, which no layout fixes. */
export function dependsOnGotAddress(machine: Machine, type: number): boolean {
  return needsGotEntry(machine, type) && !(machine === "x86-64" && X86_RELAXED.has(type));
}

/** DTPMOD64 to TPOFF32, and the TLS descriptors. */
const isX86Tls = (type: number) => (type >= 16 && type <= 23) || (type >= 34 && type <= 36);
/** TLSGD_ADR_PREL21 (512) to TLSLD_LDST128_DTPREL_LO12_NC (573). */
const isAarch64Tls = (type: number) => type >= 512 && type <= 573;

/** True when the target is a thread-local variable: linkers refuse the reference if its symbol doesn't say so. */
export function refersToTls(machine: Machine, type: number): boolean {
  return machine === "x86-64" ? isX86Tls(type) : isAarch64Tls(type);
}

/** A slot: one branch, padded to 8 bytes. */
export const SLOT_BYTES = 8;

export interface SlotCode {
  readonly bytes: Uint8Array;
  readonly relocation: { readonly offset: number; readonly type: number; readonly addend: bigint };
}

/** x86-64 `jmp rel32` and three `int3`; AArch64 `b` and a `udf`. */
export function slotCode(machine: Machine): SlotCode {
  return machine === "x86-64"
    ? {
        bytes: new Uint8Array([0xe9, 0, 0, 0, 0, 0xcc, 0xcc, 0xcc]),
        relocation: { offset: 1, type: 4, addend: -4n },
      }
    : {
        bytes: new Uint8Array([0, 0, 0, 0x14, 0, 0, 0, 0]),
        relocation: { offset: 0, type: 282, addend: 0n },
      };
}

/** How far a branch reaches, in bytes either way. */
export function branchReachBytes(machine: Machine): number {
  return machine === "x86-64" ? 2 ** 31 : 2 ** 27;
}
