/** Fields that the frozen decoders find in the pieces of code of a file. */
import { EM_AARCH64 } from "../elf/index.ts";
import {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH26,
  scanAarch64,
  scanX86_64,
  X86_64_REL32,
  X86_64_RIP32,
  x86_64Kind,
} from "../isa/index.ts";
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
}

/** Between two pieces of code that are scanned in one go: what lies there is decoded for nothing. */
const MAX_GAP_BYTES = 4096;

interface Run {
  readonly offset: number;
  readonly end: number;
  readonly starts: Uint32Array;
  /** Number of its first piece, and whether all its pieces are code. */
  readonly first: number;
  readonly isPure: boolean;
}

/** Pieces of code that lie together, with the starts of all pieces among them. */
function codeRuns({ count, kind, offset, length }: PieceTable): Run[] {
  const runs: Run[] = [];
  for (let piece = 0; piece < count; ) {
    if (kind[piece] !== PieceKind.code || length[piece] === 0) {
      piece++;
      continue;
    }
    const begin = offset[piece]!;
    let end = begin;
    let last = piece;
    for (let i = piece; i < count && kind[i] !== PieceKind.memory; i++) {
      if (offset[i]! - end > MAX_GAP_BYTES) break;
      if (kind[i] !== PieceKind.code || length[i] === 0) continue;
      end = offset[i]! + length[i]!;
      last = i;
    }
    const starts = new Uint32Array(last - piece + 1);
    let written = 0;
    let isPure = true;
    for (let i = piece; i <= last; i++) {
      if (length[i]! > 0) starts[written++] = offset[i]! - begin;
      if (kind[i] !== PieceKind.code) isPure = false;
    }
    runs.push({ offset: begin, end, starts: starts.subarray(0, written), first: piece, isPure });
    piece = last + 1;
  }
  return runs;
}

/** Every field in the pieces of code. Errors: `invalid` for AArch64 pieces that don't begin at a word. */
export function codeFields(
  bytes: Uint8Array,
  pieces: PieceTable,
  options: { readonly machine: number; readonly absolute: boolean },
): CodeFields {
  const runs = codeRuns(pieces);
  const found = runs.map((run) => {
    const fields =
      options.machine === EM_AARCH64 ? aarch64Fields(bytes, run) : x86Fields(bytes, run, options.absolute);
    return run.isPure ? fields : dropOutside(fields, pieces, run.first);
  });
  return concatenate(found);
}

function x86Fields(bytes: Uint8Array, run: Run, absolute: boolean): CodeFields {
  const { fieldOffsets, fieldShapes } = scanX86_64(bytes.subarray(run.offset, run.end), {
    starts: run.starts,
    absolute,
  });
  const count = fieldOffsets.length;
  const kind = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    fieldOffsets[i]! += run.offset;
    const isaKind = x86_64Kind(fieldShapes[i]!);
    kind[i] = isaKind === X86_64_REL32 || isaKind === X86_64_RIP32 ? ReferenceKind.pc32 : ReferenceKind.abs32;
    fieldShapes[i]! >>= 4;
  }
  return { count, kind, offset: fieldOffsets, shape: fieldShapes };
}

const AARCH64_KINDS: Readonly<Record<number, number>> = {
  [AARCH64_BRANCH26]: ReferenceKind.branch26,
  [AARCH64_BRANCH14]: ReferenceKind.branch14,
  [AARCH64_ADR21]: ReferenceKind.adr21,
  [AARCH64_ADRP21]: ReferenceKind.page21,
};

function aarch64Fields(bytes: Uint8Array, run: Run): CodeFields {
  const scan = scanAarch64(bytes.subarray(run.offset, run.end), { starts: run.starts });
  const fields = scan.fieldOffsets.length;
  const users = scan.pairUserOffsets.length;
  const count = fields + users;
  const kind = new Uint8Array(count);
  const offset = new Uint32Array(count);
  const shape = new Uint8Array(count);
  const page = new Uint32Array(count);
  // The field that each word has, so that a pair finds its ADRP.
  const fieldOfWord = new Uint32Array(((run.end - run.offset) >> 2) + 1);
  let user = 0;
  let field = 0;
  for (let i = 0; i < count; i++) {
    if (user < users && (field >= fields || scan.pairUserOffsets[user]! < scan.fieldOffsets[field]!)) {
      kind[i] = ReferenceKind.low12;
      offset[i] = run.offset + scan.pairUserOffsets[user]!;
      shape[i] = scan.pairScales[user]!;
      page[i] = fieldOfWord[scan.pairAdrpOffsets[user]! >> 2]!;
      user++;
    } else {
      const at = scan.fieldOffsets[field]!;
      kind[i] = AARCH64_KINDS[scan.fieldKinds[field]!] ?? ReferenceKind.word19;
      offset[i] = run.offset + at;
      fieldOfWord[at >> 2] = i;
      field++;
    }
  }
  return { count, kind, offset, shape, page };
}

function concatenate(parts: readonly CodeFields[]): CodeFields {
  if (parts.length === 1) return parts[0]!;
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const kind = new Uint8Array(count);
  const offset = new Uint32Array(count);
  const shape = new Uint8Array(count);
  const page = parts.some((part) => part.page !== undefined) ? new Uint32Array(count) : undefined;
  let at = 0;
  for (const part of parts) {
    // The columns may be longer than what is left in them.
    kind.set(part.kind.subarray(0, part.count), at);
    offset.set(part.offset.subarray(0, part.count), at);
    shape.set(part.shape.subarray(0, part.count), at);
    if (page !== undefined) for (let i = 0; i < part.count; i++) page[at + i] = part.page![i]! + at;
    at += part.count;
  }
  return { count, kind, offset, shape, ...(page && { page }) };
}

/** Takes out the fields of what lies between pieces of code: no pair reaches from there into a piece. */
function dropOutside(fields: CodeFields, pieces: PieceTable, first: number): CodeFields {
  const { kind, offset, shape, page } = fields;
  const moved = page && new Uint32Array(fields.count);
  let count = 0;
  let piece = first;
  for (let i = 0; i < fields.count; i++) {
    const at = offset[i]!;
    while (at >= pieces.offset[piece]! + pieces.length[piece]!) piece++;
    if (pieces.kind[piece] !== PieceKind.code) continue;
    if (moved !== undefined) moved[i] = count;
    kind[count] = kind[i]!;
    offset[count] = at;
    shape[count] = shape[i]!;
    if (page !== undefined) page[count] = moved![page[i]!]!;
    count++;
  }
  return { count, kind, offset, shape, ...(page && { page }) };
}
