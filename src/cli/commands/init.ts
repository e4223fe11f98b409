/** `tenon init` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"init"> = async (
  { options, globals },
  { output, location, signal, onEvent, loadStore },
) => {
  const { Repository } = await loadStore();
  const repository = await Repository.init(location, {
    signal,
    onEvent,
    ...(options.compression ? { compression: options.compression } : {}),
    ...(options["chunk-mean"] === undefined ? {} : { chunkMeanBytes: options["chunk-mean"] }),
  });
  await repository.close();
  if (globals.json) await output.json({ location: repository.location });
  else if (!globals.quiet)
    await output.line(`made an empty repository in ${escapeControls(repository.location)}`);
  return EXIT.ok;
};
