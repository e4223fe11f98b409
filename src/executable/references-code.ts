/** Fields that the frozen decoders find in the pieces of code of a file. */
import { EM_AARCH64 } from "../elf/index.ts";
import { invalid } from "../errors/index.ts";
import {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH19,
  AARCH64_BRANCH26,
  AARCH64_LITERAL19,
  AARCH64_LOW12,
  scanAarch64Pieces,
  scanX86_64Pieces,
  X86_64_REL32,
  X86_64_RIP32,
  type X86_64Fields,
  x86_64Kind,
} from "../isa/index.ts";
import { contextOf } from "./references-contexts.ts";
import { ABSOLUTE32_BLANK } from "./references-kinds.ts";
import type { KnownFields } from "./references-known.ts";
import { PieceKind, type PieceTable, ReferenceKind } from "./types.ts";

/** Fields by position in the file; those of AArch64 with the users of pages among them. */
export interface CodeFields {
  readonly count: number;
  readonly kind: Uint8Array;
  /** File offset of the field (x86-64), of the instruction word (AArch64). */
  readonly offset: Uint32Array;
  /** x86-64: bytes of the instruction behind the field. AArch64 low12: its scale. */
  readonly shape: Uint8Array;
  /** AArch64 low12: number of the field of its ADRP. */
  readonly page?: Uint32Array;
  /** Contexts of references, where they were found with the fields. */
  readonly context?: Uint8Array;
}

export interface CodeFieldOptions {
  readonly machine: number;
  readonly absolute: boolean;
  /** Leave out fields that don't look blanked, and AArch64's users of such pages. */
  readonly onlyBlank?: boolean;
  /** Pieces that are not looked at: a 1 for each. */
  readonly skipped?: Uint8Array | undefined;
  /** x86-64, with `onlyBlank`: fields that were found when pieces were made. */
  readonly known?: KnownFields | undefined;
  /** x86-64: fields that were found before in the same bytes; not with `onlyBlank`. */
  readonly seen?: SeenFields | undefined;
}

/** Fields of x86-64 code, as they were found in some pieces: of a part of the file, parts in order. */
export interface SeenFields {
  readonly parts: readonly {
    /** File offsets where pieces begin or end, ascending. */
    readonly bounds: Uint32Array;
    readonly fieldOffsets: Uint32Array;
    readonly fieldShapes: Uint8Array;
  }[];
}

/** Every field in the pieces of code. Errors: `invalid` for AArch64 pieces that don't begin at a word. */
export function codeFields(bytes: Uint8Array, pieces: PieceTable, options: CodeFieldOptions): CodeFields {
  const isAarch64 = options.machine === EM_AARCH64;
  if (isAarch64) checkWords(pieces);
  const { count, kind, offset, length } = pieces;
  const { skipped, known } = options;
  const begins = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let found = 0;
  for (let piece = 0; piece < count; piece++) {
    if (kind[piece] !== PieceKind.code || skipped?.[piece] === 1) continue;
    if (known?.isKnown[piece] === 1) continue;
    begins[found] = offset[piece]!;
    ends[found++] = offset[piece]! + length[piece]!;
  }
  const fields = isAarch64 ? aarch64Fields : x86Fields;
  return fields(bytes, begins.subarray(0, found), ends.subarray(0, found), options);
}

/** Fields of pieces by those that were seen before, and of the others by scanning them. */
function x86FieldsSeen(
  bytes: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  absolute: boolean,
  { parts }: SeenFields,
): X86_64Fields {
  const isKnown = new Uint8Array(begins.length);
  const others = { begins: new Uint32Array(begins.length), ends: new Uint32Array(begins.length), count: 0 };
  let part = 0;
  let bound = 0;
  for (let i = 0; i < begins.length; i++) {
    const begin = begins[i]!;
    while (part < parts.length && parts[part]!.bounds.at(-1)! <= begin) {
      part++;
      bound = 0;
    }
    const bounds = parts[part]?.bounds;
    while (bounds !== undefined && bound < bounds.length && bounds[bound]! < begin) bound++;
    // A bound may be there twice: where the part begins.
    while (bounds !== undefined && bounds[bound + 1] === begin) bound++;
    if (bounds?.[bound] === begin && bounds[bound + 1] === ends[i]) isKnown[i] = 1;
    else {
      others.begins[others.count] = begin;
      others.ends[others.count++] = ends[i]!;
    }
  }
  const scanned = scanX86_64Pieces(
    bytes,
    others.begins.subarray(0, others.count),
    others.ends.subarray(0, others.count),
    { absolute },
  );
  const capacity = parts.reduce((sum, { fieldOffsets }) => sum + fieldOffsets.length, 0);
  const fieldOffsets = new Uint32Array(capacity + scanned.fieldOffsets.length);
  const fieldShapes = new Uint8Array(capacity + scanned.fieldOffsets.length);
  let count = 0;
  let next = 0;
  let from: X86_64Fields = scanned;
  part = 0;
  let field = 0;
  for (let i = 0; i < begins.length; ) {
    // Neighbours that are known alike, and lie in the same part, go together.
    const known = isKnown[i]!;
    const begin = begins[i]!;
    let end = ends[i++]!;
    let at = next;
    let limit = Number.POSITIVE_INFINITY;
    from = scanned;
    if (known === 1) {
      while (parts[part]!.bounds.at(-1)! <= begin) {
        part++;
        field = 0;
      }
      from = parts[part]!;
      limit = parts[part]!.bounds.at(-1)!;
      at = field;
    }
    while (i < begins.length && isKnown[i] === known && begins[i] === end && end < limit) end = ends[i++]!;
    while (at < from.fieldOffsets.length && from.fieldOffsets[at]! < begin) at++;
    let to = at;
    while (to < from.fieldOffsets.length && from.fieldOffsets[to]! < end) to++;
    fieldOffsets.set(from.fieldOffsets.subarray(at, to), count);
    fieldShapes.set(from.fieldShapes.subarray(at, to), count);
    count += to - at;
    if (known === 1) field = to;
    else next = to;
  }
  return { fieldOffsets: fieldOffsets.subarray(0, count), fieldShapes: fieldShapes.subarray(0, count) };
}

/** Pieces between pieces of code that aren't further apart than this begin at words, like the code. */
const MAX_GAP_BYTES = 4096;

function checkWords({ count, kind, offset, length }: PieceTable): void {
  let run = -1;
  let end = 0;
  // A piece that doesn't fit is an error only if code follows within the gap.
  let odd = -1;
  for (let piece = 0; piece < count && kind[piece] !== PieceKind.memory; piece++) {
    if (length[piece] === 0) continue;
    const at = offset[piece]!;
    if (run >= 0 && at - end > MAX_GAP_BYTES) run = -1;
    if (run >= 0 && odd < 0 && (at - run) % 4 !== 0) odd = at;
    if (kind[piece] !== PieceKind.code) continue;
    if (run < 0) {
      run = at;
      odd = -1;
    }
    if (odd >= 0) throw invalid("aarch64 code", "piece start", odd, "not a multiple of 4");
    end = at + length[piece]!;
  }
}

function x86Fields(
  bytes: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  { absolute, onlyBlank = false, seen, known }: CodeFieldOptions,
): CodeFields {
  const { fieldOffsets, fieldShapes } =
    seen !== undefined
      ? x86FieldsSeen(bytes, begins, ends, absolute, seen)
      : scanX86_64Pieces(bytes, begins, ends, {
          absolute,
          ...(onlyBlank && { absoluteBlank: ABSOLUTE32_BLANK }),
        });
  const count = fieldOffsets.length;
  const kind = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const shape = fieldShapes[i]!;
    const isaKind = x86_64Kind(shape);
    kind[i] = isaKind === X86_64_REL32 || isaKind === X86_64_RIP32 ? ReferenceKind.pc32 : ReferenceKind.abs32;
    fieldShapes[i] = shape >> 4;
  }
  const scanned = { count, kind, offset: fieldOffsets, shape: fieldShapes };
  return known === undefined || known.count === 0 ? scanned : mergeFields(known, scanned, bytes);
}

/** Fields of both, by position. */
function mergeFields(a: KnownFields, b: CodeFields, bytes: Uint8Array): CodeFields {
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const kind = new Uint8Array(count);
  const offset = new Uint32Array(count);
  const shape = new Uint8Array(count);
  const context = new Uint8Array(count);
  let i = 0;
  let j = 0;
  while (i < a.count || j < b.count) {
    const untilB = j < b.count ? b.offset[j]! : Number.POSITIVE_INFINITY;
    for (; i < a.count && a.offset[i]! < untilB; i++) {
      kind[i + j] = a.kind[i]!;
      offset[i + j] = a.offset[i]!;
      shape[i + j] = a.shape[i]!;
      context[i + j] = a.context[i]!;
    }
    const untilA = i < a.count ? a.offset[i]! : Number.POSITIVE_INFINITY;
    for (; j < b.count && b.offset[j]! < untilA; j++) {
      kind[i + j] = b.kind[j]!;
      offset[i + j] = b.offset[j]!;
      shape[i + j] = b.shape[j]!;
      context[i + j] = contextOf(b.kind[j]!, b.offset[j]!, PieceKind.code, 0, bytes);
    }
  }
  return { count, kind, offset, shape, context };
}

const AARCH64_KINDS: Readonly<Record<number, number>> = {
  [AARCH64_BRANCH26]: ReferenceKind.branch26,
  [AARCH64_BRANCH19]: ReferenceKind.word19,
  [AARCH64_LITERAL19]: ReferenceKind.word19,
  [AARCH64_BRANCH14]: ReferenceKind.branch14,
  [AARCH64_ADR21]: ReferenceKind.adr21,
  [AARCH64_ADRP21]: ReferenceKind.page21,
  [AARCH64_LOW12]: ReferenceKind.low12,
};

function aarch64Fields(
  bytes: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  { onlyBlank = false }: CodeFieldOptions,
): CodeFields {
  const scan = scanAarch64Pieces(bytes, begins, ends, onlyBlank);
  const kind = scan.fieldKinds;
  const count = kind.length;
  for (let i = 0; i < count; i++) kind[i] = AARCH64_KINDS[kind[i]!]!;
  return { count, kind, offset: scan.fieldOffsets, shape: scan.fieldScales, page: scan.fieldPages };
}
