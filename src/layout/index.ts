/**
 * layout: fixed addresses for the units of library versions, so that images share pages.
 *
 * Nouns: a `variant` is a bundle as it is in a set of versions, with one address for ever; a `home` is the one
 * address of what is referred to by name while its content varies; a `slot` is a branch at a fixed address to a
 * function that varies; a `cluster` is what the same set of versions uses; a `region` is a range of addresses for
 * one kind of content. Invariant: same variant, same address, same bytes, in every version that has it (but for
 * variants marked volatile, which refer to what only the linker knows); what has an address never moves.
 */

export { type DeltaChainPiece, type DeltaOptions, deltaChain } from "./delta.ts";
export { type EmittedLists, emitLists } from "./emit-lists.ts";
export { type EmittedVersion, emitObject, type FixedSection } from "./emit-object.ts";
export { insertRegions, type PieceFile, regionAddition, regionLines } from "./emit-regions.ts";
export { emitScript } from "./emit-script.ts";
export { DEFAULT_BASE, DEFAULT_SIZES, type Layout, type LayoutOptions, layOut } from "./layout.ts";
export * from "./model.ts";
export { decodeState, encodeState } from "./state.ts";
