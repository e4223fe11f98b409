/**
 * What container images take: tenon against a registry's own storage, and casync and restic of the unpacked trees.
 *
 *   npm run bench:images -- [--only SCENARIO,...] [--corpora DIR] [--json] [--write FILE]
 *
 * The images are built on first use into DIR, outside the checkout; bench/images/install.sh installs what that and
 * the peers need. Needs root: debootstrap and the unpacking of images do.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildImages, unpackImage } from "./images/build.ts";
import { casync, type Kept, registry, restic, type Task, tenon } from "./images/contenders.ts";
import { SCENARIOS, type Scenario } from "./images/scenarios.ts";
import { run } from "./measured.ts";
import { markdown, megabytes, type Report, seconds } from "./report.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    corpora: { type: "string" },
    json: { type: "boolean", default: false },
    write: { type: "string" },
  },
});

const cacheHome = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const corpora = resolve(values.corpora ?? join(cacheHome, "tenon-bench"));
if (`${corpora}/`.startsWith(`${join(import.meta.dirname, "..")}/`))
  throw new Error(`${corpora} is in the checkout`);
mkdirSync(corpora, { recursive: true });
const only = values.only.split(",").filter(Boolean);
const unknown = only.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(", ")}`);
const progress = (what: string) => process.stderr.write(`${what}\n`);

async function measure(scenario: Scenario): Promise<Report> {
  const layout = buildImages(scenario, corpora, progress);
  const tags = scenario.images.map(({ tag }) => tag);
  const work = mkdtempSync(join(corpora, "images", "work-"));
  try {
    const trees = new Map(tags.map((tag) => [tag, unpackImage(layout, tag, work)]));
    const task: Task = { layout, tags, tree: (tag) => trees.get(tag)!, work, progress };
    const kept = [await registry(task), restic(task), casync(task), ...tenon(task)];
    const unpacked = [...trees.values()].reduce((sum, tree) => sum + treeBytes(tree), 0);
    return report(scenario, kept, unpacked);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Of a system's tree, whose directories also stand under the names of links. */
function treeBytes(tree: string): number {
  return Number.parseInt(run(["du", "--apparent-size", "-sb", tree]).output, 10);
}

function report({ name, title, images }: Scenario, kept: readonly Kept[], unpackedBytes: number): Report {
  const size = (bytes: number) => (Number.isNaN(bytes) ? "" : megabytes(bytes));
  const total = ({ after }: Kept) => after.at(-1)!;
  const registryBytes = total(kept[0]!);
  return {
    title: title[0]!.toUpperCase() + title.slice(1),
    command: `npm run bench:images -- --only ${name}`,
    about: `Every byte on disk after each image; ${megabytes(unpackedBytes)} unpacked. The registry's CPU time is that of the client alone. What tenon gives back was compared with the image, blob by blob.`,
    columns: ["", ...images.map(({ tag }) => tag), "of the registry's", "CPU", "peak memory", "CPU of `get`"],
    rows: kept.map((one) => [
      one.name,
      ...one.after.map(size),
      `${((100 * total(one)) / registryBytes).toFixed(1)}%`,
      seconds(one.cpuSeconds),
      megabytes(one.peakBytes),
      one.restoreCpuSeconds === undefined ? "" : seconds(one.restoreCpuSeconds),
    ]),
    aims: [],
  };
}

const reports: Report[] = [];
for (const scenario of SCENARIOS) {
  if (only.length > 0 && !only.includes(scenario.name)) continue;
  reports.push(await measure(scenario));
}
if (values.json) console.log(JSON.stringify(reports, null, 2));
else {
  const date = new Date().toISOString().slice(0, 10);
  const opening = `# How much container images take\n\nMade by \`npm run bench:images -- --write docs/benchmarks-images.md\` on ${date}; \`bench/images/install.sh\` installs what it needs. Sizes are decimal.`;
  const text = `${[opening, ...reports.map(markdown)].join("\n\n")}\n`;
  if (values.write === undefined) console.log(text);
  else writeFileSync(values.write, text);
}
