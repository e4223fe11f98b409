/** `tenon ls` */
import type { ListEntry } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { digestFormat, formatContent, formatEntry, formatPath, formatWhen } from "../state.ts";
import { escapeControls, formatTable } from "../text.ts";

type RefEntry = Extract<ListEntry, { type: "ref" }>;

const REF_COLUMNS = [{ header: "" }, { header: "" }, { header: "" }, { header: "" }] as const;

export const run: Handler<"ls"> = ({ operands: [spec], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const digest = digestFormat({ whole: globals.verbose || !output.stdout.isTerminal });
    const refs: RefEntry[] = [];
    const { recursive, platform } = options;
    for await (const entry of repository.list(spec, { signal, onEvent, recursive, platform })) {
      if (globals.json) await output.json(entry);
      else if (entry.type === "ref") {
        // Refs are few, so the long list can wait and be aligned.
        if (options.long) refs.push(entry);
        else await output.line(escapeControls(entry.ref));
      } else await output.line(options.long ? formatEntry(entry, digest) : formatPath(entry));
    }
    const rows = refs.map(({ ref, state }) =>
      state.root
        ? [escapeControls(ref), digest(state.root.digest), formatWhen(state.when), formatContent(state.root)]
        : [escapeControls(ref), "removed", formatWhen(state.when), ""],
    );
    for (const line of formatTable(REF_COLUMNS, rows)) await output.line(line);
    return EXIT.ok;
  });
