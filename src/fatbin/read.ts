/** A fat file's structure, its flavours' bytes, and whether it is whole. */
import { ByteReader, equalBytes } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import type { Machine } from "../elf/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import type { Candidate } from "./choice.ts";
import { imageOf } from "./compact.ts";
import { LAUNCHER_ENTRY } from "./launcher/index.ts";
import type { StoredRecipe } from "./layout.ts";
import { decodeManifest, FORMAT, MAX_MANIFEST_BYTES, type Manifest, manifestLength } from "./manifest.ts";
import { type FatFile, type FlavourInput, packFat, packWithRecipes } from "./pack.ts";
import { FeatureSet, vocabularyOf } from "./vocabulary.ts";

/** Enough of a file's beginning for `readFatHead`: headers, launcher, manifest, and room between them. */
export const HEAD_BYTES = MAX_MANIFEST_BYTES + 131_072;

/** A flavour as a list shows it; also a candidate of the choice. */
export interface FatFlavour extends Candidate {
  /** Place in the order of preference, the best first: the N of `TENON_FAT_FEATURES=@N`. */
  readonly number: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** Its image stands in the file, or is made by a recipe that does. */
  readonly stored: "image" | "recipe";
  readonly storedBytes: number;
  readonly interpreter: string | undefined;
}

export interface FatHead {
  readonly machine: Machine;
  readonly manifest: Manifest;
  readonly mode: "mapped" | "compact";
  readonly flavours: readonly FatFlavour[];
  readonly fileBytes: number;
}

/** Names become file names when a file is unpacked. */
const SAFE_NAME = /^[a-z0-9][a-z0-9.+-]*$/;

/**
 * Reads the structure from the first `HEAD_BYTES` of a file (or all of a shorter one). Errors: `invalid` for what is
 * no fat file, `damaged` for one whose length or manifest isn't what it says, `unsupported` for a newer version.
 */
export function readFatHead(head: Uint8Array, fileBytes: number): FatHead {
  const reader = new ByteReader(head, FORMAT);
  const isElf = head.length >= LAUNCHER_ENTRY && reader.u32("magic") === 0x464c457f;
  if (!isElf) throw invalid(FORMAT, "magic", 0, "not a fat file");
  // Second program header: the payload.
  reader.offset = 64 + 56 + 8;
  const payloadOffset = reader.u64("payload offset");
  if (payloadOffset < LAUNCHER_ENTRY || payloadOffset + 24 > head.length)
    throw invalid(FORMAT, "payload offset", 128, "not a fat file");
  const length = manifestLength(head.subarray(payloadOffset, payloadOffset + 24));
  if (payloadOffset + length > head.length) throw damaged("it is cut within the manifest");
  const manifest = asDamage(() => decodeManifest(head.subarray(payloadOffset, payloadOffset + length)));
  if (manifest.fileBytes !== fileBytes)
    throw damaged(`it has ${fileBytes} bytes instead of ${manifest.fileBytes}`);
  const isInside = (offset: number, bytes: number) => offset >= payloadOffset && offset + bytes <= fileBytes;
  for (const { name, imageOffset, imageBytes, recipe } of manifest.flavours) {
    if (!SAFE_NAME.test(name)) throw damaged("a flavour's name is no name of features");
    if (!(recipe ? isInside(recipe.offset, recipe.bytes) : isInside(imageOffset, imageBytes)))
      throw damaged("a flavour reaches outside of the file");
    if (recipe?.parent !== undefined && recipe.parent >= manifest.flavours.length)
      throw damaged("a recipe begins with a flavour that isn't there");
  }
  return {
    machine: manifest.machine,
    manifest,
    mode: manifest.restorer ? "compact" : "mapped",
    fileBytes,
    flavours: manifest.flavours.map(
      ({ name, rank, digest, needs, imageBytes, interpreter, recipe }, number) => ({
        ...{ number, name, rank, digest, interpreter },
        needs: needsOf(manifest, needs),
        sizeBytes: imageBytes,
        stored: recipe ? "recipe" : "image",
        storedBytes: recipe?.bytes ?? imageBytes,
      }),
    ),
  };
}

function damaged(why: string): TenonError {
  return new TenonError("damaged", `the fat file is damaged: ${why}`, { format: FORMAT });
}

function asDamage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TenonError) || error.code !== "invalid") throw error;
    throw new TenonError("damaged", error.message, error.data, { cause: error });
  }
}

/** From bits of the file's rules to features; a name that this release doesn't know is refused. */
function needsOf({ machine, rules }: Manifest, bits: bigint): FeatureSet {
  const { places } = vocabularyOf(machine);
  const needed = rules.filter((_, i) => ((bits >> BigInt(i)) & 1n) === 1n);
  return new FeatureSet(
    machine,
    needed.map(({ name }) => {
      const place = places.get(name);
      if (place === undefined)
        throw new TenonError(
          "unsupported",
          `fat file: feature ${JSON.stringify(name)} is unknown to this release`,
        );
      return place;
    }),
  );
}

/**
 * The programs of flavours, by their numbers, byte for byte as they were packed. `file` is the whole file. Errors:
 * `damaged` when a recipe can't be carried out or a digest differs.
 */
export function* readFlavours(
  file: Uint8Array,
  { manifest }: FatHead,
  numbers: readonly number[],
): Generator<Uint8Array> {
  const made = new Map<number, Uint8Array>();
  for (const number of numbers) yield imageOf(file, manifest.flavours, number, made);
}

/**
 * Compares every byte of a file with what packing its flavours again gives; returns how many flavours there are.
 * Recipes are carried out and then taken as they are, since another release may find others. Errors: `damaged` with
 * the offset of the first byte that differs, and those of `readFatHead`.
 */
export function verifyFat(bytes: Uint8Array): number {
  const head = readFatHead(bytes.subarray(0, HEAD_BYTES), bytes.length);
  const { flavours } = head;
  const images = readFlavours(
    bytes,
    head,
    flavours.map(({ number }) => number),
  );
  const inputs = flavours.map(({ name, rank, needs }) => {
    const image = images.next().value as Uint8Array;
    return { source: name, bytes: image, features: needs.names.join(","), rank };
  });
  let at = 0;
  for (const piece of packAgain(bytes, head, inputs).pieces()) {
    const here = bytes.subarray(at, at + piece.length);
    if (!equalBytes(piece, here)) {
      if (at === 0) throw damaged("its headers or launcher are not those of this release; pack it again");
      if (at === head.manifest.restorer?.offset)
        throw damaged("its restorer is not that of this release; pack it again");
      throw damaged(`the byte at ${at + firstDifference(piece, here)} is not what it should be`);
    }
    at += piece.length;
  }
  if (at !== bytes.length) throw damaged(`it should have ${at} bytes`);
  return flavours.length;
}

/** Whatever is refused now was accepted when it was packed, or was changed since. */
function packAgain(
  file: Uint8Array,
  { manifest: { flavours }, mode }: FatHead,
  inputs: readonly FlavourInput[],
): FatFile {
  try {
    if (mode === "mapped") return packFat(inputs);
    const recipes = new Map<Digest, StoredRecipe>();
    for (const { digest, recipe } of flavours) {
      if (recipe === undefined) continue;
      const { offset, bytes, parent } = recipe;
      recipes.set(digest, {
        bytes: file.subarray(offset, offset + bytes),
        parent: parent === undefined ? undefined : flavours[parent]!.digest,
      });
    }
    return packWithRecipes(inputs, recipes);
  } catch (error) {
    if (!(error instanceof TenonError)) throw error;
    throw new TenonError("damaged", `the fat file is damaged: ${error.message}`, error.data, {
      cause: error,
    });
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? a.length : at;
}
