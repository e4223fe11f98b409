/** `tenon lib delta` */
import { TenonError } from "../../errors/index.ts";
import type { LibDeltaResult } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { Output } from "../output.ts";
import { escapeControls, formatNumber, formatSize, formatTable } from "../text.ts";

async function report({ pieces, directory }: LibDeltaResult, output: Output): Promise<void> {
  const rows = pieces.map(({ label, units, unitBytes, trampolines, reverted, bytes, object }) => [
    ...[
      escapeControls(label),
      formatNumber(units),
      formatNumber(unitBytes),
      formatNumber(trampolines.length),
    ],
    ...[formatNumber(reverted.length), formatSize(bytes), escapeControls(object)],
  ]);
  const right = { align: "right" } as const;
  const columns = [
    { header: "VERSION" },
    { header: "UNITS", ...right },
    { header: "BYTES", ...right },
    { header: "TRAMPOLINES", ...right },
    { header: "REVERTED", ...right },
    { header: "SIZE", ...right },
    { header: "OBJECT" },
  ];
  for (const line of formatTable(columns, rows, output.paint.bold)) await output.line(line);
  const order = pieces.toReversed().map(({ object }) => escapeControls(object));
  await output.line(`in ${escapeControls(directory)}; link in this order: ${order.join(" ")}`);
}

export const run: Handler<"lib delta"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent, loadStore } = context;
  const [name, ...files] = operands as [string, ...string[]];
  const { from, to, "no-slots": noSlots } = options;
  if (from === undefined || to === undefined)
    throw new TenonError("usage", "'tenon lib delta' needs --from and --to");
  const chain = { from: from.split(","), to };
  const directory = options.output ?? `${name.replaceAll("/", "-")}.delta`;
  const settings = { signal, onEvent, trampolines: !noSlots };
  const { deltaVersions, fileVersions } = await loadStore();
  const result =
    files.length > 0
      ? await deltaVersions(name, fileVersions(files, settings), chain, directory, settings)
      : await withRepository(context, (repository) =>
          repository.deltaLibrary(name, chain, directory, settings),
        );
  if (globals.json) await output.json(result);
  else if (!globals.quiet) await report(result, output);
  return EXIT.ok;
};
