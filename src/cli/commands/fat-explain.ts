/** `tenon fat explain` */
import { TenonError } from "../../errors/index.ts";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"fat explain"> = async (
  { operands: [file], options, globals },
  { output, loadStore, signal },
) => {
  if (options.cpu !== undefined && options.features !== undefined)
    throw new TenonError("usage", "--cpu and --features can't be given together");
  const { fat } = await loadStore();
  const features = options.features ?? (options.cpu === "host" ? undefined : options.cpu);
  const explanation = await fat.explain(file!, features === undefined ? "host" : { features }, { signal });
  if (globals.json) {
    await output.json(explanation);
    return EXIT.ok;
  }
  const { machine, cpu, verdicts } = explanation;
  if (!globals.quiet)
    await output.line(`${machine} with ${cpu.length === 0 ? "no features" : cpu.join(" ")}`);
  for (const { number, name, isChosen, why } of verdicts)
    await output.line(`${number} ${escapeControls(name)}: ${isChosen ? "chosen" : "not chosen"}, ${why}`);
  if (!verdicts.some(({ isChosen }) => isChosen))
    await output.line("no flavour fits: the program ends with 127");
  return EXIT.ok;
};
