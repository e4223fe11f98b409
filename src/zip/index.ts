/**
 * zip: where the members of a zip archive are (.zip, .jar, .apk, .whl).
 *
 * Nouns, as PKWARE's APPNOTE spells them: the `central directory` names all members; the `end` record says where it
 * is; a `local header` stands before each member's data. What is before the first local header is a preamble.
 * Invariant: members that are given lie within the archive, in order, and don't overlap, whatever it says.
 */
export { centralDirectory, MAX_DIRECTORY_BYTES, type ZipEntry } from "./directory.ts";
export { END_TAIL_BYTES, findEnd, type ZipEnd } from "./end.ts";
export { LOCAL_HEADER_BYTES, localHeaderBytes, METHOD_DEFLATE, METHOD_STORED } from "./local.ts";
