/**
 * Blobs that can still be read although a segment they need is damaged: the bytes that were changed belong to others.
 * They are stored anew before the damaged packs go.
 */
import { type Chunker, createChunker } from "../chunking/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, throwIfAborted } from "../errors/index.ts";
import { type AtomReader, Kind, type PackName, type SegmentId, WriteSession } from "../repository/index.ts";
import { encodeChunks } from "../representation/index.ts";
import { streamSource } from "./add-stream.ts";
import { readBlob } from "./blobs.ts";
import { checkRefs } from "./check-refs.ts";
import { walkClosure } from "./closure.ts";
import type { StoreContext } from "./context.ts";

export interface RescueOptions {
  readonly damaged: ReadonlySet<PackName>;
  /** Segments of damaged packs that stand in new packs. */
  readonly saved: ReadonlySet<SegmentId>;
  readonly condemned: ReadonlySet<PackName>;
  readonly epoch: number;
  readonly signal?: AbortSignal | undefined;
}

/** Returns how many blobs were stored anew. */
export async function rescueBlobs(context: StoreContext, options: RescueOptions): Promise<number> {
  const { damaged, signal } = options;
  const session = new WriteSession(context.backend, context.index, {
    level: context.compression,
    condemned: new Set([...options.condemned, ...damaged]),
    epoch: options.epoch,
  });
  let chunker: Chunker | undefined;
  const encoder = { session, chunker: () => (chunker ??= createChunker(context.chunker)) };
  try {
    let rescued = 0;
    for (const [digest, kind] of await endangered(context, options)) {
      throwIfAborted(signal);
      if (await storeAnew(context.atoms, encoder, { digest, kind })) rescued++;
      await session.settle();
    }
    await session.flush();
    return rescued;
  } catch (error) {
    await session.abort();
    throw error;
  }
}

/** Blobs that need a segment which is not saved, with the kind of atom that their recipe is. */
async function endangered(
  { atoms, index, ...base }: StoreContext,
  { damaged, saved, signal }: RescueOptions,
): Promise<Map<Digest, number>> {
  const kindOf = new Map<SegmentId, { readonly kind: number; readonly bad: boolean } | undefined>();
  const look = (id: SegmentId) => {
    if (!kindOf.has(id)) {
      const place = index.findSegment(id);
      const bad = !saved.has(id) && index.findSegment(id, (pack) => !damaged.has(pack)) === undefined;
      kindOf.set(id, place && { kind: place.kind, bad });
    }
    return kindOf.get(id);
  };
  const seen = new Set<Digest>();
  const found = new Map<Digest, number>();
  let current: Digest = "";
  let recipeKind: number = Kind.recipe;
  const visitor = {
    blob(digest: Digest) {
      if (seen.has(digest)) return false;
      seen.add(digest);
      current = digest;
      recipeKind = -1;
      return true;
    },
    record(segment: SegmentId) {
      const place = look(segment);
      if (recipeKind < 0) recipeKind = place?.kind ?? Kind.recipe;
      if (place?.bad === true) found.set(current, recipeKind);
    },
    run({ segment }: { readonly segment: SegmentId }) {
      if (look(segment)?.bad === true) found.set(current, recipeKind);
    },
    // What can't be read at all is beyond rescue.
    damage() {},
  };
  for (const { root } of (await checkRefs(base, undefined, signal)).roots)
    await walkClosure(atoms, root, visitor, signal);
  return found;
}

/** False when the blob does not have its digest any more: then some atoms of it are stored for nothing. */
async function storeAnew(
  atoms: AtomReader,
  { session, chunker }: { readonly session: WriteSession; readonly chunker: () => Chunker },
  { digest, kind }: { readonly digest: Digest; readonly kind: number },
): Promise<boolean> {
  try {
    const { inline } = await atoms.needRecord(digest);
    if (inline !== undefined) {
      for await (const _ of readBlob(atoms, digest));
      session.inline(kind, digest, inline);
      return true;
    }
    const { source, close } = streamSource(readBlob(atoms, digest));
    try {
      session.blob(await encodeChunks(source, { session, chunker: chunker() }));
    } finally {
      await close();
    }
    return true;
  } catch (error) {
    // A recipe that was changed may seem to be of a newer release as well.
    if (isTenonError(error) && ["damaged", "invalid", "unsupported", "limit"].includes(error.code))
      return false;
    throw error;
  }
}
