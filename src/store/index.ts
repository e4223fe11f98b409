/**
 * store: the operations. add, get, cat, ls, log, diff, tag, rm, stats, check, repair, gc, compact.
 *
 * Nouns: a `Repository` is open; an operation takes plain options with `{ signal, onEvent }`, tells what it does
 * by events, and returns plain data. Invariant: an operation either gives right bytes or an error that says what
 * is damaged; whatever stops it, what was stored before stays readable.
 */
export type { OperationOptions, StoreEvent } from "./events.ts";
export { Repository } from "./repository.ts";
export type * from "./types.ts";
