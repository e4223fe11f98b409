/**
 * elf: a read-only model of ELF64 files for x86-64 and AArch64, little-endian.
 *
 * Nouns, raw layer, in the specification's spelling: a header field is `e_shoff`, `p_vaddr`, `sh_size`, `r_info`.
 * Friendly layer: an `Elf` has `segments`, `sections`, an `AddressMap` (virtual address to file offset and back) and
 * a `DynamicTable`; an `Area` is a well-known part, found with or without section headers; an `EhFrame` has CIEs
 * and FDEs in file order; a `GoFunctionTable` is .gopclntab; `FunctionStarts` joins all that knows of functions.
 * Tables are read in place or as typed arrays, never as one object for each record.
 *
 * Invariant: nothing is read outside the file, and time and memory are bounded by a small multiple of its size,
 * whatever the bytes say. `parseElf` throws `invalid` or `unsupported`, and only for the file header; every other
 * fault is listed in `problems` and what it concerns is left out. What is read and refused: docs/formats/elf.md.
 */
export { AddressMap, type MappedRange } from "./addresses.ts";
export { type Area, areasNamed, derivedAreas } from "./areas.ts";
export type { Cie } from "./cie.ts";
export * from "./constants.ts";
export { type DynamicTable, dynamicValue } from "./dynamic.ts";
export { type EhFrame, fdeAddressField, readEhFrame, readEhFrames } from "./eh-frame.ts";
export { buildEhFrameHdr, type EhFrameHdr, type EhFrameHdrRules, readEhFrameHdr } from "./eh-frame-hdr.ts";
export { type Elf, type ElfKind, type Machine, parseElf, sectionNamed } from "./elf.ts";
export type { FdeColumns } from "./fde.ts";
export type { FunctionStarts } from "./function-collector.ts";
export {
  type FunctionSource,
  functionSource,
  functionStarts,
  type KnownTables,
  SOURCE_ENTRY,
  SOURCE_FDE,
  SOURCE_INIT_ARRAY,
  SOURCE_PCLNTAB,
  SOURCE_SYMBOL,
} from "./functions.ts";
export { type GoBuildInfo, readGoBuildInfo } from "./go-build-info.ts";
export {
  type GoFunctionTable,
  type GoTableVersion,
  goFunctionName,
  readGoFunctions,
} from "./go-functions.ts";
export type { TextStartSource } from "./go-text-start.ts";
export type { DynamicArea, GnuHashTable, HashTable } from "./hash-tables.ts";
export { type Elf64Ehdr, type ElfIdentity, identifyElf } from "./header.ts";
export {
  buildId,
  compressionHeader,
  type Elf64Chdr,
  hasGoBuildId,
  type Note,
  readComments,
  readDebugLink,
  readNotes,
} from "./notes.ts";
export * from "./pointer-encoding.ts";
export type { Problem } from "./problems.ts";
export { type RelocationField, relocationField } from "./relocation-fields.ts";
export * from "./relocation-types.ts";
export { type RelocationTable, type RelrTable, readRelocationTables, readRelr } from "./relocations.ts";
export type { SectionKind } from "./section-kind.ts";
export type { Elf64Shdr, Section } from "./sections.ts";
export type { Elf64Phdr, Segment, SegmentKind } from "./segments.ts";
export { readSymbolTables, type SymbolTable } from "./symbols.ts";
export { type Language, type ToolchainHint, toolchainHint } from "./toolchain.ts";
export { FileView, TOO_LARGE } from "./view.ts";
export {
  type ObjectContent,
  type ObjectGroup,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectSymbol,
  type ObjectTarget,
  writeObject,
} from "./write-object.ts";
