/**
 * What a layout consists of: variants, homes, slots, and what they refer to.
 *
 * A *variant* is a bundle as it is in a set of versions; it has one address for ever. A *home* is the one address
 * of something that is referred to by name wherever its content varies: mutable data, and constants that differ
 * between versions while what refers to them does not. A *slot* is a branch at a fixed address by which a function
 * is reached that differs between versions.
 */
import type { Machine } from "../elf/index.ts";
import type { LibraryVersion } from "../library/index.ts";

export const REGIONS = ["slots", "code", "rodata", "data", "bss"] as const;
export type RegionName = (typeof REGIONS)[number];

/** The unit of sharing: what the memory of x86-64 and most AArch64 systems is cut into. */
export const PAGE_BYTES = 4096;

export interface Region {
  readonly base: number;
  readonly sizeBytes: number;
  /** How much is taken: what is added goes behind it. */
  usedBytes: number;
}

/** When a function is called through its slot: always, when it differs between versions that share a caller, never. */
export type SlotPolicy = "all" | "varying" | "none";

/** A piece of fixed memory. */
export interface Placement {
  readonly region: RegionName;
  readonly address: number;
  readonly sizeBytes: number;
}

/**
 * What a reference of a variant comes to, the same in all its versions, as text: `v12.0+8` (variant, position in
 * its bundle, offset), `hNAME@0.0+8` (home), `sNAME` (slot), `nNAME` (bound by name), `pNAME.0+8` (a unit that is
 * left to the linker), `a5` (a number).
 */
export type Reference = string;

export interface Variant {
  readonly id: number;
  readonly identity: string;
  /** Names that its bundle has had. */
  readonly names: Set<string>;
  /** By version (index in the list that is being laid out): the bundles, several of mergeable content. */
  readonly occurrences: Map<number, number[]>;
  /** Set when it is placed: address by position in the bundle; undefined for what is left to the linker. */
  placements: readonly (Placement | undefined)[] | undefined;
  /** Set when it is placed; a variant of an earlier layout must be used with these or not at all. */
  references: readonly Reference[] | undefined;
  /** Bytes differ between images although the variant is the same: something is bound by name. */
  isVolatile: boolean;
}

/** Its generation counts up when a later version needs more room than the address has. */
export interface Home {
  readonly key: string;
  readonly generation: number;
  alignment: number;
  placement: Placement | undefined;
  region: RegionName;
  sizeBytes: number;
  /** The variant whose address it has, by which an earlier layout refers to it. */
  readonly standsFor: number | undefined;
}

export interface Slot {
  readonly key: string;
  readonly address: number;
  /** The slot's address is the function's address, for whoever takes it. */
  isAddress: boolean;
}

/** A version to lay out. */
export interface VersionInput {
  readonly label: string;
  readonly version: LibraryVersion;
}

/** What is kept between layouts, so that addresses never move. */
export interface LayoutState {
  /** The library's name. */
  readonly library: string;
  readonly machine: Machine;
  readonly policy: SlotPolicy;
  readonly regions: Readonly<Record<RegionName, Region>>;
  readonly labels: readonly string[];
  readonly slots: ReadonlyMap<string, Slot>;
  /** The newest generation of each last. */
  readonly homes: readonly Home[];
  readonly variants: readonly Variant[];
  /** What each public symbol comes to for the rest of the program. */
  readonly exports: ReadonlyMap<string, Reference>;
  /** From the identity of a constant that says which version it is to its home's key. */
  readonly renames: ReadonlyMap<string, string>;
}
