/** `tenon lib add` */
import { author } from "../author.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatCount, formatNumber, formatSize } from "../text.ts";

export const run: Handler<"lib add"> = ({ operands: [ref, ...files], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent, env } = context;
    const result = await repository.addLibrary(ref!, files, {
      signal,
      onEvent,
      ...author(env, options.message),
    });
    if (globals.json) await output.json(result);
    else if (!globals.quiet) {
      const { machine, objects, functions, units, unitBytes, newUnits, newUnitBytes, comparedWith } = result;
      await output.line(
        `stored ${escapeControls(result.ref)}: ${machine}, ${formatCount(objects, "object")}, ${formatCount(functions, "function")}, ${formatSize(result.size)}, new ${formatSize(result.storedBytes)}`,
      );
      const others =
        comparedWith.length === 0 ? "" : `, beside ${formatCount(comparedWith.length, "version")}`;
      await output.line(
        `${formatCount(units, "unit")} of ${formatSize(unitBytes)}; ${formatNumber(newUnits)} new, ${formatSize(newUnitBytes)}${others}`,
      );
    }
    return EXIT.ok;
  });
