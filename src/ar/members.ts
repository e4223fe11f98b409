/**
 * The members of an archive under their names, which are spelled in two ways.
 *
 *   GNU, System V: `name/`; longer ones `/N`, at offset N of the member `//`, where each ends with `/` and a line
 *   feed. `/` and `/SYM64/` are the symbol index.
 *   BSD: `name`, padded with spaces; longer ones `#1/N`, where the data begin with N bytes of name, padded with NUL.
 *   `__.SYMDEF`, `__.SYMDEF SORTED` and their 64-bit forms are the symbol index.
 */
import { invalid } from "../errors/index.ts";
import { AR_HEADER_BYTES, AR_MAGIC, arDataBytes, isAr } from "./header.ts";

/** A member that is a file. Offset and size in bytes of its data, without a name in front of it. */
export interface ArMember {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

const LINE_FEED = 0x0a;
/** PATH_MAX of Linux; a bound, so that many members can't each name the whole table. */
const MAX_NAME_BYTES = 4096;

/** Members in order, without the symbol index and the table of long names. Errors: `invalid`. */
export function readArMembers(archive: Uint8Array): ArMember[] {
  if (!isAr(archive)) throw invalid("ar", "magic", 0, "not an archive");
  const members: ArMember[] = [];
  let longNames: Uint8Array | undefined;
  for (let at = AR_MAGIC.length; at < archive.length; ) {
    const header = archive.subarray(at, at + AR_HEADER_BYTES);
    const sizeBytes = arDataBytes(header);
    if (sizeBytes === undefined) throw invalid("ar", "header", at, "not a header of a member");
    const offset = at + AR_HEADER_BYTES;
    if (sizeBytes > archive.length - offset)
      throw invalid("ar", "size", at + 48, `${sizeBytes} bytes reach outside the archive`);
    const data = archive.subarray(offset, offset + sizeBytes);
    const raw = Buffer.from(header.subarray(0, 16)).toString("latin1").trimEnd();
    if (raw === "//") longNames = data;
    else if (raw !== "/" && raw !== "/SYM64/") {
      const { name, nameBytes } = nameOf(raw, data, longNames, at);
      if (!/^__\.SYMDEF(_64)?( SORTED)?$/.test(name))
        members.push({ name, offset: offset + nameBytes, sizeBytes: sizeBytes - nameBytes });
    }
    at = offset + sizeBytes + (sizeBytes % 2);
  }
  return members;
}

/** The name, and how many bytes of the data it takes. */
function nameOf(
  raw: string,
  data: Uint8Array,
  longNames: Uint8Array | undefined,
  at: number,
): { readonly name: string; readonly nameBytes: number } {
  const inData = /^#1\/(\d+)$/.exec(raw);
  if (inData !== null) {
    const nameBytes = Number(inData[1]);
    if (nameBytes > data.length) throw invalid("ar", "name", at, `${nameBytes} bytes of name reach outside`);
    if (nameBytes > MAX_NAME_BYTES) throw invalid("ar", "name", at, `longer than ${MAX_NAME_BYTES} bytes`);
    const end = data.subarray(0, nameBytes).indexOf(0);
    return { name: text(data.subarray(0, end < 0 ? nameBytes : end)), nameBytes };
  }
  const inTable = /^\/(\d+)$/.exec(raw);
  if (inTable !== null) {
    const start = Number(inTable[1]);
    if (longNames === undefined || start >= longNames.length)
      throw invalid("ar", "name", at, `${raw} is not in the table of long names`);
    const rest = longNames.subarray(start, start + MAX_NAME_BYTES + 1);
    const end = rest.indexOf(LINE_FEED);
    if (end < 0) throw invalid("ar", "name", at, `${raw} has no end within ${MAX_NAME_BYTES} bytes`);
    const line = text(rest.subarray(0, end));
    return { name: line.replace(/\/$/, ""), nameBytes: 0 };
  }
  return { name: text(Buffer.from(raw, "latin1")).replace(/\/$/, ""), nameBytes: 0 };
}

/** UTF-8, malformed sequences replaced. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
