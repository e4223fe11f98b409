/** `tenon probe` */
import { accessSync, constants, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { probeLines } from "../probe-lines.ts";

export const run: Handler<"probe"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent } = context;
  // Measuring may take long: where the page can't be written is better known before.
  if (options.html !== undefined) accessSync(dirname(options.html), constants.W_OK);
  const { probe, reportPage } = await import("../../probe/index.ts");
  const report = await probe(operands, {
    signal,
    recompress: !options["no-recompress"],
    onProgress: (progress) => onEvent({ type: "progress", operation: "probe", ...progress }),
    onProblem: ({ code, path, reason }) =>
      onEvent({ type: "problem", operation: "probe", code, path, message: reason }),
  });
  if (options.html !== undefined) writeFileSync(options.html, reportPage(report));
  if (globals.json) await output.json(report);
  else if (!globals.quiet) {
    for (const line of probeLines(report, output.paint.bold)) await output.line(line);
  }
  return report.problems.length > 0 ? EXIT.partial : EXIT.ok;
};
