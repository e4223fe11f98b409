/** Bounds of the formats. A reader refuses what is larger before it allocates; a writer never makes it. */

/** A segment is closed when its atoms reach this size: large enough for zstd, small enough to read one atom. */
export const SEGMENT_TARGET_BYTES = 1 << 20;
/** One atom: the largest chunk is 64 KiB; streams of a dissected executable are single atoms of some MiB. */
export const MAX_ATOM_BYTES = 1 << 25;
export const MAX_ATOMS_PER_SEGMENT = 1 << 20;
/** A segment's body with its table of lengths. */
export const MAX_SEGMENT_BYTES = MAX_ATOM_BYTES + SEGMENT_TARGET_BYTES + (MAX_ATOMS_PER_SEGMENT << 2);
/** What is decoded at once; bounds a reader's memory. */
export const MAX_FRAME_BYTES = 1 << 26;
/** A pack is closed when its frames reach this size: few files, yet cheap to rewrite. */
export const PACK_TARGET_BYTES = 1 << 27;
export const MAX_SEGMENTS_PER_PACK = 1 << 22;
/** The directory of a pack that is full of the smallest segments stays below this. */
export const MAX_DIRECTORY_BYTES = 1 << 28;
/** Entries of one run-list node; longer lists become trees, so that a read at any offset loads few nodes. */
export const MAX_RUNS_PER_NODE = 512;
/** Depth of run-list trees (512^5 runs is beyond 2^45 runs) and of recipes that refer to recipes. */
export const MAX_RUN_LIST_LEVEL = 5;
export const MAX_RECIPE_DEPTH = 16;
/** Other blobs that one recipe may refer to. */
export const MAX_CHILDREN = 1 << 24;
