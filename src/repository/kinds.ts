/**
 * Kinds of streams. Like content stands with like, so that it compresses well; the number is in the pack.
 * Numbers are never reused. A reader carries kinds that it doesn't know.
 */
export const Kind = {
  /** Content-defined chunks of blobs. */
  chunk: 1,
  /** Nodes of trees, as inline blobs. */
  node: 2,
  /** Blob records and run-list nodes. */
  recipe: 3,
  /** Which executables or object files are alike: see handprint.ts. */
  handprint: 4,
  /** Streams of dissected executables: content by kind of piece ... */
  executableRaw: 16,
  executableCode: 17,
  executableData: 18,
  executableUnwind: 19,
  executableExceptions: 20,
  executableStrings: 21,
  executablePadding: 22,
  executableDerived: 23,
  executableGo: 25,
  /** ... what is copied, changed and new, and where references are ... */
  executableLayout: 32,
  executableKinds: 33,
  executableLengths: 34,
  executableSiteLengths: 35,
  executableSites: 36,
  executableDeltaNumbers: 37,
  executableDeltaValues: 38,
  /** ... and what the references refer to. */
  executableHits: 39,
  executableCallTokens: 40,
  executableCallValues: 41,
  executableCodeTokens: 42,
  executableCodeValues: 43,
  executableDataTokens: 44,
  executableDataValues: 45,
  executableUnwindTokens: 46,
  executableUnwindValues: 47,
  executableGoTokens: 48,
  executableGoValues: 49,
  executableBranchRuns: 50,
  executableBranchValues: 51,
  executableDeltaHeads: 52,
  executableDeltaCopies: 53,
  /** Operands of x86-64 code: see the streams of executable recipes of version 2. */
  executableDisplacements8: 54,
  executableDisplacements32: 55,
  executableImmediates8: 56,
  executableImmediates32: 57,
  executableBranchSymbols: 58,
  executableBranchNumbers: 59,
  executableOperandRuns: 60,
  /** Headers, padding and whatever else archives hold between their members. */
  archiveFrame: 64,
  /** Streams of object files that are deltas of others. */
  objectNumbers: 80,
  objectHeads: 81,
  objectCopies: 82,
  objectValues: 83,
  objectLiterals: 84,
} as const;

export type KindNumber = number;

const names = new Map<number, string>(Object.entries(Kind).map(([name, number]) => [number, name]));

/** Name of a kind, `kind-N` for one that this release doesn't know. */
export function kindName(kind: KindNumber): string {
  return names.get(kind) ?? `kind-${kind}`;
}

/** Kinds whose atoms are blob records or run-list nodes. */
export function holdsRecords(kind: KindNumber): boolean {
  return kind === Kind.node || kind === Kind.recipe;
}
