/** `tenon tag` */

import { author } from "../author.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { formatState } from "../state.ts";

export const run: Handler<"tag"> = ({ operands: [source, ref], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent, env } = context;
    const state = await repository.tag(source!, ref!, { signal, onEvent, ...author(env, options.message) });
    if (globals.json) await output.json(state);
    else if (!globals.quiet) await output.line(formatState(state));
    return EXIT.ok;
  });
