/** `tenon lib list` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatNumber, formatSize, formatTable } from "../text.ts";

export const run: Handler<"lib list"> = ({ operands: [name], globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const versions = await repository.listLibraries(name, { signal, onEvent });
    if (globals.json) {
      for (const version of versions) await output.json(version);
      return EXIT.ok;
    }
    const columns = [
      { header: "LIBRARY" },
      { header: "MACHINE" },
      { header: "OBJECTS", align: "right" as const },
      { header: "FUNCTIONS", align: "right" as const },
      { header: "UNITS", align: "right" as const },
      { header: "SIZE", align: "right" as const },
      { header: "STORED" },
    ];
    const rows = versions.map(({ ref, machine, objects, functions, units, size, when }) => [
      escapeControls(ref),
      machine,
      formatNumber(objects),
      formatNumber(functions),
      formatNumber(units),
      formatSize(size),
      when.slice(0, 10),
    ]);
    if (rows.length > 0)
      for (const line of formatTable(columns, rows, output.paint.bold)) await output.line(line);
    return EXIT.ok;
  });
