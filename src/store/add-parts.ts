/** Storing what is inside of containers, within bounds. */
import {
  type Container,
  containerOf,
  isExecutable,
  LARGE_EXECUTABLE_BYTES,
  type PartContext,
  RECOGNISE_BYTES,
} from "../representation/index.ts";
import { type AddBlobOptions, addFile, addStream, addWhole } from "./add-blob.ts";
import { fill, peeked } from "./sources.ts";
import type { Writing } from "./writing.ts";

/** Containers within containers: an image in an archive holds layer, package, its data, a library, its member. */
const MAX_CONTAINER_DEPTH = 8;
/** Parts up to this size are read into memory, where they can be looked at as often as needed. */
const WHOLE_PART_BYTES = 4 << 20;
/** The same for what must be read more than once to be taken apart. */
const WHOLE_CONTAINER_BYTES = 64 << 20;
/** Compressed content may be this much larger, all of one input together; what is beyond stays compressed. */
const MAX_EXPANSION = 200;
const MIN_EXPANSION_BYTES = 256 << 20;

/** How deep a blob is inside of others, and what may still be unpacked below the outermost. */
export interface Nesting {
  readonly depth: number;
  /** It may be looked into. */
  readonly allowed: boolean;
  readonly budget: { expandBytes: number };
  /** What whoever it is inside of says it is. */
  readonly as?: Container | undefined;
}

/** What a blob with this beginning is a container of, if it may be looked into. */
export function containerIn(
  { allowed, as }: Nesting,
  start: Uint8Array,
  sizeBytes: number | undefined,
): Container | undefined {
  return allowed ? (as ?? containerOf(start, sizeBytes)) : undefined;
}

/** Of an input itself. A stream of unknown length may expand as if it were small. */
export function nestingOf(sizeBytes: number | undefined): Nesting {
  const expandBytes = Math.max(MIN_EXPANSION_BYTES, MAX_EXPANSION * (sizeBytes ?? 0));
  return { depth: 0, allowed: true, budget: { expandBytes } };
}

function below({ depth, budget }: Nesting): Nesting {
  return { depth: depth + 1, allowed: depth + 1 < MAX_CONTAINER_DEPTH, budget };
}

/** What a container needs to store its parts. */
export function partContext(writing: Writing, options: AddBlobOptions, nesting: Nesting): PartContext {
  const { session, chunker } = writing;
  const { signal } = options;
  const inner = below(nesting);
  return {
    session,
    chunker,
    ...options,
    budget: nesting.budget,
    partAgain: (source) => addFile(writing, source, { signal }, inner),
    jobs: writing.jobs,
    async part(source, { sizeBytes, as, turns, done }) {
      const nested = { ...inner, as };
      const whole = (bytes: Uint8Array) =>
        turns.begin(bytes.length, async (turn) => {
          done(await addWhole(writing, bytes, { signal, turn }, nested));
        });
      if (sizeBytes !== undefined && sizeBytes <= WHOLE_PART_BYTES) {
        return whole(await fill(source, new Uint8Array(sizeBytes)));
      }
      const { start, source: rest } = await peeked(source, RECOGNISE_BYTES);
      const isWholeNeeded =
        sizeBytes !== undefined &&
        ((sizeBytes <= LARGE_EXECUTABLE_BYTES && isExecutable(start, sizeBytes)) ||
          (sizeBytes <= WHOLE_CONTAINER_BYTES && containerIn(nested, start, sizeBytes)?.reads === "again"));
      if (isWholeNeeded) {
        return whole(await fill(rest, new Uint8Array(sizeBytes)));
      }
      await turns.finish();
      done(await addStream(writing, rest, { signal }, nested));
    },
  };
}
