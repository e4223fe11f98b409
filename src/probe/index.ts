/**
 * probe: what each way to store would save on given data, before anybody adopts any of them.
 *
 * Nouns: a *method* cuts content into *pieces* and keeps each different piece once; its *meter* counts them. A
 * *layer* is a tar archive, mostly compressed; an *object* is a layer or a file and is measured once; a *group* is an
 * image, or a path that was named, and has objects. *Recompression* is what the different pieces cost under zstd.
 * Invariants: nothing is written; every input is either counted or named in the problems with its reason; all methods
 * see the same bytes in the same order; memory doesn't grow with the sizes of layers, only with the number of pieces.
 */
export { probe } from "./probe.ts";
export { reportPage } from "./report-html.ts";
export type * from "./types.ts";
