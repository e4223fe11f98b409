/** `tenon probe` */
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { probeLines } from "../probe-lines.ts";
import { reportFile } from "../report-file.ts";

export const run: Handler<"probe"> = async ({ operands, options, globals }, context) => {
  const { output, signal, onEvent } = context;
  await using page = await reportFile(options.html);
  const { probe, reportPage } = await import("../../probe/index.ts");
  const report = await probe(operands, {
    signal,
    recompress: !options["no-recompress"],
    onProgress: (progress) => onEvent({ type: "progress", operation: "probe", ...progress }),
    onProblem: ({ code, path, reason }) =>
      onEvent({ type: "problem", operation: "probe", code, path, message: reason }),
  });
  await page?.write(Buffer.from(reportPage(report)));
  await page?.commit();
  if (globals.json) await output.json(report);
  else if (!globals.quiet) {
    for (const line of probeLines(report, output.paint.bold)) await output.line(line);
  }
  return report.problems.length > 0 ? EXIT.partial : EXIT.ok;
};
