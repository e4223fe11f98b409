/** Reading targets by a kernel; the rules, and the same in plain TypeScript, are in code-targets.ts. */
import type { ByteReader } from "../bytes/index.ts";
import { growMemory, instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import { Counterparts, MAX_SHIFT } from "./code-counterparts.ts";
import type { CodedPieces, ReferencePlaces, ReferencePool } from "./code-partners.ts";
import { Stream, type StreamReaders } from "./code-streams.ts";
import { readTargetsTwin, type Targets } from "./code-targets.ts";
import {
  DIAGONAL,
  FILTER_BITS,
  GROUPS,
  LABEL,
  NEXT,
  nextOfKind,
  PIECE,
  RECENT,
  RECENT_LABELS,
  RING,
  SAME,
  WITHIN,
} from "./code-targets-labels.ts";
import { Mode } from "./match-pieces.ts";
import { CALL, CODE_DATA, CONTEXTS, contextsOf, LOW12, TABLE } from "./references-contexts.ts";

/** What assembly/executable-targets.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  start(): number;
  parametersAt(): number;
  read(): boolean;
}

/** Numbers of the kernel's parameters. */
const Parameter = {
  HITS: 0,
  HITS_END: 1,
  GROUP_OF_CONTEXT: 2,
  CONTEXT_OF_REFERENCE: 3,
  PIECE_OF_REFERENCE: 4,
  PARTNER: 5,
  POOL_TARGET: 6,
  POOL_OFFSET: 7,
  NEXT_PIECE: 8,
  COUNTERPART: 9,
  SHIFT: 10,
  MODE: 11,
  SOURCE: 12,
  REFERENCES: 13,
  BASE_REFERENCES: 14,
  PIECES: 15,
  BASE_PIECES: 16,
  GROUPS: 17,
  PARAMETERS: 48,
} as const;

/** What the kernel repeats, for a test. */
export const targetNumbers: Readonly<Record<string, number>> = {
  ...{ SAME, NEXT, PIECE, LABEL, WITHIN, DIAGONAL, RECENT, RECENT_LABELS, RING, FILTER_BITS },
  ...{ CALL, CODE_DATA, LOW12, TABLE, CONTEXTS, MODE_CHANGE: Mode.change, MAX_SHIFT },
  ...Parameter,
};

/** The different pairs of streams, and which of them each context has. */
const DISTINCT_GROUPS = [...new Set(GROUPS)];
const GROUP_OF_CONTEXT = Uint8Array.from(GROUPS, (group) => DISTINCT_GROUPS.indexOf(group));

/** One for all: its memory stays as large as the largest file made it. */
let loaded: Kernel | undefined;
/** The counterparts of the file that is being read. */
let present: Counterparts | undefined;

/** A kernel has at most 4 GiB; a hundred million references need less than this. */
const MAX_MEMORY_BYTES = 2 ** 32 - 2 ** 24;

/** A view of a typed array's bytes. */
function bytesOf(column: Uint8Array | Uint32Array | Int32Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/**
 * Reads what `writeTargets` wrote, by a kernel. Errors: `invalid` for a target that is no piece, or an offset beyond
 * 31 bits.
 */
export function readTargets(
  pieces: CodedPieces,
  places: ReferencePlaces,
  pool: ReferencePool,
  partners: Int32Array,
  blanked: Uint8Array,
  sources: StreamReaders,
): Targets {
  const counterparts = new Counterparts(pool.library, pieces);
  loaded ??= instantiateKernel<Kernel>("executable-targets", {
    env: { through: (piece: number, offset: number) => present!.through(piece, offset) },
  });
  const kernel = loaded;
  const parameters = new Uint32Array(Parameter.PARAMETERS);
  const inputs: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let end = kernel.start();
  const room = (parameter: number, bytes: number) => {
    const at = end;
    parameters[parameter] = at;
    end += (bytes + 15) & ~15;
    return at;
  };
  const input = (parameter: number, bytes: Uint8Array) =>
    inputs.push({ at: room(parameter, bytes.length), bytes });
  const streams: { readonly reader: ByteReader; readonly parameter: number; readonly at: number }[] = [];
  const stream = (parameter: number, reader: ByteReader) => {
    const bytes = reader.bytes.subarray(reader.offset);
    input(parameter, bytes);
    parameters[parameter + 1] = parameters[parameter]! + bytes.length;
    streams.push({ reader, parameter, at: parameters[parameter]! });
  };
  stream(Parameter.HITS, sources.of(Stream.hits));
  for (const [i, { tokens, values }] of DISTINCT_GROUPS.entries()) {
    stream(Parameter.GROUPS + 4 * i, sources.of(tokens));
    stream(Parameter.GROUPS + 4 * i + 2, sources.of(values));
  }
  input(Parameter.GROUP_OF_CONTEXT, GROUP_OF_CONTEXT);
  input(Parameter.CONTEXT_OF_REFERENCE, places.context ?? contextsOf(pieces.kind, places, blanked));
  input(Parameter.PIECE_OF_REFERENCE, bytesOf(places.piece));
  input(Parameter.PARTNER, bytesOf(partners));
  input(Parameter.NEXT_PIECE, bytesOf(nextOfKind(pieces)));
  input(Parameter.COUNTERPART, bytesOf(counterparts.map));
  input(Parameter.SHIFT, bytesOf(counterparts.shift));
  input(Parameter.MODE, pieces.mode);
  input(Parameter.SOURCE, bytesOf(pieces.source));
  const targetsAt = room(Parameter.POOL_TARGET, 4 * pool.count);
  const offsetsAt = room(Parameter.POOL_OFFSET, 4 * pool.count);
  parameters[Parameter.REFERENCES] = places.count;
  parameters[Parameter.BASE_REFERENCES] = pool.firstOwn;
  parameters[Parameter.PIECES] = pieces.count;
  parameters[Parameter.BASE_PIECES] = pool.library.count;
  if (end > MAX_MEMORY_BYTES) return readTargetsTwin(pieces, places, pool, partners, blanked, sources);
  growMemory(kernel.memory, end);
  const { buffer } = kernel.memory;
  const memory = new Uint8Array(buffer);
  for (const { at, bytes } of inputs) memory.set(bytes, at);
  pool.fillTargets(new Int32Array(buffer, targetsAt, pool.count));
  pool.fillOffsets(new Int32Array(buffer, offsetsAt, pool.count));
  const shared = new Uint32Array(buffer, kernel.parametersAt(), Parameter.PARAMETERS);
  shared.set(parameters);
  // The twin finds the words for what is wrong.
  present = counterparts;
  const isRead = kernel.read();
  present = undefined;
  if (!isRead) return readTargetsTwin(pieces, places, pool, partners, blanked, sources);
  for (const { reader, parameter, at } of streams) reader.skip(shared[parameter]! - at, "targets");
  const own = 4 * pool.firstOwn;
  return {
    target: new Uint32Array(buffer, targetsAt + own, places.count).slice(),
    targetOffset: new Int32Array(buffer, offsetsAt + own, places.count).slice(),
  };
}
