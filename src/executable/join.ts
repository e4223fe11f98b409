/** From blanked pieces and the labels that their references name back to the file. */
import { parseElf } from "../elf/index.ts";
import { invalid } from "../errors/index.ts";
import { applyDerived } from "./derived-tables.ts";
import { type LoadMap, labelAddress, loadMap, placePieces } from "./join-layout.ts";
import { type Bases, type Field, noBases, shiftTable, write32, writeTarget } from "./references-fields.ts";
import { findReferences, type KnownReferences, type ReferenceSites } from "./references-sites.ts";
import { type BaseTable, type JoinInput, type PieceTable, ReferenceKind, type SiteInput } from "./types.ts";

/** Where the pieces and the references of a file are, as far as it follows without targets. */
export interface Skeleton {
  readonly map: LoadMap;
  readonly pieces: PieceTable;
  readonly references: ReferenceSites;
}

/**
 * Places pieces and finds references; `known` as for `findReferences`. Errors: `invalid` and `limit` for parts that make
 * no file.
 */
export function findSkeleton(input: SiteInput, known: KnownReferences = {}): Skeleton {
  const map = loadMap(parseElf(input.blanked).addresses);
  const { kind, length, blanked } = input;
  if (kind.length !== length.length) throw invalid("dissection", "length", 0, "not one entry a piece");
  const pieces = placePieces(map, { kind, length, fileBytes: blanked.length });
  return { map, pieces, references: findReferences(input, pieces, known) };
}

/**
 * The file. Linear in its size, memory about three times its size. Errors: `invalid` when the parts contradict each
 * other or a target doesn't fit into its field, `limit`, and what `parseElf` says of the header.
 */
export function join(input: JoinInput, skeleton: Skeleton = findSkeleton(input)): Uint8Array<ArrayBuffer> {
  return joinInto(new Uint8Array(input.blanked), input, skeleton);
}

/** The same in place: `bytes` are the blanked ones, and become the file's. `skeleton` was found before. */
export function joinInto<T extends Uint8Array>(bytes: T, input: JoinInput, skeleton: Skeleton): T {
  const { pieces, references } = skeleton;
  const { target, targetOffset } = input;
  if (target.length !== references.count || targetOffset.length !== references.count) {
    throw invalid("dissection", "target", 0, `${target.length} targets for ${references.count} references`);
  }
  const targets = targetAddresses(pieces, input, references.count);
  const bases = baseAddresses(pieces, input.bases);
  fillReferences(bytes, pieces, references, targets, bases);
  applyDerived(bytes, { machine: input.machine, pieces, references, targets, bases, sites: input.sites });
  return bytes;
}

/** Address of each reference's target. */
export function targetAddresses(
  pieces: PieceTable,
  input: { readonly target: Uint32Array; readonly targetOffset: Int32Array },
  count: number,
): Float64Array {
  const addresses = new Float64Array(count);
  const { target, targetOffset } = input;
  for (let i = 0; i < count; i++) {
    const piece = target[i]!;
    if (piece >= pieces.count) throw invalid("dissection", "target", i, `piece ${piece} of ${pieces.count}`);
    const found = labelAddress(pieces, piece) + targetOffset[i]!;
    if (found < 0) throw invalid("dissection", "target", i, "a negative address");
    addresses[i] = found;
  }
  return addresses;
}

/** Addresses of the bases, by reference kind. */
function baseAddresses(pieces: PieceTable, table: BaseTable): Bases {
  const bases = noBases();
  const addresses = targetAddresses(pieces, table, table.kind.length);
  for (let i = 0; i < addresses.length; i++) {
    const kind = table.kind[i]!;
    if (kind >= bases.length) throw invalid("dissection", "base", i, `unknown kind ${kind}`);
    bases[kind] = addresses[i]!;
  }
  return bases;
}

function fillReferences(
  bytes: Uint8Array,
  pieces: PieceTable,
  references: ReferenceSites,
  targets: Float64Array,
  bases: Bases,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field: Field = { kind: 0, offset: 0, address: 0, shape: 0, pieceAddress: 0 };
  const { count, kind, site, piece, shape } = references;
  let last = -1;
  let pieceAddress = 0;
  let toAddress = 0;
  for (let i = 0; i < count; i++) {
    const p = piece[i]!;
    const offset = site[i]!;
    if (p !== last) {
      last = p;
      // Without an address every distance is NaN, which no field can hold.
      pieceAddress = pieces.address[p]! < 0 ? Number.NaN : pieces.address[p]!;
      toAddress = pieceAddress - pieces.offset[p]!;
    }
    if (kind[i] === ReferenceKind.pc32) {
      // Most references are of this kind.
      write32(view, offset, targets[i]! - (toAddress + offset) - 4 - shape[i]!);
      continue;
    }
    field.kind = kind[i]!;
    field.offset = offset;
    field.pieceAddress = pieceAddress;
    field.address = toAddress + offset;
    field.shape = shape[i]!;
    if (field.kind === ReferenceKind.table32) {
      if (Number.isNaN(field.address))
        throw invalid("dissection", "site", field.offset, "a table without address");
      shiftTable(view, offset, pieces.offset[p]! + pieces.length[p]!, targets[i]! - field.address);
    } else writeTarget(view, field, targets[i]!, bases);
  }
}
