/** A report of shared pages as lines for people. */
import type { PageSizeReport, ShareReport } from "../store/index.ts";
import { escapeControls, formatCount, formatNumber, formatShare, formatSize, formatTable } from "./text.ts";

const right = (header: string) => ({ header, align: "right" }) as const;

const COLUMNS = [
  { header: "IMAGE" },
  right("PAGES"),
  right("ZERO"),
  right("SHARED"),
  right("AT ADDRESS"),
  right("ELSEWHERE"),
  right("WITHIN"),
  right("UNIQUE"),
];

const NEIGHBOUR_COLUMNS = [
  { header: "FROM ONE IMAGE TO THE NEXT" },
  right("NOT ZERO"),
  right("AT ADDRESS"),
  { header: "" },
  right("ANYWHERE"),
  { header: "" },
];

/** Shares of nothing are not shown. */
const share = (part: number, whole: number) => (whole === 0 ? "" : formatShare(part / whole));

function sizeLines(report: ShareReport, pages: PageSizeReport, heading: (text: string) => string): string[] {
  const { pageBytes, total, images, neighbours } = pages;
  const name = (index: number) => escapeControls(report.images[index]!.path);
  const rows = images.map((counts, index) => {
    const { sharedSameAddress, sharedOtherAddress, sharedWithin } = counts;
    const shared = sharedSameAddress + sharedOtherAddress + sharedWithin;
    const numbers = [counts.pages, counts.zero, shared, sharedSameAddress, sharedOtherAddress, sharedWithin];
    return [name(index), ...[...numbers, counts.unique].map(formatNumber)];
  });
  const lines = [`pages of ${formatSize(pageBytes)}`, ...formatTable(COLUMNS, rows, heading)];
  const { pages: all, zero, distinct, distinctAtAddress, inAll, inSome, inOne } = total;
  lines.push(
    `together ${formatCount(all, "page")}, ${formatNumber(zero)} zero; of ${formatNumber(all - zero)} others ${formatNumber(distinct)} differ (${share(distinct, all - zero) || "0"}): ${formatNumber(inAll)} in all images, ${formatNumber(inSome)} in several, ${formatNumber(inOne)} in one`,
    `if only equal pages at equal addresses count as one: ${formatNumber(distinctAtAddress)}`,
  );
  if (neighbours.length > 0) {
    const rows = neighbours.map(({ from, pages: count, zero, sameAddress, sameContent }) => {
      const filled = count - zero;
      return [
        `${name(from)} → ${name(from + 1)}`,
        formatNumber(filled),
        formatNumber(sameAddress),
        share(sameAddress, filled),
        formatNumber(sameContent),
        share(sameContent, filled),
      ];
    });
    lines.push("", ...formatTable(NEIGHBOUR_COLUMNS, rows, heading));
  }
  return lines;
}

/** The whole report; `heading` emphasises the heads of tables. */
export function shareLines(report: ShareReport, heading = (text: string) => text): string[] {
  const lines = report.pageSizes.flatMap((pages) => [...sizeLines(report, pages, heading), ""]);
  const { pages, bytes, zstdBytes, mapBytes } = report.pool;
  const fileBytes = report.images.reduce((sum, image) => sum + image.fileBytes, 0);
  lines.push(
    `pool: ${formatCount(pages, "page")}, ${formatSize(bytes)}, ${formatSize(zstdBytes)} compressed; its map ${formatSize(mapBytes)}; the files have ${formatSize(fileBytes)}`,
  );
  for (const { path, kind, reason } of report.images) {
    if (reason === undefined) continue;
    const what = kind === "raw" ? "taken for memory as it is: " : "";
    lines.push(`${escapeControls(path)}: ${what}${reason}`);
  }
  return lines;
}
