/** `tenon get` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatCount, formatSize } from "../text.ts";

export const run: Handler<"get"> = ({ operands: [spec], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    if (options.output === "-") {
      for await (const bytes of repository.cat(spec!, { signal, onEvent })) await output.bytes(bytes);
      return EXIT.ok;
    }
    let isDamaged = false;
    const result = await repository.get(spec!, {
      signal,
      onEvent(event) {
        isDamaged ||= event.type === "problem" && event.code === "damaged";
        onEvent(event);
      },
      overwrite: options.overwrite,
      sparse: options.sparse,
      keepSetid: options["keep-setid"],
      ...(options.output === undefined ? {} : { output: options.output }),
    });
    if (globals.json) await output.json(result);
    else if (!globals.quiet) {
      await output.line(
        `restored ${escapeControls(result.output)}: ${formatCount(result.files, "file")}, ${formatSize(result.bytes)}`,
      );
      await output.line(`${result.root.type} ${result.root.digest}`);
    }
    if (isDamaged) return EXIT.damaged;
    return result.problems > 0 ? EXIT.partial : EXIT.ok;
  });
