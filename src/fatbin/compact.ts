/** Compact files: which flavours become recipes, from which parent; and images that are made again. */
import { sha256 } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  type Alignment,
  align,
  encodeRecipe,
  geographyOf,
  isComparable,
  likeness,
} from "./compact/encode.ts";
import { carryOut } from "./compact/recipe.ts";
import type { Flavour, StoredRecipe } from "./layout.ts";
import { type FatFile, type FlavourInput, packWithRecipes, prepare } from "./pack.ts";

/** A chain of parents is no longer: a first start makes all of them. Launchers refuse more than 4. */
const MAX_DEPTH = 3;
/** Parents that are compared for a flavour. The default comes first. */
const MAX_CANDIDATES = 4;

export interface CompactOptions {
  /** The default flavour is in the file as it is, to be mapped in place; or it is a recipe as the others are. */
  readonly defaultFlavour?: "mapped" | "compressed";
}

/** How far the work is. */
export interface CompactProgress {
  readonly source: string;
  /** Bytes of all recipes' images, and how many of them are done. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/**
 * Packs flavours into a compact file; to be driven to its end, a step takes up to some seconds. The default is the
 * flavour that needs least. Errors: as `packFat`.
 */
export function* packCompact(
  inputs: readonly FlavourInput[],
  { defaultFlavour = "mapped" }: CompactOptions = {},
): Generator<CompactProgress, FatFile> {
  const { flavours } = prepare(inputs);
  // Flavours with the same bytes have one recipe.
  const distinct = flavours.filter(
    (one, i) => flavours.findIndex(({ digest }) => digest === one.digest) === i,
  );
  const first = defaultOf(distinct);
  const order = [first, ...distinct.filter((one) => one !== first).reverse()];
  const totalBytes = order
    .slice(defaultFlavour === "mapped" ? 1 : 0)
    .reduce((sum, { bytes }) => sum + bytes.length, 0);
  const recipes = new Map<string, StoredRecipe>();
  const depths = new Map<string, number>([[first.digest, 0]]);
  let before = 0;
  for (const [i, flavour] of order.entries()) {
    const { source, digest, bytes: image } = flavour;
    if (i === 0 && defaultFlavour === "mapped") continue;
    yield { source, doneBytes: before, totalBytes };
    const parent = yield* chooseParent(flavour, order.slice(0, i), depths, { doneBytes: before, totalBytes });
    const work = encodeRecipe({
      image,
      ...(parent && { parent: { ...parent, image: parent.flavour.bytes } }),
    });
    for (let step = work.next(); ; step = work.next()) {
      if (step.done) {
        recipes.set(digest, { bytes: step.value, parent: parent?.flavour.digest });
        break;
      }
      yield { source, doneBytes: before + step.value, totalBytes };
    }
    if (parent) depths.set(digest, depths.get(parent.flavour.digest)! + 1);
    before += image.length;
  }
  return packWithRecipes(inputs, recipes);
}

/** The one that needs least: of the fewest features, and of those the least preferred one. */
function defaultOf(flavours: readonly Flavour[]): Flavour {
  return flavours.reduce((least, one) => (one.needs.names.length <= least.needs.names.length ? one : least));
}

/** The flavour that most fields agree with; none if there is none yet. */
function* chooseParent(
  { bytes, source }: Flavour,
  earlier: readonly Flavour[],
  depths: ReadonlyMap<string, number>,
  progress: { readonly doneBytes: number; readonly totalBytes: number },
): Generator<CompactProgress, { flavour: Flavour; alignment: Alignment } | undefined> {
  if (earlier.length === 0) return undefined;
  const geography = geographyOf(bytes);
  let best: { flavour: Flavour; alignment: Alignment } | undefined;
  const possible = earlier.filter(
    (one) => depths.get(one.digest)! < MAX_DEPTH && isComparable(one.bytes, bytes),
  );
  for (const flavour of [...possible.slice(0, 1), ...possible.slice(1).slice(1 - MAX_CANDIDATES)]) {
    const alignment = align(flavour.bytes, geographyOf(flavour.bytes), bytes, geography);
    if (best === undefined || likeness(alignment) > likeness(best.alignment)) best = { flavour, alignment };
    yield { source, ...progress };
  }
  return best;
}

/** A flavour of a file that was read: its bytes where they stand, or what its recipe makes. */
interface Stored {
  readonly name: string;
  readonly digest: string;
  readonly imageOffset: number;
  readonly imageBytes: number;
  readonly recipe?:
    | { readonly offset: number; readonly bytes: number; readonly parent: number | undefined }
    | undefined;
}

/**
 * The image of a flavour, its digest compared. `made` keeps those that were made for others. Errors: `damaged`.
 */
export function imageOf(
  file: Uint8Array,
  flavours: readonly Stored[],
  number: number,
  made = new Map<number, Uint8Array>(),
  depth = 0,
): Uint8Array {
  const known = made.get(number);
  if (known) return known;
  const { name, digest, imageOffset, imageBytes, recipe } = flavours[number]!;
  let image = file.subarray(imageOffset, imageOffset + imageBytes);
  if (recipe) {
    if (depth > MAX_DEPTH + 1) throw damaged(`the recipe of flavour ${name} goes in circles`);
    const { offset, bytes, parent } = recipe;
    const base = parent === undefined ? undefined : imageOf(file, flavours, parent, made, depth + 1);
    try {
      image = carryOut(file.subarray(offset, offset + bytes), imageBytes, base);
    } catch (error) {
      if (!(error instanceof TenonError)) throw error;
      throw new TenonError(
        "damaged",
        `the fat file is damaged: flavour ${name}: ${error.message}`,
        error.data,
        {
          cause: error,
        },
      );
    }
  }
  if (sha256(image) !== digest) throw damaged(`flavour ${name} has another digest`);
  made.set(number, image);
  return image;
}

function damaged(why: string): TenonError {
  return new TenonError("damaged", `the fat file is damaged: ${why}`);
}
