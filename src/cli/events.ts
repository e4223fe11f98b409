/** Renderers of the store's events: text for people, JSON lines for programs. */
import type { StoreEvent } from "../store/index.ts";
import type { Output } from "./output.ts";
import { ProgressLine, REDRAW_MS } from "./progress.ts";
import { escapeControls, formatSize } from "./text.ts";

export type EventListener = (event: StoreEvent) => void;

export interface RendererOptions {
  readonly output: Output;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly showProgress: boolean;
  /** Milliseconds. */
  readonly now: () => number;
}

type ItemEvent = Extract<StoreEvent, { type: "item" }>;

/** `bin/esbuild: 10.2 MiB, 3.1 MiB new, chunks; not executable: no sections` */
export function formatItem(item: ItemEvent): string {
  const facts = item.kind === "file" ? [formatSize(item.size)] : [item.kind];
  if (item.known) facts.push("known");
  else if (item.storedBytes !== undefined) facts.push(`${formatSize(item.storedBytes)} new`);
  if (item.representation) facts.push(escapeControls(item.representation));
  const declined = (item.declined ?? []).map(
    ({ representation, reason }) => `; not ${representation}: ${reason}`,
  );
  return `${escapeControls(item.path)}: ${facts.join(", ")}${escapeControls(declined.join(""))}`;
}

/** The renderer that the global options ask for. */
export function eventRenderer(options: RendererOptions): EventListener {
  return options.json ? jsonRenderer(options) : textRenderer(options);
}

function textRenderer({ output, quiet, verbose, showProgress, now }: RendererOptions): EventListener {
  const progress = showProgress && !quiet ? new ProgressLine(now) : undefined;
  return (event) => {
    switch (event.type) {
      case "progress": {
        const line = progress?.next(event, output.stderr.columns());
        if (line !== undefined) output.status(escapeControls(line));
        return;
      }
      case "item":
        if (verbose && !quiet) output.note(formatItem(event));
        return;
      case "problem": {
        const about = event.path ?? event.ref;
        // The message may name the path already.
        const named =
          about !== undefined && !event.message.includes(about)
            ? `${about}: ${event.message}`
            : event.message;
        output.note(`${output.notePaint.yellow("tenon: problem:")} ${escapeControls(named)}`);
      }
    }
  };
}

function jsonRenderer({ output, quiet, showProgress, now }: RendererOptions): EventListener {
  let writtenMs = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (event.type === "progress") {
      if (quiet || !showProgress || now() - writtenMs < REDRAW_MS) return;
      writtenMs = now();
    }
    if (event.type === "item" && quiet) return;
    output.note(JSON.stringify(event));
  };
}
