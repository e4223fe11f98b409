/** From notes on bytes to tables of pieces and sites. */
import { TenonError } from "../errors/index.ts";
import { findGear32 } from "../kernels/index.ts";
import type { DataNotes } from "./dissect-data.ts";
import type { FunctionCuts } from "./dissect-functions.ts";
import type { Marks } from "./dissect-marks.ts";
import { type Region, Role } from "./dissect-regions.ts";
import type { LoadMap } from "./join-layout.ts";
import { FIELD_BYTES } from "./references-kinds.ts";
import { MAX_SITE_BYTES, writeSite } from "./references-sites.ts";
import { PieceKind, type PieceTable, ReferenceKind, type SiteTable } from "./types.ts";

const KIND_OF_ROLE: Readonly<Record<number, number>> = {
  [Role.raw]: PieceKind.raw,
  [Role.code]: PieceKind.code,
  [Role.data]: PieceKind.data,
  [Role.unwind]: PieceKind.unwind,
  [Role.exceptions]: PieceKind.exceptions,
  [Role.unwindIndex]: PieceKind.data,
  [Role.relocations]: PieceKind.data,
  [Role.relr]: PieceKind.raw,
  [Role.symbols]: PieceKind.data,
  [Role.strings]: PieceKind.strings,
  [Role.goFunctions]: PieceKind.go,
};

/** Regions with raw ones in between, so that they tile the file; none reaches across the end of a loaded range. */
export function tile(regions: readonly Region[], map: LoadMap, fileBytes: number): Region[] {
  const tiles: Region[] = [];
  const borders = map.inFile.flatMap(({ offset, fileBytes: bytes }) => [offset, offset + bytes]);
  let border = 0;
  let at = 0;
  const raw = (to: number) => {
    while (at < to) {
      while (border < borders.length && borders[border]! <= at) border++;
      const end = Math.min(borders[border] ?? to, to);
      tiles.push({ offset: at, end, role: Role.raw, address: -1, writable: false });
      at = end;
    }
  };
  for (const region of regions) {
    raw(region.offset);
    tiles.push(region);
    at = region.end;
  }
  raw(fileBytes);
  return tiles;
}

/** A program of 150 MB has half a million; a hostile one must not cost gigabytes of columns. */
const MAX_PIECES = 1 << 23;

/** Growing columns of pieces. */
class PieceColumns {
  #kind = new Uint8Array(1024);
  #length = new Float64Array(1024);
  count = 0;

  push(kind: number, length: number): void {
    if (this.count === this.#kind.length) {
      if (this.count > MAX_PIECES) throw new TenonError("limit", `more than ${MAX_PIECES} pieces`);
      const kinds = new Uint8Array(2 * this.count);
      const lengths = new Float64Array(2 * this.count);
      kinds.set(this.#kind);
      lengths.set(this.#length);
      this.#kind = kinds;
      this.#length = lengths;
    }
    this.#kind[this.count] = kind;
    this.#length[this.count++] = length;
  }

  finish(): { kind: Uint8Array; length: Float64Array } {
    return { kind: this.#kind.slice(0, this.count), length: this.#length.slice(0, this.count) };
  }
}

/** Data and exception tables are cut at labels; elsewhere only where a cut was noted. */
function isCutByLabels(role: number): boolean {
  return role === Role.data || role === Role.exceptions || role === Role.goFunctions;
}

/** Kinds and lengths of all pieces. Sites that can't be kept (two in one place) are taken out of the notes. */
export function buildPieces(
  tiles: readonly Region[],
  marks: Marks,
  cuts: FunctionCuts,
  derived: DataNotes["derived"],
): { kind: Uint8Array; length: Float64Array } {
  const columns = new PieceColumns();
  for (const { offset, end, role } of tiles) {
    const byLabel = isCutByLabels(role);
    let start = offset;
    // The end of the last site: nothing is cut inside of it.
    let free = offset;
    const finish = (at: number) => {
      const kind = derived.has(start)
        ? PieceKind.derived
        : cuts.padding.has(start)
          ? PieceKind.padding
          : KIND_OF_ROLE[role]!;
      columns.push(kind, at - start);
      start = at;
    };
    for (let at = marks.next(offset, end); at < end; at = marks.next(at + 1, end)) {
      const named = marks.isCut(at) || (byLabel && marks.isLabel(at));
      if (named && at > start && at >= free) finish(at);
      const kind = marks.kindAt(at);
      if (kind < 0) continue;
      if (at < free || !marks.fits(at, kind, end)) marks.clearSite(at);
      else free = at + FIELD_BYTES[kind]!;
    }
    finish(end);
  }
  addMemory(columns, marks);
  return columns.finish();
}

/** Memory without file bytes, cut at its labels. */
function addMemory(columns: PieceColumns, marks: Marks): void {
  const labels = marks.memoryLabels();
  let next = 0;
  for (const range of marks.map.ranges) {
    let at = range.address + range.fileBytes;
    const end = range.address + range.memoryBytes;
    while (next < labels.length && labels[next]! <= at) next++;
    while (at < end) {
      const label = next < labels.length ? labels[next]! : end;
      const to = Math.min(label, end);
      columns.push(PieceKind.memory, to - at);
      if (label <= end) next++;
      at = to;
    }
  }
}

/**
 * Pieces above this are cut by content: a blob that changes in one place, or is cut at a false label, is new only
 * there. With a mean of 1 KiB instead of 4, two builds of a 92 MB program share 4 MB more.
 */
const LARGE_BYTES = 4096;
const MIN_CUT_BYTES = 256;
const FIND_CUT = findGear32({ minBytes: MIN_CUT_BYTES, meanBytes: 1024, maxBytes: LARGE_BYTES });

const SPLIT_KINDS = new Set<number>([PieceKind.raw, PieceKind.data, PieceKind.strings, PieceKind.go]);

/** Cuts large pieces without code by content. `blanked` has the noted references blanked. */
export function splitLarge(
  pieces: { readonly kind: Uint8Array; readonly length: Float64Array },
  blanked: Uint8Array,
  marks: Marks,
): { kind: Uint8Array; length: Float64Array } {
  const columns = new PieceColumns();
  let start = 0;
  for (let piece = 0; piece < pieces.kind.length; piece++) {
    const kind = pieces.kind[piece]!;
    const end = start + pieces.length[piece]!;
    // A jump table is one reference, at its start.
    const isTable = kind === PieceKind.data && marks.kindAt(start) === ReferenceKind.table32;
    if (!isTable && end - start > LARGE_BYTES && SPLIT_KINDS.has(kind)) {
      const bytes = blanked.subarray(start, end);
      let from = 0;
      while (bytes.length - from > MIN_CUT_BYTES) {
        const found = FIND_CUT(bytes, from + MIN_CUT_BYTES, Math.min(from + LARGE_BYTES, bytes.length));
        const to = found === 0 ? Math.min(from + LARGE_BYTES, bytes.length) : found;
        if (to >= bytes.length) break;
        const at = outsideOfSites(marks, start + to) - start;
        if (at <= from || at >= bytes.length) break;
        columns.push(kind, at - from);
        from = at;
      }
      columns.push(kind, bytes.length - from);
    } else columns.push(kind, end - start);
    if (kind !== PieceKind.memory) start = end;
  }
  return columns.finish();
}

/** Where a cut can be made at or before an offset without splitting a reference's field or a table of distances. */
function outsideOfSites(marks: Marks, offset: number): number {
  for (let at = offset; ; ) {
    let moved = at;
    for (let i = at - 1; i > at - 8 && i >= 0; i--) {
      const kind = marks.kindAt(i);
      if (kind >= 0 && i + FIELD_BYTES[kind]! > at) moved = i;
    }
    // Distances in a table count from the start of its piece.
    while (moved >= 4 && marks.kindAt(moved - 4) === ReferenceKind.rel32) moved -= 4;
    if (moved === at) return at;
    at = moved;
  }
}

/** The site bytes of all pieces, from the notes. */
export function buildSites(pieces: PieceTable, marks: Marks, derived: DataNotes["derived"]): SiteTable {
  const end = new Uint32Array(pieces.count);
  let bytes = new Uint8Array(1 << 16);
  let at = 0;
  for (let piece = 0; piece < pieces.count; piece++) {
    if (pieces.kind[piece] === PieceKind.memory) {
      end[piece] = at;
      continue;
    }
    const start = pieces.offset[piece]!;
    const limit = start + pieces.length[piece]!;
    let free = start;
    if (pieces.kind[piece] === PieceKind.derived) {
      if (at + 1 > bytes.length) bytes = grown(bytes);
      bytes[at++] = derived.get(start)!.rule;
      end[piece] = at;
      continue;
    }
    for (let site = marks.next(start, limit); site < limit; site = marks.next(site + 1, limit)) {
      const kind = marks.kindAt(site);
      if (kind < 0) continue;
      if (at + MAX_SITE_BYTES > bytes.length) bytes = grown(bytes);
      at = writeSite(bytes, at, site - free, kind);
      free = site + FIELD_BYTES[kind]!;
    }
    end[piece] = at;
  }
  return { bytes: bytes.slice(0, at), end };
}

function grown(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * bytes.length);
  larger.set(bytes);
  return larger;
}
