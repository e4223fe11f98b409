/** `tenon stats` */
import type { Stats } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatCount, formatNumber, formatShare, formatSize, formatTable } from "../text.ts";

function formatStats(stats: Stats, heading: (text: string) => string): string[] {
  const { storedByPart: parts } = stats;
  const facts: [string, string, string][] = [
    [
      "logical",
      formatSize(stats.logicalBytes),
      `${formatCount(stats.files, "file")} reached by ${formatCount(stats.refs, "ref")}`,
    ],
    [
      "stored",
      formatSize(stats.storedBytes),
      stats.ratio === null ? "" : `${formatShare(stats.ratio)} of logical`,
    ],
    ["  packs", formatSize(parts.packs), formatCount(stats.packs, "pack")],
    ["  pack directories", formatSize(parts.packDirectories), ""],
    ["  index", formatSize(parts.index), ""],
    ["  refs", formatSize(parts.refs), ""],
    ["  other", formatSize(parts.other), ""],
    ["blobs", formatNumber(stats.blobs), ""],
    ["atoms", formatNumber(stats.atoms), `in ${formatCount(stats.segments, "segment")}`],
  ];
  const lines = formatTable([{ header: "" }, { header: "", align: "right" }, { header: "" }], facts);
  if (stats.streams.length > 0) {
    const columns = [
      { header: "STREAM" },
      ...["SEGMENTS", "ATOMS", "RAW", "STORED", "SHARE"].map((header) => ({
        header,
        align: "right" as const,
      })),
    ];
    const rows = stats.streams.map((stream) => [
      escapeControls(stream.kind),
      formatNumber(stream.segments),
      formatNumber(stream.atoms),
      formatSize(stream.rawBytes),
      formatSize(stream.storedBytes),
      stream.rawBytes > 0 ? formatShare(stream.storedBytes / stream.rawBytes) : "-",
    ]);
    lines.push("", ...formatTable(columns, rows, heading));
  }
  if (stats.representations.length > 0) {
    const columns = [
      { header: "KEPT AS" },
      { header: "BLOBS", align: "right" as const },
      { header: "SIZE", align: "right" as const },
    ];
    const rows = stats.representations.map((kept) => [
      escapeControls(kept.name),
      formatNumber(kept.blobs),
      formatSize(kept.bytes),
    ]);
    lines.push("", ...formatTable(columns, rows, heading));
  }
  return lines;
}

export const run: Handler<"stats"> = ({ globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const stats = await repository.stats({ signal, onEvent });
    if (globals.json) await output.json(stats);
    else for (const line of formatStats(stats, output.paint.bold)) await output.line(line);
    return EXIT.ok;
  });
