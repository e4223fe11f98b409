/**
 * What a version of a static library consists of.
 *
 * A *unit* is the smallest thing a linker can place by itself: an input section, or one string of a mergeable
 * section. Units that must travel together (a function, its jump tables, its `.cold` part) form a *bundle*.
 * Unwind entries are kept beside the units, by the function they describe.
 */
import type { Machine } from "../elf/index.ts";

export type UnitKind =
  | "code"
  | "rodata"
  | "string"
  | "data"
  | "bss"
  | "tls-data"
  | "tls-bss"
  | "init"
  | "note"
  | "other";

/** Where a relocation points: into a unit of this version, or at a name that the version doesn't define. */
export type Target =
  | {
      readonly kind: "unit";
      readonly unit: number;
      readonly offset: number;
      readonly symbol: string | undefined;
    }
  | { readonly kind: "external"; readonly name: string; readonly weak: boolean }
  | { readonly kind: "absolute"; readonly value: bigint };

export interface UnitRelocation {
  /** From the start of the unit. */
  readonly offset: number;
  /** R_X86_64_* or R_AARCH64_*. */
  readonly type: number;
  readonly addend: bigint;
  readonly target: Target;
}

/** What an identity is made of, to say in which of them two units differ: SHA-256, hex. */
export interface UnitFacets {
  /** With relocated fields masked. */
  readonly bytes: string;
  /** Offsets, types, canonical targets, addends. */
  readonly relocations: string;
  /** sh_type, sh_flags, sh_entsize, the section's name without the unit's own. */
  readonly flags: string;
  /** Offsets, types, bindings, visibilities and sizes of its symbols. */
  readonly binding: string;
}

/** A symbol defined in a unit. */
export interface UnitSymbol {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly binding: "local" | "global" | "weak" | "unique";
  readonly visibility: "default" | "internal" | "hidden" | "protected";
  /** STT_*: notype, object, func, tls, gnu_ifunc. */
  readonly type: number;
}

export interface Unit {
  /** Position in `LibraryVersion.units`. */
  readonly index: number;
  /** Index of the object file (archive member) in `LibraryVersion.objects`. */
  readonly object: number;
  /** Section index in that object, and where in the section the unit starts (not 0 only for strings). */
  readonly section: number;
  readonly sectionOffset: number;
  readonly sectionName: string;
  readonly kind: UnitKind;
  /** sh_type, sh_flags, sh_addralign, sh_entsize as in the object. */
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly entrySize: number;
  readonly sizeBytes: number;
  /** As in the object; empty for bss. */
  readonly bytes: Uint8Array;
  /** By offset. */
  readonly relocations: readonly UnitRelocation[];
  readonly symbols: readonly UnitSymbol[];
  /** COMDAT group signature. */
  readonly group: string | undefined;
  readonly bundle: number;
  /** Unique in the version; local symbols carry their object's label: `util.o:helper`. */
  readonly name: string;
  /** The name means nothing (strings, constants, jump tables): references to it are compared by content. */
  readonly anonymous: boolean;
  readonly facets: UnitFacets;
  /**
   * SHA-256, hex, of the bytes with relocated fields masked, the canonical relocations (offset, type, addend, target
   * by name or, where the name means nothing, by content), alignment and flags. The unit's own name is not in it.
   */
  readonly identity: string;
}

/** Units that lie together. The first is the one it is named after. */
export interface Bundle {
  readonly index: number;
  readonly units: readonly number[];
  /** Name by which versions are compared: unique in a version; static functions carry their file's name. */
  readonly name: string;
  /** Over the identities of its units and their unwind entries. */
  readonly identity: string;
}

/** A piece of .eh_frame that describes a unit: its FDE, with the CIE that it needs. */
export interface UnwindEntry {
  /** The function's unit. */
  readonly unit: number;
  readonly object: number;
  readonly cie: Uint8Array;
  readonly cieRelocations: readonly UnitRelocation[];
  readonly fde: Uint8Array;
  readonly fdeRelocations: readonly UnitRelocation[];
}

export interface LibraryObject {
  /** Member or file name, unique in the version. */
  readonly name: string;
  /** The name without a release number in it, unique as well: what names of its local symbols begin with. */
  readonly label: string;
  /** The whole object file. */
  readonly bytes: Uint8Array;
}

export interface LibraryVersion {
  readonly machine: Machine;
  readonly objects: readonly LibraryObject[];
  readonly units: readonly Unit[];
  readonly bundles: readonly Bundle[];
  readonly unwind: readonly UnwindEntry[];
  /** Common symbols (SHN_COMMON): the linker allots them. */
  readonly commons: readonly {
    readonly name: string;
    readonly sizeBytes: number;
    readonly alignment: number;
  }[];
}
