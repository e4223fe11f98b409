/**
 * Bytes that follow from the rest of a file. A derived piece holds the difference (XOR) between the real bytes and the
 * foretold ones, so one function serves both directions.
 *
 * Its rule is the one varint of its site bytes:
 *   1  entries of type RELATIVE of .rela.dyn: one for each relative64 and addend64, by address
 *   2  .relr.dyn: all relr64
 *   3  the table of .eh_frame_hdr: all FDEs by function address
 *   4  the same without FDEs of a function address that was listed before (lld)
 *   5  Go's functab, but for its last entry
 *   6  Go's findfunctab
 */
import { EM_AARCH64, R_AARCH64_RELATIVE, R_X86_64_RELATIVE } from "../elf/index.ts";
import { foretoldGoBuckets, foretoldGoFunctions } from "./derived-go.ts";
import { foretoldFunctionIndex } from "./derived-unwind.ts";
import type { Bases } from "./references-fields.ts";
import type { ReferenceSites } from "./references-sites.ts";
import { PieceKind, type PieceTable, ReferenceKind, type SiteTable } from "./types.ts";

export const DerivedRule = {
  relative: 1,
  relr: 2,
  unwindIndex: 3,
  uniqueUnwindIndex: 4,
  goFunctions: 5,
  goFindFunctions: 6,
} as const;

/** The file but for its derived pieces. */
export interface DerivedContext {
  readonly machine: number;
  readonly pieces: PieceTable;
  readonly sites: SiteTable;
  readonly references: ReferenceSites;
  /** Address of each reference's target. */
  readonly targets: Float64Array;
  readonly bases: Bases;
}

/** XORs what is foretold into the derived pieces. Unknown rules foretell nothing. */
export function applyDerived(bytes: Uint8Array, context: DerivedContext): void {
  const { pieces, sites } = context;
  const relative = new RelativeEntries(context);
  for (let piece = 0; piece < pieces.count; piece++) {
    if (pieces.kind[piece] !== PieceKind.derived) continue;
    const begin = piece === 0 ? 0 : sites.end[piece - 1]!;
    const rule = begin < sites.end[piece]! ? sites.bytes[begin]! : 0;
    const offset = pieces.offset[piece]!;
    const into = bytes.subarray(offset, offset + pieces.length[piece]!);
    if (rule === DerivedRule.relative) relative.foretell(into);
    else if (rule === DerivedRule.relr) foretellRelr(into, context);
    else if (rule === DerivedRule.unwindIndex || rule === DerivedRule.uniqueUnwindIndex) {
      xor(into, foretoldFunctionIndex(context, piece, rule === DerivedRule.uniqueUnwindIndex));
    } else if (rule === DerivedRule.goFunctions) xor(into, foretoldGoFunctions(context, piece));
    else if (rule === DerivedRule.goFindFunctions) xor(into, foretoldGoBuckets(context, piece));
  }
}

function xor(into: Uint8Array, foretold: Uint8Array): void {
  const bytes = Math.min(into.length, foretold.length);
  for (let i = 0; i < bytes; i++) into[i]! ^= foretold[i]!;
}

function siteAddress({ pieces, references }: DerivedContext, i: number): number {
  const piece = references.piece[i]!;
  return pieces.address[piece]! + references.site[i]! - pieces.offset[piece]!;
}

/** References of some kinds by the address of their field. */
function byAddress(context: DerivedContext, wanted: (kind: number) => boolean): Uint32Array {
  const { count, kind } = context.references;
  const found = new Uint32Array(count);
  let written = 0;
  let last = -1;
  let sorted = true;
  for (let i = 0; i < count; i++) {
    if (!wanted(kind[i]!)) continue;
    const address = siteAddress(context, i);
    if (address < last) sorted = false;
    last = address;
    found[written++] = i;
  }
  const order = found.subarray(0, written);
  if (!sorted) {
    const addresses = Float64Array.from(order, (i) => siteAddress(context, i));
    const places = new Uint32Array(written).map((_, i) => i);
    places.sort((a, b) => addresses[a]! - addresses[b]! || a - b);
    return places.map((place) => order[place]!);
  }
  return order;
}

const RELA_BYTES = 24;

/** Hands out RELATIVE entries in order, over however many pieces they are spread. */
class RelativeEntries {
  readonly #context: DerivedContext;
  #order: Uint32Array | undefined;
  #next = 0;

  constructor(context: DerivedContext) {
    this.#context = context;
  }

  foretell(into: Uint8Array): void {
    this.#order ??= byAddress(
      this.#context,
      (kind) => kind === ReferenceKind.relative64 || kind === ReferenceKind.addend64,
    );
    const type = this.#context.machine === EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    for (let at = 0; at + RELA_BYTES <= into.length && this.#next < this.#order.length; at += RELA_BYTES) {
      const reference = this.#order[this.#next++]!;
      xor64(view, at, siteAddress(this.#context, reference));
      view.setUint32(at + 8, view.getUint32(at + 8, true) ^ type, true);
      xor64(view, at + 16, this.#context.targets[reference]!);
    }
  }
}

function xor64(view: DataView, at: number, value: number): void {
  view.setUint32(at, view.getUint32(at, true) ^ (value >>> 0), true);
  view.setUint32(at + 4, view.getUint32(at + 4, true) ^ Math.floor(value / 2 ** 32), true);
}

const BITS = 63;

/** RELR as linkers write it: an address, then bitmaps for as long as the next address is within one. */
function foretellRelr(into: Uint8Array, context: DerivedContext): void {
  const order = byAddress(context, (kind) => kind === ReferenceKind.relr64);
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  let at = 0;
  let i = 0;
  while (i < order.length && at + 8 <= into.length) {
    const address = siteAddress(context, order[i++]!);
    xor64(view, at, address);
    at += 8;
    let base = address + 8;
    for (;;) {
      let low = 1;
      let high = 0;
      const first = i;
      for (; i < order.length; i++) {
        const bit = (siteAddress(context, order[i]!) - base) / 8 + 1;
        if (!(bit >= 1 && bit <= BITS) || !Number.isInteger(bit)) break;
        if (bit < 32) low |= 1 << bit;
        else high |= 1 << (bit - 32);
      }
      if (i === first || at + 8 > into.length) break;
      view.setUint32(at, view.getUint32(at, true) ^ low, true);
      view.setUint32(at + 4, view.getUint32(at + 4, true) ^ high, true);
      at += 8;
      base += 8 * BITS;
    }
  }
}
