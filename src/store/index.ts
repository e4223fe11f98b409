/**
 * store: the operations. add, get, cat, ls, log, diff, tag, rm, stats, check, repair, gc, compact; and those on fat
 * files, of which some need no repository.
 *
 * Nouns: a `Repository` is open; an operation takes plain options with `{ signal, onEvent }`, tells what it does
 * by events, and returns plain data. Invariant: an operation either gives right bytes or an error that says what
 * is damaged; whatever stops it, what was stored before stays readable.
 */
export type { DebugOptions } from "./debug.ts";
export type * from "./debug-types.ts";
export type { DiffOptions } from "./diff.ts";
export type { OperationOptions, StoreEvent } from "./events.ts";
export * as fat from "./fat-files.ts";
export type { FlavourResult } from "./fat-refs.ts";
export type * from "./fat-types.ts";
export { type InspectOptions, inspectAlone } from "./inspect.ts";
export type * from "./inspect-types.ts";
export { deltaVersions, type LibDeltaOptions, type LibDeltaPiece, type LibDeltaResult } from "./lib-delta.ts";
export { diffLibraryFiles } from "./lib-diff.ts";
export { layOutVersions } from "./lib-layout.ts";
export type * from "./lib-layout-types.ts";
export { fileVersions } from "./lib-output.ts";
export {
  type NeighbourCounts,
  type PageCounts,
  type PagePool,
  type PageSizeReport,
  type PageTotals,
  type SharedImage,
  type ShareOptions,
  type ShareReport,
  type ShareResult,
  shareImages,
} from "./lib-share.ts";
export { type SpacerOptions, type SpacerResult, spacerDelta } from "./lib-spacer.ts";
export type * from "./lib-types.ts";
export { Repository } from "./repository.ts";
export type * from "./types.ts";
