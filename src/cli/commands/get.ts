/** `tenon get` */
import { TenonError } from "../../errors/index.ts";
import { type Context, type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { formOf } from "../fat-lines.ts";
import type { Invocation } from "../parse.ts";
import type { OpenRepository } from "../store.ts";
import { escapeControls, formatCount, formatSize } from "../text.ts";

/** One program of the flavours that a ref holds: all in a fat file, or the one for a CPU. */
async function getFlavours(
  { operands: [spec], options, globals }: Invocation<"get">,
  { output, signal, onEvent }: Context,
  repository: OpenRepository,
): Promise<typeof EXIT.ok> {
  const { fat, cpu, overwrite, mode, default: defaultFlavour } = options;
  if (fat && cpu !== undefined) throw new TenonError("usage", "--fat and --cpu can't be given together");
  if (options.output === "-")
    throw new TenonError("usage", "flavours are written to files, not to standard output");
  if (!fat && (mode ?? defaultFlavour) !== undefined)
    throw new TenonError("usage", "--mode and --default are for --fat");
  const settings = { overwrite, signal, onEvent };
  if (cpu === undefined) {
    const form = formOf(mode, defaultFlavour);
    const result = await repository.getFat(spec!, options.output, { ...settings, ...form });
    if (globals.json) await output.json(result);
    else if (!globals.quiet)
      await output.line(
        `restored ${escapeControls(result.output)}: ${formatCount(result.flavours.length, "flavour")}, ${formatSize(result.size)}`,
      );
    return EXIT.ok;
  }
  const choice = cpu === "host" ? cpu : { features: cpu };
  const result = await repository.getFlavour(spec!, choice, options.output, settings);
  if (globals.json) await output.json(result);
  else if (!globals.quiet)
    await output.line(
      `restored ${escapeControls(result.output)}: flavour ${escapeControls(result.flavour)}, ${formatSize(result.size)}`,
    );
  return EXIT.ok;
}

/** `oci:DIR` is an image's layout; a file of such a name is given as `./oci:name`. */
function destination(output: string | undefined): { output?: string; layout?: boolean } {
  if (output === undefined) return {};
  return /^oci:./s.test(output) ? { output: output.slice("oci:".length), layout: true } : { output };
}

export const run: Handler<"get"> = (invocation, context) =>
  withRepository(context, async (repository) => {
    const {
      operands: [spec],
      options,
      globals,
    } = invocation;
    const { output, signal, onEvent } = context;
    if (options.fat || (options.cpu ?? options.mode ?? options.default) !== undefined)
      return getFlavours(invocation, context, repository);
    if (options.output === "-") {
      for await (const bytes of repository.cat(spec!, { signal, onEvent, platform: options.platform }))
        await output.bytes(bytes);
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
      platform: options.platform,
      ...destination(options.output),
    });
    if (globals.json) await output.json(result);
    else if (!globals.quiet) {
      await output.line(
        `restored ${escapeControls(result.output)}: ${formatCount(result.files, "file")}, ${formatSize(result.bytes)}`,
      );
      const { digest, root } = result;
      await output.line(digest === undefined ? `${root.type} ${root.digest}` : `file ${digest}`);
    }
    if (isDamaged) return EXIT.damaged;
    return result.problems > 0 ? EXIT.partial : EXIT.ok;
  });
