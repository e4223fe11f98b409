/**
 * store: the operations. add, get, cat, ls, log, diff, tag, rm, stats, check, repair, gc, compact; and those on fat
 * files, of which some need no repository.
 *
 * Nouns: a `Repository` is open; an operation takes plain options with `{ signal, onEvent }`, tells what it does
 * by events, and returns plain data. Invariant: an operation either gives right bytes or an error that says what
 * is damaged; whatever stops it, what was stored before stays readable.
 */
export type { OperationOptions, StoreEvent } from "./events.ts";
export * as fat from "./fat-files.ts";
export type { FlavourResult } from "./fat-refs.ts";
export type * from "./fat-types.ts";
export { Repository } from "./repository.ts";
export type * from "./types.ts";
