/** `tenon lib diff` */
import type { LibDiffResult } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { libDiffLines } from "../lib-lines.ts";

export const run: Handler<"lib diff"> = async ({ operands: [first, second, third], globals }, context) => {
  const { output, signal, onEvent, loadStore } = context;
  const options = { signal, onEvent };
  const result: LibDiffResult =
    third === undefined
      ? await (await loadStore()).diffLibraryFiles(first!, second!, options)
      : await withRepository(context, (repository) =>
          repository.diffLibrary(`${first}:${second}`, `${first}:${third}`, options),
        );
  if (globals.json) await output.json(result);
  else
    for (const line of libDiffLines(result, output, { all: globals.verbose, quiet: globals.quiet }))
      await output.line(line);
  return EXIT.ok;
};
