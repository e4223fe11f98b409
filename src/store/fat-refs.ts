/**
 * Flavours in a repository: a directory with each flavour as an ordinary file, and `fat.json`, which says what each
 * one needs. So equal parts of flavours are stored once, as of any files.
 */
import { type Digest, sha256 } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { choose, packFat, parseFeatures } from "../fatbin/index.ts";
import { add } from "./add.ts";
import type { StoreContext } from "./context.ts";
import { list } from "./fat-files.ts";
import { featuresOf, openProgram, packInForm, readProgram } from "./fat-programs.ts";
import type { CpuChoice, FatForm, FatPackResult, FatWriteOptions, FlavourSource } from "./fat-types.ts";
import { below, fileToAdd, type ManifestKind, readListed, readManifest, readSpec } from "./manifest.ts";
import { resolve } from "./resolve.ts";
import type { AddInput, AddOptions, AddResult } from "./types.ts";

const MANIFEST = "fat.json";
const FORMAT = "tenon-fat";
const VERSION = 1;
/** 64 flavours take some 20 KB. */
const MAX_MANIFEST_BYTES = 1 << 20;

type Machine = "x86-64" | "aarch64";

interface StoredFlavour {
  readonly file: string;
  readonly features: string;
  readonly rank: number;
  readonly digest: Digest;
}

interface StoredManifest {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly machine: Machine;
  /** From best to worst. */
  readonly flavours: readonly StoredFlavour[];
}

const KIND: ManifestKind<StoredManifest> = {
  name: MANIFEST,
  maxBytes: MAX_MANIFEST_BYTES,
  holds: "flavours",
  storedBy: "tenon fat pack --ref",
  is(value): value is StoredManifest {
    const manifest = value as Partial<StoredManifest> | null | undefined;
    const isFlavour = (one: Partial<StoredFlavour> | null) =>
      typeof one?.file === "string" &&
      !one.file.includes("/") &&
      typeof one.features === "string" &&
      Number.isInteger(one.rank) &&
      typeof one.digest === "string";
    return (
      manifest?.format === FORMAT &&
      manifest.version === VERSION &&
      (manifest.machine === "x86-64" || manifest.machine === "aarch64") &&
      Array.isArray(manifest.flavours) &&
      manifest.flavours.length > 0 &&
      manifest.flavours.every(isFlavour)
    );
  },
};

/** Stores flavours under one ref. What can't be packed is refused now, not when it is materialised. */
export async function addFat(
  context: StoreContext,
  sources: readonly FlavourSource[],
  options: AddOptions & { readonly ref: string },
): Promise<AddResult> {
  const inputs = [];
  for (const { from, features, rank = 0 } of sources) {
    const bytes = "file" in from ? (await readProgram(from.file)).bytes : await readSpec(context, from.spec);
    inputs.push({ source: "file" in from ? from.file : from.spec, bytes, features, rank });
  }
  const { manifest } = packFat(inputs);
  const names = new Set<string>();
  const flavours = manifest.flavours.map(({ name, rank, digest, needs }, number): StoredFlavour => {
    const features = manifest.rules
      .flatMap((rule, i) => ((needs >> BigInt(i)) & 1n ? [rule.name] : []))
      .join(",");
    const file = names.has(name) ? `${name}.${number}` : name;
    names.add(file);
    return { file, features, rank, digest };
  });
  const stored: StoredManifest = { format: FORMAT, version: VERSION, machine: manifest.machine, flavours };
  const inputOf = new Map<Digest, (name: string) => AddInput>();
  for (const [i, { bytes }] of inputs.entries()) {
    const { from } = sources[i]!;
    // What is stored already is found by its digest; a file gets the best representation.
    const asInput = (name: string): AddInput =>
      "file" in from ? { name, file: from.file, mode: 0o755 } : fileToAdd(name, 0o755, bytes);
    inputOf.set(sha256(bytes), asInput);
  }
  const result = await add(
    context,
    [
      fileToAdd(MANIFEST, 0o644, Buffer.from(`${JSON.stringify(stored, undefined, 2)}\n`)),
      ...flavours.map(({ file, digest }) => inputOf.get(digest)!(file)),
    ],
    options,
  );
  for (const { file, digest } of flavours) {
    const { target } = await resolve(context, below(options.ref, file));
    if (target.type !== "file" || target.digest !== digest)
      throw new TenonError("io", `${file} changed while it was stored; store the flavours again`, {
        ref: options.ref,
      });
  }
  return result;
}

/** Makes the fat file of stored flavours. */
export async function getFat(
  context: StoreContext,
  spec: string,
  output: string | undefined,
  options: FatForm & FatWriteOptions = {},
): Promise<FatPackResult> {
  const { flavours } = await readManifest(context, spec, KIND);
  const path = output ?? (await resolve(context, spec)).name;
  await using program = await openProgram(path, options);
  const inputs = [];
  for (const flavour of flavours) {
    const bytes = await readListed(context, spec, flavour, KIND);
    inputs.push({ source: flavour.file, bytes, features: flavour.features, rank: flavour.rank });
  }
  const fat = await packInForm(inputs, options);
  await program.write(fat.pieces());
  return { ...(await list(path)), output: path, merged: fat.merged };
}

export interface FlavourResult {
  readonly output: string;
  readonly flavour: string;
  readonly features: string;
  readonly digest: Digest;
  readonly size: number;
}

/** Restores the one flavour for a CPU. Errors: `unsupported` when none fits. */
export async function getFlavour(
  context: StoreContext,
  spec: string,
  cpu: CpuChoice,
  output: string | undefined,
  options: FatWriteOptions = {},
): Promise<FlavourResult> {
  const { machine, flavours } = await readManifest(context, spec, KIND);
  const have = await featuresOf(machine, cpu);
  const chosen = choose(
    flavours.map((flavour) => ({ ...flavour, needs: parseFeatures(machine, flavour.features) })),
    have,
  );
  if (chosen === undefined)
    throw new TenonError("unsupported", `no flavour of ${spec} fits this CPU`, { ref: spec });
  const path = output ?? (await resolve(context, spec)).name;
  await using program = await openProgram(path, options);
  const bytes = await readListed(context, spec, chosen, KIND);
  await program.write([bytes]);
  const { file, features, digest } = chosen;
  return { output: path, flavour: file, features, digest, size: bytes.length };
}
