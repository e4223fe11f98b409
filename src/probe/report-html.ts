/** The report as one page: readable without a network, without scripts, and printed in black and white. */
import {
  executableStrip,
  methodBars,
  methodTable,
  percent,
  safe,
  sharingTable,
  size,
} from "./report-html-parts.ts";
import type { ProbeReport } from "./types.ts";

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2127;--soft:#5c6670;--line:#d9dee3;--paper:#fff;--card:#f6f7f9;--unique:#a9c4e8;--packed:#2563b0;--near:#e2a12b;--rest:#b7bec6;--now:#c43d3d;--heat:37,99,176}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b0;--line:#333b44;--paper:#14181c;--card:#1c2228;--unique:#35537a;--packed:#6ea8ef;--near:#d99a2b;--rest:#4a535d;--now:#f07a7a;--heat:110,168,239}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:1080px;padding:32px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}h2{font-size:18px;margin:44px 0 4px}
p{margin:4px 0;max-width:78ch}.note,small{color:var(--soft)}small{font-weight:400;font-size:12.5px}
.facts{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}.facts div{background:var(--card);border-radius:8px;padding:10px 16px}.facts b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.verdict p{max-width:none}.verdict{border-left:4px solid var(--packed);background:var(--card);border-radius:0 8px 8px 0;padding:12px 18px;margin:16px 0}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600}thead th{color:var(--soft);font-weight:400;font-size:13px}
td,th{padding:4px 8px;vertical-align:middle}.figure{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
thead th:not(:first-child){text-align:right}
.chart th[scope]{min-width:290px;padding-left:0}.chart small{display:block;line-height:1.25}.chart .figure{font-size:13.5px}.bars{width:100%}
.track{position:relative;height:22px;background:var(--card);border-radius:3px}.track i,.track s{position:absolute;top:0;bottom:0;left:0;border-radius:3px}
.track .packed{top:7px;bottom:7px}.track s{width:0;border-left:2px solid var(--now);top:-5px;bottom:-5px;border-radius:0}
.unique{background:var(--unique)}.packed{background:var(--packed)}.dim{opacity:.6}
.legend{display:flex;flex-wrap:wrap;gap:6px 22px;font-size:13px;color:var(--soft);margin:10px 0}.legend i{display:inline-block;width:14px;height:12px;border-radius:2px;margin-right:7px;vertical-align:-1px}.legend .now{width:2px;background:var(--now)}
.plain tbody tr{border-top:1px solid var(--line)}.plain th[scope]{font-weight:400}.plain td{font-size:13.5px}.path{overflow-wrap:anywhere}
.scroll{overflow-x:auto}.matrix{width:auto;font-size:12.5px;font-variant-numeric:tabular-nums;margin-top:10px}.matrix td,.matrix th{border:2px solid var(--paper);text-align:center;min-width:52px;padding:6px 4px}
.matrix tbody td{background:rgba(var(--heat),var(--share,0))}.matrix .strong{color:var(--paper)}.matrix .self{background:var(--card);color:var(--soft);font-size:11px}
.matrix thead th:not(:first-child){text-align:center}.matrix th[scope=row]{text-align:right;font-weight:400;white-space:nowrap;padding-right:8px}.name{font-weight:600}.matrix .name{display:inline-block;max-width:300px;overflow:hidden;text-overflow:ellipsis;vertical-align:bottom;font-weight:400}
figure{margin:14px 0}figcaption{overflow-wrap:anywhere}svg{display:block;shape-rendering:crispEdges;width:100%;height:28px;border-radius:3px;background:var(--card)}
.k0{fill:var(--packed);background:var(--packed)}.k1{fill:var(--near);background:var(--near)}.k2{fill:var(--rest);background:var(--rest)}
pre{background:var(--card);border-radius:8px;padding:12px 16px;overflow-x:auto;font-size:12.5px}
section{overflow-x:auto}
@media (max-width:760px){body{padding:20px 14px 48px}.chart,.chart tbody{display:block}.chart thead{display:none}.chart tr{display:grid;grid-template-columns:1fr auto auto;margin-bottom:10px}.chart th[scope]{min-width:0}.chart .bars{grid-column:1/-1;grid-row:2;padding:0}}
@media print{body{max-width:none;padding:0}}
`;

function section(title: string, note: string, content: string): string {
  if (content === "") return "";
  return `<section><h2>${title}</h2>${note === "" ? "" : `<p class="note">${note}</p>`}${content}</section>`;
}

function verdict(report: ProbeReport): string {
  if (report.verdict === undefined) return "";
  const { compressedNowBytes: now, tenonBytes, chunkCdnBytes, tenonExecutablesBytes: apart } = report.verdict;
  const than = (bytes: number) => {
    const word = bytes < now ? "less" : "more";
    return `<b>${size(bytes)}</b>, ${percent(Math.abs(now - bytes), now)} ${word}`;
  };
  const answer = Math.min(tenonBytes, chunkCdnBytes) < now ? "Yes." : "No.";
  return `<div class="verdict"><p><b>Would a chunk store hold less than the compressed blobs do now (${size(now)})? ${answer}</b></p>
<p>Chunks recompressed one by one, as a chunk CDN needs them (the layer probe's chunker): ${than(chunkCdnBytes)}.</p>
<p>tenon's chunks in packs: ${than(tenonBytes)}.</p>${apart === undefined ? "" : `<p>With executables taken apart, in packs: ${than(apart)}.</p>`}</div>`;
}

function fact(value: string, what: string): string {
  return `<div><b>${value}</b><small>${what}</small></div>`;
}

function listing(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const body = rows.map(
    ([name, ...cells]) =>
      `<tr><th scope="row" class="path">${safe(name!)}</th>${cells.map((cell) => `<td class="figure">${safe(cell)}</td>`).join("")}</tr>`,
  );
  return `<table class="plain"><thead><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table>`;
}

/** The whole page. Names in it are escaped; it loads nothing and runs nothing. */
export function reportPage(report: ProbeReport): string {
  const { inputs, totalBytes, storedBytes, layers, files, matrix, executables } = report;
  const legend = `<p class="legend"><span><i class="k0"></i>shared: the same bytes are in another</span><span><i class="k1"></i>near: the same but for addresses</span><span><i class="k2"></i>unique</span></p>`;
  const body = [
    `<h1>What each way to store would save</h1><p class="note">${safe(inputs.join("  "))}</p>`,
    `<div class="facts">${fact(size(totalBytes), "uncompressed")}${fact(size(storedBytes), "stored now")}${fact(String(layers), "layers")}${fact(files.toLocaleString("en-US"), "files")}${fact(String(report.groups.length), "images or paths")}</div>`,
    verdict(report),
    section("Methods", "Equal pieces kept once; shorter is better.", methodBars(report) + notes(report)),
    section(
      "Who shares with whom",
      "Bytes in tenon's chunks that both have, as a share of the smaller one.",
      matrix === undefined ? "" : sharingTable(matrix),
    ),
    section(
      "Largest executables",
      "Each from its beginning to its end. Functions are compared as they are, then with their addresses blanked.",
      executables.length === 0 ? "" : legend + executables.map(executableStrip).join("\n"),
    ),
    section(
      "Largest savings",
      "",
      listing(
        ["file", "saved", "of", "places", "in"],
        report.savings.map(({ name, savedBytes, totalBytes: all, places, groups }) => [
          name,
          size(savedBytes),
          size(all),
          String(places),
          groups.join(", "),
        ]),
      ),
    ),
    section(
      "Largest obstacles",
      "Bytes in tenon's chunks that are nowhere else.",
      listing(
        ["file", "only here", "of it", "what it is"],
        report.obstacles.map(({ name, ownBytes, totalBytes: all, what }) => [
          name,
          size(ownBytes),
          percent(ownBytes, all),
          what,
        ]),
      ),
    ),
    section("All figures", "", methodTable(report)),
    section(
      "As the layer probe printed it",
      "",
      report.layerProbeLines ? `<pre>${report.layerProbeLines.map(safe).join("\n")}</pre>` : "",
    ),
    section(
      "Left out or incomplete",
      "",
      listing(
        ["input", "reason"],
        report.problems.map(({ path, reason }) => [path, reason]),
      ),
    ),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>tenon probe</title><style>${STYLE}</style></head>
<body>${body.filter((part) => part !== "").join("\n")}</body></html>
`;
}

function notes({ leftOut }: ProbeReport): string {
  return leftOut
    .map(({ name, reason }) => `<p class="note">Without ${safe(name)}: ${safe(reason)}.</p>`)
    .join("");
}
