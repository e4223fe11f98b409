/** Content: everything that refs need is there, and with `readData` every blob has its digest. */
import { displayPath } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import type { SegmentId } from "../repository/index.ts";
import { type BlobSize, readingAhead } from "../representation/index.ts";
import { openTree, summary, walk } from "../tree/index.ts";
import { nodeReader, readBlob } from "./blobs.ts";
import type { Findings } from "./check-findings.ts";
import type { NamedRoot } from "./check-refs.ts";
import { walkClosure } from "./closure.ts";
import type { StoreContext } from "./context.ts";

/** Blobs read side by side: while one waits for a frame, another one is hashed. */
const BLOBS_AT_ONCE = 4;
/** A larger blob is read alone: its decoder may need several times its size. */
const LARGE_BLOB_BYTES = 4 << 20;

export interface ContentOptions {
  readonly readData: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: { readonly doneBytes: number; readonly blobs: number }) => void;
}

export interface CheckedContent {
  /** Distinct blobs that refs reach, tree nodes among them. */
  readonly blobs: number;
  /** Those that can't be given back. */
  readonly lost: ReadonlySet<Digest>;
}

export async function checkContent(
  context: StoreContext,
  roots: readonly NamedRoot[],
  findings: Findings,
  options: ContentOptions,
): Promise<CheckedContent> {
  const { signal, onProgress } = options;
  const reached = await checkReach(context, roots, findings, signal);
  const lost = new Set(findings.damagedBlobs().keys());
  if (options.readData) {
    let doneBytes = 0;
    let blobs = 0;
    const large: BlobSize[] = [];
    const readWhole = async (digest: Digest, atMostBytes: number) => {
      throwIfAborted(signal);
      try {
        const { size } = await context.atoms.needRecord(digest);
        if (size > atMostBytes) {
          large.push({ digest, size });
          return;
        }
        for await (const bytes of readBlob(context.atoms, digest, signal)) {
          doneBytes += bytes.length;
          throwIfAborted(signal);
          onProgress?.({ doneBytes, blobs });
        }
      } catch (error) {
        if (!isTenonError(error) || error.code === "interrupted") throw error;
        findings.blob(digest, error);
        lost.add(digest);
      }
      onProgress?.({ doneBytes, blobs: ++blobs });
    };
    const whole = [...reached].filter((digest) => !lost.has(digest));
    await inParallel(whole, (digest) => readWhole(digest, LARGE_BLOB_BYTES));
    for await (const { digest } of readingAhead(large, (blob) => blob, context.atoms, signal)) {
      await readWhole(digest, Number.POSITIVE_INFINITY);
    }
  }
  await checkTotals(context, roots, lost, findings, options);
  return { blobs: reached.size, lost };
}

/** Walks all roots; returns the blobs that were met. Each is looked at once, however many need it. */
async function checkReach(
  context: StoreContext,
  roots: readonly NamedRoot[],
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<Set<Digest>> {
  const { index } = context;
  const reached = new Set<Digest>();
  /** Atoms of each segment; -1 when it is in no pack. */
  const atomsOf = new Map<SegmentId, number>();
  let current: Digest = "";
  const need = (segment: SegmentId, end: number) => {
    let atoms = atomsOf.get(segment);
    if (atoms === undefined) {
      atoms = index.findSegment(segment)?.atoms ?? -1;
      atomsOf.set(segment, atoms);
    }
    findings.needs(current, segment);
    if (end <= atoms) return;
    const what =
      atoms < 0
        ? `segment ${segment} is in no pack`
        : `segment ${segment} has ${atoms} atoms, ${end} are needed`;
    findings.blob(current, new TenonError("damaged", what, { segment }), `segment ${segment}`);
  };
  const distinct = new Map(roots.map(({ root }) => [`${root.type} ${root.digest}`, root]));
  for (const root of distinct.values()) {
    await walkClosure(
      context.atoms.verifying(),
      root,
      {
        blob(digest) {
          if (reached.has(digest)) return false;
          reached.add(digest);
          current = digest;
          return true;
        },
        record: (segment, atom) => need(segment, atom + 1),
        run: ({ segment, first, count }) => need(segment, first + count),
        damage: (digest, error) => {
          const unknown = index.findBlob(digest) === undefined;
          if (unknown)
            findings.blob(
              digest,
              new TenonError("damaged", "blobs that are in no pack of any index"),
              "unknown",
            );
          else findings.blob(digest, error);
        },
      },
      signal,
    );
  }
  return reached;
}

/** What a ref says about its root is what the root says; with `readData` the present trees are walked entry by entry. */
async function checkTotals(
  context: StoreContext,
  roots: readonly NamedRoot[],
  lost: ReadonlySet<Digest>,
  findings: Findings,
  { readData, signal }: ContentOptions,
): Promise<void> {
  const nodes = nodeReader(context.atoms);
  for (const { root, label, present } of roots) {
    throwIfAborted(signal);
    if (lost.has(root.digest)) continue;
    try {
      let found = { files: 1, bytes: 0 };
      if (root.type === "tree") {
        const tree = await openTree(nodes, root.digest);
        found = summary(tree);
        if (readData && present) for await (const _ of walk(nodes, tree)) throwIfAborted(signal);
      } else found.bytes = (await context.atoms.needRecord(root.digest)).size;
      if (found.files === root.files && found.bytes === root.size) continue;
      const what = `${label} says ${root.files} files of ${root.size} bytes, its root ${found.files} of ${found.bytes}`;
      findings.add({ what, refs: [label] });
    } catch (error) {
      if (!isTenonError(error) || error.code === "interrupted") throw error;
      const known = typeof error.data.digest === "string" && lost.has(error.data.digest);
      if (!known) findings.add({ what: `${label}: ${findings.read(error)}`, refs: [label] });
    }
  }
}

/** Names the refs and paths that findings about blobs touch. A finding that no present ref touches is dropped. */
export async function nameTouched(
  context: StoreContext,
  roots: readonly NamedRoot[],
  findings: Findings,
  signal?: AbortSignal,
): Promise<void> {
  const damaged = findings.damagedBlobs();
  if (damaged.size === 0) return;
  const touched = new Map<string, Set<Digest>>();
  for (const { root, label, present } of roots) {
    const key = `${root.type} ${root.digest}`;
    const blobs = touched.get(key) ?? (await damagedBelow(context, root, damaged, signal));
    touched.set(key, blobs);
    for (const blob of blobs) for (const finding of damaged.get(blob)!) finding.refs.add(label);
    if (present && root.type === "tree" && blobs.size > 0)
      await namePaths(context, { root, label }, damaged, signal);
  }
}

async function damagedBelow(
  { atoms }: StoreContext,
  root: NamedRoot["root"],
  damaged: ReadonlyMap<Digest, unknown>,
  signal: AbortSignal | undefined,
): Promise<Set<Digest>> {
  const seen = new Set<Digest>();
  const found = new Set<Digest>();
  const visitor = {
    blob(digest: Digest) {
      if (seen.has(digest)) return false;
      seen.add(digest);
      if (damaged.has(digest)) found.add(digest);
      return true;
    },
    record() {},
    run() {},
    damage() {},
  };
  await walkClosure(atoms.verifying(), root, visitor, signal);
  return found;
}

/** As far as the tree can be read from its beginning. */
async function namePaths(
  { atoms }: StoreContext,
  { root, label }: Pick<NamedRoot, "root" | "label">,
  damaged: ReturnType<Findings["damagedBlobs"]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const nodes = nodeReader(atoms);
  try {
    for await (const { path, entry } of walk(nodes, await openTree(nodes, root.digest))) {
      throwIfAborted(signal);
      if (entry.type !== "file") continue;
      for (const finding of damaged.get(entry.digest) ?? [])
        finding.paths.add(`${label}:${displayPath(path)}`);
    }
  } catch (error) {
    if (!isTenonError(error) || error.code === "interrupted") throw error;
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: BLOBS_AT_ONCE }, worker));
}
