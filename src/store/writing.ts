/** One write to the repository: lease, session, refs, in the order that makes it safe beside others. */
import { type Chunker, createChunker } from "../chunking/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { NodeStore } from "../prolly/index.ts";
import {
  type AtomReader,
  acquireMaintenance,
  type CompressionLevel,
  Kind,
  type PackName,
  readCondemned,
  WriterLease,
  WriteSession,
} from "../repository/index.ts";
import { readNode } from "./blobs.ts";
import { closureIntact } from "./closure.ts";
import type { StoreContext } from "./context.ts";

export interface Writing {
  readonly session: WriteSession;
  readonly chunker: Chunker;
  /** What is stored already. */
  readonly atoms: AtomReader;
  /** How many executables can be taken apart at once. */
  readonly jobs: number;
  /** Nodes that this write puts, and those that are stored. */
  readonly nodes: NodeStore;
  /** Makes everything durable and checks that the lease still stands: before a ref moves, and after. */
  readonly settle: () => Promise<void>;
}

export interface Held {
  /** Packs that this writer must not rely on. */
  readonly condemned: ReadonlySet<PackName>;
  readonly epoch: number;
  /** Fails when the lease was lost: asked before a ref moves. */
  readonly assertHeld: () => Promise<void>;
}

/**
 * Runs `work` with a lease. The lease comes first, then the look at what is condemned and at the index: whatever
 * garbage collection condemns later, it waits for this writer before it takes anything away.
 */
export async function holdingLease<T>(context: StoreContext, work: (held: Held) => Promise<T>): Promise<T> {
  const lease = await WriterLease.acquire(context.backend);
  try {
    const { epoch, packs: condemned } = await readCondemned(context.backend);
    await lease.acknowledge(epoch);
    await context.index.reload();
    return await work({ condemned, epoch, assertHeld: () => lease.assertHeld() });
  } finally {
    await lease.release();
  }
}

/** Runs `work` as a writer of content. */
export async function writing<T>(
  context: StoreContext,
  level: CompressionLevel,
  work: (writing: Writing) => Promise<T>,
): Promise<T> {
  const result = await holdingLease(context, async ({ condemned, epoch, assertHeld }) => {
    const session = new WriteSession(context.backend, context.index, {
      level,
      condemned,
      epoch,
      closureIntact: (digest) => closureIntact(context, { type: "file", digest }, condemned),
    });
    let chunker: Chunker | undefined;
    try {
      return await work({
        session,
        get chunker() {
          chunker ??= createChunker(context.chunker);
          return chunker;
        },
        atoms: context.atoms,
        jobs: context.workers.jobs,
        nodes: nodeWriter(context, session),
        settle: async () => {
          await session.flush();
          await assertHeld();
        },
      });
    } catch (error) {
      await session.abort();
      throw error;
    }
  });
  await mergeIndexes(context);
  return result;
}

/** Tree nodes for a write. Nodes are small blobs that are their own recipe. */
export function nodeWriter({ atoms }: StoreContext, session: WriteSession): NodeStore {
  /** Nodes that nobody can read yet, since their pack is open. */
  const unread = new Map<string, Uint8Array>();
  return {
    async get(digest) {
      return unread.get(digest) ?? readNode(atoms, digest);
    },
    async put(bytes) {
      const digest = sha256(bytes);
      if (!(await session.knows(digest))) {
        session.inline(Kind.node, digest, bytes);
        unread.set(digest, bytes);
        await session.settle();
      }
      return digest;
    },
  };
}

/** Keeps the number of index files small. Left to the next writer when somebody maintains the repository. */
async function mergeIndexes({ backend, index }: StoreContext): Promise<void> {
  if (!index.needsMerge) return;
  try {
    const maintenance = await acquireMaintenance(backend);
    try {
      await index.reload();
      await index.mergeSmall();
    } finally {
      await maintenance.release();
    }
  } catch (error) {
    if (!isTenonError(error, "busy")) throw error;
  }
}
