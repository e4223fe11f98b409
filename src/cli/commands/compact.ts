/** `tenon compact` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { formatShare, formatSize } from "../text.ts";
import { formatCollection } from "./gc.ts";

export const run: Handler<"compact"> = ({ options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const dryRun = options["dry-run"];
    const result = await repository.compact({
      signal,
      onEvent,
      dryRun,
      ...(options.grace === undefined ? {} : { graceMs: options.grace }),
      ...(options.compression ? { compression: options.compression } : {}),
    });
    if (globals.json) await output.json(result);
    else if (!globals.quiet) {
      for (const line of formatCollection(result, dryRun)) await output.line(line);
      // How much smaller what remains would be, nobody knows before it is compressed.
      if (dryRun) return EXIT.ok;
      const share = result.beforeBytes > 0 ? ` (${formatShare(result.afterBytes / result.beforeBytes)})` : "";
      await output.line(`${formatSize(result.beforeBytes)} to ${formatSize(result.afterBytes)}${share}`);
    }
    return EXIT.ok;
  });
