/**
 * library: versions of a static library, as units that a linker can place alone, and what differs between them.
 *
 * Nouns: a `unit` is an input section, or one entry of a section of mergeable strings or constants; units that
 * travel together are a `bundle`; a unit's `identity` covers its bytes without relocated fields, its relocations
 * with what they point to, its alignment, flags and binding, and not its own name. A unit is `anonymous` when its
 * name means nothing. Invariant: units with equal identities are interchangeable; what can't be told is refused
 * with the name of the object and of the section or symbol, never guessed.
 */
export {
  type Aspect,
  type BundleChange,
  type BundleKind,
  bundleKind,
  bundleSize,
  type DiffTotals,
  diffVersions,
  type LibraryDiff,
  type Pairing,
  pairBundles,
} from "./diff.ts";
export type * from "./model.ts";
export type { LibraryFile } from "./objects.ts";
export { readVersion } from "./read-version.ts";
export { inferRenames, type Rename } from "./renames.ts";
