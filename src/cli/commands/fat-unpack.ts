/** `tenon fat unpack` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"fat unpack"> = async (
  { operands: [file], options, globals },
  { output, loadStore, signal },
) => {
  const { fat } = await loadStore();
  const { overwrite, flavour } = options;
  const directory = options.output ?? `${file!}.flavours`;
  const result = await fat.unpack(file!, directory, {
    overwrite,
    signal,
    ...(flavour === undefined ? {} : { flavour }),
  });
  if (globals.json) await output.json(result);
  else if (!globals.quiet)
    for (const { path, digest } of result.files) await output.line(`${digest}  ${escapeControls(path)}`);
  return EXIT.ok;
};
