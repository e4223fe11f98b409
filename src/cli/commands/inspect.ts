/** `tenon inspect` */
import { existsSync } from "node:fs";
import { isTenonError, TenonError } from "../../errors/index.ts";
import type { InspectReport } from "../../store/index.ts";
import { type Context, type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { inspectLines } from "../inspect-lines.ts";

const PREFIX = "ref:";

async function inspectPath(path: string, alone: boolean, context: Context): Promise<InspectReport> {
  const { signal, onEvent, jobs } = context;
  if (!alone) {
    try {
      return await withRepository(context, (repository) => repository.inspectFile(path, { signal, onEvent }));
    } catch (error) {
      if (!isTenonError(error, "no-repository")) throw error;
    }
  }
  return (await context.loadStore()).inspectAlone(path, { signal, onEvent, jobs });
}

/** What isn't a path: a file of the repository, and perhaps a path that was mistyped. */
async function inspectSpec(
  spec: string,
  platform: string | undefined,
  context: Context,
): Promise<InspectReport> {
  const { signal, onEvent } = context;
  const isSpec = spec.startsWith(PREFIX);
  const named = isSpec ? spec.slice(PREFIX.length) : spec;
  try {
    return await withRepository(context, (repository) =>
      repository.inspect(named, { signal, onEvent, platform }),
    );
  } catch (error) {
    if (isSpec || !(error instanceof TenonError)) throw error;
    // `data.ref` is the spec where it couldn't be read as one.
    const isNoSpec = error.code === "usage" && error.data.ref === named;
    if (!isNoSpec && error.code !== "not-found" && error.code !== "no-repository") throw error;
    const beside = isNoSpec ? "" : `, and as a ref: ${error.message}`;
    throw new TenonError("not-found", `there is no file ${spec}${beside}`, { path: spec }, { cause: error });
  }
}

export const run: Handler<"inspect"> = async ({ operands, options, globals }, context) => {
  const { output } = context;
  const file = operands[0]!;
  const report =
    !file.startsWith(PREFIX) && existsSync(file)
      ? await inspectPath(file, options.alone, context)
      : await inspectSpec(file, options.platform, context);
  if (globals.json) await output.json(report);
  else for (const line of inspectLines(report, globals.verbose, output.paint.bold)) await output.line(line);
  return EXIT.ok;
};
