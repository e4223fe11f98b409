/**
 * isa: where the address fields of machine code are, and how long its instructions.
 *
 * Nouns: a *field* is the part of an instruction that holds an address, a distance or something that may be one; its
 * *kind* says which bits and what they count from. A *piece* of code is decoded by itself, from its first byte.
 * *Blanked* code has its fields set to zero. Invariant: the lengths of instructions and the places and kinds of
 * fields never depend on what the fields hold, so blanked code gives the same places as the code did; and a scan
 * never reads outside its piece. The decoders are part of the on-disk format (docs/formats/isa.md): a change
 * to any result is a new version beside the old one.
 */

export {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH19,
  AARCH64_BRANCH26,
  AARCH64_FIELD_MASKS,
  AARCH64_LITERAL19,
  AARCH64_LOW12,
  AARCH64_LOW12_MASK,
  aarch64Distance,
  withAarch64Distance,
} from "./aarch64/layout.ts";
export {
  type Aarch64Fields,
  type Aarch64Scan,
  type Aarch64ScanOptions,
  scanAarch64,
  scanAarch64Pieces,
  scanAarch64PiecesTwin,
  scanAarch64Twin,
} from "./aarch64/scan.ts";
export { decodeX86_64, type X86_64Field, type X86_64Instruction } from "./x86-64/decode.ts";
export {
  INSTRUCTION_INVALID,
  INSTRUCTION_LENGTH,
  INSTRUCTION_TRUNCATED,
  X86_64_BASED_DISP32,
  X86_64_DISP32,
  X86_64_IMM32,
  X86_64_REL8,
  X86_64_REL32,
  X86_64_RIP32,
} from "./x86-64/layout.ts";
export {
  Immediate,
  partsDisplacementBytes,
  partsHasSib,
  partsHeadBytes,
  partsImmediate,
  partsIsRip,
  partsX86_64,
} from "./x86-64/parts.ts";
export {
  scanX86_64,
  scanX86_64Branches,
  scanX86_64BranchesTwin,
  scanX86_64Pieces,
  scanX86_64PiecesTwin,
  scanX86_64Twin,
  type X86_64Branches,
  type X86_64Fields,
  type X86_64PieceOptions,
  type X86_64Scan,
  type X86_64ScanOptions,
  x86_64End,
  x86_64Kind,
} from "./x86-64/scan.ts";

/** The decoder's tables, for kernels that decode by themselves. */
export { tableBytes as x86_64TableBytes } from "./x86-64/tables.ts";

/** Version of the x86-64 rules. Recorded by whatever relies on them. */
export const ISA_X86_64_VERSION = 1;

/** Version of the AArch64 rules, pairing included. */
export const ISA_AARCH64_VERSION = 1;
