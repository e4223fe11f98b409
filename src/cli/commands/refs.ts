/** The hidden command that completion scripts call: refs, one per line; silent on every failure. */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls } from "../text.ts";

export const run: Handler<"__refs"> = async (_invocation, context) => {
  const { output, signal } = context;
  try {
    await withRepository(context, async (repository) => {
      for await (const entry of repository.list(undefined, { signal })) {
        if (entry.type === "ref" && entry.state.root) await output.line(escapeControls(entry.ref));
      }
    });
  } catch {
    return EXIT.failure;
  }
  return EXIT.ok;
};
