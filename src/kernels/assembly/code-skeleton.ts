/** Skeletons of x86-64 code, without the operands that code-split finds beside them: the twin is splitCodeTwin. */
import { INSTRUCTION_TRUNCATED, TABLES } from "./shared/x86-64-opcodes";
import { displacementOf, headOf, immediateOf, lengthOf, OTHER, partsAt } from "./shared/x86-64-parts";

/** Longer pieces are left to the twin. */
export const MAX_PIECE_BYTES: u32 = 1 << 18;
/** Zeros behind what is decoded. */
const LOOKAHEAD_BYTES: usize = 32;

const CODE: usize = memory.data((1 << 18) + 64, 64);
const SKELETON: usize = memory.data((1 << 18) + 64, 64);

export function tables(): usize {
  return TABLES;
}

/** Where code goes. */
export function code(): usize {
  return CODE;
}

/** Where its skeleton is. */
export function skeleton(): usize {
  return SKELETON;
}

/** Takes `length` bytes of code apart. Returns the length of the skeleton, with what is no whole instruction. */
export function split(length: u32): u32 {
  const end = CODE + <usize>length;
  memory.fill(end, 0, LOOKAHEAD_BYTES);
  let at = CODE;
  let out = SKELETON;
  while (at < end) {
    const found = partsAt(at, end);
    if ((found & INSTRUCTION_TRUNCATED) != 0) break;
    const next = at + <usize>lengthOf(found);
    const head = <usize>headOf(found);
    // More than the head is copied: what is too much is overwritten.
    v128.store(out, v128.load(at));
    out += head;
    if (immediateOf(found) == OTHER) {
      at += head + <usize>displacementOf(found);
      while (at < next) store<u8>(out++, load<u8>(at++));
    }
    at = next;
  }
  memory.copy(out, at, end - at);
  return <u32>(out + (end - at) - SKELETON);
}
