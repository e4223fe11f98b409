/** A report of `tenon inspect` as lines for people. */
import type { ContainerReport, ElfReport, ExecutableReport, InspectReport } from "../store/index.ts";
import {
  abridge,
  type Column,
  escapeControls,
  formatCount,
  formatNumber,
  formatShare,
  formatSize,
  formatTable,
} from "./text.ts";

type Heading = (text: string) => string;

const right = (header: string): Column => ({ header, align: "right" });
const share = (part: number, whole: number) => (whole === 0 ? "-" : formatShare(part / whole));

export function inspectLines(report: InspectReport, verbose: boolean, heading: Heading): string[] {
  const { name, digest, size, isStored, representation, declined, elf, executable, container } = report;
  const lines = [
    heading(escapeControls(name)),
    `  ${formatSize(size)} (${formatNumber(size)} bytes), sha256 ${digest}`,
    `  ${isStored ? "kept" : "would be kept"} as ${escapeControls(representation)}`,
  ];
  for (const { representation: other, reason } of declined) {
    lines.push(`  not as ${escapeControls(other)}: ${escapeControls(reason)}`);
  }
  if (elf !== undefined) lines.push(...elfLines(elf));
  if (executable !== undefined) lines.push("", ...executableLines(executable, heading));
  if (container !== undefined) lines.push("", ...containerLines(container, verbose, heading));
  lines.push("", ...streamLines(report, heading));
  return lines;
}

function elfLines(elf: ElfReport): string[] {
  const first = [
    "ELF",
    ...(elf.bits === undefined ? [] : [`${elf.bits}-bit`]),
    elf.machine,
    ...(elf.type === undefined ? [] : [elf.type]),
  ];
  const lines = [`  ${first.join(" ")}`];
  if (elf.unsupported !== undefined) lines.push(`  not taken apart: ${escapeControls(elf.unsupported)}`);
  const fact = (name: string, text: string | undefined) => {
    if (text !== undefined && text !== "") lines.push(`  ${name}: ${escapeControls(text)}`);
  };
  fact("language", elf.languages?.join(", "));
  fact("compiler", elf.comments?.join("; "));
  fact("Go", elf.goVersion);
  fact("linker", elf.linker);
  fact("build-id", elf.buildId);
  fact("debug link", elf.debugLink);
  fact("interpreter", elf.interpreter);
  fact("needs", elf.needed?.join(" "));
  if (elf.functions !== undefined) {
    const { segments = 0, sections = 0, functions } = elf;
    fact(
      "tables",
      `${formatCount(segments, "segment")}, ${sections === 0 ? "no section headers" : formatCount(sections, "section")}, ${formatCount(functions, "known function")}`,
    );
  }
  if (elf.debugBytes) {
    const { debugBytes, compressedDebugBytes = 0 } = elf;
    const compressed =
      compressedDebugBytes > 0 ? `, ${formatSize(compressedDebugBytes)} of it compressed` : "";
    fact("debug information", formatSize(debugBytes) + compressed);
  }
  for (const problem of elf.problems ?? []) fact("problem", problem);
  return lines;
}

function executableLines(report: ExecutableReport, heading: Heading): string[] {
  const { pieces, references, derived, bases, depth } = report;
  const lines: string[] = [];
  if (bases.length === 0) lines.push("coded by itself");
  for (const { digest, refs } of bases) {
    lines.push(`coded by ${refs.length > 0 ? refs.map(escapeControls).join(", ") : digest}`);
  }
  if (depth > 1) lines.push(`which needs ${formatCount(depth, "executable")} one after the other`);
  lines.push(
    "",
    ...formatTable(
      [
        { header: "PIECES" },
        right("COUNT"),
        right("BYTES"),
        right("COPIED"),
        right("CHANGED"),
        right("NEW"),
        right("NEW BYTES"),
      ],
      pieces.map((piece) => [
        piece.kind,
        formatNumber(piece.count),
        formatSize(piece.bytes),
        formatNumber(piece.copied),
        formatNumber(piece.changed),
        formatNumber(piece.fresh),
        formatSize(piece.freshBytes),
      ]),
      heading,
    ),
    "",
    ...formatTable(
      [{ header: "REFERENCES" }, right("COUNT"), right("PREDICTED"), right(""), right("TOLD")],
      [
        ...references.groups,
        { ...references, group: "all", told: references.missed + references.explicit },
      ].map(({ group, count, predicted, told }) => [
        group,
        formatNumber(count),
        formatNumber(predicted),
        share(predicted, count),
        formatNumber(told),
      ]),
      heading,
    ),
    `of those told, ${formatNumber(references.missed)} were predicted wrongly and ${formatNumber(references.explicit)} not at all`,
    `by kind: ${references.kinds.map(({ kind, count }) => `${kind} ${formatNumber(count)}`).join(", ")}`,
    `${formatSize(references.listBytes)} list references that are not found by decoding instructions`,
  );
  if (derived.length > 0) {
    lines.push(
      "",
      ...formatTable(
        [{ header: "DERIVED TABLES" }, right("RUNS"), right("BYTES"), right("EXCEPTIONS")],
        derived.map(({ kind, count, bytes, exceptionBytes }) => [
          kind,
          formatNumber(count),
          formatSize(bytes),
          exceptionBytes === 0 ? "none" : formatSize(exceptionBytes),
        ]),
        heading,
      ),
    );
  }
  return lines;
}

function containerLines(report: ContainerReport, verbose: boolean, heading: Heading): string[] {
  const { files, fileBytes, representations, largest } = report;
  const rows = largest.map(({ size, representation, digest, name }) => [
    formatSize(size),
    representation,
    digest.slice(0, verbose ? 64 : 12),
    escapeControls(name ?? ""),
  ]);
  return [
    `holds ${formatCount(files, "different file")} of ${formatSize(fileBytes)}`,
    "",
    ...formatTable(
      [{ header: "KEPT AS" }, right("BLOBS"), right("BYTES")],
      representations.map(({ name, blobs, bytes }) => [name, formatNumber(blobs), formatSize(bytes)]),
      heading,
    ),
    "",
    heading("LARGEST"),
    ...abridge(formatTable([right(""), { header: "" }, { header: "" }, { header: "" }], rows), {
      all: verbose,
      indent: "",
    }),
  ];
}

/** `executableCode` is code to whoever reads of executables. */
function streamTitle(stream: string): string {
  const plain = stream.replace(/^executable(?=[A-Z])/, "");
  return plain === stream ? stream : plain[0]!.toLowerCase() + plain.slice(1);
}

function streamLines({ streams, rawBytes, storedBytes, size }: InspectReport, heading: Heading): string[] {
  return [
    ...formatTable(
      [{ header: "STORED BYTES" }, right("RAW"), right("COMPRESSED"), right("OF FILE")],
      [
        ...streams.map(({ stream, rawBytes: raw, storedBytes: stored }) => [
          streamTitle(stream),
          formatSize(raw),
          formatSize(stored),
          share(stored, size),
        ]),
        ["all", formatSize(rawBytes), formatSize(storedBytes), share(storedBytes, size)],
      ],
      heading,
    ),
  ];
}
