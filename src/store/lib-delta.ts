/** `lib delta`: an object with what is new in a version, and copies of the earlier ones to which it can be linked. */

import { writeObject } from "../elf/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { type DeltaChainPiece, deltaChain, type VersionInput } from "../layout/index.ts";
import type { OperationOptions } from "./events.ts";
import type { VersionSource } from "./lib-layout-types.ts";
import { fileLabel, writeOutputs } from "./lib-output.ts";

export interface LibDeltaOptions extends OperationOptions {
  /** False: functions that changed are bound without a branch in between. */
  readonly trampolines?: boolean;
}

export interface LibDeltaPiece {
  readonly label: string;
  /** File name in the directory. */
  readonly object: string;
  readonly bytes: number;
  readonly units: number;
  readonly unitBytes: number;
  /** Functions entered through trampolines of this piece. */
  readonly trampolines: readonly string[];
  /** Functions whose body is in an older piece. */
  readonly reverted: readonly string[];
}

export interface LibDeltaResult {
  readonly version: 1;
  readonly library: string;
  readonly directory: string;
  /** The base first; linked in the opposite order. */
  readonly pieces: readonly LibDeltaPiece[];
  readonly sectionsToPatch: string;
  readonly sectionsToGlobalize: string;
}

/**
 * Writes the chain of `from` (the base, then earlier deltas) and `to`. Errors: `not-found` for a version that isn't
 * there, `usage`, `invalid`, `unsupported`, `io`.
 */
export async function deltaVersions(
  library: string,
  source: VersionSource,
  chain: { readonly from: readonly string[]; readonly to: string },
  directory: string,
  options: LibDeltaOptions = {},
): Promise<LibDeltaResult> {
  const inputs: VersionInput[] = [];
  for (const label of [...chain.from, chain.to]) {
    throwIfAborted(options.signal);
    if (!source.labels.includes(label))
      throw new TenonError("not-found", `there is no version ${label} of ${library}`, {
        ref: `${library}:${label}`,
      });
    inputs.push({ label, version: await source.read(label) });
  }
  const pieces = deltaChain(inputs, options);
  const stem = fileLabel(library.replaceAll("/", "-"));
  const described = pieces.map((piece, i): LibDeltaPiece & { readonly content: Uint8Array } => {
    const content = writeObject(piece.object);
    const object = `${stem}-${fileLabel(piece.label)}.${i === 0 ? "base" : "delta"}.o`;
    const { label, units, unitBytes, trampolines, reverted } = piece;
    return { label, object, bytes: content.length, units, unitBytes, trampolines, reverted, content };
  });
  const lists = deltaLists(pieces);
  const names = { sectionsToPatch: "sec_to_patch.txt", sectionsToGlobalize: "sec_to_globalize.txt" };
  await writeOutputs(
    directory,
    [
      ...described.map(({ object, content }) => ({ name: object, bytes: content })),
      { name: names.sectionsToPatch, bytes: lists.patch },
      { name: names.sectionsToGlobalize, bytes: lists.globalize },
    ],
    options,
  );
  return {
    ...{ version: 1, library, directory, ...names },
    pieces: described.map(({ content: _, ...piece }) => piece),
  };
}

/**
 * Lines of a section and, behind a tab, of the version that replaces it; lines of a section and the global name that
 * something static in it has now.
 */
export function deltaLists(pieces: readonly DeltaChainPiece[]): {
  readonly patch: string;
  readonly globalize: string;
} {
  const newest = pieces.at(-1)!.label;
  const patch = new Set(
    pieces.flatMap(({ replaced }) => replaced.map((section) => `${section}\t${newest}\n`)),
  );
  const globalize = new Set(
    pieces.flatMap(({ globalized }) => globalized.map(({ section, name }) => `${section}\t${name}\n`)),
  );
  return { patch: [...patch].join(""), globalize: [...globalize].join("") };
}
