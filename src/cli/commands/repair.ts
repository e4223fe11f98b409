/** `tenon repair` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { abridge, escapeControls, formatCount } from "../text.ts";

export const run: Handler<"repair"> = async (
  { globals },
  { output, location, jobs, signal, onEvent, loadStore },
) => {
  const { Repository } = await loadStore();
  const result = await Repository.repair(location, { signal, onEvent, jobs });
  if (globals.json) await output.json(result);
  else {
    for (const { ref, lost } of result.refsChanged) {
      await output.line(`${escapeControls(ref)}  lost ${formatCount(lost.length, "entry", "entries")}`);
      const paths = abridge(lost.map(escapeControls), { all: globals.verbose, indent: "  " });
      for (const line of paths) await output.line(line);
    }
    const blobs = result.lostBlobs.map((blob) => `lost blob  ${blob}`);
    for (const line of abridge(blobs, { all: globals.verbose, indent: "" })) await output.line(line);
    if (!globals.quiet) {
      const done = [
        ...(result.restored ? [`${result.restored} made again`] : []),
        ...(result.rebuiltIndex ? ["index made again"] : []),
        `${formatCount(result.packsRewritten, "pack")} rewritten`,
        `${result.packsDropped} dropped`,
        `${formatCount(result.lostBlobs.length, "blob")} lost`,
      ];
      await output.line(done.join(", "));
    }
  }
  return result.lostBlobs.length > 0 || result.refsChanged.length > 0 ? EXIT.partial : EXIT.ok;
};
