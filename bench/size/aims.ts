/** What the project wants to reach on each corpus, as bounds on what was measured. */
import type { Aim } from "../report.ts";
import { type CorpusResult, sum } from "./scenario.ts";

const percent = (bytes: number, of: number) => (100 * bytes) / of;
const MB = 1e6;

type AimsOf = (result: CorpusResult) => Aim[];

/** A peer's bytes; the aims that need one that was not run are left out. */
function against(
  result: CorpusResult,
  peer: string,
  aim: (bytes: number, parts: readonly number[]) => Aim,
): Aim[] {
  const found = result.peers[peer];
  return found === undefined ? [] : [aim(found.bytes, found.parts ?? [])];
}

/** What all files but the one measured alone cost, both repositories compacted. */
export function increment({ tenon, alone }: CorpusResult): number | undefined {
  return alone && tenon.afterCompact - alone.tenon.afterCompact;
}

const notMoreThanXz: AimsOf = (result) =>
  against(result, "xz", (bytes) => ({
    what: "compacted, against `xz -9e` of the tar",
    measured: result.tenon.afterCompact / bytes,
    atMost: 1,
    unit: "times",
  }));

const OF_CORPUS: Readonly<Record<string, AimsOf>> = {
  pair: ({ uncompressed, rawBytes, tenon, beside }) => {
    const aims: Aim[] = [
      {
        what: "compressed and compacted",
        measured: percent(tenon.afterCompact, rawBytes),
        atMost: 16,
        unit: "% of raw",
      },
    ];
    if (uncompressed !== undefined) {
      aims.unshift({
        what: "added with `--compression none`",
        measured: percent(uncompressed.afterAdd.at(-1)!, rawBytes),
        atMost: 40,
        unit: "% of raw",
      });
    }
    const multicall = beside.multicall;
    if (multicall !== undefined) {
      aims.push({
        what: "compressed and compacted, against `xz -9e` with its x86 filter of the multicall alone",
        measured: tenon.afterCompact / multicall.bytes,
        atMost: 1,
        unit: "times",
      });
    }
    return aims;
  },
  "releases-esbuild": ({ tenon, rawBytes }) => [
    { what: "compacted", measured: percent(tenon.afterCompact, rawBytes), atMost: 3.8, unit: "% of raw" },
  ],
  "releases-biome": (result) => [
    ...against(result, "zstd", (bytes) => ({
      what: "compacted, against `zstd -19 --long=31` of the tar",
      measured: result.tenon.afterCompact / bytes,
      atMost: 0.5,
      unit: "times",
    })),
    ...against(result, "bsdiff", (bytes) => ({
      what: "compacted, against the chain of bsdiff patches",
      measured: result.tenon.afterCompact / bytes,
      atMost: 0.7,
      unit: "times",
    })),
  ],
  "next-biome": (result) => {
    const { tenon, inputs, patchCpuSeconds } = result;
    const restoreSeconds = tenon.getCpuSeconds.at(-1)!;
    return [
      {
        what: "the next release, compacted",
        measured: increment(result)! / MB,
        atMost: 1.75,
        unit: "MB",
      },
      {
        what: "`add` of the next release",
        measured: tenon.addCpuSeconds.at(-1)!,
        atMost: 5,
        unit: "CPU seconds",
      },
      {
        what: "`get` of it",
        measured: inputs.at(-1)!.bytes / MB / restoreSeconds,
        atLeast: 150,
        unit: "MB per CPU second",
      },
      ...(patchCpuSeconds === undefined
        ? []
        : [
            {
              what: "CPU time of bspatch over that of `get`",
              measured: patchCpuSeconds / restoreSeconds,
              atLeast: 3,
              unit: "times",
            },
          ]),
    ];
  },
  "flavours-bun": (result) =>
    against(result, "bsdiff", (_, parts) => ({
      what: "the second build, against the bsdiff patch",
      measured: increment(result)! / parts[1]!,
      atMost: 0.45,
      unit: "times",
    })),
  "strangers-c": notMoreThanXz,
  "strangers-go": notMoreThanXz,
};

/** The compressed size of the largest file, measured alone: the smaller of tenon's and xz's. */
export function largestAlone({ alone }: CorpusResult): number | undefined {
  return alone?.xz && Math.min(alone.tenon.afterCompact, alone.xz.bytes);
}

/** What all levels of one program take. */
const OF_LEVELS: AimsOf = (result) => {
  const largest = largestAlone(result);
  if (largest === undefined) return [];
  return [
    {
      what: "all four, against the largest alone (the smaller of tenon's and `xz -9e`)",
      measured: result.tenon.afterCompact / largest,
      atMost: 1.25,
      unit: "times",
    },
  ];
};

/** Memory of one add, for an executable of 130 MB and for any. */
const MEMORY_BYTES = 2 ** 31;
const MEMORY_TIMES = 8;
/** Below this a process's own memory, not the executable, decides. */
const MEMORY_COUNTS_FROM_BYTES = 32 * MB;

const OF_ALL: AimsOf = ({ tenon, orders, inputs }) => {
  const large = inputs.filter(
    ({ bytes, name }) => bytes >= MEMORY_COUNTS_FROM_BYTES && tenon.order.includes(name),
  );
  const peaks = large.map(({ name, bytes }) => tenon.addPeakBytes[tenon.order.indexOf(name)]! / bytes);
  const aims: Aim[] = Object.entries(orders).map(([name, other]) => ({
    what: `${name}, against oldest first, both compacted`,
    measured: other.afterCompact / tenon.afterCompact,
    atMost: 1.1,
    unit: "times",
  }));
  aims.push({ what: "adding a file again", measured: tenon.againBytesEach, atMost: 1000, unit: "bytes" });
  if (large.length > 0) {
    aims.push(
      {
        what: "peak memory of `add`, against the executable",
        measured: Math.max(...peaks),
        atMost: MEMORY_TIMES,
        unit: "times",
      },
      {
        what: "peak memory of `add`",
        measured: Math.max(...tenon.addPeakBytes) / MB,
        atMost: Math.floor(MEMORY_BYTES / MB),
        unit: "MB",
      },
    );
  }
  return aims;
};

export function aimsOf(result: CorpusResult): Aim[] {
  return [...(OF_CORPUS[result.corpus]?.(result) ?? []), ...OF_LEVELS(result), ...OF_ALL(result)];
}

/** What the CPU time of all adds was. */
export function addSeconds({ tenon }: CorpusResult): number {
  return sum(tenon.addCpuSeconds);
}
