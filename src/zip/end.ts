/**
 * The end of a zip archive (APPNOTE 4.3.16, and 4.3.14 and 4.3.15 for zip64).
 *
 *     0 PK 5 6 | 4 disk 2 | 6 directory's disk 2 | 8 entries here 2 | 10 entries 2 | 12 directory size 4
 *     16 directory offset 4 | 20 comment length 2 | comment
 *     zip64 locator, 20 bytes before it: 0 PK 6 7 | 4 disk 4 | 8 offset of the zip64 end 8 | 16 disks 4
 *     zip64 end: 0 PK 6 6 | 4 size 8 | 12 versions 4 | 16 disk 4 | 20 directory's disk 4 | 24 entries here 8
 *     32 entries 8 | 40 directory size 8 | 48 directory offset 8
 */
import { ByteReader } from "../bytes/index.ts";
import { invalid } from "../errors/index.ts";

const END_SIGNATURE = 0x06054b50;
const LOCATOR_SIGNATURE = 0x07064b50;
const END64_SIGNATURE = 0x06064b50;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const MAX_COMMENT_BYTES = 0xffff;

/** What of the end of a file `findEnd` wants to see: a comment, all end records, and some room between them. */
export const END_TAIL_BYTES = MAX_COMMENT_BYTES + END_BYTES + LOCATOR_BYTES + END64_BYTES + 4096;

export interface ZipEnd {
  /** Where the central directory begins, and its length. */
  readonly directoryOffset: number;
  readonly directoryBytes: number;
  readonly entries: number;
  /** What offsets in the archive are relative to: the length of a preamble that was put before it afterwards. */
  readonly base: number;
}

/** Reads the end of an archive of `sizeBytes` bytes from its last bytes. Errors: `invalid`. */
export function findEnd(tail: Uint8Array, sizeBytes: number): ZipEnd {
  const start = sizeBytes - tail.length;
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  let followed: number | undefined;
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    // The comment ends where the file does, or else these bytes are part of one.
    const end = at + END_BYTES + view.getUint16(at + 20, true);
    if (end === tail.length) return readEnd(tail, start, at);
    if (end < tail.length) followed ??= at;
  }
  // Something was put behind the archive.
  if (followed !== undefined) return readEnd(tail, start, followed);
  throw invalid("zip", "end of central directory", start, "there is none");
}

function readEnd(tail: Uint8Array, start: number, at: number): ZipEnd {
  const reader = new ByteReader(tail, "zip", start);
  reader.offset = at + 4;
  const disks = [reader.u16("disk"), reader.u16("directory's disk")];
  const here = reader.u16("entries here");
  const end = { entries: reader.u16("entries"), bytes: reader.u32("size"), offset: reader.u32("offset") };
  // A zip64 end counts wherever there is one: programs that stream write it for small archives too.
  const end64 = readEnd64(reader, at);
  if (end64 === undefined && (here !== end.entries || disks.some((disk) => disk !== 0))) {
    throw reader.error("disk", "archives in several parts are not looked into", at + 4);
  }
  const directoryEnd = end64?.at ?? at;
  const { entries, bytes, offset } = end64 ?? end;
  const base = start + directoryEnd - bytes - offset;
  if (base < 0) throw reader.error("directory offset", `${offset} is beyond the directory's place`, at + 16);
  return { directoryOffset: base + offset, directoryBytes: bytes, entries, base };
}

/** The zip64 end that stands right before its locator; undefined when there is none. */
function readEnd64(
  reader: ByteReader,
  endAt: number,
): { at: number; entries: number; bytes: number; offset: number } | undefined {
  const locator = endAt - LOCATOR_BYTES;
  const at = locator - END64_BYTES;
  if (at < 0) return undefined;
  reader.offset = locator;
  if (reader.u32("zip64 locator") !== LOCATOR_SIGNATURE) return undefined;
  reader.offset = at;
  if (reader.u32("zip64 end") !== END64_SIGNATURE)
    throw reader.error("zip64 end", "not where it should be", at);
  reader.skip(20, "zip64 end");
  const here = reader.u64("entries here");
  const entries = reader.u64("entries");
  if (here !== entries) throw reader.error("entries", "archives in several parts are not looked into");
  return { at, entries, bytes: reader.u64("directory size"), offset: reader.u64("directory offset") };
}
