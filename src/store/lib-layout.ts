/**
 * `lib layout`: versions of a library laid out in a directory that holds the layout's state, and for each version an
 * object, a linker script and two lists. The state is written last: what is there without it is written again.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeObject } from "../elf/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { fileError } from "../files/index.ts";
import {
  decodeState,
  emitLists,
  emitObject,
  emitScript,
  encodeState,
  type Layout,
  type LayoutState,
  layOut,
  PAGE_BYTES,
  REGIONS,
  type VersionInput,
} from "../layout/index.ts";
import type { LaidOutVersion, LibLayoutOptions, LibLayoutResult, VersionSource } from "./lib-layout-types.ts";
import { fileLabel, type OutputFile, writeOutputs } from "./lib-output.ts";

/** The state's name in the directory. */
export const STATE_FILE = "layout.json";

/**
 * Adds versions to the layout in `directory`, or begins one. Errors: `not-found` for a version that isn't there,
 * `usage`, `limit` for a region that is full, `invalid` and `unsupported` for what can't be laid out, `damaged` for a state
 * that isn't what was written, `io`.
 */
export async function layOutVersions(
  library: string,
  source: VersionSource,
  directory: string,
  options: LibLayoutOptions = {},
): Promise<LibLayoutResult> {
  const { rebase = false, signal } = options;
  const found = await readState(join(directory, STATE_FILE), rebase);
  if (found !== undefined && found.library !== library) {
    throw new TenonError(
      "exists",
      `${directory} holds the layout of ${found.library}; choose another directory`,
      {
        path: directory,
      },
    );
  }
  const earlier = rebase ? undefined : found;
  if (
    earlier !== undefined &&
    (options.base !== undefined || Object.keys(options.regionSizes ?? {}).length > 0)
  )
    throw new TenonError("usage", "a layout keeps its regions; to move them, pack anew with --rebase");
  const wanted = options.versions ?? [
    ...new Set([...(rebase ? (found?.labels ?? []) : []), ...source.labels]),
  ];
  const labels = wanted.filter((label) => !earlier?.labels.includes(label));
  for (const label of labels) {
    fileLabel(label);
    if (!source.labels.includes(label))
      throw new TenonError("not-found", `there is no version ${label} of ${library}`, {
        ref: `${library}:${label}`,
      });
  }
  if (labels.length === 0) {
    if (earlier === undefined) throw new TenonError("not-found", `there is no version of ${library}`);
    return describe(earlier, directory, []);
  }
  const inputs: VersionInput[] = [];
  for (const label of labels) {
    throwIfAborted(signal);
    inputs.push({ label, version: await source.read(label) });
  }
  const older: VersionInput[] = [];
  for (const label of earlier?.labels ?? []) {
    throwIfAborted(signal);
    if (source.labels.includes(label)) older.push({ label, version: await source.read(label) });
  }
  throwIfAborted(signal);
  const layout = layOut(
    inputs,
    {
      library,
      ...(options.slots !== undefined && { policy: options.slots }),
      ...(options.base !== undefined && { base: options.base }),
      ...(options.regionSizes !== undefined && { sizes: options.regionSizes }),
    },
    earlier,
    older,
  );
  const written: LaidOutVersion[] = [];
  for (const [v, { label }] of inputs.entries()) {
    throwIfAborted(signal);
    const { files, version } = emitVersion(layout, v, label);
    await writeOutputs(directory, files, options);
    written.push(version);
  }
  await writeOutputs(directory, [{ name: STATE_FILE, bytes: encodeState(layout.state) }], options);
  return describe(layout.state, directory, written);
}

/** With `rebase`, a state that makes no sense is none: nothing of it is needed. */
async function readState(path: string, rebase: boolean): Promise<LayoutState | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError(error, { doing: "reading", path });
  }
  try {
    return decodeState(text);
  } catch (error) {
    if (!(error instanceof TenonError)) throw error;
    const isBroken = error.code === "invalid" || error.code === "damaged";
    if (isBroken && rebase) return undefined;
    const text = `${path}: ${error.message}${isBroken ? `; ${WITHOUT_STATE}` : ""}`;
    throw new TenonError(isBroken ? "damaged" : error.code, text, { ...error.data, path }, { cause: error });
  }
}

const WITHOUT_STATE =
  "bring the file back from where it is kept, or pack all versions anew with --rebase: they get other addresses, and share no pages with programs that were linked before";

function emitVersion(
  layout: Layout,
  v: number,
  label: string,
): { readonly files: OutputFile[]; readonly version: LaidOutVersion } {
  const { library } = layout.state;
  const emitted = emitObject(layout, v);
  const stem = `${fileLabel(library.replaceAll("/", "-"))}-${fileLabel(label)}`;
  const lists = emitLists(layout, v, emitted);
  const names = {
    object: `${stem}.o`,
    script: `${stem}.ld`,
    sectionsToPatch: `${stem}.sec_to_patch.txt`,
    sectionsToGlobalize: `${stem}.sec_to_globalize.txt`,
  };
  const files = [
    { name: names.object, bytes: writeObject(emitted.object) },
    { name: names.script, bytes: emitScript({ library, label }, emitted.fixed) },
    { name: names.sectionsToPatch, bytes: lists.patched },
    { name: names.sectionsToGlobalize, bytes: lists.globalized },
  ];
  const stored = emitted.fixed.filter(({ region }) => region !== "bss");
  const pages = stored.reduce((sum, { sizeBytes }) => sum + sizeBytes / PAGE_BYTES, 0);
  const { slots, fixed } = emitted;
  return { files, version: { label, ...names, slots: slots.length, sections: fixed.length, pages } };
}

function describe(
  state: LayoutState,
  directory: string,
  written: readonly LaidOutVersion[],
): LibLayoutResult {
  const { library, machine, policy, labels, variants, homes, slots, regions } = state;
  return {
    ...{ version: 1, library, machine, directory, slotPolicy: policy, labels, written },
    variants: variants.length,
    volatileVariants: variants.filter(({ isVolatile }) => isVolatile).length,
    homes: homes.length,
    slots: slots.size,
    regions: REGIONS.map((name) => {
      const { base, sizeBytes, usedBytes } = regions[name];
      return { name, address: base, sizeBytes, usedBytes };
    }),
  };
}
