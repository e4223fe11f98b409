/** The results as a document: tables in Markdown, with what was aimed at and where the bytes are. */
import { isReached, markdown, megabytes, type Report, seconds } from "../report.ts";
import { addSeconds, aimsOf, increment, largestAlone } from "./aims.ts";
import type { PeerResult } from "./peers.ts";
import { CONTENDERS } from "./peers.ts";
import { type CorpusResult, sum } from "./scenario.ts";

const CACHED = "°";

function share(bytes: number, of: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB, ${((100 * bytes) / of).toFixed(bytes * 10 < of ? 2 : 1)}%`;
}

function peerCell(result: PeerResult | undefined, rawBytes: number): string {
  return result === undefined ? "" : `${share(result.bytes, rawBytes)}${result.isCached ? CACHED : ""}`;
}

/** `1 of 3 missed`, as the first table says it for each corpus. */
function verdict(result: CorpusResult): string {
  const aims = aimsOf(result);
  const missed = aims.filter((aim) => !isReached(aim)).length;
  return missed === 0 ? `${aims.length} of ${aims.length} reached` : `**${missed} of ${aims.length} missed**`;
}

const command = (results: readonly CorpusResult[], every: number): string => {
  const only = results.length === every ? "" : ` -- --only ${results.map(({ corpus }) => corpus).join(",")}`;
  return `npm run bench:size${only}`;
};

function storedReport(results: readonly CorpusResult[], shownCommand: string): Report {
  const peers = CONTENDERS.map(({ name }) => name).filter((name) =>
    results.some((result) => result.peers[name]),
  );
  const settings = peers.map((name) => {
    const taken = results.flatMap(({ peers: found }) => found[name] ?? []);
    const variants = [...new Set(taken.map((peer) => `\`${peer.settings}\``))].join(" or ");
    // What they say beyond name and number is for their own reports of errors.
    const version = taken[0]!.version.replace(/ compiled with .*| CLI \(.*\)/g, "");
    return `${version} (${variants})`;
  });
  return {
    title: "Stored bytes",
    command: shownCommand,
    about:
      `Every byte of the repository's directory; for the others every byte that has to be kept. All files are added one by one, oldest first. Peers: ${settings.join("; ")}. ` +
      `${CACHED}: measured by an earlier run on the same bytes, with the same version and settings.`,
    columns: ["", "files", "raw", "tenon after `add`", "tenon after `compact`", ...peers, "aims"],
    rows: results.map((result) => [
      `${result.title} (\`${result.corpus}\`)`,
      String(result.tenon.order.length),
      megabytes(result.rawBytes),
      share(result.tenon.afterAdd.at(-1)!, result.rawBytes),
      share(result.tenon.afterCompact, result.rawBytes),
      ...peers.map((name) => peerCell(result.peers[name], result.rawBytes)),
      verdict(result),
    ]),
    aims: results.flatMap((result) =>
      aimsOf(result).map((aim) => ({ ...aim, what: `\`${result.corpus}\`: ${aim.what}` })),
    ),
  };
}

function nextReport(results: readonly CorpusResult[], shownCommand: string): Report {
  return {
    title: "What one more costs",
    command: shownCommand,
    about:
      "How much the second file makes the repository grow: between the compacted repository of the first alone and that of both, and by its `add`; and the bsdiff patch from the first.",
    columns: ["", "raw", "compacted", "after `add`", "bsdiff"],
    rows: results.map((result) => {
      const { tenon, alone, rawBytes, peers } = result;
      const othersBytes = rawBytes - sum(sizesOf(result, alone!.tenon.order));
      const patch = peers.bsdiff?.parts?.at(-1);
      const last = tenon.order.slice(-1);
      return [
        `${result.corpus}, ${tenon.order.filter((name) => !alone!.tenon.order.includes(name)).join(", ")}`,
        megabytes(othersBytes),
        share(increment(result)!, othersBytes),
        share(tenon.afterAdd.at(-1)! - (tenon.afterAdd.at(-2) ?? 0), sum(sizesOf(result, last))),
        patch === undefined ? "" : share(patch, sum(sizesOf(result, last))),
      ];
    }),
    aims: [],
  };
}

function levelsReport(results: readonly CorpusResult[], shownCommand: string): Report {
  return {
    title: "One program at four levels of x86-64",
    command: shownCommand,
    about:
      "Compiled by gcc at `-O2 -march=x86-64`, `-v2`, `-v3` and `-v4`, nothing else chosen, stripped; all but the first linked with `-static` and without assertions where they have them; `bench/size/flavours.ts` has every option. Each size also as a multiple of the largest build compressed alone, by `xz -9e` or by tenon, whichever is smaller. One by one: four calls of `add`; together: one call. Where the aim is missed, most instructions stay but for their registers: [what could be gained](design/instructions-with-registers.md).",
    columns: [
      "",
      "largest alone, xz",
      "largest alone, tenon",
      "one by one",
      "compacted",
      "together",
      "compacted",
      "xz of the tar",
      "bsdiff",
    ],
    rows: results.map((result) => {
      const { tenon, together, alone, peers } = result;
      const largest = largestAlone(result)!;
      const cell = (bytes: number | undefined) =>
        bytes === undefined ? "" : `${(bytes / 1e6).toFixed(3)} MB, ${(bytes / largest).toFixed(2)}`;
      return [
        result.corpus,
        cell(alone!.xz!.bytes),
        cell(alone!.tenon.afterCompact),
        cell(tenon.afterAdd.at(-1)!),
        cell(tenon.afterCompact),
        cell(together?.afterAdd),
        cell(together?.afterCompact),
        cell(peers.xz?.bytes),
        cell(peers.bsdiff?.bytes),
      ];
    }),
    aims: [],
  };
}

function sizesOf({ inputs }: CorpusResult, names: readonly string[]): number[] {
  return inputs.filter(({ name }) => names.includes(name)).map(({ bytes }) => bytes);
}

function orderReport(results: readonly CorpusResult[], shownCommand: string): Report {
  return {
    title: "Orders of arrival",
    command: shownCommand,
    about: "The same files added in another order; the shuffle is the same in every run.",
    columns: ["", "", "after `add`", "after `compact`", "against oldest first"],
    rows: results.flatMap(({ corpus, tenon, orders }) =>
      Object.entries({ "oldest first": tenon, ...orders }).map(([name, run]) => [
        corpus,
        name,
        megabytes(run.afterAdd.at(-1)!),
        megabytes(run.afterCompact),
        (run.afterCompact / tenon.afterCompact).toFixed(3),
      ]),
    ),
    aims: [],
  };
}

function timeReport(results: readonly CorpusResult[], shownCommand: string): Report {
  return {
    title: "What it takes",
    command: shownCommand,
    about:
      "CPU time is user and system time with the start of the process; `get` restores everything from the compacted repository and every digest is compared. Growth is that of adding everything again, to other refs.",
    columns: ["", "`add`, all", "last `add`", "wall", "peak memory", "`compact`", "`get`", "growth each"],
    rows: results.map((result) => {
      const { corpus, tenon, rawBytes } = result;
      const restore = sum(tenon.getCpuSeconds);
      return [
        corpus,
        seconds(addSeconds(result)),
        seconds(tenon.addCpuSeconds.at(-1)!),
        seconds(tenon.addWallSeconds.at(-1)!),
        megabytes(Math.max(...tenon.addPeakBytes)),
        `${seconds(tenon.compactCpuSeconds)}, ${megabytes(tenon.compactPeakBytes)}`,
        `${seconds(restore)}, ${(rawBytes / 1e6 / restore).toFixed(0)} MB/s`,
        `${Math.round(tenon.againBytesEach)} bytes`,
      ];
    }),
    aims: [],
  };
}

/** The share from which a part of a repository is named; the rest is added up. */
const NAMED_SHARE = 0.01;

function partsReport(results: readonly CorpusResult[], shownCommand: string): Report {
  return {
    title: "Where the bytes are",
    command: shownCommand,
    about: "Of the compacted repository, the largest parts first, as `tenon stats --json` counts them.",
    columns: ["", "kept as", "stored bytes by part"],
    rows: results.map(({ corpus, tenon }) => {
      const isNamed = ({ storedBytes }: { storedBytes: number }) =>
        storedBytes >= NAMED_SHARE * tenon.afterCompact;
      const cells = tenon.parts
        .filter(isNamed)
        .map(({ kind, storedBytes }) => `${kind} ${share(storedBytes, tenon.afterCompact)}`);
      const rest = sum(tenon.parts.filter((part) => !isNamed(part)).map(({ storedBytes }) => storedBytes));
      if (rest > 0) cells.push(`others ${share(rest, tenon.afterCompact)}`);
      return [
        corpus,
        tenon.representations.map(({ name, blobs }) => `${name} ${blobs}`).join(", "),
        cells.join("; "),
      ];
    }),
    aims: [],
  };
}

function inputsReport(results: readonly CorpusResult[], shownCommand: string): Report {
  return {
    title: "The files",
    command: `${shownCommand} --fetch-only`,
    about: "With the beginning of their SHA-256; `--json` has all of it.",
    columns: ["", "file", "bytes", "SHA-256", "from"],
    rows: results.flatMap(({ corpus, inputs }) =>
      inputs.map(({ name, bytes, sha256, origin }) => [
        corpus,
        name,
        String(bytes),
        sha256.slice(0, 16),
        origin,
      ]),
    ),
    aims: [],
  };
}

/** `every`: how many corpora there are; what was measured of them is what the commands name. */
export function document(results: readonly CorpusResult[], every: number): string {
  if (results.length === 0) return "Nothing is measured yet.";
  const shownCommand = command(results, every);
  const withAlone = results.filter(({ alone, tenon }) => alone !== undefined && tenon.order.length === 2);
  const withLevels = results.filter((result) => largestAlone(result) !== undefined);
  const withOrders = results.filter(({ orders }) => Object.keys(orders).length > 0);
  const reports = [
    storedReport(results, shownCommand),
    ...(withAlone.length > 0 ? [nextReport(withAlone, shownCommand)] : []),
    ...(withLevels.length > 0 ? [levelsReport(withLevels, shownCommand)] : []),
    ...(withOrders.length > 0 ? [orderReport(withOrders, shownCommand)] : []),
    timeReport(results, shownCommand),
    partsReport(results, shownCommand),
    inputsReport(results, shownCommand.includes("--only") ? shownCommand : `${shownCommand} --`),
  ];
  const days = results.map(({ measuredAt }) => measuredAt.slice(0, 10)).sort();
  const when = days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
  return [
    "# How much executables take",
    `Made by \`npm run bench:size -- --write docs/benchmarks-size.md\` on ${when}; \`bench/size/install.sh\` installs what it needs. Sizes are decimal.`,
    ...reports.map(markdown),
  ].join("\n\n");
}
