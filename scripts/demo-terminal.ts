/** What the demo prints: a progress line, tables, sizes. */

/** On a terminal a line that is drawn again; elsewhere a line of its own, so seldom that a log stays short. */
const REDRAW_MS = process.stderr.isTTY ? 100 : 2000;

export class Progress {
  readonly #phase: string;
  readonly #totalBytes: number;
  readonly #startMs = performance.now();
  #drawnMs = this.#startMs;

  constructor(phase: string, totalBytes: number) {
    this.#phase = phase;
    this.#totalBytes = totalBytes;
  }

  show(doneBytes: number): void {
    const now = performance.now();
    if (now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    const share = Math.floor((100 * doneBytes) / this.#totalBytes);
    const line = `${this.#phase} ${share}%  ${size(doneBytes)} of ${size(this.#totalBytes)}`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  /** Clears the line; seconds since the beginning. */
  end(): number {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    return (performance.now() - this.#startMs) / 1000;
  }
}

/** `512 B`, `1.5 MB`: powers of 1000. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"] as const;
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3) - 1);
  return `${(bytes / 1000 ** (unit + 1)).toFixed(1)} ${units[unit]}`;
}

/** `40.9%` */
export function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)}%`;
}

/** Columns as wide as their widest cell; `right` says which stand at the right edge. */
export function table(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
