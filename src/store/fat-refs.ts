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
import { featuresOf, packInForm, readProgram, writeProgram } from "./fat-programs.ts";
import type { CpuChoice, FatForm, FatPackResult, FatWriteOptions, FlavourSource } from "./fat-types.ts";
import { cat } from "./get.ts";
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

/** All bytes of a file in the repository. */
export async function readSpec(context: StoreContext, spec: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of cat(context, spec)) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

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
      "file" in from ? { name, file: from.file, mode: 0o755 } : stream(name, 0o755, bytes);
    inputOf.set(sha256(bytes), asInput);
  }
  const result = await add(
    context,
    [
      stream(MANIFEST, 0o644, Buffer.from(`${JSON.stringify(stored, undefined, 2)}\n`)),
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

function stream(name: string, mode: number, bytes: Uint8Array) {
  return {
    name,
    mode,
    stream: (async function* () {
      yield bytes;
    })(),
  };
}

/** Where a file stands below what a spec names. */
function below(spec: string, file: string): string {
  return spec.includes(":/") ? `${spec.replace(/\/+$/, "")}/${file}` : `${spec}:/${file}`;
}

async function readManifest(context: StoreContext, spec: string): Promise<StoredManifest> {
  const { target } = await resolve(context, spec);
  if (target.type !== "tree") throw notFat(spec, "it is no directory");
  const file = await resolve(context, below(spec, MANIFEST)).catch((error: unknown) => {
    if (error instanceof TenonError && error.code === "not-found")
      throw notFat(spec, `it has no ${MANIFEST}`);
    throw error;
  });
  if (file.target.type !== "file" || file.target.size > MAX_MANIFEST_BYTES)
    throw notFat(spec, `its ${MANIFEST} is no manifest`);
  const text = Buffer.from(await readSpec(context, below(spec, MANIFEST))).toString("utf8");
  const manifest = parseManifest(text);
  if (manifest === undefined) throw notFat(spec, `its ${MANIFEST} is no manifest of this release`);
  return manifest;
}

function notFat(spec: string, why: string): TenonError {
  return new TenonError(
    "unsupported",
    `${spec} holds no flavours: ${why}; 'tenon fat pack --ref' stores some`,
    {
      ref: spec,
    },
  );
}

function parseManifest(text: string): StoredManifest | undefined {
  let value: Partial<StoredManifest> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isFlavour = (one: Partial<StoredFlavour> | null) =>
    typeof one?.file === "string" &&
    !one.file.includes("/") &&
    typeof one.features === "string" &&
    Number.isInteger(one.rank) &&
    typeof one.digest === "string";
  const isManifest =
    value?.format === FORMAT &&
    value.version === VERSION &&
    (value.machine === "x86-64" || value.machine === "aarch64") &&
    Array.isArray(value.flavours) &&
    value.flavours.length > 0 &&
    value.flavours.every(isFlavour);
  return isManifest ? (value as StoredManifest) : undefined;
}

async function readFlavour(context: StoreContext, spec: string, flavour: StoredFlavour): Promise<Uint8Array> {
  const bytes = await readSpec(context, below(spec, flavour.file));
  if (sha256(bytes) !== flavour.digest) {
    throw new TenonError("damaged", `${below(spec, flavour.file)} is not the file that ${MANIFEST} names`, {
      ref: spec,
    });
  }
  return bytes;
}

/** Makes the fat file of stored flavours. */
export async function getFat(
  context: StoreContext,
  spec: string,
  output: string | undefined,
  options: FatForm & FatWriteOptions = {},
): Promise<FatPackResult> {
  const { flavours } = await readManifest(context, spec);
  const inputs = [];
  for (const flavour of flavours) {
    const bytes = await readFlavour(context, spec, flavour);
    inputs.push({ source: flavour.file, bytes, features: flavour.features, rank: flavour.rank });
  }
  const fat = await packInForm(inputs, options);
  const path = output ?? (await resolve(context, spec)).name;
  await writeProgram(path, fat.pieces(), options);
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
  const { machine, flavours } = await readManifest(context, spec);
  const have = await featuresOf(machine, cpu);
  const chosen = choose(
    flavours.map((flavour) => ({ ...flavour, needs: parseFeatures(machine, flavour.features) })),
    have,
  );
  if (chosen === undefined)
    throw new TenonError("unsupported", `no flavour of ${spec} fits this CPU`, { ref: spec });
  const bytes = await readFlavour(context, spec, chosen);
  const path = output ?? (await resolve(context, spec)).name;
  await writeProgram(path, [bytes], options);
  const { file, features, digest } = chosen;
  return { output: path, flavour: file, features, digest, size: bytes.length };
}
