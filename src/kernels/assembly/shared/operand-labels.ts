/** Labels of branches in one piece of code, as `LastLabels` and `OpenLabels` of src/executable/code-operand-model.ts. */

/** As many open ones are known, and as many last ones. */
export const LABELS: u32 = 64;

/** The last labels, newest first, move down through this; at its beginning they go back to the end. */
const LAST_ENTRIES: usize = 4096;
const LAST: usize = memory.data(<i32>LAST_ENTRIES * 4, 64);
const LAST_BYTES: usize = <usize>LABELS * 4;
/** One byte for each instruction, 2^18 at most: whether it was ever led to. */
const MARKS: usize = memory.data((1 << 18) + 16, 64);
/** Open labels, ascending, with room for as many that were passed. */
const OPEN: usize = memory.data(<i32>LABELS * 8, 64);
const OPEN_END: usize = OPEN + <usize>LABELS * 8;

let lastFront: usize = LAST;
let openFirst: usize = OPEN;
let openEnd: usize = OPEN;

/** Begins a piece of so many instructions. */
export function clearLabels(instructions: u32): void {
  lastFront = LAST + LAST_ENTRIES * 4 - LAST_BYTES;
  memory.fill(lastFront, 0xff, LAST_BYTES);
  memory.fill(MARKS, 0, <usize>instructions + 1);
  openFirst = OPEN;
  openEnd = OPEN;
}

/** The label that was led to last (place 0), or before; -1 for none. */
// @ts-ignore: decorator
@inline
export function lastLabel(place: u32): i32 {
  return load<i32>(lastFront + (<usize>place << 2));
}

/** The open label in a place, or -1. */
// @ts-ignore: decorator
@inline
export function openLabel(place: u32): i32 {
  const at = openFirst + (<usize>place << 2);
  return at < openEnd ? load<i32>(at) : -1;
}

/** Forgets open labels before an instruction. */
// @ts-ignore: decorator
@inline
export function passLabels(instruction: i32): void {
  while (openFirst < openEnd && load<i32>(openFirst) < instruction) openFirst += 4;
}

/** Takes down where a branch of `instruction` leads. */
// @ts-ignore: decorator
@inline
export function led(instruction: i32, target: i32): void {
  if (target > instruction) open(target);
  const mark = MARKS + <usize>target;
  if (load<u8>(mark) != 0) lastAgain(target);
  else {
    store<u8>(mark, 1);
    if (lastFront == LAST) toEnd();
    lastFront -= 4;
    store<i32>(lastFront, target);
  }
}

function toEnd(): void {
  const end = LAST + LAST_ENTRIES * 4 - LAST_BYTES;
  memory.copy(end, lastFront, LAST_BYTES);
  lastFront = end;
}

/** A label that was led to before: all before its old place move back by one, or all. */
function lastAgain(target: i32): void {
  let moving = target;
  const end = lastFront + LAST_BYTES;
  for (let at = lastFront; at < end; at += 4) {
    const label = load<i32>(at);
    store<i32>(at, moving);
    if (label == target) break;
    moving = label;
  }
}

function open(target: i32): void {
  if (openEnd == OPEN_END) {
    memory.copy(OPEN, openFirst, openEnd - openFirst);
    openEnd -= openFirst - OPEN;
    openFirst = OPEN;
  }
  let place = openFirst;
  while (place < openEnd && load<i32>(place) < target) place += 4;
  if (place < openEnd) {
    if (load<i32>(place) == target) return;
    for (let at = openEnd; at > place; at -= 4) store<i32>(at, load<i32>(at - 4));
  }
  store<i32>(place, target);
  openEnd += 4;
  if (openEnd - openFirst > LAST_BYTES) openEnd -= 4;
}
