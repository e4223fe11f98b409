/** Moving what is alive out of packs that will go: whole segments as they are, single atoms with their recipes. */
import type { Digest } from "../digest/index.ts";
import { sha256 } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import {
  type AtomReader,
  type AtomRef,
  type CompressionLevel,
  decodeRunNodeAtom,
  holdsRecords,
  isLeaf,
  Kind,
  type PackName,
  RunListBuilder,
  type RunNode,
  type RunSubtree,
  runsFrom,
  type SegmentId,
  type SegmentPlace,
  segmentId,
  WriteSession,
} from "../repository/index.ts";
import type { StoreContext } from "./context.ts";
import type { Marked } from "./mark.ts";

export interface RewritePlan {
  /** Packs that will go. */
  readonly victims: ReadonlySet<PackName>;
  /** Segments of victims that are moved whole, in the order in which they shall stand. */
  readonly whole: readonly SegmentId[];
  /** Segments of victims of which only the needed atoms are moved: recipes that name them are written anew. */
  readonly dissolve: ReadonlySet<SegmentId>;
  readonly level: CompressionLevel;
  readonly frameBytes: number;
}

export interface RewriteOptions {
  /** Condemned already: nothing new may rely on them either. */
  readonly condemned: ReadonlySet<PackName>;
  /** Number of the maintenance lease. */
  readonly epoch: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (doneBytes: number) => void;
}

/** Writes new packs with all that `plan` moves, durable when it returns; their names. */
export async function rewrite(
  context: StoreContext,
  marked: Marked,
  plan: RewritePlan,
  { condemned, epoch, signal, onProgress }: RewriteOptions,
): Promise<readonly PackName[]> {
  const { backend, index, atoms } = context;
  const session = new WriteSession(backend, index, {
    level: plan.level,
    frameBytes: plan.frameBytes,
    epoch,
    condemned: new Set([...condemned, ...plan.victims]),
  });
  let done = 0;
  const moving = (bytes: number) => {
    done += bytes;
    onProgress?.(done);
  };
  try {
    for (const [i, batch] of (await batchesOf(atoms, plan.whole)).entries()) {
      if (i > 0) await session.flush();
      for (const { id, place } of batch) {
        throwIfAborted(signal);
        const body = await atoms.segmentBody(id);
        if (segmentId(place.kind, body) !== id) {
          throw new TenonError("damaged", `pack ${place.pack}: segment ${id} was changed; run tenon repair`, {
            segment: id,
          });
        }
        session.adopt(place.kind, { id, atoms: place.atoms, body });
        moving(body.length);
        await session.settle();
      }
    }
    const moved = new Map<SegmentId, (AtomRef | undefined)[]>();
    for (const id of plan.dissolve) {
      throwIfAborted(signal);
      const live = marked.segments.get(id);
      const segment = await atoms.segment(id);
      if (live === undefined || holdsRecords(segment.kind)) continue;
      const refs: (AtomRef | undefined)[] = [];
      for (let atom = 0; atom < segment.atoms; atom++) {
        if (!live.has(atom)) continue;
        const bytes = segment.atom(atom);
        refs[atom] =
          segment.kind === Kind.chunk
            ? session.chunk(segment.kind, bytes, sha256(bytes)).ref
            : session.append(segment.kind, bytes);
        moving(bytes.length);
      }
      moved.set(id, refs);
      await session.settle();
    }
    await rewriteRecipes(context, session, marked.blobs, plan.dissolve, moved, signal);
    await session.flush();
    return session.packs;
  } catch (error) {
    await session.abort();
    throw error;
  }
}

/** Segments that fill a pack, as they are compressed now. */
const BATCH_BYTES = 128 << 20;

interface Moved {
  readonly id: SegmentId;
  readonly place: SegmentPlace;
}

/**
 * What stands together in the walk comes into one pack; within it kind after kind, so that the large frame of one kind
 * is written before the next one is gathered.
 */
async function batchesOf(atoms: AtomReader, segments: readonly SegmentId[]): Promise<Moved[][]> {
  const batches: Moved[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const id of segments) {
    const place = await atoms.place(id);
    if (bytes >= BATCH_BYTES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push({ id, place });
    bytes += place.rawBytes === 0 ? 0 : (place.bytes * place.bodyBytes) / place.rawBytes;
  }
  for (const batch of batches) batch.sort((a, b) => a.place.kind - b.place.kind);
  return batches;
}

/** Writes the recipes anew that name a dissolved segment, or stand in one. */
async function rewriteRecipes(
  { atoms, index }: StoreContext,
  session: WriteSession,
  blobs: ReadonlySet<Digest>,
  dissolved: ReadonlySet<SegmentId>,
  moved: ReadonlyMap<SegmentId, readonly (AtomRef | undefined)[]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (dissolved.size === 0) return;
  const load = (segment: SegmentId, atom: number) => atoms.atom(segment, atom);
  for (const digest of blobs) {
    throwIfAborted(signal);
    const { record, place } = await atoms.locate(digest);
    const touched = dissolved.has(place.segment) || (await names(record.runs, dissolved, load));
    if (!touched) continue;
    if (record.inline !== undefined) {
      session.inline(index.findSegment(place.segment)?.kind ?? Kind.recipe, digest, record.inline);
    } else {
      const runs = new RunListBuilder();
      for await (const run of runsFrom(record.runs, load)) {
        const refs = moved.get(run.segment);
        if (refs === undefined) runs.addRun(session.stored(run.segment), run);
        else for (let atom = run.first; atom < run.first + run.count; atom++) runs.add(refs[atom]!);
      }
      session.blob({ ...record, runs });
    }
    await session.settle();
  }
}

/** True when a run list names one of the segments, or a node of it stands in one. */
async function names(
  node: RunNode,
  segments: ReadonlySet<SegmentId>,
  load: (segment: SegmentId, atom: number) => Promise<Uint8Array>,
): Promise<boolean> {
  if (node.entries.some((entry) => segments.has(entry.segment))) return true;
  if (isLeaf(node)) return false;
  for (const { segment, atom } of node.entries as readonly RunSubtree[]) {
    if (await names(decodeRunNodeAtom(await load(segment, atom), node.level - 1), segments, load))
      return true;
  }
  return false;
}
