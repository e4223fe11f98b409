/**
 * Exception tables (LSDA) with their call sites said one by the other: a function that grew in its middle changes
 * every offset behind, but few distances from one entry to the next.
 *
 *     form u8          0: the bytes as they are
 *                      1: the header as it is, up to and with the length of the call-site table; for each entry
 *                         zigzag(start - end of the entry before), length, landing pad (0 for none, else
 *                         zigzag(pad - pad before) + 1), action, all varint; then the rest as it is
 *
 * Layout of the tables: Itanium C++ ABI, "Exception handling tables", as GCC and LLVM write them.
 */

import { ByteReader, ByteWriter, equalBytes } from "../bytes/index.ts";
import { unzigzag, zigzag } from "../delta/index.ts";
import { isTenonError } from "../errors/index.ts";

const FORM_PLAIN = 0;
const FORM_ENTRIES = 1;
/** DW_EH_PE_omit, and the only encoding of call sites that compilers use today. */
const OMITTED = 0xff;
const ULEB128 = 1;
/** Functions are shorter than this. */
const MAX_OFFSET = 2 ** 32;

/** Reads a table's header, up to the length of its call sites, which is returned; -1 for an unknown form. */
function readHeader(reader: ByteReader): number {
  if (reader.u8("landing pad base") !== OMITTED) return -1;
  // The distance to the types is a number that linkers pad: its bytes stay.
  if (reader.u8("type encoding") !== OMITTED) while (reader.u8("types") >= 0x80);
  return reader.u8("call-site encoding") === ULEB128 ? reader.varint("call-site length", MAX_OFFSET) : -1;
}

/** A table in relaxed form. */
export function relaxTable(bytes: Uint8Array): Uint8Array {
  try {
    const relaxed = relaxEntries(bytes);
    if (
      relaxed !== undefined &&
      equalBytes(restoreTable(new ByteReader(relaxed, "LSDA"), bytes.length), bytes)
    ) {
      return relaxed;
    }
  } catch (error) {
    if (!isTenonError(error)) throw error;
  }
  return new ByteWriter(bytes.length + 1).u8(FORM_PLAIN).raw(bytes).finish();
}

function relaxEntries(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new ByteReader(bytes, "LSDA");
  const length = readHeader(reader);
  if (length < 0 || length > reader.remaining) return undefined;
  const out = new ByteWriter(bytes.length + 8).u8(FORM_ENTRIES).raw(bytes.subarray(0, reader.offset));
  const end = reader.offset + length;
  let lastEnd = 0;
  let lastPad = 0;
  while (reader.offset < end) {
    const start = reader.varint("start", MAX_OFFSET);
    const span = reader.varint("length", MAX_OFFSET);
    const pad = reader.varint("landing pad", MAX_OFFSET);
    out.varint(zigzag(start - lastEnd)).varint(span);
    out.varint(pad === 0 ? 0 : zigzag(pad - lastPad) + 1).varint(reader.varint("action"));
    lastEnd = start + span;
    if (pad !== 0) lastPad = pad;
  }
  return out.raw(bytes.subarray(reader.offset)).finish();
}

/** Where tables are restored: there are tens of thousands. */
const scratch = new ByteWriter(4096);

/**
 * The table from its relaxed form: `tableBytes` of it, or all that the reader has when that isn't known. Valid until
 * the next call. Errors: `invalid`.
 */
export function restoreTable(reader: ByteReader, tableBytes?: number): Uint8Array {
  const most = tableBytes ?? MAX_OFFSET;
  const rest = (out: number) => (tableBytes === undefined ? reader.remaining : tableBytes - out);
  const form = reader.u8("form");
  if (form === FORM_PLAIN) return reader.view(rest(0), "table");
  if (form !== FORM_ENTRIES) throw reader.error("form", `${form} is not known`, reader.offset - 1);
  const begin = reader.offset;
  const length = readHeader(reader);
  const out = scratch;
  out.reset();
  out.raw(reader.bytes.subarray(begin, reader.offset));
  const end = out.length + length;
  if (length < 0 || end > most) throw reader.error("call-site length", "longer than the table");
  let lastEnd = 0;
  let lastPad = 0;
  while (out.length < end) {
    const start = lastEnd + unzigzag(reader.varint("start"));
    const span = reader.varint("length", MAX_OFFSET);
    const padCode = reader.varint("landing pad");
    const pad = padCode === 0 ? 0 : lastPad + unzigzag(padCode - 1);
    if (start < 0 || start > MAX_OFFSET || pad < 0 || pad > MAX_OFFSET)
      throw reader.error("start", "not an offset");
    out.varint(start).varint(span).varint(pad).varint(reader.varint("action"));
    lastEnd = start + span;
    if (pad !== 0) lastPad = pad;
  }
  if (out.length > most) throw reader.error("entries", "longer than the table");
  return out.raw(reader.view(rest(out.length), "rest")).view();
}
