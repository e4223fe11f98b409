/** Deciding which fields are references, blanking them, and naming their targets. */
import { TenonError } from "../errors/index.ts";
import { AARCH64_FIELD_MASKS, AARCH64_LOW12_MASK } from "../isa/index.ts";
import { absolute32, low12, NO_ADDRESS } from "./dissect-code.ts";
import type { Addends } from "./dissect-data.ts";
import { PieceFinder } from "./dissect-labels.ts";
import type { Marks } from "./dissect-marks.ts";
import { type LoadMap, labelAddress, rangeAt } from "./join-layout.ts";
import type { CodeFields } from "./references-code.ts";
import { type Bases, type Field, readTarget, shiftTable } from "./references-fields.ts";
import { ABSOLUTE32_BLANK, blankValue, FIELD_BYTES, ISA_KIND } from "./references-kinds.ts";
import type { ReferenceSites } from "./references-sites.ts";
import {
  type BaseTable,
  NOT_A_REFERENCE,
  PieceKind,
  type PieceTable,
  ReferenceKind,
  type ReferenceTable,
} from "./types.ts";

/**
 * Blanks the references that stand in the notes. `tables` gives the function of each jump table by its offset. Returns
 * whether there were any in code.
 */
export function blankNoted(
  blanked: Uint8Array<ArrayBuffer>,
  pieces: PieceTable,
  marks: Marks,
  tables: ReadonlyMap<number, number>,
): boolean {
  const view = new DataView(blanked.buffer);
  let inCode = false;
  for (let piece = 0; piece < pieces.count; piece++) {
    const start = pieces.offset[piece]!;
    const end = Math.min(start + pieces.length[piece]!, blanked.length);
    for (let at = marks.next(start, end); at < end; at = marks.next(at + 1, end)) {
      const kind = marks.kindAt(at);
      if (kind < 0) continue;
      if (pieces.kind[piece] === PieceKind.code) inCode = true;
      if (kind === ReferenceKind.addend64) continue;
      if (kind === ReferenceKind.table32) shiftTable(view, at, end, pieces.address[piece]! - tables.get(at)!);
      else blanked.fill(0, at, at + FIELD_BYTES[kind]!);
    }
  }
  return inCode;
}

/**
 * Decides for each field that the decoder found, blanks the references, and notes fields that look blanked but aren't.
 * Returns the targets' addresses, in order of the references found. `notedInCode`: what `blankNoted` returned.
 */
export function blankImplied(
  blanked: Uint8Array<ArrayBuffer>,
  pieces: PieceTable,
  fields: CodeFields,
  marks: Marks,
  notedInCode: boolean,
): Float64Array {
  const view = new DataView(blanked.buffer);
  const targets = new Float64Array(fields.count);
  const field: Field = { kind: 0, offset: 0, address: 0, shape: 0, pieceAddress: 0 };
  // AArch64: for each ADRP its page's address plus 1, when it is a reference.
  const pages = fields.page && new Float64Array(fields.count);
  const firstUsers = fields.page && firstUserOffsets(fields, view);
  let count = 0;
  let piece = 0;
  for (let i = 0; i < fields.count; i++) {
    const at = fields.offset[i]!;
    const kind = fields.kind[i]!;
    while (at >= pieces.offset[piece]! + pieces.length[piece]!) piece++;
    if (notedInCode && isTaken(marks, at)) continue;
    const start = pieces.address[piece]!;
    const word = view.getInt32(at, true);
    if (kind === ReferenceKind.low12) {
      const page = pages![fields.page![i]!]!;
      if (page === 0) continue;
      const within = low12(word, fields.shape[i]!);
      // No linker completes an ADRP to another page: the pair is a wrong one.
      if (within >= PAGE_BYTES) {
        marks.site(at, NOT_A_REFERENCE);
        continue;
      }
      targets[count++] = page - 1 + within;
      view.setInt32(at, word & ~AARCH64_LOW12_MASK, true);
      continue;
    }
    field.kind = kind;
    field.offset = at;
    field.address = start + at - pieces.offset[piece]!;
    field.shape = fields.shape[i]!;
    let target = -1;
    if (start >= 0) {
      // Most fields are of this kind.
      if (kind === ReferenceKind.pc32) target = field.address + 4 + field.shape + word;
      else target = readTarget(view, field, NO_BASES);
    }
    let isReference = target >= 0;
    if (kind === ReferenceKind.abs32) isReference &&= absolute32(marks, blanked, target) !== NO_ADDRESS;
    else if (kind === ReferenceKind.page21) {
      const first = firstUsers![i]!;
      const page = target;
      if (first > 0) target += first - 1;
      // A page outside of all ranges is none; the exact byte decides where there is a user.
      isReference &&= rangeAt(marks.map, target) >= 0;
      if (isReference) pages![i] = page + 1;
    } else {
      const isLocal = target >= start && target < start + pieces.length[piece]!;
      isReference &&= !isLocal && (rangeAt(marks.map, target) >= 0 || target === 0);
    }
    if (isReference) {
      targets[count++] = target;
      view.setInt32(at, blankWord(kind, word), true);
    } else if (blankValue(kind, word)) marks.site(at, NOT_A_REFERENCE);
  }
  return targets.subarray(0, count);
}

const PAGE_BYTES = 4096;

const NO_BASES = new Float64Array(32).fill(-1);

function blankWord(kind: number, word: number): number {
  if (kind === ReferenceKind.pc32) return 0;
  if (kind === ReferenceKind.abs32) return ABSOLUTE32_BLANK;
  return word & ~AARCH64_FIELD_MASKS[ISA_KIND[kind]!]!;
}

/** For each ADRP the offset in the page that its first user adds, plus 1; 0 without a user. */
function firstUserOffsets(fields: CodeFields, view: DataView): Uint32Array {
  const offsets = new Uint32Array(fields.count);
  for (let i = 0; i < fields.count; i++) {
    if (fields.kind[i] !== ReferenceKind.low12) continue;
    const page = fields.page![i]!;
    const within = low12(view.getInt32(fields.offset[i]!, true), fields.shape[i]!);
    if (offsets[page] === 0 && within < PAGE_BYTES) offsets[page] = 1 + within;
  }
  return offsets;
}

/** True when a reference that stands in the notes shares bytes with the 4 at `at`. */
function isTaken(marks: Marks, at: number): boolean {
  for (let i = Math.max(at - 7, 0); i < at + 4; i++) {
    const kind = marks.kindAt(i);
    if (kind >= 0 && kind !== NOT_A_REFERENCE && i + FIELD_BYTES[kind]! > at) return true;
  }
  return false;
}

/** The bases of Go's offsets as labels. */
export function labelBases(bases: Bases, pieces: PieceTable, map: LoadMap, fileBytes: number): BaseTable {
  const kinds = [...bases.keys()].filter((kind) => bases[kind]! >= 0);
  const finder = new PieceFinder(pieces, map, fileBytes);
  const target = Uint32Array.from(kinds, (kind) => Math.max(finder.find(bases[kind]!), 0));
  const targetOffset = Int32Array.from(kinds, (kind, i) => bases[kind]! - labelAddress(pieces, target[i]!));
  finder.release();
  return { kind: Uint8Array.from(kinds), target, targetOffset };
}

/** Names every target: piece and distance. Errors: `unsupported` when a distance doesn't fit into 32 bits. */
export function nameTargets(
  file: Uint8Array,
  pieces: PieceTable,
  found: ReferenceSites,
  implied: Float64Array,
  marks: Marks,
  options: {
    readonly tables: ReadonlyMap<number, number>;
    readonly addends: Addends;
    readonly bases: Bases;
  },
): ReferenceTable & { readonly addresses: Float64Array } {
  const { count, kind, site, piece, shape } = found;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const finder = new PieceFinder(pieces, marks.map, file.length);
  const addresses = new Float64Array(count);
  const target = new Uint32Array(count);
  const targetOffset = new Int32Array(count);
  const field: Field = { kind: 0, offset: 0, address: 0, shape: 0, pieceAddress: 0 };
  let next = 0;
  for (let i = 0; i < count; i++) {
    const at = site[i]!;
    let address: number;
    if (marks.kindAt(at) < 0) address = implied[next++]!;
    else if (kind[i] === ReferenceKind.table32) address = options.tables.get(at)!;
    else if (kind[i] === ReferenceKind.addend64) address = options.addends.at(at);
    else {
      const p = piece[i]!;
      field.kind = kind[i]!;
      field.offset = at;
      field.pieceAddress = pieces.address[p]!;
      field.address = field.pieceAddress + at - pieces.offset[p]!;
      field.shape = shape[i]!;
      address = readTarget(view, field, options.bases);
    }
    const named = address >= 0 ? finder.find(address) : -1;
    const distance = named < 0 ? Number.NaN : address - labelAddress(pieces, named);
    if ((distance | 0) !== distance) {
      throw new TenonError(
        "unsupported",
        `the reference at offset ${at} leads to ${address}: no piece is near`,
      );
    }
    addresses[i] = address;
    target[i] = named;
    targetOffset[i] = distance;
  }
  finder.release();
  return { ...found, target, targetOffset, addresses };
}
