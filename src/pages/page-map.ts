/**
 * Images as a picture: an SVG file that needs nothing else, with a block of rows for each image and a cell for each page.
 *
 * Rows begin at multiples of their size, so that one column is one address in all images; rows without mapped pages are
 * left out. What colours say, the legend and the titles of the shapes say too.
 */
import { PAGE_BYTES } from "./memory-map.ts";

/** Its content is in every image (of two or more), in several, in this one only, or nothing but zeros. */
export type PageClass = "all" | "some" | "own" | "zero";

/** Consecutive pages of an image; without `classes` they are all zero. */
export interface ClassRun {
  readonly firstPage: number;
  readonly pages: number;
  readonly classes?: readonly PageClass[];
}

export interface MappedImage {
  readonly name: string;
  readonly runs: readonly ClassRun[];
}

const CLASSES: readonly PageClass[] = ["all", "some", "own", "zero"];
const LABELS: Readonly<Record<PageClass, string>> = {
  all: "in all images",
  some: "in several images",
  own: "in this image only",
  zero: "of zeros",
};

/** 128 cells of 7 pixels and the column of addresses fill a window of 1024. */
const COLUMNS = 128;
const CELL = 7;
const ROW = 10;
const LEFT = 108;
const WIDTH = LEFT + COLUMNS * CELL + 12;
/** An image of more cells is drawn with several pages in each: 128 rows are as much as can be looked at. */
const MAX_CELLS = COLUMNS * 128;
/** Runs of zeros without bytes in the file may be of any length: so many rows of them are drawn. */
const MAX_ZERO_ROWS = 2;

// Told apart with all kinds of colour blindness, and in grey: dark, middle, light.
const STYLE = `
svg{background:#fff;color:#1c2127;font:13px system-ui,sans-serif}
text{fill:currentColor}.h{font-size:18px;font-weight:600}.n{font-weight:600}.f{fill:#5c6670;font-size:12px}
.r{fill:#5c6670;font:10px ui-monospace,monospace}
.all{fill:#14467c}.some{fill:#62a3dd}.own{fill:#e2a12b}.zero{fill:#e3e7eb}
@media (prefers-color-scheme:dark){svg{background:#14181c;color:#e6e9ec}.f,.r{fill:#9aa5b0}
.all{fill:#8cc1f2}.some{fill:#3b76b0}.own{fill:#d99a2b}.zero{fill:#2b333b}}
`;

interface Row {
  /** Number of the row in the address space. */
  readonly row: number;
  /** Pages of each class in each cell. */
  readonly tallies: Uint32Array<ArrayBuffer>;
  /** Zero pages in rows behind this one that aren't drawn. */
  skipped: number;
}

/** Text of an XML document; what XML forbids or nobody sees is spelled out. */
function xmlText(text: string): string {
  return text
    .replace(
      /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffe\uffff]/gu,
      (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`,
    )
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const grouped = (n: number) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const pagesText = (n: number) => `${grouped(n)} ${n === 1 ? "page" : "pages"}`;

/** The rows with mapped pages, ascending; each once. */
function* rowsOf(runs: readonly ClassRun[], pagesPerCell: number): Generator<Row> {
  const rowPages = COLUMNS * pagesPerCell;
  let open: Row | undefined;
  for (const { firstPage, pages, classes } of runs) {
    const end = firstPage + pages;
    const drawnEnd =
      classes === undefined
        ? Math.min(end, (Math.floor(firstPage / rowPages) + MAX_ZERO_ROWS) * rowPages)
        : end;
    for (let page = firstPage; page < drawnEnd; ) {
      const row = Math.floor(page / rowPages);
      if (open?.row !== row) {
        if (open !== undefined) yield open;
        open = { row, tallies: new Uint32Array(COLUMNS * CLASSES.length), skipped: 0 };
      }
      const cell = Math.floor((page % rowPages) / pagesPerCell);
      const cellEnd = row * rowPages + (cell + 1) * pagesPerCell;
      const next = classes === undefined ? Math.min(drawnEnd, cellEnd) : page + 1;
      const pageClass = classes?.[page - firstPage] ?? "zero";
      open.tallies[cell * CLASSES.length + CLASSES.indexOf(pageClass)]! += next - page;
      page = next;
    }
    if (drawnEnd < end && open !== undefined) open.skipped = end - drawnEnd;
  }
  if (open !== undefined) yield open;
}

/** The class that most of a cell's pages have; undefined if none is mapped. */
function cellClass(tallies: Uint32Array, column: number): PageClass | undefined {
  let best: PageClass | undefined;
  let most = 0;
  for (const [i, pageClass] of CLASSES.entries()) {
    const pages = tallies[column * CLASSES.length + i]!;
    if (pages > most) {
      most = pages;
      best = pageClass;
    }
  }
  return best;
}

interface Block {
  readonly svg: string;
  readonly height: number;
}

function imageBlock({ name, runs }: MappedImage, pagesPerCell: number, top: number): Block {
  const counts: Record<PageClass, number> = { all: 0, some: 0, own: 0, zero: 0 };
  for (const { pages, classes } of runs) {
    if (classes === undefined) counts.zero += pages;
    for (const pageClass of classes ?? []) counts[pageClass]++;
  }
  const total = CLASSES.reduce((sum, pageClass) => sum + counts[pageClass], 0);
  const facts = CLASSES.map((pageClass) => `${grouped(counts[pageClass])} ${LABELS[pageClass]}`).join(", ");
  const summary = `${pagesText(total)}: ${facts}`;
  const paths: Record<PageClass, string> = { all: "", some: "", own: "", zero: "" };
  const labels: string[] = [];
  let y = top + 36;
  let previous: number | undefined;
  for (const { row, tallies, skipped } of rowsOf(runs, pagesPerCell)) {
    if (previous !== undefined && row !== previous + 1) y += ROW;
    if (previous === undefined || row !== previous + 1 || row % 8 === 0) {
      // Above 2^53 a sum of numbers would round.
      const address = BigInt(row) * BigInt(COLUMNS * pagesPerCell * PAGE_BYTES);
      labels.push(
        `<text class="r" x="${LEFT - 6}" y="${y + ROW - 2}" text-anchor="end">${address.toString(16)}</text>`,
      );
    }
    for (let column = 0; column < COLUMNS; ) {
      const pageClass = cellClass(tallies, column);
      let end = column + 1;
      while (end < COLUMNS && cellClass(tallies, end) === pageClass) end++;
      if (pageClass !== undefined) {
        const width = (end - column) * CELL;
        paths[pageClass] += `M${LEFT + column * CELL} ${y}h${width}v${ROW - 1}h-${width}z`;
      }
      column = end;
    }
    y += ROW;
    if (skipped > 0) {
      labels.push(`<text class="r" x="${LEFT}" y="${y + 9}">… ${pagesText(skipped)} of zeros more</text>`);
      y += 14;
    }
    previous = row;
  }
  const shapes = CLASSES.filter((pageClass) => paths[pageClass] !== "").map(
    (pageClass) =>
      `<path class="${pageClass}" d="${paths[pageClass]}"><title>${pagesText(counts[pageClass])} ${LABELS[pageClass]}</title></path>`,
  );
  const svg = `<g><title>${xmlText(name)}: ${summary}</title>
<text class="n" x="12" y="${top + 12}">${xmlText(name)}</text><text class="f" x="12" y="${top + 28}">${summary}</text>
${[...labels, ...shapes].join("\n")}
</g>`;
  return { svg, height: y + 18 - top };
}

/** The picture of all images. Its size is bounded for each image, whatever that claims. */
export function pageMapSvg(images: readonly MappedImage[]): string {
  let mostPages = 0;
  for (const { runs } of images) {
    mostPages = Math.max(
      mostPages,
      runs.reduce(
        (sum, { pages, classes }) => sum + (classes === undefined ? Math.min(pages, COLUMNS) : pages),
        0,
      ),
    );
  }
  // Powers of two keep columns at the same addresses.
  let pagesPerCell = 1;
  while (mostPages / pagesPerCell > MAX_CELLS) pagesPerCell *= 2;
  const blocks: string[] = [];
  let top = 96;
  for (const image of images) {
    const { svg, height } = imageBlock(image, pagesPerCell, top);
    blocks.push(svg);
    top += height;
  }
  const cell = `A cell is ${pagesPerCell === 1 ? "a page" : pagesText(pagesPerCell)} of 4 KiB, a row ${COLUMNS} cells`;
  const about = `${cell}, beginning at the address beside it (hexadecimal).`;
  const legend = CLASSES.map((pageClass, i) => {
    const x = 12 + i * 170;
    return `<rect class="${pageClass}" x="${x}" y="60" width="14" height="12"/><text class="f" x="${x + 20}" y="70">${LABELS[pageClass]}</text>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}" aria-labelledby="title about">
<title id="title">Pages that ${images.length === 1 ? "an image has" : `${images.length} images share`}</title>
<desc id="about">${about}</desc>
<style>${STYLE}</style>
<text class="h" x="12" y="28">Pages that ${images.length === 1 ? "an image has" : `${images.length} images share`}</text>
<text class="f" x="12" y="48">${about}</text>
${legend.join("\n")}
${blocks.join("\n")}
</svg>
`;
}
