/** Operations on fat files that need no repository: pack from files, list, explain, verify, unpack. */
import { join } from "node:path";
import { makeDirectories } from "../backend/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  explainChoice,
  type FatHead,
  HEAD_BYTES,
  readFatHead,
  readFlavours,
  verifyFat,
} from "../fatbin/index.ts";
import type { OperationOptions } from "./events.ts";
import { featuresOf, flavourInfo, openProgram, packInForm, readProgram } from "./fat-programs.ts";
import type {
  CpuChoice,
  FatExplanation,
  FatForm,
  FatInfo,
  FatPackResult,
  FatUnpackResult,
  FatWriteOptions,
  FlavourSource,
} from "./fat-types.ts";

/** Reads something from a repository, whole; for flavours that are given as specs. */
export type ReadSpec = (spec: string) => Promise<Uint8Array>;

/**
 * Packs flavours into an executable file. Errors: `usage` for features, `invalid` and `unsupported` for programs
 * that can't be flavours, `exists`, `io`. Without `readSpec`, all flavours must be files.
 */
export async function pack(
  output: string,
  sources: readonly FlavourSource[],
  options: FatForm & FatWriteOptions & { readonly readSpec?: ReadSpec } = {},
): Promise<FatPackResult> {
  await using program = await openProgram(output, options);
  const inputs = [];
  for (const { from, features, rank = 0 } of sources) {
    if ("file" in from)
      inputs.push({ source: from.file, bytes: (await readProgram(from.file)).bytes, features, rank });
    else if (options.readSpec)
      inputs.push({ source: from.spec, bytes: await options.readSpec(from.spec), features, rank });
    else throw new TenonError("usage", `${from.spec} is in a repository, and none is open`);
  }
  const fat = await packInForm(inputs, options);
  await program.write(fat.pieces());
  return { ...(await list(output)), output, merged: fat.merged };
}

async function readHead(path: string): Promise<FatHead> {
  const { bytes, sizeBytes } = await readProgram(path, HEAD_BYTES);
  try {
    return readFatHead(bytes, sizeBytes);
  } catch (error) {
    throw naming(path, error);
  }
}

function naming(path: string, error: unknown): unknown {
  if (!(error instanceof TenonError)) return error;
  const isOther = error.code === "invalid" && error.data.field === "magic";
  const text = isOther
    ? `${path} is not a fat file: no flavours are packed in it`
    : `${path}: ${error.message}`;
  return new TenonError(error.code, text, { ...error.data, path }, { cause: error });
}

/** What is in a fat file. Only its beginning is read. Errors: `invalid`, `damaged`, `unsupported`, `io`. */
export async function list(path: string, _options: OperationOptions = {}): Promise<FatInfo> {
  const { machine, mode, fileBytes, flavours } = await readHead(path);
  return { machine, mode, size: fileBytes, flavours: flavours.map(flavourInfo) };
}

/** Why each flavour is or is not chosen on a CPU. */
export async function explain(
  path: string,
  cpu: CpuChoice,
  _options: OperationOptions = {},
): Promise<FatExplanation> {
  const { machine, flavours } = await readHead(path);
  const have = await featuresOf(machine, cpu);
  return {
    machine,
    cpu: have.names,
    verdicts: explainChoice(flavours, have).map(({ candidate: { number, name }, isChosen, lacks, why }) => ({
      ...{ number, name, isChosen, lacks, why },
    })),
  };
}

/** Compares every byte with what packing again gives. Errors: `damaged`, and those of `list`. */
export async function verify(
  path: string,
  _options: OperationOptions = {},
): Promise<{ readonly flavours: number }> {
  const { bytes } = await readProgram(path);
  try {
    return { flavours: verifyFat(bytes) };
  } catch (error) {
    throw naming(path, error);
  }
}

/** Writes flavours to a directory under their names, byte for byte as they were packed; all, or one by name or number. */
export async function unpack(
  path: string,
  directory: string,
  options: FatWriteOptions & { readonly flavour?: string } = {},
): Promise<FatUnpackResult> {
  const head = await readHead(path);
  const { flavours } = head;
  const { flavour: wanted } = options;
  const chosen = flavours.filter(
    ({ name, number }) => wanted === undefined || name === wanted || String(number) === wanted,
  );
  if (chosen.length === 0) {
    const names = flavours.map(({ name }) => name).join(", ");
    throw new TenonError("not-found", `${path} has no flavour ${wanted}; it has ${names}`, { path });
  }
  const { bytes } = await readProgram(path);
  await makeDirectories(directory);
  const files = [];
  const images = readFlavours(
    bytes,
    head,
    chosen.map(({ number }) => number),
  );
  for (const { name, number, digest } of chosen) {
    const image = nextImage(path, images);
    // Two flavours have the same name only if they differ in rank.
    const isOnly = flavours.filter((other) => other.name === name).length === 1;
    const file = join(directory, isOnly ? name : `${name}.${number}`);
    await using program = await openProgram(file, options);
    await program.write([image]);
    files.push({ path: file, name, digest });
  }
  return { directory, files };
}

function nextImage(path: string, images: Iterator<Uint8Array>): Uint8Array {
  try {
    return images.next().value;
  } catch (error) {
    throw naming(path, error);
  }
}
