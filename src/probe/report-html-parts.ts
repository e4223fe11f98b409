/** Parts of the report's page: text made safe, bars, matrix, maps. No script, nothing from outside. */
import type { ExecutableMap, MethodResult, ProbeReport, SharingMatrix } from "./types.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Controls, marks of direction and whatever else can't be seen: shown as their numbers. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text as it may stand in elements and in attributes between quotes. */
export function safe(text: string): string {
  return text
    .replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** `1.5 MiB`: powers of 1024. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}

export function percent(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)}%` : "";
}

const width = (part: number, whole: number) => `${((100 * part) / Math.max(whole, 1)).toFixed(2)}%`;

function bar(method: MethodResult, scale: number, storedBytes: number): string {
  const { name, label, uniqueBytes, packedBytes, isRestorable } = method;
  const packed =
    packedBytes === undefined ? "" : `<i class="packed" style="width:${width(packedBytes, scale)}"></i>`;
  const figures =
    packedBytes === undefined ? size(uniqueBytes) : `${size(uniqueBytes)} <b>${size(packedBytes)}</b>`;
  return `<tr${isRestorable ? "" : ' class="dim"'}><th scope="row">${safe(name)}<small>${safe(label)}</small></th>
<td class="bars"><div class="track"><i class="unique" style="width:${width(uniqueBytes, scale)}"></i>${packed}<s style="left:${width(storedBytes, scale)}"></s></div></td>
<td class="figure">${figures}</td><td class="figure">${percent(uniqueBytes, method.totalBytes)}</td></tr>`;
}

/** Bars of all methods on one scale, with a line at what everything takes now. */
export function methodBars({ methods, totalBytes, storedBytes }: ProbeReport): string {
  const scale = Math.max(totalBytes, storedBytes, ...methods.map(({ uniqueBytes }) => uniqueBytes));
  return `<p class="legend"><span><i class="unique"></i>unique bytes</span><span><i class="packed"></i>packed: after zstd -3 in frames of 1 MiB</span><span><i class="now"></i>as it is stored now, ${size(storedBytes)}</span></p>
<table class="chart"><thead><tr><th>method</th><th></th><th>unique <b>packed</b></th><th>share</th></tr></thead>
<tbody>${methods.map((method) => bar(method, scale, storedBytes)).join("\n")}</tbody></table>`;
}

/** Every figure of the bars, and those that have no bar. */
export function methodTable({ methods }: ProbeReport): string {
  const rows = methods.map(
    ({ name, totalBytes, uniqueBytes, pieces, uniquePieces, packedBytes, aloneBytes }) =>
      `<tr><th scope="row">${safe(name)}</th>${[
        size(totalBytes),
        size(uniqueBytes),
        percent(uniqueBytes, totalBytes),
        pieces.toLocaleString("en-US"),
        uniquePieces.toLocaleString("en-US"),
        packedBytes === undefined ? "" : size(packedBytes),
        aloneBytes === undefined ? "" : size(aloneBytes),
      ]
        .map((cell) => `<td class="figure">${cell}</td>`)
        .join("")}</tr>`,
  );
  const heads = ["method", "bytes", "unique", "share", "pieces", "different", "packed", "each alone"];
  return `<table class="plain"><thead><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
}

/** What two have in common as a share of the smaller one. */
export function sharingTable({ names, bytes, leftOut, of }: SharingMatrix): string {
  const heads = names.map((_, i) => `<th scope="col">${i + 1}</th>`).join("");
  const rows = names.map((name, i) => {
    const cells = names.map((other, j) => {
      const shared = bytes[i]![j]!;
      if (i === j) return `<td class="self" title="${safe(name)}: ${size(shared)}">${size(shared)}</td>`;
      const share = shared / Math.max(1, Math.min(bytes[i]![i]!, bytes[j]![j]!));
      const title = `${safe(name)} and ${safe(other)}: ${size(shared)}`;
      const strong = share > 0.55 ? ' class="strong"' : "";
      return `<td${strong} style="--share:${share.toFixed(3)}" title="${title}">${(100 * share).toFixed(0)}%</td>`;
    });
    return `<tr><th scope="row"><span class="name" title="${safe(name)}">${safe(name)}</span> <b>${i + 1}</b></th>${cells.join("")}</tr>`;
  });
  const more =
    leftOut > 0
      ? `<p class="note">${leftOut} smaller ${of === "groups" ? "inputs" : "layers or files"} left out.</p>`
      : "";
  return `<div class="scroll"><table class="matrix"><thead><tr><td></td>${heads}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>${more}`;
}

const STRIP_HEIGHT = 28;

/** The file from its beginning to its end; each column is stacked by share. */
export function executableStrip(map: ExecutableMap): string {
  const { name, totalBytes, sharedBytes, nearBytes, uniqueBytes, cells } = map;
  const rects: string[] = [];
  for (const [x, cell] of cells.entries()) {
    const sum = cell[0] + cell[1] + cell[2];
    let y = 0;
    for (const [kind, part] of cell.entries()) {
      if (part === 0) continue;
      const height = (STRIP_HEIGHT * part) / sum;
      rects.push(
        `<rect class="k${kind}" x="${x}" y="${y.toFixed(1)}" width="1.05" height="${height.toFixed(1)}"/>`,
      );
      y += height;
    }
  }
  const shares = [
    ["shared", sharedBytes],
    ["near", nearBytes],
    ["unique", uniqueBytes],
  ] as const;
  const facts = shares.map(([word, bytes]) => `${percent(bytes, totalBytes)} ${word}`).join(", ");
  return `<figure><figcaption><span class="name">${safe(name)}</span> <small>${size(totalBytes)}: ${facts}</small></figcaption>
<svg viewBox="0 0 ${cells.length} ${STRIP_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${safe(name)}: ${facts}">${rects.join("")}</svg></figure>`;
}
