/** The results as a document: tables in Markdown, and whether the aims were reached. */
import { median } from "../measured.ts";
import { type Aim, isReached, markdown, type Report } from "../report.ts";
import type { LibraryResult, SharedPages, Variant } from "./measure.ts";

/** What a prototype of this layout reached with the same seven versions of SQLite; what is built has to keep it. */
const SQLITE_AIMS = { identicalPercent: 94, from: "3.49.1", to: "3.49.2", distinctPages: 1084 };
/** Of CPU time, where only functions that vary have slots. */
const MAX_SLOT_COST_PERCENT = 5;
/** What repeated runs of one and the same program differ by on a shared machine. */
const NOISE_PERCENT = 1;

const percent = (part: number, whole: number) => (whole === 0 ? 0 : (100 * part) / whole);
const share = (part: number, whole: number) => `${part} of ${whole}, ${percent(part, whole).toFixed(0)}%`;
const kib = (bytes: number) => `${(bytes / 1024).toFixed(0)} KiB`;

function variantNamed(result: LibraryResult, name: string): Variant | undefined {
  return result.variants.find((variant) => variant.name === name);
}

function costPercents(result: LibraryResult, name: string): number[] {
  return result.costs.filter(({ variant }) => variant === name).map(({ ratio }) => 100 * (ratio - 1));
}

function sharedRow({ name, shared, merged }: Variant, withKsm: boolean): string[] {
  const { pages, zero, distinct, distinctAtAddress, poolBytes, poolZstdBytes } = shared;
  return [
    name,
    String(pages),
    String(zero),
    share(distinct, pages - zero),
    String(distinctAtAddress),
    kib(poolBytes),
    kib(poolZstdBytes),
    ...(withKsm ? [merged === undefined ? "" : `${merged.pages} → ${merged.leftPages}`] : []),
  ];
}

function sharedReport(result: LibraryResult, command: string): Report {
  const withKsm = result.withoutKsm === undefined;
  const aims: Aim[] = [];
  const layout = variantNamed(result, "layout");
  if (result.library === "sqlite" && layout !== undefined) {
    const { from, to, identicalPercent, distinctPages } = SQLITE_AIMS;
    const at = result.versions.indexOf(from);
    const neighbour = layout.shared.neighbours[at]!;
    aims.push(
      {
        what: `pages of ${to} that ${from} has at the same address`,
        measured: percent(neighbour.sameAddress, neighbour.filled),
        atLeast: identicalPercent,
        unit: "%",
      },
      {
        what: `different pages of all ${result.versions.length} versions`,
        measured: layout.shared.distinct,
        atMost: distinctPages,
        unit: "pages",
      },
    );
  }
  return {
    title: `${result.title}: pages`,
    command,
    about:
      `Versions ${result.versions.join(", ")}, each with the same workload and the libc in one static program. Pages are of 4 KiB, as loaded; ` +
      "*different* are contents that aren't zero, each counted once over all versions; *at its address* counts a content again for every address that it has. " +
      "The pool is the different pages, raw and under zstd -3." +
      (withKsm
        ? ` KSM: ${layout?.merged?.instances ?? 10} instances of mixed versions as guest memory, before and after the kernel merged pages; an empty cell was not measured.`
        : ` Merging by the kernel was not measured: ${result.withoutKsm}.`),
    columns: [
      ...["", "pages", "zero", "different", "at its address", "pool", "pool, zstd"],
      ...(withKsm ? ["KSM"] : []),
    ],
    rows: result.variants.map((variant) => sharedRow(variant, withKsm)),
    aims,
  };
}

function neighboursReport(result: LibraryResult, command: string): Report {
  const cell = (shared: SharedPages, i: number) => {
    const { filled, sameAddress } = shared.neighbours[i]!;
    return share(sameAddress, filled);
  };
  return {
    title: `${result.title}: from one version to the next`,
    command,
    about:
      "Pages of the later version, zero pages left out, that the earlier one has with the same content at the same address.",
    columns: ["", ...result.variants.map(({ name }) => name)],
    rows: result.versions
      .slice(1)
      .map((version, i) => [
        `${result.versions[i]} → ${version}`,
        ...result.variants.map(({ shared }) => cell(shared, i)),
      ]),
    aims: [],
  };
}

function costReport(result: LibraryResult, command: string): Report {
  const names = [...new Set(result.costs.map(({ variant }) => variant))];
  const signed = (value: number) => `${value > 0 ? "+" : ""}${value.toFixed(1)}%`;
  const aims = ["layout", "layout of one version"].flatMap((name): Aim[] => {
    const costs = costPercents(result, name);
    if (costs.length === 0) return [];
    const alone = name !== "layout";
    return [
      {
        what: alone
          ? "CPU time of a version that shares with no other, over the plain link, median of all versions"
          : "CPU time with slots where functions vary, over the plain link, median of all versions",
        measured: median(costs),
        atMost: alone ? NOISE_PERCENT : MAX_SLOT_COST_PERCENT,
        unit: "% more",
      },
    ];
  });
  return {
    title: `${result.title}: what it costs at run time`,
    command,
    about: `User and system time of the workload over that of the plain link: median of ${result.rounds} pairs of runs that took turns. Every variant printed what the plain link printed.`,
    columns: ["", "plain", ...names],
    rows: result.versions.map((version) => {
      const of = result.costs.filter((cost) => cost.version === version);
      const plain = of[0]?.plainSeconds;
      return [
        version,
        plain === undefined ? "" : `${plain.toFixed(3)} s`,
        ...names.map((name) => {
          const cost = of.find(({ variant }) => variant === name);
          return cost === undefined ? "" : signed(100 * (cost.ratio - 1));
        }),
      ];
    }),
    aims,
  };
}

export function document(results: readonly LibraryResult[]): string {
  const reports = results.flatMap((result) => {
    const command = `npm run bench:lib -- --only ${result.library}`;
    return [sharedReport(result, command), neighboursReport(result, command), costReport(result, command)];
  });
  const aims = reports.flatMap((report) => report.aims);
  const reached = aims.filter(isReached).length;
  const also = (compilation: string, what: string) =>
    results.some(({ variants }) => variants.some(({ name }) => name === `layout, ${compilation}`))
      ? ` *${compilation}*: ${what}.`
      : "";
  const dates = [...new Set(results.map(({ date }) => date))].join(", ");
  return `# Versions of libraries that share memory

Made by \`npm run bench:lib -- --write docs/benchmarks-lib.md\` on ${dates}. ${reached} of ${aims.length} aims are reached.

*plain*: every version linked as a build links it. *layout*: all versions laid out together by \`tenon lib layout\`, slots where
functions vary. *slots for all*: every function is called through its slot. *grown*: versions laid out one after
the other, as they come out, without knowing the next, with slots for all. *of one version*: each laid out by itself. Sources
are compiled with \`-O2 -ffunction-sections -fdata-sections -fno-pic -mcmodel=small\`, with \`-D__LINE__=0\`, which makes the line
numbers in code the same in all versions, and C with \`-fno-asynchronous-unwind-tables\`, as kernels and unikernels are.${also("lines", "line numbers as they are")}${also("unwind", "with unwind tables")}

The aims are what a prototype reached with these versions of SQLite: 94% identical pages from 3.49.1 to 3.49.2 (plain 15%), 77% from 3.48.0
to 3.49.1 (0.4%), 67% from 3.50.4 to 3.51.1 (0%); over seven versions 3455 pages of which 1084 differ (plain 3294, 3179);
grown 4514 and 1136; slots for every call +9 to 15% CPU time, for those that vary +6 to 7%.

${reports.map(markdown).join("\n\n")}`;
}
