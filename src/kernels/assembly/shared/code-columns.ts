/** The instructions of the piece of code that is being restored: columns as in src/executable/code-instructions.ts. */

/** Longer pieces, and skeletons, are left to the twin: hardly a program has one. */
export const MAX_PIECE_BYTES: u32 = 1 << 18;
/** Behind everything that is read or written in steps of 16 bytes. */
export const SLACK_BYTES: u32 = 64;
/** The decoder never looks further ahead. */
export const LOOKAHEAD_BYTES: usize = 32;
/** One more entry than a piece has bytes: the end's. */
export const ENTRIES: i32 = (1 << 18) + 16;

/** u32 each. */
export const STARTS: usize = memory.data(ENTRIES * 4, 64);
export const HEADS: usize = memory.data(ENTRIES * 4, 64);
export const PARTS: usize = memory.data(ENTRIES * 4, 64);

/** Clears what the decoder may look at. */
// @ts-ignore: decorator
@inline
export function zeros(at: usize): void {
  v128.store(at, i64x2.splat(0));
  v128.store(at, i64x2.splat(0), 16);
}

/** Copies a run; up to 15 bytes behind it are written as well. */
// @ts-ignore: decorator
@inline
export function copyRun(to: usize, from: usize, bytes: usize): void {
  for (let done: usize = 0; done < bytes; done += 16) v128.store(to + done, v128.load(from + done));
}
