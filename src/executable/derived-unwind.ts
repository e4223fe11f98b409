/** The table of .eh_frame_hdr: function and FDE addresses, 8 bytes an entry, relative to .eh_frame_hdr itself. */
import type { DerivedContext } from "./derived-tables.ts";
import { PieceKind, ReferenceKind } from "./types.ts";

/** The table follows a header of 12 bytes; its distances count from there. */
export const INDEX_HEADER_BYTES = 12;

/**
 * The table in piece `piece`, from the pieces of kind unwind that have a reference of kind `back32` (to their CIE, so
 * they are FDEs) and one of kind `field32` behind it (to their function). Equal functions stay in file order.
 */
export function foretoldFunctionIndex(context: DerivedContext, piece: number, unique: boolean): Uint8Array {
  const { pieces, references, targets } = context;
  const { count, kind } = references;
  const functions = new Float64Array(pieces.count);
  const records = new Float64Array(pieces.count);
  let found = 0;
  let sorted = true;
  for (let i = 0; i + 1 < count; i++) {
    if (kind[i] !== ReferenceKind.back32 || kind[i + 1] !== ReferenceKind.field32) continue;
    const record = references.piece[i]!;
    if (pieces.kind[record] !== PieceKind.unwind || references.piece[i + 1] !== record) continue;
    functions[found] = targets[i + 1]!;
    records[found] = pieces.address[record]!;
    if (found > 0 && functions[found]! < functions[found - 1]!) sorted = false;
    found++;
  }
  const order = new Uint32Array(found).map((_, i) => i);
  if (!sorted) order.sort((a, b) => functions[a]! - functions[b]! || a - b);
  const base = pieces.address[piece]! - INDEX_HEADER_BYTES;
  const bytes = new Uint8Array(8 * found);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let last = -1;
  for (const i of order) {
    const address = functions[i]!;
    if (unique && address === last) continue;
    last = address;
    view.setInt32(at, (address - base) | 0, true);
    view.setInt32(at + 4, (records[i]! - base) | 0, true);
    at += 8;
  }
  return bytes.subarray(0, at);
}
