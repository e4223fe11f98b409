/** A fat file's structure, its flavours' bytes, and whether it is whole. */
import { ByteReader, equalBytes } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import type { Machine } from "../elf/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import type { Candidate } from "./choice.ts";
import { LAUNCHER_ENTRY } from "./launcher/index.ts";
import { decodeManifest, FORMAT, MAX_MANIFEST_BYTES, type Manifest, manifestLength } from "./manifest.ts";
import { type FatFile, type FlavourInput, packFat } from "./pack.ts";
import { FeatureSet, vocabularyOf } from "./vocabulary.ts";

/** Enough of a file's beginning for `readFatHead`: headers, launcher, manifest, and room between them. */
export const HEAD_BYTES = MAX_MANIFEST_BYTES + 131_072;

/** A flavour as a list shows it; also a candidate of the choice. */
export interface FatFlavour extends Candidate {
  /** Place in the order of preference, the best first: the N of `TENON_FAT_FEATURES=@N`. */
  readonly number: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly offset: number;
  readonly interpreter: string | undefined;
}

export interface FatHead {
  readonly machine: Machine;
  readonly manifest: Manifest;
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
  for (const { name, imageOffset, imageBytes } of manifest.flavours) {
    if (!SAFE_NAME.test(name)) throw damaged("a flavour's name is no name of features");
    if (imageOffset < payloadOffset || imageOffset + imageBytes > fileBytes)
      throw damaged("a flavour reaches outside of the file");
  }
  return {
    machine: manifest.machine,
    manifest,
    fileBytes,
    flavours: manifest.flavours.map(
      ({ name, rank, digest, needs, imageOffset, imageBytes, interpreter }, number) => ({
        ...{ number, name, rank, digest, interpreter },
        needs: needsOf(manifest, needs),
        sizeBytes: imageBytes,
        offset: imageOffset,
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

/** A flavour's own bytes, from its place in the file. Errors: `damaged` when the digest differs. */
export function checkFlavour(
  flavour: { readonly name: string; readonly digest: Digest },
  bytes: Uint8Array,
): void {
  if (sha256(bytes) !== flavour.digest) throw damaged(`flavour ${flavour.name} has another digest`);
}

/**
 * Compares every byte of a file with what packing its flavours again gives; returns how many flavours there are.
 * Errors: `damaged` with the offset of the first byte that differs, and those of `readFatHead`.
 */
export function verifyFat(bytes: Uint8Array): number {
  const { flavours } = readFatHead(bytes.subarray(0, HEAD_BYTES), bytes.length);
  const inputs = flavours.map((flavour) => {
    const { name, rank, offset, sizeBytes } = flavour;
    const image = bytes.subarray(offset, offset + sizeBytes);
    checkFlavour(flavour, image);
    return { source: name, bytes: image, features: flavour.needs.names.join(","), rank };
  });
  let at = 0;
  for (const piece of packAgain(inputs).pieces()) {
    const here = bytes.subarray(at, at + piece.length);
    if (!equalBytes(piece, here)) {
      if (at === 0) throw damaged("its headers or launcher are not those of this release; pack it again");
      throw damaged(`the byte at ${at + firstDifference(piece, here)} is not what it should be`);
    }
    at += piece.length;
  }
  if (at !== bytes.length) throw damaged(`it should have ${at} bytes`);
  return flavours.length;
}

/** Whatever is refused now was accepted when it was packed, or was changed since. */
function packAgain(inputs: readonly FlavourInput[]): FatFile {
  try {
    return packFat(inputs);
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
