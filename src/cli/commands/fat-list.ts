/** `tenon fat list` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { flavourLines } from "../fat-lines.ts";

export const run: Handler<"fat list"> = async (
  { operands: [file], globals },
  { output, loadStore, signal },
) => {
  const { fat } = await loadStore();
  const info = await fat.list(file!, { signal });
  if (globals.json) await output.json(info);
  else for (const line of flavourLines(info.flavours, output, globals.verbose)) await output.line(line);
  return EXIT.ok;
};
