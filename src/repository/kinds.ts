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
