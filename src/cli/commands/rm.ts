/** `tenon rm` */
import { TenonError } from "../../errors/index.ts";
import type { RefState } from "../../store/index.ts";
import { author } from "../author.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { stateName } from "../state.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"rm"> = ({ operands, options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent, env } = context;
    const removed: RefState[] = [];
    let problems = 0;
    for (const ref of operands) {
      try {
        const how = { signal, onEvent, history: options.history, ...author(env, options.message) };
        const state = await repository.remove(ref, how);
        removed.push(state);
        if (globals.json || globals.quiet) continue;
        const what = options.history ? "history forgotten" : "removed";
        await output.line(`${options.history ? stateName(state) : escapeControls(state.ref)}  ${what}`);
      } catch (error) {
        // One that isn't there doesn't keep the others; alone it is the failure.
        if (!(error instanceof TenonError) || error.code !== "not-found" || operands.length === 1)
          throw error;
        onEvent({ type: "problem", operation: "rm", code: error.code, message: error.message, ref });
        problems++;
      }
    }
    if (globals.json) await output.json({ removed, problems });
    return problems > 0 ? EXIT.partial : EXIT.ok;
  });
