/** Where references are: what the frozen decoder finds in code, and what the pieces' site bytes add. */
import { EM_AARCH64 } from "../elf/index.ts";
import { invalid } from "../errors/index.ts";
import { type CodeFields, codeFields } from "./references-code.ts";
import { CONTEXT_BYTES, contextOf } from "./references-contexts.ts";
import { blankValue, FIELD_BYTES } from "./references-kinds.ts";
import type { KnownFields } from "./references-known.ts";
import {
  NOT_A_REFERENCE,
  PieceKind,
  type PieceTable,
  ReferenceKind,
  RULE_ABSOLUTE32,
  type SiteInput,
  type SiteTable,
} from "./types.ts";

/** All references of a file, in order of position. */
export interface ReferenceSites {
  readonly count: number;
  readonly kind: Uint8Array;
  /** File offset of the field, or of the instruction word on AArch64. */
  readonly site: Uint32Array;
  readonly piece: Uint32Array;
  /** pc32: bytes of the instruction behind the field. low12: its scale. Otherwise 0. */
  readonly shape: Uint8Array;
  /** For each piece the number of its first reference; behind the last their count. */
  readonly first: Uint32Array;
  /** In which company each target is said, when it was asked for. */
  readonly context?: Uint8Array | undefined;
}

/** Pieces whose references are those of other pieces with the same content, which are known already. */
export interface CopiedPieces {
  readonly piece: number;
  readonly count: number;
  /** What they are copied from: a file for the same machine with the same rules. */
  readonly from: { readonly references: ReferenceSites; readonly pieces: PieceTable };
  /** Number of the first one's source. */
  readonly source: number;
}

/** What is known of a file's references before its bytes are looked at. */
export interface KnownReferences {
  /** Pieces that need no look at their bytes, ascending. */
  readonly copied?: readonly CopiedPieces[];
  /** x86-64: fields of pieces of code. */
  readonly known?: KnownFields | undefined;
  /** Asks for contexts. */
  readonly contexts?: boolean;
}

/** Reads one piece's site bytes. */
export class SiteCursor {
  #bytes: Uint8Array;
  #at = 0;
  #end = 0;
  #position = 0;
  /** Offset of the present site in its piece; -1 past the last. */
  offset = -1;
  kind = 0;

  constructor(table: Pick<SiteTable, "bytes">) {
    this.#bytes = table.bytes;
  }

  /** Goes to the first site of a piece whose site bytes are all of `bytes`. */
  openBytes(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
    this.#position = 0;
    this.next();
  }

  /** Goes to the first site of a piece. */
  open(table: SiteTable, piece: number): void {
    this.#at = piece === 0 ? 0 : table.end[piece - 1]!;
    this.#end = table.end[piece]!;
    if (this.#at > this.#end || this.#end > this.#bytes.length) {
      throw invalid("dissection", "sites", piece, "site bytes out of order");
    }
    this.#position = 0;
    this.next();
  }

  next(): void {
    if (this.#at >= this.#end) {
      this.offset = -1;
      return;
    }
    let value = 0;
    let scale = 1;
    for (;;) {
      if (this.#at >= this.#end || scale > 2 ** 42)
        throw invalid("dissection", "sites", this.#at, "a cut varint");
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) break;
    }
    this.kind = value % 32;
    this.offset = this.#position + (value - this.kind) / 32;
    const width = FIELD_BYTES[this.kind];
    if (width === undefined) throw invalid("dissection", "sites", this.#at, `unknown kind ${this.kind}`);
    this.#position = this.offset + width;
  }
}

/** Appends one site. Returns the position behind the varint. */
export function writeSite(bytes: Uint8Array, at: number, gap: number, kind: number): number {
  let rest = gap * 32 + kind;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

/** Longest varint of a site: 31 bits of gap and 5 of kind. */
export const MAX_SITE_BYTES = 6;

/**
 * Every reference of a dissected file; needs no targets. Errors: `invalid` when the site bytes lie outside of their pieces or the parts don't fit together.
 */
export function findReferences(
  input: SiteInput,
  pieces: PieceTable,
  { copied = [], known, contexts = false }: KnownReferences = {},
): ReferenceSites {
  const { blanked, sites, machine } = input;
  if (sites.end.length !== pieces.count) throw invalid("dissection", "sites", 0, "not one entry a piece");
  const skipped = copied.length > 0 ? new Uint8Array(pieces.count) : undefined;
  for (const { piece, count } of copied) skipped!.fill(1, piece, piece + count);
  const fields = codeFields(blanked, pieces, {
    machine,
    absolute: (input.rules & RULE_ABSOLUTE32) !== 0,
    onlyBlank: true,
    skipped,
    known,
  });
  return mergeSites(blanked, pieces, sites, fields, machine, { copied, contexts, areBlank: true });
}

export interface MergeOptions {
  readonly copied?: readonly CopiedPieces[];
  /** Asks for contexts. */
  readonly contexts?: boolean;
  /** Says that all fields of x86-64 are known to be blanked. */
  readonly areBlank?: boolean;
}

/** The references among the fields of code and the sites of all pieces that aren't copied. */
export function mergeSites(
  blanked: Uint8Array,
  pieces: PieceTable,
  sites: SiteTable,
  fields: CodeFields,
  machine: number,
  { copied = [], contexts = false, areBlank = false }: MergeOptions = {},
): ReferenceSites {
  const columns = new SiteColumns({
    blanked,
    pieces,
    capacity: fields.count + countSites(sites) + countCopied(copied),
    contexts,
  });
  const view = new DataView(blanked.buffer, blanked.byteOffset, blanked.byteLength);
  const pages = machine === EM_AARCH64 ? new Uint8Array(fields.count) : undefined;
  const cursor = new SiteCursor(sites);
  let field = 0;
  let next = 0;
  for (let p = 0; p < pieces.count; p++) {
    const start = pieces.offset[p]!;
    const end = start + pieces.length[p]!;
    if (next < copied.length && copied[next]!.piece === p) {
      columns.copy(copied[next]!);
      p += copied[next++]!.count - 1;
      continue;
    }
    columns.begin(p);
    while (field < fields.count && fields.offset[field]! < start) field++;
    // A derived piece's site bytes are its rule.
    if (pieces.kind[p] === PieceKind.memory || pieces.kind[p] === PieceKind.derived) continue;
    if (pages === undefined && areBlank && sites.end[p]! === (p === 0 ? 0 : sites.end[p - 1]!)) {
      // Most code: nothing but fields, all of which are references.
      const begin = field;
      while (field < fields.count && fields.offset[field]! < end) field++;
      columns.addFields(fields, begin, field, p);
      continue;
    }
    cursor.open(sites, p);
    let free = start;
    for (;;) {
      const explicit = cursor.offset < 0 ? Number.POSITIVE_INFINITY : start + cursor.offset;
      const implied = field < fields.count && fields.offset[field]! < end ? fields.offset[field]! : -1;
      if (implied >= 0 && implied < explicit) {
        if (implied + 4 <= explicit && implied >= free && isBlank(view, fields, field, pages)) {
          if (pages !== undefined) pages[field] = 1;
          columns.add(fields.kind[field]!, implied, p, fields.shape[field]!);
        }
        field++;
        continue;
      }
      if (cursor.offset < 0) break;
      const width = FIELD_BYTES[cursor.kind]!;
      if (explicit + width > end) throw invalid("dissection", "sites", explicit, "outside of its piece");
      if (cursor.kind === NOT_A_REFERENCE) {
        if (implied === explicit) field++;
      } else columns.add(cursor.kind, explicit, p, 0);
      free = explicit + width;
      cursor.next();
    }
  }
  return columns.finish();
}

/** Sites are varints: each ends with a byte below 128. */
function countSites({ bytes }: SiteTable): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) count += (bytes[i]! >> 7) ^ 1;
  return count;
}

function countCopied(copied: readonly CopiedPieces[]): number {
  let references = 0;
  for (const { from, source, count } of copied)
    references += from.references.first[source + count]! - from.references.first[source]!;
  return references;
}

interface ColumnOptions {
  readonly blanked: Uint8Array;
  readonly pieces: PieceTable;
  /** References at most. */
  readonly capacity: number;
  readonly contexts: boolean;
}

/** Columns of references in the making. */
class SiteColumns {
  readonly #blanked: Uint8Array;
  readonly #pieces: PieceTable;
  readonly #kind: Uint8Array<ArrayBuffer>;
  readonly #site: Uint32Array<ArrayBuffer>;
  readonly #piece: Uint32Array<ArrayBuffer>;
  readonly #shape: Uint8Array<ArrayBuffer>;
  readonly #context: Uint8Array<ArrayBuffer> | undefined;
  readonly #first: Uint32Array<ArrayBuffer>;
  #count = 0;

  constructor({ blanked, pieces, capacity, contexts }: ColumnOptions) {
    this.#blanked = blanked;
    this.#pieces = pieces;
    this.#kind = new Uint8Array(capacity);
    this.#site = new Uint32Array(capacity);
    this.#piece = new Uint32Array(capacity);
    this.#shape = new Uint8Array(capacity);
    if (contexts) this.#context = new Uint8Array(capacity);
    this.#first = new Uint32Array(pieces.count + 1);
  }

  begin(piece: number): void {
    this.#first[piece] = this.#count;
  }

  add(kind: number, site: number, piece: number, shape: number): void {
    const at = this.#count++;
    this.#kind[at] = kind;
    this.#site[at] = site;
    this.#piece[at] = piece;
    this.#shape[at] = shape;
    if (this.#context !== undefined) this.#context[at] = this.#contextOf(at);
  }

  #contextOf(at: number): number {
    const piece = this.#piece[at]!;
    const rank = at - this.#first[piece]!;
    return contextOf(this.#kind[at]!, this.#site[at]!, this.#pieces.kind[piece]!, rank, this.#blanked);
  }

  /** Fields of x86-64 code, all of one piece. */
  addFields({ kind, offset, shape, context }: CodeFields, begin: number, end: number, piece: number): void {
    const kinds = this.#kind;
    const sites = this.#site;
    const owners = this.#piece;
    const shapes = this.#shape;
    let at = this.#count;
    for (let i = begin; i < end; i++, at++) {
      kinds[at] = kind[i]!;
      sites[at] = offset[i]!;
      owners[at] = piece;
      shapes[at] = shape[i]!;
    }
    const contexts = this.#context;
    if (contexts !== undefined) {
      const first = this.#count;
      if (context !== undefined) for (let i = begin; i < end; i++) contexts[first + i - begin] = context[i]!;
      else for (let i = first; i < at; i++) contexts[i] = this.#contextOf(i);
    }
    this.#count = at;
  }

  copy({ piece, count, from, source }: CopiedPieces): void {
    const { references, pieces } = from;
    const { first, site } = references;
    const low = first[source]!;
    const high = first[source + count]!;
    const at = this.#count;
    this.#kind.set(references.kind.subarray(low, high), at);
    this.#shape.set(references.shape.subarray(low, high), at);
    const moved = this.#pieces.offset[piece]! - pieces.offset[source]!;
    const renumbered = piece - source;
    const toHere = at - low;
    for (let r = low; r < high; r++) {
      this.#site[r + toHere] = site[r]! + moved;
      this.#piece[r + toHere] = references.piece[r]! + renumbered;
    }
    for (let i = 0; i < count; i++) this.#first[piece + i] = first[source + i]! + toHere;
    this.#count = at + high - low;
    const contexts = this.#context;
    if (contexts === undefined) return;
    if (references.context === undefined) {
      for (let i = at; i < this.#count; i++) contexts[i] = this.#contextOf(i);
      return;
    }
    contexts.set(references.context.subarray(low, high), at);
    // What stands before a piece is not copied with it.
    for (let i = source; i < source + count; i++) {
      const r = first[i]!;
      if (r < first[i + 1]! && site[r]! < pieces.offset[i]! + CONTEXT_BYTES)
        contexts[r + toHere] = this.#contextOf(r + toHere);
    }
  }

  finish(): ReferenceSites {
    const count = this.#count;
    this.#first[this.#first.length - 1] = count;
    return {
      count,
      kind: cut(this.#kind, count),
      site: cut(this.#site, count),
      piece: cut(this.#piece, count),
      shape: cut(this.#shape, count),
      first: this.#first,
      context: this.#context === undefined ? undefined : cut(this.#context, count),
    };
  }
}

/** A column without what was too much, which is given back when it is a lot. */
function cut<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(column: T, count: number): T {
  return (count < column.length * 0.9 ? column.slice(0, count) : column.subarray(0, count)) as T;
}

/** Whether a field that the decoder found is blanked, so that it is a reference. */
function isBlank(view: DataView, fields: CodeFields, field: number, pages: Uint8Array | undefined): boolean {
  const kind = fields.kind[field]!;
  // A low12 goes with its ADRP.
  if (kind === ReferenceKind.low12) return pages![fields.page![field]!] === 1;
  return blankValue(kind, view.getInt32(fields.offset[field]!, true));
}
