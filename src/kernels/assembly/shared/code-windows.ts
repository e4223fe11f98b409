/** Parts of the streams that pieces of code are restored from, and where the reading is in each. */

/** What a window holds of a stream. */
export const WINDOW_BYTES: u32 = 1 << 20;

// Numbers of the windows: the streams of those names in src/executable/code-streams.ts.
export const CODE: u32 = 0;
export const DISPLACEMENTS8: u32 = 1;
export const DISPLACEMENTS32: u32 = 2;
export const IMMEDIATES8: u32 = 3;
export const IMMEDIATES32: u32 = 4;
export const BRANCH_SYMBOLS: u32 = 5;
export const BRANCH_NUMBERS: u32 = 6;
export const OPERAND_RUNS: u32 = 7;
export const DELTA_NUMBERS: u32 = 8;
export const DELTA_HEADS: u32 = 9;
export const DELTA_COPIES: u32 = 10;
export const DELTA_VALUES: u32 = 11;

/** One behind the other, each with slack behind. */
export const WINDOWS: usize = memory.data(12 * ((1 << 20) + 64), 64);
/** Of each where the reading is, and where it ends: u32 each. */
export const CURSORS: usize = memory.data(12 * 8, 16);

// @ts-ignore: decorator
@inline
export function cursor(window: u32): usize {
  return <usize>load<u32>(CURSORS + <usize>(window << 3));
}

// @ts-ignore: decorator
@inline
export function windowEnd(window: u32): usize {
  return <usize>load<u32>(CURSORS + <usize>(window << 3), 4);
}

// @ts-ignore: decorator
@inline
export function setCursor(window: u32, at: usize): void {
  store<u32>(CURSORS + <usize>(window << 3), <u32>at);
}
