/** `tenon lib layout` */
import { TenonError } from "../../errors/index.ts";
import type { LibLayoutOptions, LibLayoutResult, RegionName } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { Output } from "../output.ts";
import { size } from "../shape.ts";
import { escapeControls, formatCount, formatNumber, formatSize, formatTable } from "../text.ts";

const REGIONS: readonly RegionName[] = ["slots", "code", "rodata", "data", "bss"];

function regionSizes(given: readonly string[]): Partial<Record<RegionName, number>> {
  const sizes: Partial<Record<RegionName, number>> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    const name = REGIONS.find((region) => region === text.slice(0, Math.max(at, 0)));
    if (name === undefined)
      throw new TenonError("usage", `${text} is not NAME=SIZE with NAME one of ${REGIONS.join(", ")}`);
    sizes[name] = size.parse(text.slice(at + 1));
  }
  return sizes;
}

function address(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  // 64 KiB: the largest pages; 2 GiB: what code of the small model reaches.
  if (!Number.isSafeInteger(value) || value % 0x1_0000 !== 0 || value >= 2 ** 31)
    throw new TenonError("usage", `${text} is not an address below 2 GiB and a multiple of 0x10000`);
  return value;
}

async function report(result: LibLayoutResult, output: Output): Promise<void> {
  const rows = result.written.map(({ label, slots, sections, pages, object, script }) => [
    ...[escapeControls(label), formatNumber(slots), formatNumber(sections), formatNumber(pages)],
    `${escapeControls(object)}, ${escapeControls(script)}`,
  ]);
  const right = { align: "right" } as const;
  const columns = [
    { header: "VERSION" },
    { header: "SLOTS", ...right },
    { header: "SECTIONS", ...right },
    { header: "PAGES", ...right },
    { header: "FILES" },
  ];
  if (rows.length > 0)
    for (const line of formatTable(columns, rows, output.paint.bold)) await output.line(line);
  for (const { name, address: at, sizeBytes, usedBytes } of result.regions)
    await output.line(
      `${name}: ${formatSize(usedBytes)} of ${formatSize(sizeBytes)} at 0x${at.toString(16)}`,
    );
  await output.line(
    `${formatCount(result.labels.length, "version")}, ${formatCount(result.variants, "variant")} (${formatNumber(result.volatileVariants)} with other bytes in each program), ${formatCount(result.slots, "slot")}, in ${escapeControls(result.directory)}`,
  );
}

export const run: Handler<"lib layout"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent, loadStore } = context;
  const [name, ...files] = operands as [string, ...string[]];
  const directory = options.output ?? `${name.replaceAll("/", "-")}.layout`;
  const settings: LibLayoutOptions = {
    ...{ signal, onEvent, rebase: options.rebase, regionSizes: regionSizes(options.region) },
    ...(options.versions !== undefined && { versions: options.versions.split(",") }),
    ...(options.slots !== undefined && { slots: options.slots }),
    ...(options.base !== undefined && { base: address(options.base) }),
  };
  const { layOutVersions, fileVersions } = await loadStore();
  const result =
    files.length > 0
      ? await layOutVersions(name, fileVersions(files, settings), directory, settings)
      : await withRepository(context, (repository) => repository.layOutLibrary(name, directory, settings));
  if (globals.json) await output.json(result);
  else if (!globals.quiet) await report(result, output);
  return EXIT.ok;
};
