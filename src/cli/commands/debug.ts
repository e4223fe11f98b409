/** `tenon debug` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { digestFormat } from "../state.ts";
import { escapeControls, formatSize } from "../text.ts";

export const run: Handler<"debug"> = ({ operands: [spec], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const report = await repository.debug(spec!, {
      signal,
      onEvent,
      output: options.output,
      overwrite: options.overwrite,
      platform: options.platform,
    });
    const { role, matches, buildId, debugLink, hasDebugInformation } = report;
    const found = matches.length > 0;
    if (globals.json) {
      await output.json(report);
      return found ? EXIT.ok : EXIT.failure;
    }
    const digest = digestFormat({ whole: globals.verbose || !output.stdout.isTerminal });
    const wanted = role === "code" ? "debug file" : "executable";
    for (const match of matches) {
      const where = match.places.length > 0 ? match.places : ["within an archive"];
      const facts = `${formatSize(match.size)}  ${digest(match.digest)}  by ${match.by}`;
      for (const place of where) await output.line(`${escapeControls(place)}  ${wanted}  ${facts}`);
    }
    if (!globals.quiet && buildId !== undefined) await output.line(`build-id ${buildId}`);
    if (!globals.quiet && role === "code" && hasDebugInformation)
      await output.line("it has debug information of its own");
    if (report.output !== undefined && !globals.quiet) {
      await output.line(`restored ${escapeControls(report.output)}: ${formatSize(matches[0]!.size)}`);
    }
    if (!found) {
      const by =
        buildId === undefined ? `debug link ${escapeControls(debugLink ?? "")}` : `build-id ${buildId}`;
      output.note(`tenon: the repository has no ${wanted} for ${escapeControls(report.spec)}, ${by}`);
    }
    return found ? EXIT.ok : EXIT.failure;
  });
