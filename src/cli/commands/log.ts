/** `tenon log` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { digestFormat, formatContent, formatWhen, stateName } from "../state.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"log"> = ({ operands: [spec], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const digest = digestFormat({ whole: globals.verbose || !output.stdout.isTerminal });
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    let shown = 0;
    for await (const state of repository.log(spec, { signal, onEvent })) {
      if (globals.json) await output.json(state);
      else {
        const content = state.root ? `${digest(state.root.digest)}  ${formatContent(state.root)}` : "removed";
        const facts = [
          output.paint.bold(stateName(state)),
          formatWhen(state.when),
          escapeControls(state.who),
          content,
        ];
        await output.line([...facts, escapeControls(state.what)].join("  ").trimEnd());
      }
      shown++;
      if (shown >= limit) break;
    }
    return EXIT.ok;
  });
