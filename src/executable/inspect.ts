/** A dissection in numbers, for people: what the pieces and references are, and how a recipe says them. */
import { ByteReader } from "../bytes/index.ts";
import { readLayout } from "./code-layout.ts";
import { type CodedStreams, FORMAT, Stream } from "./code-streams.ts";
import { DerivedRule } from "./derived-tables.ts";
import { Mode } from "./match-pieces.ts";
import { type Dissection, PieceKind, ReferenceKind, type ReferenceTable } from "./types.ts";

export interface KindCount {
  readonly kind: string;
  readonly count: number;
  readonly bytes: number;
}

/** A table that follows from the rest of the file. */
export interface DerivedCount extends KindCount {
  /** Bytes that are not what was foretold. */
  readonly exceptionBytes: number;
}

export interface DissectionFacts {
  /** By kind of piece; bytes of memory are no bytes of the file. */
  readonly pieces: readonly KindCount[];
  /** By kind of reference, the most frequent first. */
  readonly references: readonly { readonly kind: string; readonly count: number }[];
  readonly derived: readonly DerivedCount[];
  /** References and exceptions that the frozen decoder doesn't find by itself: bytes of their lists. */
  readonly siteBytes: number;
}

const namesOf = (table: Readonly<Record<string, number>>) =>
  new Map(Object.entries(table).map(([name, number]) => [number, name]));

const PIECE_NAMES = namesOf(PieceKind);
const REFERENCE_NAMES = namesOf(ReferenceKind);
const RULE_NAMES: Readonly<Record<number, string>> = {
  [DerivedRule.relative]: ".rela.dyn, RELATIVE entries",
  [DerivedRule.relr]: ".relr.dyn",
  [DerivedRule.unwindIndex]: ".eh_frame_hdr",
  [DerivedRule.uniqueUnwindIndex]: ".eh_frame_hdr, each function once",
  [DerivedRule.goFunctions]: "Go's functab",
  [DerivedRule.goFindFunctions]: "Go's findfunctab",
};

const nameIn = (names: ReadonlyMap<number, string>, number: number) => names.get(number) ?? `kind ${number}`;

/** Adds up counts and bytes by name, in the order of the first of each. */
class Counts {
  readonly #counts = new Map<
    string,
    { kind: string; count: number; bytes: number; exceptionBytes: number }
  >();

  add(kind: string, bytes: number, exceptionBytes = 0): void {
    let entry = this.#counts.get(kind);
    if (entry === undefined) {
      entry = { kind, count: 0, bytes: 0, exceptionBytes: 0 };
      this.#counts.set(kind, entry);
    }
    entry.count++;
    entry.bytes += bytes;
    entry.exceptionBytes += exceptionBytes;
  }

  /** Those with most bytes first. */
  list() {
    return [...this.#counts.values()].sort((a, b) => b.bytes - a.bytes || b.count - a.count);
  }
}

/** What a file was taken apart into. Linear in pieces, references and derived bytes. */
export function describeDissection({ pieces, sites, references, blanked }: Dissection): DissectionFacts {
  const byKind = new Counts();
  const derived = new Counts();
  for (let i = 0; i < pieces.count; i++) {
    const kind = pieces.kind[i]!;
    const length = pieces.length[i]!;
    byKind.add(nameIn(PIECE_NAMES, kind), length);
    if (kind !== PieceKind.derived) continue;
    const begin = i === 0 ? 0 : sites.end[i - 1]!;
    const rule = begin < sites.end[i]! ? sites.bytes[begin]! : 0;
    let exceptions = 0;
    const end = pieces.offset[i]! + length;
    for (let at = pieces.offset[i]!; at < end; at++) if (blanked[at] !== 0) exceptions++;
    derived.add(RULE_NAMES[rule] ?? `rule ${rule}`, length, exceptions);
  }
  const kinds = new Float64Array(256);
  for (let i = 0; i < references.count; i++) kinds[references.kind[i]!]!++;
  const counted = [...kinds.entries()].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  return {
    pieces: byKind.list().map(({ kind, count, bytes }) => ({ kind, count, bytes })),
    references: counted.map(([kind, count]) => ({ kind: nameIn(REFERENCE_NAMES, kind), count })),
    derived: derived.list(),
    siteBytes: sites.bytes.length,
  };
}

/** How pieces are said in a recipe. */
export interface PieceCoding {
  readonly kind: string;
  /** Like a piece of a base, or an earlier one of the file itself. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Deltas of a piece of a base. */
  readonly changed: number;
  readonly changedBytes: number;
  readonly fresh: number;
  readonly freshBytes: number;
}

/** How targets of a group of references are said: foretold by what the base's counterpart refers to, or told. */
export interface ReferenceCoding {
  readonly group: string;
  readonly count: number;
  readonly predicted: number;
  /** With a token of their own: not foretold, or foretold wrongly. */
  readonly told: number;
}

export interface CodingFacts {
  readonly pieces: readonly PieceCoding[];
  readonly references: readonly ReferenceCoding[];
  /** Of those told: how many were foretold wrongly, and how many not at all. */
  readonly missed: number;
  readonly explicit: number;
}

/** Number of pieces of a coded dissection, by the beginning of its head. Errors: `invalid`. */
export function pieceCountOf(head: Uint8Array): number {
  const reader = new ByteReader(head, FORMAT);
  for (const field of ["machine", "rules", "fileBytes"]) reader.varint(field);
  return reader.varint("pieces");
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * How a recipe's streams say a dissection whose bases have `basePieces` pieces together. Errors: `invalid` for streams
 * that don't belong to it.
 */
export function describeCoding(
  dissection: Dissection,
  streams: CodedStreams,
  basePieces: number,
): CodingFacts {
  return {
    pieces: describeLayout(dissection, streams, basePieces),
    ...describeTargets(dissection, streams),
  };
}

function describeLayout(
  { pieces }: Dissection,
  streams: CodedStreams,
  basePieces: number,
): readonly PieceCoding[] {
  const byKind = new Map<number, Mutable<PieceCoding>>();
  const layout = new ByteReader(streams.get(Stream.layout) ?? new Uint8Array(0), FORMAT);
  let at = 0;
  for (const { mode, count } of readLayout(layout, pieces.count, basePieces)) {
    for (const end = at + count; at < end; at++) {
      const kind = pieces.kind[at]!;
      let entry = byKind.get(kind);
      if (entry === undefined) {
        const name = nameIn(PIECE_NAMES, kind);
        const none = { copied: 0, copiedBytes: 0, changed: 0, changedBytes: 0, fresh: 0, freshBytes: 0 };
        entry = { kind: name, ...none };
        byKind.set(kind, entry);
      }
      const bytes = pieces.length[at]!;
      if (mode === Mode.copy) {
        entry.copied++;
        entry.copiedBytes += bytes;
      } else if (mode === Mode.change) {
        entry.changed++;
        entry.changedBytes += bytes;
      } else {
        entry.fresh++;
        entry.freshBytes += bytes;
      }
    }
  }
  const total = (entry: PieceCoding) => entry.copiedBytes + entry.changedBytes + entry.freshBytes;
  return [...byKind.values()].sort((a, b) => total(b) - total(a));
}

/** Groups of references share a stream of tokens, one byte each (docs/formats/executable-recipe.md). */
const GROUPS = [
  { group: "calls and branches", tokens: Stream.callTokens },
  { group: "data in code", tokens: Stream.codeTokens },
  { group: "pointers and tables", tokens: Stream.dataTokens },
  { group: "unwind and exceptions", tokens: Stream.unwindTokens },
  { group: "Go's tables", tokens: Stream.goTokens },
] as const;

function groupOf(references: ReferenceTable, { pieces, blanked }: Dissection, r: number): number {
  const kind = references.kind[r]!;
  switch (kind) {
    case ReferenceKind.pc32: {
      // Opcodes E8 and E9, and 0F 8x.
      const site = references.site[r]!;
      const before = blanked[site - 1]!;
      const branch = before === 0xe8 || before === 0xe9;
      return branch || ((before & 0xf0) === 0x80 && blanked[site - 2] === 0x0f) ? 0 : 1;
    }
    case ReferenceKind.branch26:
    case ReferenceKind.word19:
    case ReferenceKind.branch14:
      return 0;
    case ReferenceKind.page21:
    case ReferenceKind.adr21:
    case ReferenceKind.low12:
      return 1;
    case ReferenceKind.table32:
    case ReferenceKind.abs32:
    case ReferenceKind.rel32:
      return 2;
  }
  if (kind >= ReferenceKind.goText && kind <= ReferenceKind.goFuncdata) return 4;
  const pieceKind = pieces.kind[references.piece[r]!];
  return pieceKind === PieceKind.unwind || pieceKind === PieceKind.exceptions ? 3 : 2;
}

function describeTargets(dissection: Dissection, streams: CodedStreams): Omit<CodingFacts, "pieces"> {
  const { references } = dissection;
  const counts = GROUPS.map(() => 0);
  for (let r = 0; r < references.count; r++) counts[groupOf(references, dissection, r)]!++;
  const groups = GROUPS.map(({ group, tokens }, i) => {
    const told = streams.get(tokens)?.length ?? 0;
    return { group, count: counts[i]!, predicted: counts[i]! - told, told };
  });
  // Runs of right ones, with one that was foretold wrongly between two.
  const hits = new ByteReader(streams.get(Stream.hits) ?? new Uint8Array(0), FORMAT);
  let runs = 0;
  for (; hits.remaining > 0; runs++) hits.varint("run");
  const missed = Math.max(0, runs - 1);
  const told = groups.reduce((sum, group) => sum + group.told, 0);
  return { references: groups.filter(({ count }) => count > 0), missed, explicit: told - missed };
}
