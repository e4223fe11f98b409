/** `tenon init` */
import { TenonError } from "../../errors/index.ts";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"init"> = async (
  { operands: [directory], options, globals, given },
  { output, location, signal, onEvent, loadStore },
) => {
  if (directory === "") throw new TenonError("usage", "the directory's name is empty");
  if (directory !== undefined && given.has("repo"))
    throw new TenonError("usage", "name the repository once: as DIR or with --repo");
  const { Repository } = await loadStore();
  const repository = await Repository.init(directory ?? location, {
    signal,
    onEvent,
    ...(options.compression ? { compression: options.compression } : {}),
    ...(options["chunk-mean"] === undefined ? {} : { chunkMeanBytes: options["chunk-mean"] }),
  });
  await repository.close();
  if (globals.json) await output.json({ location: repository.location });
  else if (!globals.quiet) {
    await output.line(`made an empty repository in ${escapeControls(repository.location)}`);
    if (directory !== undefined)
      await output.line("other commands find it by --repo, or by TENON_REPO in the environment");
  }
  return EXIT.ok;
};
