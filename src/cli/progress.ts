/** The progress line: phase, share, amounts, rate, time left. Pure but for the clock it is given. */
import type { StoreEvent } from "../store/index.ts";
import { displayWidth, formatCount, formatNumber, formatSeconds, formatSize } from "./text.ts";

export type ProgressEvent = Extract<StoreEvent, { type: "progress" }>;

/** At most ten lines a second. */
export const REDRAW_MS = 100;
/** Work that ends sooner shows no progress: it would only flicker. */
const PATIENCE_MS = 250;
/** The rate is that of the last few seconds: long enough to be calm, short enough to follow a change. */
const RATE_WINDOW_MS = 5000;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
  readonly items: number;
}

export class ProgressLine {
  readonly #now: () => number;
  readonly #startMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #phase = "";
  #samples: Sample[] = [];

  /** `now` gives milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#startMs = now();
  }

  /** The line to show now, or undefined when it is too early to draw again. */
  next(event: ProgressEvent, columns: number): string | undefined {
    const now = this.#now();
    if (event.phase !== this.#phase) {
      this.#phase = event.phase;
      this.#samples = [];
    }
    const newest = this.#samples.at(-1);
    if (newest === undefined || now - newest.atMs >= REDRAW_MS) {
      this.#samples.push({ atMs: now, bytes: event.doneBytes, items: event.doneItems });
      while (this.#samples.length > 2 && now - this.#samples[1]!.atMs >= RATE_WINDOW_MS)
        this.#samples.shift();
    }
    if (now - this.#startMs < PATIENCE_MS || now - this.#drawnMs < REDRAW_MS) return undefined;
    this.#drawnMs = now;
    return formatProgress(event, this.#bytesPerSecond(event, now), columns);
  }

  #bytesPerSecond(event: ProgressEvent, now: number): number | undefined {
    const oldest = this.#samples[0];
    if (oldest === undefined || now - oldest.atMs < REDRAW_MS) return undefined;
    return ((event.doneBytes - oldest.bytes) * 1000) / (now - oldest.atMs);
  }
}

/** One line of at most `columns - 1` columns; the least important parts at its end go first. */
export function formatProgress(
  event: ProgressEvent,
  bytesPerSecond: number | undefined,
  columns: number,
): string {
  const { doneBytes, totalBytes, doneItems, totalItems } = event;
  const hasBytes = doneBytes > 0 || (totalBytes ?? 0) > 0;
  const share = totalBytes ? doneBytes / totalBytes : totalItems ? doneItems / totalItems : undefined;
  const parts = [event.phase];
  if (share !== undefined) parts.push(`${Math.floor(Math.min(1, share) * 100)}%`.padStart(4));
  if (hasBytes)
    parts.push(totalBytes ? `${formatSize(doneBytes)} of ${formatSize(totalBytes)}` : formatSize(doneBytes));
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) {
    parts.push(`${formatSize(Math.round(bytesPerSecond))}/s`);
    if (totalBytes && totalBytes > doneBytes)
      parts.push(`${formatSeconds((totalBytes - doneBytes) / bytesPerSecond)} left`);
  }
  if (doneItems > 0 || totalItems) {
    parts.push(
      totalItems
        ? `${formatNumber(doneItems)} of ${formatNumber(totalItems)} items`
        : formatCount(doneItems, "item"),
    );
  }
  if (event.storedBytes) parts.push(`${formatSize(event.storedBytes)} stored`);
  // The last column stays free: a terminal may wrap when it is written.
  while (parts.length > 1 && displayWidth(parts.join("  ")) > columns - 1) parts.pop();
  return parts.join("  ").slice(0, Math.max(0, columns - 1));
}
