/** Two versions of an executable, function by function. */
import { isTenonError, throwIfAborted } from "../errors/index.ts";
import { compareFunctions, MAX_EXECUTABLE_BYTES } from "../executable/index.ts";
import { isExecutable } from "../representation/index.ts";
import type { FunctionReport } from "./types.ts";

export interface Version {
  readonly read: () => AsyncIterable<Uint8Array>;
  readonly size: number;
}

/** Enough to tell an executable from other files. */
const MAGIC_BYTES = 4;

/** All of an executable; undefined for what isn't one, of which only the beginning is read. */
async function readExecutable(
  { read, size }: Version,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  if (size > MAX_EXECUTABLE_BYTES) return undefined;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of read()) {
    throwIfAborted(signal);
    pieces.push(piece.slice());
    bytes += piece.length;
    const isShort = pieces[0]!.length < MAGIC_BYTES;
    if (pieces.length === 1 && !isShort && !isExecutable(piece, size)) return undefined;
  }
  const whole = Buffer.concat(pieces, bytes);
  return isExecutable(whole, size) ? whole : undefined;
}

/** Undefined unless both are executables; with a problem when one of them can't be taken apart. */
export async function functionReport(
  before: Version,
  after: Version,
  signal: AbortSignal | undefined,
): Promise<FunctionReport | undefined> {
  const later = await readExecutable(after, signal);
  const earlier = later && (await readExecutable(before, signal));
  if (earlier === undefined || later === undefined) return undefined;
  try {
    return compareFunctions(earlier, later);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return { problem: error.message };
  }
}
