/**
 * `spacer-delta`: deltas in a workspace folder, under the file names of the tool of that name.
 *
 * The workspace holds one object for each version, `lib-lambda-v1.o`, `lib-lambda-v2.o` ...; `diff-vN.o` are written
 * beside them. The objects that were given are only read.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeObject } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { fileError } from "../files/index.ts";
import { deltaChain, insertRegions, type PieceFile, regionAddition, regionLines } from "../layout/index.ts";
import { readVersion } from "../library/index.ts";
import type { OperationOptions } from "./events.ts";
import { readProgram } from "./fat-programs.ts";
import { deltaLists } from "./lib-delta.ts";
import { type OutputFile, writeOutputs } from "./lib-output.ts";

export interface SpacerOptions extends OperationOptions {
  readonly workspace: string;
  /** Name of the code's output sections. */
  readonly section: string;
  /** The unikernel's linker script; without such a file an addition to the linker's own script is written. */
  readonly link: string;
  /** File name in front of the version's number. */
  readonly name: string;
  readonly version: number;
  readonly sectionsToPatch: string;
  readonly sectionsToGlobalize: string;
}

export interface SpacerResult {
  readonly version: 1;
  /** Paths of what was written. */
  readonly written: readonly string[];
  readonly changed: readonly string[];
  readonly reverted: readonly string[];
  readonly unitBytes: number;
}

/** Where code goes: behind what a unikernel has, and within reach of AArch64's branches. */
const CODE_BASE = 0x400_0000;

/** Errors: `not-found` when the workspace lacks the version or an earlier one, those of `lib delta`. */
export async function spacerDelta(options: SpacerOptions): Promise<SpacerResult> {
  const { workspace, name, version, link, section } = options;
  const numbers = await versionsIn(workspace, name);
  const object = (number: number) => join(workspace, `${name}${number}.o`);
  if (!numbers.includes(version))
    throw new TenonError("not-found", `${object(version)} is not there`, { path: object(version) });
  const chain = numbers.filter((number) => number <= version);
  const inputs = [];
  for (const number of chain) {
    const { bytes } = await readProgram(object(number));
    // One name for all: static symbols are told apart by it.
    inputs.push({ label: `v${number}`, version: readVersion([{ name: `${name}.o`, bytes }]), bytes });
  }
  const folder = dirname(link);
  const scriptName = `diff-v${version}.lds`;
  if (inputs.length === 1) {
    if (version !== 1)
      throw new TenonError("not-found", `${workspace} has no version before v${version}`, {
        path: workspace,
      });
    const name = `diff-v1.o`;
    await writeOutputs(workspace, [{ name, bytes: inputs[0]!.bytes }], options);
    return { version: 1, written: [join(workspace, name)], changed: [], reverted: [], unitBytes: 0 };
  }
  const pieces = deltaChain(inputs);
  const files: PieceFile[] = pieces.map((piece) => ({ piece, file: `diff-${piece.label}.o` }));
  const lines = regionLines(section, files, CODE_BASE);
  const given = await readFile(link, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw fileError(error, { doing: "reading", path: link });
  });
  const outputs: OutputFile[] = [
    ...files.map(({ piece, file }) => ({ name: file, bytes: writeObject(piece.object) })),
    { name: scriptName, bytes: given === undefined ? regionAddition(lines) : insertRegions(given, lines) },
  ];
  await writeOutputs(workspace, outputs, options);
  const lists = deltaLists(pieces);
  const texts = [
    { name: options.sectionsToPatch, bytes: lists.patch },
    { name: options.sectionsToGlobalize, bytes: lists.globalize },
  ];
  await writeOutputs(folder, texts, options);
  const newest = pieces.at(-1)!;
  return {
    version: 1,
    written: [
      ...outputs.map((file) => join(workspace, file.name)),
      ...texts.map((file) => join(folder, file.name)),
    ],
    changed: newest.trampolines,
    reverted: newest.reverted,
    unitBytes: newest.unitBytes,
  };
}

/** The numbers of the versions that a workspace has, the lowest first. */
async function versionsIn(workspace: string, name: string): Promise<number[]> {
  const entries = await readdir(workspace).catch((error: unknown) => {
    throw fileError(error, { doing: "reading", path: workspace });
  });
  const numbers = entries.flatMap((entry) => {
    if (!entry.startsWith(name) || !entry.endsWith(".o")) return [];
    const digits = entry.slice(name.length, -2);
    return /^[1-9]\d{0,8}$/.test(digits) ? [Number(digits)] : [];
  });
  return numbers.sort((a, b) => a - b);
}
