/** A probe's report as lines for people. */
import type { MethodResult, ProbeReport, Verdict } from "../probe/index.ts";
import { escapeControls, formatCount, formatNumber, formatShare, formatSize, formatTable } from "./text.ts";

const METHOD_COLUMNS = [
  { header: "METHOD" },
  { header: "UNIQUE", align: "right" },
  { header: "SHARE", align: "right" },
  { header: "PIECES", align: "right" },
  { header: "PACKED", align: "right" },
  { header: "ALONE", align: "right" },
  { header: "" },
] as const;

const PLAIN = [
  { header: "" },
  { header: "", align: "right" },
  { header: "", align: "right" },
  { header: "" },
] as const;

function methodRow(method: MethodResult, totalBytes: number): string[] {
  const { name, label, uniqueBytes, uniquePieces, packedBytes, aloneBytes } = method;
  const ofWhat = method.totalBytes === totalBytes ? "" : ` (of ${formatSize(method.totalBytes)})`;
  return [
    name,
    formatSize(uniqueBytes),
    method.totalBytes > 0 ? formatShare(uniqueBytes / method.totalBytes) : "",
    formatNumber(uniquePieces),
    packedBytes === undefined ? "" : formatSize(packedBytes),
    aloneBytes === undefined ? "" : formatSize(aloneBytes),
    label + ofWhat,
  ];
}

/** The answer to the layer probe's question. */
export function verdictLines(verdict: Verdict): string[] {
  const { compressedNowBytes: now, tenonBytes, chunkCdnBytes, tenonExecutablesBytes: apart } = verdict;
  const compare = (what: string, bytes: number) => {
    const less = bytes < now;
    const percent = formatShare(Math.abs(now - bytes) / Math.max(now, 1));
    return `${less ? "yes" : "no"}: ${what} ${formatSize(bytes)}, ${percent} ${less ? "less" : "more"}`;
  };
  return [
    `Would a chunk store hold less than the compressed blobs do now, ${formatSize(now)}?`,
    `  ${compare("chunks recompressed one by one (layer probe's chunker) take", chunkCdnBytes)}`,
    `  ${compare("tenon's chunks in packs take", tenonBytes)}`,
    ...(apart === undefined ? [] : [`  ${compare("with executables taken apart, packs take", apart)}`]),
  ];
}

function list(title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  return ["", title, ...formatTable(PLAIN, rows).map((line) => `  ${line}`)];
}

function sharingLines(report: ProbeReport): string[] {
  const { matrix } = report;
  if (matrix === undefined) return [];
  const pairs: { names: string; bytes: number; share: number }[] = [];
  for (const [i, row] of matrix.bytes.entries()) {
    for (let j = i + 1; j < row.length; j++) {
      if (row[j]! === 0) continue;
      const smaller = Math.min(row[i]!, matrix.bytes[j]![j]!);
      const names = `${escapeControls(matrix.names[i]!)} and ${escapeControls(matrix.names[j]!)}`;
      pairs.push({ names, bytes: row[j]!, share: row[j]! / Math.max(smaller, 1) });
    }
  }
  pairs.sort((a, b) => b.bytes - a.bytes);
  return list(
    "shared between (bytes of tenon's chunks, share of the smaller)",
    pairs.slice(0, 10).map(({ names, bytes, share }) => [names, formatSize(bytes), formatShare(share), ""]),
  );
}

export function probeLines(report: ProbeReport, heading: (text: string) => string): string[] {
  const { totalBytes, storedBytes, layers, files, methods, leftOut, savings, obstacles, executables } =
    report;
  const what =
    layers > 0
      ? `${formatCount(layers, "layer")} with ${formatCount(files, "file")}`
      : formatCount(files, "file");
  const lines = [
    `${formatSize(totalBytes)} in ${what}, stored in ${formatSize(storedBytes)} now`,
    "",
    ...formatTable(
      METHOD_COLUMNS,
      methods.map((method) => methodRow(method, totalBytes)),
      heading,
    ),
  ];
  for (const { name, reason } of leftOut) lines.push(`without ${name}: ${reason}`);
  if (report.verdict) lines.push("", ...verdictLines(report.verdict));
  if (report.layerProbeLines) lines.push("", ...report.layerProbeLines.map(escapeControls));
  lines.push(
    ...sharingLines(report),
    ...list(
      "largest savings",
      savings.map(({ name, savedBytes, places, groups }) => [
        escapeControls(name),
        formatSize(savedBytes),
        formatCount(places, "place"),
        groups.map(escapeControls).join(", "),
      ]),
    ),
    ...list(
      "largest obstacles: bytes found nowhere else",
      obstacles.map(({ name, ownBytes, totalBytes: size, what: kind }) => [
        escapeControls(name),
        formatSize(ownBytes),
        formatShare(ownBytes / size),
        kind,
      ]),
    ),
    ...list(
      "largest executables: functions found in others, near (equal but for addresses), unique",
      executables.map(({ name, totalBytes: size, sharedBytes, nearBytes, uniqueBytes }) => [
        escapeControls(name),
        formatSize(size),
        [sharedBytes, nearBytes, uniqueBytes].map((bytes) => formatShare(bytes / size)).join(" "),
        "",
      ]),
    ),
  );
  return lines;
}
