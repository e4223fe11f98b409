/** `tenon check` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { abridge, escapeControls, formatCount, formatSize } from "../text.ts";

export const run: Handler<"check"> = ({ options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const result = await repository.check({
      signal,
      onEvent,
      readData: options["read-data"],
      rebuildIndex: options["rebuild-index"],
    });
    if (globals.json) await output.json(result);
    else {
      for (const damage of result.damages) {
        const where = damage.file === undefined ? "" : `${escapeControls(damage.file)}: `;
        await output.line(`${output.paint.red("damaged")}  ${where}${escapeControls(damage.what)}`);
        if (damage.refs.length > 0)
          await output.line(`         refs: ${damage.refs.map(escapeControls).join(", ")}`);
        const blobs = damage.blobs.map((blob) => `blob: ${blob}`);
        for (const line of abridge(blobs, { all: globals.verbose, indent: "         " }))
          await output.line(line);
      }
      if (!globals.quiet) {
        for (const note of result.notes) await output.line(`note     ${escapeControls(note)}`);
        const looked = `${formatCount(result.packs, "pack")}, ${formatCount(result.blobs, "blob")}, ${formatSize(result.bytesRead)} read`;
        await output.line(
          `${looked}: ${result.ok ? "no damage" : formatCount(result.damages.length, "damage")}`,
        );
      }
    }
    return result.ok ? EXIT.ok : EXIT.damaged;
  });
