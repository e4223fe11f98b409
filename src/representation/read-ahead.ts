/** Executables that stand further on: decoded by worker threads while those before them are given out. */
import type { Digest } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { MIN_EXECUTABLE_BYTES } from "./executable.ts";
import { EXECUTABLE, expectBases, readExecutableAhead, workersOf } from "./executable-loading.ts";

/** Items looked at beyond the present one: a base that they need is kept when it is read itself. */
const MAX_ITEMS_AHEAD = 64;
/** Executables that are decoded, and not yet asked for: enough for some threads. */
const MAX_EXECUTABLES_AHEAD = 8;
/** The same in bytes; a larger one is the only one. */
const MAX_BYTES_AHEAD = 64 << 20;

export interface BlobSize {
  readonly digest: Digest;
  readonly size: number;
}

interface Seen<T> {
  readonly item: T;
  /** Of an executable. */
  readonly record: BlobRecord | undefined;
  /** Nobody will ask for it any more. */
  readonly end: (() => void)[];
}

/**
 * The items as they come. The executables among the next ones are begun if there are threads: whoever reads them from
 * `atoms` then has them sooner. `blobOf`: the blob of an item, if it has one. Errors: those of `items`.
 */
export async function* readingAhead<T>(
  items: Iterable<T> | AsyncIterable<T>,
  blobOf: (item: T) => BlobSize | undefined,
  atoms: AtomReader,
  signal?: AbortSignal | undefined,
): AsyncGenerator<T> {
  const seen: Seen<T>[] = [];
  /** Of them, those at the beginning that were begun. */
  let begun = 0;
  let executables = 0;
  let bytes = 0;
  const begin = () => {
    if (workersOf(atoms).jobs < 2) return;
    for (; begun < seen.length; begun++) {
      const { record, end } = seen[begun]!;
      if (record === undefined) continue;
      if (executables === MAX_EXECUTABLES_AHEAD) return;
      if (executables > 0 && bytes + record.size > MAX_BYTES_AHEAD) return;
      executables++;
      bytes += record.size;
      end.push(readExecutableAhead(record, atoms, signal), () => {
        executables--;
        bytes -= record.size;
      });
    }
  };
  async function* givenOut(most: number): AsyncGenerator<T> {
    while (seen.length > most) {
      begin();
      const { item, end } = seen.shift()!;
      begun = Math.max(0, begun - 1);
      yield item;
      for (const call of end) call();
    }
  }
  try {
    try {
      for await (const item of items) {
        const record = await executableOf(blobOf(item), atoms);
        seen.push({ item, record, end: record === undefined ? [] : [expectBases(record, atoms)] });
        yield* givenOut(MAX_ITEMS_AHEAD);
      }
    } catch (error) {
      // What stands before damage is not lost.
      yield* givenOut(0);
      throw error;
    }
    yield* givenOut(0);
  } finally {
    for (const { end } of seen) for (const call of end) call();
  }
}

async function executableOf(blob: BlobSize | undefined, atoms: AtomReader): Promise<BlobRecord | undefined> {
  if (blob === undefined || blob.size < MIN_EXECUTABLE_BYTES) return undefined;
  try {
    const record = await atoms.needRecord(blob.digest);
    return record.representation === EXECUTABLE ? record : undefined;
  } catch (error) {
    // Whoever reads it is told.
    if (isTenonError(error)) return undefined;
    throw error;
  }
}
