/** `tenon add` */
import { realpathSync } from "node:fs";
import { TenonError } from "../../errors/index.ts";
import type { AddInput, AddOptions } from "../../store/index.ts";
import { AddReport, type ReportedOperand } from "../add-report.ts";
import { author } from "../author.ts";
import { type Context, type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { Invocation } from "../parse.ts";
import { digestFormat } from "../state.ts";

/** Operands that name images; a file of such a name is given as `./oci:name`. */
const IMAGE = /^(?:oci|docker-archive|dir):./s;

/** The operands as the store takes them: `-` becomes standard input under its name. */
function inputsOf(
  { operands, options }: Invocation<"add">,
  standardInput: Context["standardInput"],
): AddInput[] {
  const streams = operands.filter((operand) => operand === "-").length;
  const refuse = (message: string) => new TenonError("usage", message);
  if (streams > 1) throw refuse("standard input ('-') can be stored only once");
  if (streams === 0 && options.name !== undefined)
    throw refuse("--name names standard input, but no operand is '-'");
  if (options.ref !== undefined && options["no-ref"]) throw refuse("--ref and --no-ref exclude each other");
  const name = options.name ?? options.ref?.replace(/:[^:]*$/, "");
  return operands.map((operand) => {
    if (IMAGE.test(operand)) return { image: operand };
    if (operand !== "-") return operand;
    if (!name) throw refuse("standard input needs a name: give --name or --ref");
    return { name, stream: standardInput() };
  });
}

/** How the report knows an input again. */
function reported(input: AddInput): ReportedOperand {
  if (typeof input !== "string") {
    const given = "image" in input ? input.image : input.name;
    return { given, absolute: given };
  }
  try {
    return { given: input, absolute: realpathSync(input) };
  } catch {
    // What isn't there will be the store's error.
    return { given: input, absolute: input };
  }
}

export const run: Handler<"add"> = (invocation, context) => {
  const { options, globals } = invocation;
  const { output, signal, env } = context;
  const inputs = inputsOf(invocation, context.standardInput);
  const report = new AddReport(inputs.map(reported), { together: options.ref !== undefined });
  const addOptions: AddOptions = {
    signal,
    onEvent: (event) => {
      report.observe(event);
      context.onEvent(event);
    },
    noRef: options["no-ref"],
    exclude: options.exclude,
    ...author(env, options.message),
    ...(options.ref === undefined ? {} : { ref: options.ref }),
    ...(options.compression ? { compression: options.compression } : {}),
  };
  return withRepository(context, async (repository) => {
    const result = await repository.add(inputs, addOptions);
    if (globals.json) await output.json(report.json(result));
    else if (!globals.quiet) {
      const digest = digestFormat({ whole: globals.verbose || !output.stdout.isTerminal });
      for (const line of report.lines(result, { digest, heading: output.paint.bold }))
        await output.line(line);
    }
    return result.problems > 0 ? EXIT.partial : EXIT.ok;
  });
};
