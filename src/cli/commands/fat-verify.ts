/** `tenon fat verify` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatCount } from "../text.ts";

export const run: Handler<"fat verify"> = async (
  { operands: [file], globals },
  { output, loadStore, signal },
) => {
  const { fat } = await loadStore();
  const result = await fat.verify(file!, { signal });
  if (globals.json) await output.json(result);
  else if (!globals.quiet)
    await output.line(`${escapeControls(file!)} is whole: ${formatCount(result.flavours, "flavour")}`);
  return EXIT.ok;
};
