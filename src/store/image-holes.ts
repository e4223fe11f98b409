/** Files of an image with holes, as GNU tar keeps them: their parts put where they belong, zeros between. */
import { TenonError } from "../errors/index.ts";
import { isSparseMap, LeadingMapReader, type SparseLayout, type SparseMap } from "../tar/index.ts";
import type { ReadRange } from "./blobs.ts";

const zeros = new Uint8Array(64 << 10);

export interface Holes {
  readonly packedBytes: number;
  readonly sparse: SparseLayout | undefined;
}

type ReadPacked = (range: ReadRange) => AsyncIterable<Uint8Array>;

/** Errors: `invalid` for a map that can't be. */
export async function* expanded(
  { packedBytes, sparse }: Holes,
  read: ReadPacked,
  { offset = 0, length = Number.POSITIVE_INFINITY }: ReadRange,
): AsyncGenerator<Uint8Array> {
  if (sparse === undefined) throw invalidMap();
  const { realBytes } = sparse;
  const { map, mapBytes } =
    sparse.map === undefined ? await leadingMap(read) : { map: sparse.map, mapBytes: 0 };
  const dataBytes = packedBytes - mapBytes;
  if (!isSparseMap(map, { realBytes, dataBytes })) throw invalidMap();
  const end = Math.min(realBytes, offset + length);
  let at = offset;
  let packed = mapBytes;
  for (let i = 0; i < map.length && at < end; i += 2) {
    const start = map[i]!;
    const stop = start + map[i + 1]!;
    if (stop > at) {
      yield* hole(Math.min(start, end) - at);
      at = Math.max(at, Math.min(start, end));
      const wanted = Math.min(stop, end) - at;
      if (wanted > 0) yield* read({ offset: packed + at - start, length: wanted });
      at += wanted;
    }
    packed += stop - start;
  }
  yield* hole(end - at);
}

function* hole(lengthBytes: number): Generator<Uint8Array> {
  for (let left = lengthBytes; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
}

async function leadingMap(read: ReadPacked): Promise<{ readonly map: SparseMap; readonly mapBytes: number }> {
  const reader = new LeadingMapReader();
  for await (const piece of read({})) {
    const found = reader.take(piece);
    if (found === undefined) break;
    if (found !== "more") return found;
  }
  throw invalidMap();
}

function invalidMap(): TenonError {
  return new TenonError("invalid", "the map of the file's holes can't be read; get the layer", {
    format: "tar",
  });
}
