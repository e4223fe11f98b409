/** stats: what is stored, what it costs, where the bytes are. */
import type { Digest } from "../digest/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import {
  decodeBlobRecord,
  holdsRecords,
  isBlobRecord,
  kindName,
  packOfPath,
  readPackDirectory,
} from "../repository/index.ts";
import { representationName } from "../representation/index.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import type { Stats, StreamStats } from "./types.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export async function stats(context: StoreContext, { signal }: OperationOptions = {}): Promise<Stats> {
  const { backend, refs, index } = context;
  await index.reload();
  const storedByPart = { packs: 0, packDirectories: 0, index: 0, refs: 0, other: 0 };
  const streams = new Map<string, Mutable<StreamStats>>();
  const indexed = index.packs();
  let packs = 0;
  let segments = 0;
  let atoms = 0;
  for (const { name, size } of await backend.list("")) {
    throwIfAborted(signal);
    const pack = packOfPath(name);
    if (pack === undefined) {
      if (name.startsWith("index/")) storedByPart.index += size;
      else if (name.startsWith("refs/")) storedByPart.refs += size;
      else storedByPart.other += size;
      continue;
    }
    if (!indexed.has(pack)) {
      storedByPart.other += size;
      continue;
    }
    packs++;
    const directory = await readPackDirectory(backend, pack);
    let frameBytes = 0;
    for (const frame of directory.frames) {
      const kind = kindName(frame.kind);
      const stream = streams.get(kind) ?? { kind, segments: 0, atoms: 0, rawBytes: 0, storedBytes: 0 };
      streams.set(kind, stream);
      stream.segments += frame.segments.length;
      for (const segment of frame.segments) stream.atoms += segment.atoms;
      stream.rawBytes += frame.rawBytes;
      stream.storedBytes += frame.bytes;
      frameBytes += frame.bytes;
    }
    storedByPart.packs += frameBytes;
    storedByPart.packDirectories += size - frameBytes;
    segments += directory.segments;
    atoms += directory.atoms;
  }
  const present = (await refs.list()).refs.flatMap((entry) =>
    "state" in entry && entry.state.root !== null ? [entry.state.root] : [],
  );
  const logicalBytes = present.reduce((sum, root) => sum + root.size, 0);
  const storedBytes = await backend.totalBytes();
  // Unfinished and foreign files are in no list, but they take room.
  storedByPart.other += storedBytes - Object.values(storedByPart).reduce((a, b) => a + b, 0);
  const { blobs, representations } = await countBlobs(context, signal);
  return {
    logicalBytes,
    storedBytes,
    ratio: logicalBytes === 0 ? null : storedBytes / logicalBytes,
    refs: present.length,
    files: present.reduce((sum, root) => sum + root.files, 0),
    blobs,
    atoms,
    segments,
    packs,
    streams: [...streams.values()].sort((a, b) => b.storedBytes - a.storedBytes),
    storedByPart,
    representations,
  };
}

/** Every distinct blob by its record; a pass over the metadata. */
async function countBlobs(
  { index, atoms }: StoreContext,
  signal: AbortSignal | undefined,
): Promise<Pick<Stats, "blobs" | "representations">> {
  const seen = new Set<Digest>();
  const counts = new Map<string, { name: string; blobs: number; bytes: number }>();
  for (const file of index.files) {
    for (const [id, { kind }] of file.allSegments()) {
      if (!holdsRecords(kind)) continue;
      throwIfAborted(signal);
      const segment = await atoms.segment(id);
      for (let atom = 0; atom < segment.atoms; atom++) {
        const bytes = segment.atom(atom);
        if (!isBlobRecord(bytes)) continue;
        const { digest, size, representation } = decodeBlobRecord(bytes);
        if (seen.has(digest)) continue;
        seen.add(digest);
        const name = representationName(representation);
        const count = counts.get(name) ?? { name, blobs: 0, bytes: 0 };
        count.blobs++;
        count.bytes += size;
        counts.set(name, count);
      }
    }
  }
  return { blobs: seen.size, representations: [...counts.values()].sort((a, b) => b.bytes - a.bytes) };
}
