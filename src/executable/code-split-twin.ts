/** Code taken apart and put together, in plain TypeScript: the kernel's twin, and for pieces too long for it. */
import { invalid } from "../errors/index.ts";
import {
  Immediate,
  INSTRUCTION_LENGTH,
  INSTRUCTION_TRUNCATED,
  partsDisplacementBytes,
  partsHasSib,
  partsHeadBytes,
  partsImmediate,
  partsX86_64,
} from "../isa/index.ts";
import { endInstructions, findTargets, type Instructions, LOOKAHEAD_BYTES } from "./code-instructions.ts";
import { FORMAT } from "./code-streams.ts";

function baseOf(skeleton: Uint8Array, headEnd: number, parts: number): number {
  return partsHasSib(parts) ? 8 | (skeleton[headEnd - 1]! & 7) : skeleton[headEnd - 1]! & 7;
}

/** Takes code apart. */
export function splitCodeTwin(code: Uint8Array, into: Instructions): void {
  const { length } = code;
  const view = new DataView(code.buffer, code.byteOffset, length);
  into.growSkeleton(length);
  const { skeleton } = into;
  let count = 0;
  let out = 0;
  let at = 0;
  while (at < length) {
    const parts = partsX86_64(code, at, length);
    if ((parts & INSTRUCTION_TRUNCATED) !== 0) break;
    if (count + 1 >= into.start.length) into.grow();
    into.start[count] = at;
    into.head[count] = out;
    into.parts[count] = parts;
    const end = at + (parts & INSTRUCTION_LENGTH);
    const headEnd = at + partsHeadBytes(parts);
    while (at < headEnd) skeleton[out++] = code[at++]!;
    const displacement = partsDisplacementBytes(parts);
    if (displacement !== 0) {
      into.base[count] = baseOf(skeleton, out, parts);
      into.displacement[count] = displacement === 1 ? view.getInt8(at) : view.getInt32(at, true);
      at += displacement;
    }
    const immediate = partsImmediate(parts);
    if (immediate === Immediate.other) while (at < end) skeleton[out++] = code[at++]!;
    else if (immediate === Immediate.byte || immediate === Immediate.shortBranch)
      into.immediate[count] = view.getInt8(at);
    else into.immediate[count] = view.getInt32(at, true);
    count++;
    at = end;
  }
  endInstructions(into, count, at, out, length - at);
  for (let i = at; i < length; i++) skeleton[out++] = code[i]!;
  skeleton.fill(0, out, out + LOOKAHEAD_BYTES);
  findTargets(into);
}

/**
 * Finds the instructions of a skeleton of which only the code's length is known. `skeleton` holds it from `from` on,
 * before others, with zeros behind all. Returns the skeleton's length. Operands stay unknown.
 */
export function parseSkeletonTwin(
  skeleton: Uint8Array,
  from: number,
  codeBytes: number,
  into: Instructions,
): number {
  let count = 0;
  let at = 0;
  let in_ = from;
  const most = skeleton.length - LOOKAHEAD_BYTES;
  while (at < codeBytes && in_ < most) {
    const parts = partsX86_64(skeleton, in_, in_ + codeBytes - at);
    if ((parts & INSTRUCTION_TRUNCATED) !== 0) break;
    if (count + 1 >= into.start.length) into.grow();
    into.start[count] = at;
    into.head[count] = in_ - from;
    in_ += keptBytes(skeleton, in_, parts, count, into);
    count++;
    at += parts & INSTRUCTION_LENGTH;
  }
  endInstructions(into, count, at, in_ - from, codeBytes - at);
  const skeletonBytes = into.skeletonBytes;
  if (from + skeletonBytes > most) throw invalid(FORMAT, "code", from, "the stream ends within a piece");
  return skeletonBytes;
}

/** Takes one instruction's parts down; returns how many bytes of the skeleton are its own. */
function keptBytes(
  skeleton: Uint8Array,
  at: number,
  parts: number,
  count: number,
  into: Instructions,
): number {
  into.parts[count] = parts;
  const head = partsHeadBytes(parts);
  const displacement = partsDisplacementBytes(parts);
  if (displacement !== 0) into.base[count] = baseOf(skeleton, at + head, parts);
  return partsImmediate(parts) === Immediate.other ? (parts & INSTRUCTION_LENGTH) - displacement : head;
}

/**
 * Finds the instructions of `into.skeleton`, `skeletonBytes` of it, the last `tailBytes` of which are no instructions.
 * Operands stay unknown. Errors: `invalid` when the code is longer than `maxBytes`, or an instruction reaches into the
 * tail.
 */
export function parseWholeTwin(
  into: Instructions,
  skeletonBytes: number,
  tailBytes: number,
  maxBytes: number,
): void {
  const { skeleton } = into;
  const end = skeletonBytes - tailBytes;
  let count = 0;
  let at = 0;
  let in_ = 0;
  while (in_ < end) {
    const parts = partsX86_64(skeleton, in_, skeletonBytes + LOOKAHEAD_BYTES);
    if (count + 1 >= into.start.length) into.grow();
    into.start[count] = at;
    into.head[count] = in_;
    in_ += keptBytes(skeleton, in_, parts, count, into);
    count++;
    at += parts & INSTRUCTION_LENGTH;
    if (at > maxBytes) throw invalid(FORMAT, "code", count, "pieces are longer than the file");
  }
  if (in_ > end) throw invalid(FORMAT, "code", count, "an instruction that the skeleton ends in");
  endInstructions(into, count, at, in_, tailBytes);
  if (into.codeBytes > maxBytes) throw invalid(FORMAT, "code", count, "pieces are longer than the file");
}

/** Puts code together from a skeleton (at `from` of `skeleton`) and operands. `out` has the code's length. */
export function joinCodeTwin(
  { count, parts, displacement, immediate, tailBytes }: Instructions,
  skeleton: Uint8Array,
  from: number,
  out: Uint8Array,
): void {
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  let at = 0;
  let in_ = from;
  for (let i = 0; i < count; i++) {
    const part = parts[i]!;
    const end = at + (part & INSTRUCTION_LENGTH);
    const headEnd = at + partsHeadBytes(part);
    while (at < headEnd) out[at++] = skeleton[in_++]!;
    const displacementBytes = partsDisplacementBytes(part);
    if (displacementBytes === 1) out[at] = displacement[i]!;
    else if (displacementBytes === 4) view.setInt32(at, displacement[i]!, true);
    at += displacementBytes;
    const kind = partsImmediate(part);
    if (kind === Immediate.other) while (at < end) out[at++] = skeleton[in_++]!;
    else if (kind === Immediate.byte || kind === Immediate.shortBranch) out[at] = immediate[i]!;
    else view.setInt32(at, immediate[i]!, true);
    at = end;
  }
  for (let i = 0; i < tailBytes; i++) out[at++] = skeleton[in_++]!;
}
