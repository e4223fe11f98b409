/**
 * The central directory (APPNOTE 4.3.12), and the extra field of zip64 (4.5.3).
 *
 *     0 PK 1 2 | 4 versions 4 | 8 flags 2 | 10 method 2 | 12 time 4 | 16 CRC 4 | 20 compressed size 4
 *     24 size 4 | 28 name length 2 | 30 extra length 2 | 32 comment length 2 | 34 disk 2 | 36 attributes 6
 *     42 local header offset 4 | name | extra | comment
 */
import { ByteReader } from "../bytes/index.ts";
import type { ZipEnd } from "./end.ts";
import { LOCAL_HEADER_BYTES } from "./local.ts";

const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const ZIP64_EXTRA = 1;
const ABSENT = 0xffffffff;
const ENCRYPTED = 1;

/** It is read into memory: of a quarter of a million members with names of 200 bytes. */
export const MAX_DIRECTORY_BYTES = 64 << 20;

export interface ZipEntry {
  /** Of the local header in the file. */
  readonly offset: number;
  readonly compressedBytes: number;
  /** What the archive says; nothing relies on it. */
  readonly sizeBytes: number;
  readonly method: number;
  readonly isEncrypted: boolean;
}

/**
 * The members in the order in which they stand in the file. Errors: `invalid`, also for members that overlap, since
 * that is how a small archive claims to be a huge one.
 */
export function centralDirectory(bytes: Uint8Array, end: ZipEnd): ZipEntry[] {
  const reader = new ByteReader(bytes, "zip", end.directoryOffset);
  if (end.entries * ENTRY_BYTES > bytes.length) {
    throw reader.error("entries", `${end.entries} of them don't fit into ${bytes.length} bytes`);
  }
  const entries: ZipEntry[] = [];
  for (let i = 0; i < end.entries; i++) entries.push(readEntry(reader, end.base));
  entries.sort((a, b) => a.offset - b.offset);
  let free = 0;
  for (const { offset, compressedBytes } of entries) {
    if (offset < free) throw reader.error("local header offset", `members overlap at ${offset}`, 0);
    free = offset + LOCAL_HEADER_BYTES + compressedBytes;
    if (free > end.directoryOffset) {
      throw reader.error("compressed size", `a member at ${offset} reaches into the directory`, 0);
    }
  }
  return entries;
}

function readEntry(reader: ByteReader, base: number): ZipEntry {
  const at = reader.offset;
  if (reader.u32("signature") !== ENTRY_SIGNATURE) throw reader.error("signature", "not an entry's", at);
  reader.skip(4, "versions");
  const flags = reader.u16("flags");
  const method = reader.u16("method");
  reader.skip(8, "time and CRC");
  let compressedBytes = reader.u32("compressed size");
  let sizeBytes = reader.u32("size");
  const [nameBytes, extraBytes, commentBytes] = [
    reader.u16("name length"),
    reader.u16("extra length"),
    reader.u16("comment length"),
  ];
  reader.skip(8, "disk and attributes");
  let offset = reader.u32("local header offset");
  reader.skip(nameBytes, "name");
  const extra = new ByteReader(
    reader.view(extraBytes, "extra"),
    "zip",
    reader.base + reader.offset - extraBytes,
  );
  reader.skip(commentBytes, "comment");
  if (sizeBytes === ABSENT || compressedBytes === ABSENT || offset === ABSENT) {
    while (extra.remaining >= 4) {
      const id = extra.u16("extra id");
      const length = extra.u16("extra size");
      if (id !== ZIP64_EXTRA) {
        extra.skip(length, "extra field");
        continue;
      }
      if (sizeBytes === ABSENT) sizeBytes = extra.u64("size");
      if (compressedBytes === ABSENT) compressedBytes = extra.u64("compressed size");
      if (offset === ABSENT) offset = extra.u64("local header offset");
      break;
    }
  }
  return {
    offset: base + offset,
    compressedBytes,
    sizeBytes,
    method,
    isEncrypted: (flags & ENCRYPTED) !== 0,
  };
}
