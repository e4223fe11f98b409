/** `tenon lib share` */
import { accessSync, constants, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { shareLines } from "../share-lines.ts";

export const run: Handler<"lib share"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent, loadStore } = context;
  // Reading may take long: where the map can't be written is better known before.
  if (options.svg !== undefined) accessSync(dirname(options.svg), constants.W_OK);
  const { shareImages } = await loadStore();
  const { report, pageMap } = await shareImages(operands, {
    signal,
    onEvent,
    ...(options.loader !== undefined && { loader: options.loader }),
  });
  if (options.svg !== undefined) writeFileSync(options.svg, pageMap());
  if (globals.json) await output.json(report);
  else if (!globals.quiet) for (const line of shareLines(report, output.paint.bold)) await output.line(line);
  return EXIT.ok;
};
