/** Pieces at fixed addresses joined to sections: one for each run of pages that are in use. */
import { PAGE_BYTES, type RegionName } from "./model.ts";

/** Something that lies at an address in one version. */
export interface Piece {
  readonly region: RegionName;
  readonly address: number;
  readonly sizeBytes: number;
  /** Empty in the bss region. */
  readonly bytes: Uint8Array;
}

/** A run of pages without a whole page between its pieces that nothing uses. */
export interface PageRun {
  readonly region: RegionName;
  /** On a page boundary. */
  readonly address: number;
  /** Whole pages: what lies behind in the file must not show in the last one. */
  readonly sizeBytes: number;
  /** Zeros between the pieces; empty in the bss region. */
  readonly bytes: Uint8Array;
}

/**
 * How many runs a region has at most. Each is a segment of the program; GNU ld puts their headers in front of the
 * program, and some 45 of them reach the next page, which moves all that follows.
 */
const MAX_RUNS = 10;

/** By address. Pieces must not overlap. Where there are too many runs, the narrowest gaps are filled with zeros. */
export function pageRuns(pieces: readonly Piece[]): PageRun[] {
  return [...Map.groupBy(pieces, ({ region }) => region)]
    .flatMap(([region, own]) => regionRuns(region, own))
    .sort((a, b) => a.address - b.address);
}

function regionRuns(region: RegionName, pieces: readonly Piece[]): PageRun[] {
  const spans = pieces
    .map(({ address, sizeBytes }) => ({
      start: pageStart(address),
      end: pageStart(address + sizeBytes - 1) + PAGE_BYTES,
    }))
    .sort((a, b) => a.start - b.start);
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of spans) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  const gaps = joined.slice(1).map(({ start }, i) => start - joined[i]!.end);
  // Gaps up to this one are filled; of equal ones perhaps more than needed.
  const filled = gaps.toSorted((a, b) => a - b)[joined.length - MAX_RUNS - 1] ?? 0;
  const runs: { start: number; end: number }[] = [];
  for (const [i, span] of joined.entries()) {
    if (i > 0 && gaps[i - 1]! <= filled) runs.at(-1)!.end = span.end;
    else runs.push({ ...span });
  }
  const contents = runs.map(({ start, end }) => new Uint8Array(region === "bss" ? 0 : end - start));
  if (region !== "bss") {
    for (const { address, bytes } of pieces) {
      const i = runs.findIndex(({ end }) => address < end);
      contents[i]!.set(bytes, address - runs[i]!.start);
    }
  }
  return runs.map(({ start, end }, i) => ({
    region,
    address: start,
    sizeBytes: end - start,
    bytes: contents[i]!,
  }));
}

function pageStart(address: number): number {
  return Math.floor(address / PAGE_BYTES) * PAGE_BYTES;
}

/** The run that holds an address; the end of a run belongs to it. */
export function runAt(runs: readonly PageRun[], address: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (runs[middle]!.address <= address) low = middle;
    else high = middle - 1;
  }
  return low;
}
