/** What a recipe is made of, and what it costs. */
import { displayPath } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { type BlobRecord, kindName, runsFrom, type SegmentId } from "../repository/index.ts";
import { executableFacts, representationName, storedMembers } from "../representation/index.ts";
import type { StoreContext } from "./context.ts";
import type { Declined } from "./events.ts";
import type {
  ContainerReport,
  ElfReport,
  ExecutableReport,
  InspectReport,
  MemberReport,
  StreamReport,
} from "./inspect-types.ts";

export interface Known {
  readonly name: string;
  readonly isStored: boolean;
  readonly declined: readonly Declined[];
  readonly elf: ElfReport | undefined;
  /** Refs that point to a blob. */
  readonly refsOf: (digest: Digest) => Promise<readonly string[]>;
}

/** Everything that can be said of a blob that has a recipe. */
export async function storedReport(
  context: StoreContext,
  digest: Digest,
  { name, isStored, declined, elf, refsOf }: Known,
): Promise<InspectReport> {
  const { record, place } = await context.atoms.locate(digest);
  const streams = new Streams(context);
  await streams.addRecipe(place.segment, place.atom);
  await streams.addRuns(record);
  const executable = await executableReport(record, context, refsOf);
  const container = isMadeOfParts(record) ? await containerReport(record, context, streams) : undefined;
  const list = streams.list();
  return {
    version: 1,
    name,
    digest,
    size: record.size,
    isStored,
    representation: representationName(record.representation),
    declined,
    ...(elf && { elf }),
    ...(executable && { executable }),
    ...(container && { container }),
    streams: list,
    rawBytes: list.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    storedBytes: list.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  };
}

/** Adds up bytes by kind of stream. */
class Streams {
  readonly #context: StoreContext;
  readonly #kinds = new Map<number, { rawBytes: number; storedBytes: number }>();

  constructor(context: StoreContext) {
    this.#context = context;
  }

  async #add(segment: SegmentId, bytes: number): Promise<void> {
    const place = await this.#context.atoms.place(segment);
    let entry = this.#kinds.get(place.kind);
    if (entry === undefined) {
      entry = { rawBytes: 0, storedBytes: 0 };
      this.#kinds.set(place.kind, entry);
    }
    entry.rawBytes += bytes;
    // A frame's atoms are compressed together: each has its share.
    entry.storedBytes += (bytes * place.bytes) / Math.max(1, place.rawBytes);
  }

  async addRecipe(segment: SegmentId, atom: number): Promise<void> {
    await this.#add(segment, (await this.#context.atoms.atom(segment, atom)).length);
  }

  async addRuns(record: BlobRecord): Promise<void> {
    if (record.inline !== undefined) return;
    const load = (segment: SegmentId, atom: number) => this.#context.atoms.atom(segment, atom);
    for await (const { segment, bytes } of runsFrom(record.runs, load, 0)) await this.#add(segment, bytes);
  }

  /** Those that cost most first. */
  list(): StreamReport[] {
    return [...this.#kinds]
      .map(([kind, { rawBytes, storedBytes }]) => ({
        stream: kindName(kind),
        rawBytes,
        storedBytes: Math.round(storedBytes),
      }))
      .sort((a, b) => b.storedBytes - a.storedBytes);
  }
}

async function executableReport(
  record: BlobRecord,
  { atoms }: StoreContext,
  refsOf: Known["refsOf"],
): Promise<ExecutableReport | undefined> {
  const facts = await executableFacts(record, atoms);
  if (facts === undefined) return undefined;
  const { coding, references: kinds } = facts;
  const counts = new Map(facts.pieces.map((piece) => [piece.kind, piece]));
  const groups = coding.references;
  return {
    pieces: coding.pieces.map((piece) => ({ ...counts.get(piece.kind)!, ...piece })),
    references: {
      count: groups.reduce((sum, { count }) => sum + count, 0),
      predicted: groups.reduce((sum, { predicted }) => sum + predicted, 0),
      missed: coding.missed,
      explicit: coding.explicit,
      kinds,
      groups,
      listBytes: facts.siteBytes,
    },
    derived: facts.derived,
    bases: await Promise.all(facts.bases.map(async (digest) => ({ digest, refs: await refsOf(digest) }))),
    depth: facts.depth,
  };
}

/** Files that are listed one by one. */
const LISTED = 20;

/** Bases of executables and object files are no parts of them. */
function isMadeOfParts({ representation, children }: BlobRecord): boolean {
  return children.length > 0 && !["executable", "object"].includes(representationName(representation));
}

/** What is in a container, through all that is in it. */
async function containerReport(
  record: BlobRecord,
  { atoms }: StoreContext,
  streams: Streams,
): Promise<ContainerReport> {
  const seen = new Set<Digest>([record.digest]);
  const byName = new Map<string, { name: string; blobs: number; bytes: number }>();
  const files: MemberReport[] = [];
  const names = new Map<Digest, string>();
  const visit = async (container: BlobRecord): Promise<void> => {
    for (const { member, digest } of (await storedMembers(container, atoms)) ?? []) {
      if (!names.has(digest)) names.set(digest, displayPath(member.path));
    }
    for (const digest of container.children) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      const { record: part, place } = await atoms.locate(digest);
      const representation = representationName(part.representation);
      await streams.addRecipe(place.segment, place.atom);
      await streams.addRuns(part);
      const count = byName.get(representation) ?? { name: representation, blobs: 0, bytes: 0 };
      count.blobs++;
      count.bytes += part.size;
      byName.set(representation, count);
      if (isMadeOfParts(part)) await visit(part);
      else {
        const name = names.get(digest);
        files.push({ ...(name !== undefined && { name }), digest, size: part.size, representation });
      }
    }
  };
  await visit(record);
  return {
    files: files.length,
    fileBytes: files.reduce((sum, { size }) => sum + size, 0),
    representations: [...byName.values()].sort((a, b) => b.bytes - a.bytes),
    largest: files.sort((a, b) => b.size - a.size).slice(0, LISTED),
  };
}
