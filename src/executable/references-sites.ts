/** Where references are: what the frozen decoder finds in code, and what the pieces' site bytes add. */
import { EM_AARCH64 } from "../elf/index.ts";
import { invalid } from "../errors/index.ts";
import { type CodeFields, codeFields } from "./references-code.ts";
import { blankValue, FIELD_BYTES } from "./references-kinds.ts";
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
}

/** Reads one piece's site bytes. */
export class SiteCursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  #end = 0;
  #position = 0;
  /** Offset of the present site in its piece; -1 past the last. */
  offset = -1;
  kind = 0;

  constructor(table: SiteTable) {
    this.#bytes = table.bytes;
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
 * Every reference of a dissected file; needs no targets. Errors: `invalid` when the site bytes lie outside of their
 * pieces or the parts don't fit together.
 */
export function findReferences(input: SiteInput, pieces: PieceTable): ReferenceSites {
  const { blanked, sites, machine } = input;
  if (sites.end.length !== pieces.count) throw invalid("dissection", "sites", 0, "not one entry a piece");
  const fields = codeFields(blanked, pieces, {
    machine,
    absolute: (input.rules & RULE_ABSOLUTE32) !== 0,
  });
  return mergeSites(blanked, pieces, sites, fields, machine);
}

/** The references among the fields of code and the sites of all pieces. */
export function mergeSites(
  blanked: Uint8Array,
  pieces: PieceTable,
  sites: SiteTable,
  fields: CodeFields,
  machine: number,
): ReferenceSites {
  const capacity = fields.count + sites.bytes.length;
  const kind = new Uint8Array(capacity);
  const site = new Uint32Array(capacity);
  const piece = new Uint32Array(capacity);
  const shape = new Uint8Array(capacity);
  const view = new DataView(blanked.buffer, blanked.byteOffset, blanked.byteLength);
  const pages = machine === EM_AARCH64 ? new Uint8Array(fields.count) : undefined;
  const cursor = new SiteCursor(sites);
  let count = 0;
  let field = 0;
  for (let p = 0; p < pieces.count; p++) {
    const start = pieces.offset[p]!;
    const end = start + pieces.length[p]!;
    while (field < fields.count && fields.offset[field]! < start) field++;
    // A derived piece's site bytes are its rule.
    if (pieces.kind[p] === PieceKind.memory || pieces.kind[p] === PieceKind.derived) continue;
    cursor.open(sites, p);
    let free = start;
    for (;;) {
      const explicit = cursor.offset < 0 ? Number.POSITIVE_INFINITY : start + cursor.offset;
      const implied = field < fields.count && fields.offset[field]! < end ? fields.offset[field]! : -1;
      if (implied >= 0 && implied < explicit) {
        const fieldKind = fields.kind[field]!;
        if (implied + 4 <= explicit && implied >= free && isBlank(view, fields, field, pages)) {
          if (pages !== undefined) pages[field] = 1;
          kind[count] = fieldKind;
          site[count] = implied;
          piece[count] = p;
          shape[count++] = fields.shape[field]!;
        }
        field++;
        continue;
      }
      if (cursor.offset < 0) break;
      const width = FIELD_BYTES[cursor.kind]!;
      if (explicit + width > end) throw invalid("dissection", "sites", explicit, "outside of its piece");
      if (cursor.kind === NOT_A_REFERENCE) {
        if (implied === explicit) field++;
      } else {
        kind[count] = cursor.kind;
        site[count] = explicit;
        piece[count++] = p;
      }
      free = explicit + width;
      cursor.next();
    }
  }
  return {
    count,
    kind: kind.slice(0, count),
    site: site.slice(0, count),
    piece: piece.slice(0, count),
    shape: shape.slice(0, count),
  };
}

/** Whether a field that the decoder found is blanked, so that it is a reference. */
function isBlank(view: DataView, fields: CodeFields, field: number, pages: Uint8Array | undefined): boolean {
  const kind = fields.kind[field]!;
  // A low12 goes with its ADRP.
  if (kind === ReferenceKind.low12) return pages![fields.page![field]!] === 1;
  return blankValue(kind, view.getInt32(fields.offset[field]!, true));
}
