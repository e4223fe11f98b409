/**
 * Where everything in a fat file is.
 *
 *   0             ELF header, three program headers (launcher, payload, stack), zeros up to 256
 *   256           the launcher's code
 *   payload       manifest; in compact files the restorer; then for each image in the file the program's bytes and
 *                 copies of the pages that two of its segments share, all on page boundaries; then recipes
 *   end - 16      bytes of the file, "TENONEND"
 */
import { ByteWriter } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import {
  EM_AARCH64,
  EM_X86_64,
  type Machine,
  PF_R,
  PF_W,
  PF_X,
  PT_GNU_STACK,
  PT_LOAD,
} from "../elf/index.ts";
import { checksum64 } from "./checksum.ts";
import type { Candidate } from "./choice.ts";
import { labelOf } from "./labels.ts";
import { LAUNCHER_ENTRY } from "./launcher/index.ts";
import {
  encodeManifest,
  type Group,
  type Manifest,
  type ManifestFlavour,
  type ManifestRestorer,
  type NamedRule,
} from "./manifest.ts";
import type { FatFile } from "./pack.ts";
import type { Plan } from "./plan.ts";
import { type FeatureSet, vocabularyOf } from "./vocabulary.ts";

/** Stands last, after the file's length: beyond the end of a cut file a page is zeros, and these are none. */
const TRAILER_MAGIC = "TENONEND";
const TRAILER_BYTES = 16;
/** Recipes are read as words. */
const RECIPE_ALIGN = 8;

/** A program that was looked at and will be packed. */
export interface Flavour extends Candidate {
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly plan: Plan;
}

/** A recipe, and the digest of the image that it begins with. */
export interface StoredRecipe {
  readonly bytes: Uint8Array;
  readonly parent: Digest | undefined;
}

/** From ranks of the vocabulary to the bits of one file's rules. */
export function translate(set: FeatureSet, rules: readonly { readonly name: string }[]): bigint {
  const { places } = vocabularyOf(set.machine);
  let bits = 0n;
  for (const [i, { name }] of rules.entries()) if (set.hasPlace(places.get(name)!)) bits |= 1n << BigInt(i);
  return bits;
}

export interface LayoutInput {
  readonly launcher: Uint8Array;
  readonly machine: Machine;
  readonly rules: readonly NamedRule[];
  readonly groups: readonly Group[];
  readonly stackIsExecutable: boolean;
  readonly flavours: readonly Flavour[];
  readonly merged: FatFile["merged"];
  readonly compact?: {
    readonly recipes: ReadonlyMap<Digest, StoredRecipe>;
    readonly restorer: Uint8Array;
  };
}

/** An image's place: its bytes, then the copies of shared pages. */
interface Image {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly duplicatesAt: number;
  readonly plan: Plan;
}

interface PlacedRecipe extends StoredRecipe {
  readonly offset: number;
}

/** Where things are; all zero in a draft. */
interface Places {
  readonly images: ReadonlyMap<Digest, Image>;
  readonly recipes: ReadonlyMap<Digest, PlacedRecipe>;
  readonly restorer: ManifestRestorer | undefined;
  readonly fileBytes: number;
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

/** Everything in the file stands on boundaries of the largest page that a kernel of the machine may have. */
function boundaryOf(machine: Machine): number {
  return machine === "aarch64" ? 65_536 : 4096;
}

export function layOut(input: LayoutInput): FatFile {
  const { launcher, machine, flavours, merged, compact } = input;
  const boundary = boundaryOf(machine);
  const payloadOffset = roundUp(launcher.length, boundary);
  // The manifest's length doesn't depend on where things are, so a first draft tells it.
  const draft = describe(input, draftPlaces(input));
  let at = payloadOffset + roundUp(encodeManifest(draft).length, boundary);
  const restorer = compact && {
    offset: at,
    bytes: compact.restorer.length,
    checksum: checksum64(compact.restorer),
  };
  at += roundUp(compact?.restorer.length ?? 0, boundary);
  const images = new Map<Digest, Image>();
  for (const { digest, bytes, plan } of flavours) {
    if (images.has(digest) || compact?.recipes.has(digest)) continue;
    const duplicatesAt = at + roundUp(bytes.length, boundary);
    images.set(digest, { offset: at, bytes, duplicatesAt, plan });
    at = duplicatesAt + roundUp(plan.duplicates.length * plan.pageBytes, boundary);
  }
  const recipes = new Map<Digest, PlacedRecipe>();
  for (const { digest } of flavours) {
    const recipe = compact?.recipes.get(digest);
    if (recipe === undefined || recipes.has(digest)) continue;
    recipes.set(digest, { ...recipe, offset: at });
    at += roundUp(recipe.bytes.length, RECIPE_ALIGN);
  }
  const sizeBytes = at + TRAILER_BYTES;
  const manifest = describe(input, { images, recipes, restorer, fileBytes: sizeBytes });
  const head = composeHead(input, payloadOffset, sizeBytes);
  const padded = function* (bytes: Uint8Array, unit: number) {
    yield bytes;
    yield padding(roundUp(bytes.length, unit) - bytes.length);
  };
  return {
    manifest,
    sizeBytes,
    merged,
    *pieces() {
      yield head;
      yield padding(payloadOffset - head.length);
      yield* padded(encodeManifest(manifest), boundary);
      if (compact) yield* padded(compact.restorer, boundary);
      for (const { bytes, plan } of images.values()) {
        yield* padded(bytes, boundary);
        for (const page of plan.duplicates) {
          const copy = bytes.subarray(page, page + plan.pageBytes);
          yield copy;
          yield padding(plan.pageBytes - copy.length);
        }
        const duplicated = plan.duplicates.length * plan.pageBytes;
        yield padding(roundUp(duplicated, boundary) - duplicated);
      }
      for (const { bytes } of recipes.values()) yield* padded(bytes, RECIPE_ALIGN);
      yield new ByteWriter(TRAILER_BYTES).u64(sizeBytes).raw(Buffer.from(TRAILER_MAGIC)).finish();
    },
  };
}

function draftPlaces({ flavours, compact }: LayoutInput): Places {
  const isRecipe = (digest: Digest) => compact?.recipes.has(digest) === true;
  const images = flavours.filter(({ digest }) => !isRecipe(digest));
  return {
    images: new Map(
      images.map(({ digest, bytes, plan }) => [digest, { offset: 0, bytes, duplicatesAt: 0, plan }]),
    ),
    recipes: new Map(
      [...(compact?.recipes ?? [])].map(([digest, recipe]) => [digest, { ...recipe, offset: 0 }]),
    ),
    restorer: compact && { offset: 0, bytes: 0, checksum: 0n },
    fileBytes: 0,
  };
}

function padding(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}

function describe({ machine, rules, groups, flavours }: LayoutInput, places: Places): Manifest {
  const { fileBytes, restorer, recipes, images } = places;
  return {
    ...(restorer && { restorer }),
    machine,
    fileBytes,
    rules,
    groups,
    flavours: flavours.map((flavour) => {
      const recipe = recipes.get(flavour.digest);
      if (recipe === undefined) return describeFlavour(flavour, rules, images.get(flavour.digest)!);
      const { offset, bytes, parent } = recipe;
      const number = flavours.findIndex(({ digest }) => digest === parent);
      const image = { offset: 0, duplicatesAt: undefined };
      return {
        ...describeFlavour(flavour, rules, image),
        recipe: { offset, bytes: bytes.length, parent: number < 0 ? undefined : number },
      };
    }),
  };
}

/** Without copies of shared pages, a page of the image may be mapped twice. */
function describeFlavour(
  { needs, rank, digest, bytes, plan }: Flavour,
  rules: readonly NamedRule[],
  { offset, duplicatesAt }: { readonly offset: number; readonly duplicatesAt: number | undefined },
): ManifestFlavour {
  const { interpreter, isFixed, low, high, align, entry, headers, headerCount, pageBytes, headBytes } = plan;
  return {
    ...{
      interpreter,
      isFixed,
      low,
      high,
      align,
      entry,
      headers,
      headerCount,
      pageBytes,
      headBytes,
      rank,
      digest,
    },
    needs: translate(needs, rules),
    name: labelOf(needs),
    steps: plan.steps.map((step) => {
      const { kind, to, bytes: length, protection } = step;
      if (kind !== "move") return { kind, from: 0, to, bytes: length, protection };
      const { imageOffset, duplicate } = step;
      const isCopy = duplicate !== undefined && duplicatesAt !== undefined;
      const from = isCopy ? duplicatesAt + duplicate * pageBytes : offset + imageOffset;
      return { kind, from, to, bytes: length, protection };
    }),
    imageOffset: offset,
    imageBytes: bytes.length,
    headChecksum: checksum64(bytes.subarray(0, headBytes)),
  };
}

/** The launcher with the headers of the file before it. */
function composeHead(
  { launcher, machine, stackIsExecutable }: LayoutInput,
  payloadOffset: number,
  sizeBytes: number,
): Uint8Array {
  const boundary = boundaryOf(machine);
  const writer = new ByteWriter(launcher.length);
  // ELF64, little-endian, version 1, System V.
  writer.raw(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  // ET_DYN without interpreter: the kernel chooses the address and starts the code itself.
  writer
    .u16(3)
    .u16(machine === "aarch64" ? EM_AARCH64 : EM_X86_64)
    .u32(1);
  writer.u64(LAUNCHER_ENTRY).u64(64).u64(0);
  writer.u32(0).u16(64).u16(56).u16(3).u16(64).u16(0).u16(0);
  const segment = (type: number, flags: number, offset: number, bytes: number, align: number) =>
    writer.u32(type).u32(flags).u64(offset).u64(offset).u64(offset).u64(bytes).u64(bytes).u64(align);
  segment(PT_LOAD, PF_R | PF_X, 0, launcher.length, boundary);
  segment(PT_LOAD, PF_R, payloadOffset, sizeBytes - payloadOffset, boundary);
  segment(PT_GNU_STACK, PF_R | PF_W | (stackIsExecutable ? PF_X : 0), 0, 0, 16);
  writer.raw(launcher.subarray(writer.length));
  return writer.finish();
}
