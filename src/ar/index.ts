/**
 * ar: where the members of a Unix archive are (static libraries, .deb), and what they are called.
 *
 * Nouns: the `magic` opens the archive; each `member` has a header of 60 bytes and data, padded to an even
 * length; the symbol index and the table of long names are members that only describe others. Invariant: what is
 * not a header is called so, and nothing outside of the archive is read.
 */
export { AR_HEADER_BYTES, AR_MAGIC, arDataBytes, isAr, isThinAr } from "./header.ts";
export { type ArMember, readArMembers } from "./members.ts";
