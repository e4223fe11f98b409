/** Zip archives as no program would write them; for what programs write, the tests run the programs. */
import { ByteWriter } from "../../bytes/index.ts";

export interface MadeMember {
  readonly name: string;
  readonly data: Uint8Array;
  readonly extra?: Uint8Array;
  readonly method?: number;
  /** What the directory says, where that is not the truth. */
  readonly offset?: number;
  readonly compressedBytes?: number;
}

export interface MadeArchive {
  readonly comment?: Uint8Array;
  readonly isZip64?: boolean;
  readonly entries?: number;
  readonly directoryOffset?: number;
  readonly disk?: number;
}

const ABSENT = 0xffffffff;

export function makeZip(members: readonly MadeMember[], archive: MadeArchive = {}): Buffer {
  const { comment = new Uint8Array(0), isZip64 = false, disk = 0 } = archive;
  const out = new ByteWriter();
  const offsets = members.map(({ name, data, extra = new Uint8Array(0), method = 0 }) => {
    const at = out.length;
    out.u32(0x04034b50).u16(20).u16(0).u16(method).u32(0).u32(0).u32(data.length).u32(data.length);
    out.u16(name.length).u16(extra.length).raw(Buffer.from(name)).raw(extra).raw(data);
    return at;
  });
  const directory = out.length;
  for (const [i, member] of members.entries()) {
    const offset = member.offset ?? offsets[i]!;
    const bytes = member.compressedBytes ?? member.data.length;
    out
      .u32(0x02014b50)
      .u16(20)
      .u16(20)
      .u16(0)
      .u16(member.method ?? 0)
      .u32(0)
      .u32(0);
    out.u32(isZip64 ? ABSENT : bytes).u32(isZip64 ? ABSENT : member.data.length);
    out
      .u16(member.name.length)
      .u16(isZip64 ? 32 : 0)
      .u16(0)
      .u16(0)
      .u16(0)
      .u32(0);
    out.u32(isZip64 ? ABSENT : offset).raw(Buffer.from(member.name));
    // An extra field that nobody knows, then that of zip64.
    if (isZip64) out.u16(0x9999).u16(0).u16(1).u16(24).u64(member.data.length).u64(bytes).u64(offset);
  }
  const directoryBytes = out.length - directory;
  const entries = archive.entries ?? members.length;
  const directoryOffset = archive.directoryOffset ?? directory;
  if (isZip64) {
    const at = out.length;
    out.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(entries).u64(entries);
    out.u64(directoryBytes).u64(directoryOffset);
    out.u32(0x07064b50).u32(0).u64(at).u32(1);
  }
  const narrow = (value: number, absent: number) => (isZip64 ? absent : value);
  out.u32(0x06054b50).u16(disk).u16(disk).u16(narrow(entries, 0xffff)).u16(narrow(entries, 0xffff));
  out
    .u32(narrow(directoryBytes, ABSENT))
    .u32(narrow(directoryOffset, ABSENT))
    .u16(comment.length)
    .raw(comment);
  return Buffer.from(out.finish());
}
