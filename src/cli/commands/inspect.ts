/** `tenon inspect` */
import { existsSync } from "node:fs";
import { isTenonError } from "../../errors/index.ts";
import type { InspectReport } from "../../store/index.ts";
import { type Context, type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { inspectLines } from "../inspect-lines.ts";

const PREFIX = "ref:";

async function inspectPath(path: string, alone: boolean, context: Context): Promise<InspectReport> {
  const { signal, onEvent } = context;
  if (!alone) {
    try {
      return await withRepository(context, (repository) => repository.inspectFile(path, { signal, onEvent }));
    } catch (error) {
      if (!isTenonError(error, "no-repository")) throw error;
    }
  }
  return (await context.loadStore()).inspectAlone(path, { signal, onEvent });
}

export const run: Handler<"inspect"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent } = context;
  const file = operands[0]!;
  const report =
    !file.startsWith(PREFIX) && existsSync(file)
      ? await inspectPath(file, options.alone, context)
      : await withRepository(context, (repository) =>
          repository.inspect(file.startsWith(PREFIX) ? file.slice(PREFIX.length) : file, {
            signal,
            onEvent,
            platform: options.platform,
          }),
        );
  if (globals.json) await output.json(report);
  else for (const line of inspectLines(report, globals.verbose, output.paint.bold)) await output.line(line);
  return EXIT.ok;
};
