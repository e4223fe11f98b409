/** `tenon lib share` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { reportFile } from "../report-file.ts";
import { shareLines } from "../share-lines.ts";

export const run: Handler<"lib share"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent, loadStore } = context;
  await using map = await reportFile(options.svg);
  const { shareImages } = await loadStore();
  const { report, pageMap } = await shareImages(operands, {
    signal,
    onEvent,
    ...(options.loader !== undefined && { loader: options.loader }),
  });
  await map?.write(Buffer.from(pageMap()));
  await map?.commit();
  if (globals.json) await output.json(report);
  else if (!globals.quiet) for (const line of shareLines(report, output.paint.bold)) await output.line(line);
  return EXIT.ok;
};
