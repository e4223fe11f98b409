/** Code taken apart and put together by the kernel: see code-instructions.ts. Results and errors are the twin's. */
import { x86_64TableBytes } from "../isa/index.ts";
import { instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import { endInstructions, findTargets, type Instructions, LOOKAHEAD_BYTES } from "./code-instructions.ts";
import { joinCodeTwin, parseSkeletonTwin, parseWholeTwin, splitCodeTwin } from "./code-split-twin.ts";

/** What assembly/code-split.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly MAX_PIECE_BYTES: { readonly value: number };
  tables(): number;
  code(): number;
  skeleton(): number;
  starts(): number;
  heads(): number;
  parts(): number;
  displacements(): number;
  immediates(): number;
  bases(): number;
  instructions(): number;
  split(length: number): number;
  parse(available: number, codeBytes: number, whole: boolean): void;
  join(count: number): number;
}

/** The kernel and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly mostBytes: number;
  readonly code: Uint8Array;
  readonly skeleton: Uint8Array;
  readonly start: Uint32Array;
  readonly head: Uint32Array;
  readonly parts: Uint32Array;
  readonly displacement: Int32Array;
  readonly immediate: Int32Array;
  readonly base: Uint8Array;
}

let loaded: Engine | undefined;

function engine(): Engine {
  if (loaded === undefined) {
    const kernel = instantiateKernel<Kernel>("code-split");
    const { buffer } = kernel.memory;
    const mostBytes = kernel.MAX_PIECE_BYTES.value;
    const entries = mostBytes + 1;
    new Uint8Array(buffer, kernel.tables(), x86_64TableBytes.length).set(x86_64TableBytes);
    loaded = {
      kernel,
      mostBytes,
      code: new Uint8Array(buffer, kernel.code(), mostBytes),
      skeleton: new Uint8Array(buffer, kernel.skeleton(), mostBytes),
      start: new Uint32Array(buffer, kernel.starts(), entries),
      head: new Uint32Array(buffer, kernel.heads(), entries),
      parts: new Uint32Array(buffer, kernel.parts(), entries),
      displacement: new Int32Array(buffer, kernel.displacements(), entries),
      immediate: new Int32Array(buffer, kernel.immediates(), entries),
      base: new Uint8Array(buffer, kernel.bases(), entries),
    };
  }
  return loaded;
}

/** Takes the kernel's columns over; returns how many instructions there are. */
function takeColumns({ kernel, start, head, parts, base }: Engine, into: Instructions): number {
  const count = kernel.instructions();
  while (into.start.length < count + 1) into.grow();
  into.start.set(start.subarray(0, count + 1));
  into.head.set(head.subarray(0, count + 1));
  into.parts.set(parts.subarray(0, count));
  into.base.set(base.subarray(0, count));
  return count;
}

/** Takes code apart. */
export function splitCode(code: Uint8Array, into: Instructions): void {
  const found = engine();
  const { kernel, mostBytes, displacement, immediate, skeleton } = found;
  if (code.length > mostBytes) {
    splitCodeTwin(code, into);
    return;
  }
  found.code.set(code);
  kernel.split(code.length);
  const count = takeColumns(found, into);
  into.displacement.set(displacement.subarray(0, count));
  into.immediate.set(immediate.subarray(0, count));
  endInstructions(into, count, into.start[count]!, into.head[count]!, code.length - into.start[count]!);
  const { skeletonBytes } = into;
  into.growSkeleton(skeletonBytes);
  into.skeleton.set(skeleton.subarray(0, skeletonBytes));
  into.skeleton.fill(0, skeletonBytes, skeletonBytes + LOOKAHEAD_BYTES);
  findTargets(into);
}

/**
 * Finds the instructions of a skeleton of which only the code's length is known. `skeleton` holds it from `from` on,
 * before others, with zeros behind all. Returns the skeleton's length. Operands stay unknown.
 * Errors: `invalid` when the skeleton ends too early.
 */
export function parseSkeleton(
  skeleton: Uint8Array,
  from: number,
  codeBytes: number,
  into: Instructions,
): number {
  const found = engine();
  const available = Math.min(codeBytes, skeleton.length - LOOKAHEAD_BYTES - from);
  if (codeBytes > found.mostBytes) return parseSkeletonTwin(skeleton, from, codeBytes, into);
  found.skeleton.set(skeleton.subarray(from, from + available));
  found.kernel.parse(available, codeBytes, false);
  const count = takeColumns(found, into);
  endInstructions(into, count, into.start[count]!, into.head[count]!, codeBytes - into.start[count]!);
  // What ends too early is told by the twin.
  return into.skeletonBytes <= available
    ? into.skeletonBytes
    : parseSkeletonTwin(skeleton, from, codeBytes, into);
}

/**
 * Finds the instructions of `into.skeleton`, `skeletonBytes` of it, the last `tailBytes` of which are no instructions.
 * Operands stay unknown. Errors: `invalid` when the code is longer than `maxBytes`, or an instruction reaches into the
 * tail.
 */
export function parseWhole(
  into: Instructions,
  skeletonBytes: number,
  tailBytes: number,
  maxBytes: number,
): void {
  const found = engine();
  if (skeletonBytes > found.mostBytes || tailBytes > 0) {
    parseWholeTwin(into, skeletonBytes, tailBytes, maxBytes);
    return;
  }
  found.skeleton.set(into.skeleton.subarray(0, skeletonBytes));
  found.kernel.parse(skeletonBytes, ANY_BYTES, true);
  const count = takeColumns(found, into);
  endInstructions(into, count, into.start[count]!, into.head[count]!, 0);
  // What doesn't fit is told by the twin.
  if (into.skeletonBytes !== skeletonBytes || into.codeBytes > maxBytes)
    parseWholeTwin(into, skeletonBytes, tailBytes, maxBytes);
}

/** More than a piece for the kernel has. */
const ANY_BYTES = 0x7fffffff;

/** Puts code together from a skeleton (at `from` of `skeleton`) and operands. `out` has the code's length. */
export function joinCode(code: Instructions, skeleton: Uint8Array, from: number, out: Uint8Array): void {
  const found = engine();
  if (out.length > found.mostBytes) {
    joinCodeTwin(code, skeleton, from, out);
    return;
  }
  const { count, skeletonBytes, tailBytes } = code;
  const end = from + skeletonBytes;
  found.skeleton.set(skeleton.subarray(from, end));
  found.parts.set(code.parts.subarray(0, count));
  found.displacement.set(code.displacement.subarray(0, count));
  found.immediate.set(code.immediate.subarray(0, count));
  const joined = found.kernel.join(count);
  out.set(found.code.subarray(0, joined));
  out.set(skeleton.subarray(end - tailBytes, end), joined);
}
