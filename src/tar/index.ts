/**
 * tar: where headers and members of a tar archive are, and what they are called.
 *
 * Nouns: a `block` is 512 bytes; a `member` is what one header, with the extension headers before it, describes;
 * its `data` follows the header, padded to whole blocks. Invariant: a walk takes any bytes; what it doesn't
 * understand it calls raw, and nothing that an archive says makes it allocate more than a fixed bound.
 */
export { BLOCK_BYTES, isTarHeader, parseHeader, type TarHeader } from "./header.ts";
export { MAX_EXTENSION_BYTES, parsePax } from "./pax.ts";
export {
  isSparseMap,
  type LeadingMap,
  LeadingMapReader,
  type SparseLayout,
  type SparseMap,
} from "./sparse.ts";
export { type TarMember, type TarStep, TarWalk } from "./walk.ts";
