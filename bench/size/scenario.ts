/** Everything that is measured on one corpus. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "../measured.ts";
import type { Corpus } from "./corpora.ts";
import { withFolder } from "./folder.ts";
import {
  CONTENDERS,
  type Contender,
  type PeerCache,
  type PeerResult,
  type SizePeer,
  xz,
  xzX86,
} from "./peers.ts";
import type { Fetched, Input } from "./sources.ts";
import {
  type Level,
  measureTenon,
  measureTogether,
  type TenonOptions,
  type TenonResult,
  type TogetherResult,
} from "./tenon.ts";

export interface CorpusResult {
  readonly corpus: string;
  readonly title: string;
  readonly measuredAt: string;
  readonly rawBytes: number;
  readonly inputs: readonly Omit<Input, "path">[];
  /** In the order of release, at the default level. */
  readonly tenon: TenonResult;
  /** The same without entropy coding. */
  readonly uncompressed?: TenonResult;
  /** Other orders of arrival, by name. */
  readonly orders: Readonly<Record<string, TenonResult>>;
  /** All files in one `add`. */
  readonly together?: TogetherResult;
  /** The one file against which the cost of the others is counted. */
  readonly alone?: { readonly tenon: TenonResult; readonly xz?: PeerResult };
  readonly peers: Readonly<Record<string, PeerResult>>;
  /** What is measured beside the corpus, by file: `xz` with the filter for x86 code. */
  readonly beside: Readonly<Record<string, PeerResult>>;
  /** Making the last file from the one before it with bspatch. */
  readonly patchCpuSeconds?: number;
}

export interface ScenarioOptions {
  /** The folder of all corpora. */
  readonly corpora: string;
  readonly program: string;
  readonly peers: readonly Contender[];
  readonly cache: PeerCache;
  /** Measure peers even when their result is known. */
  readonly isFresh: boolean;
  readonly progress: (what: string) => void;
}

const SHUFFLE_SEED = 20250301;

/** The same order on every machine (Fisher-Yates over a 32-bit xorshift, whose state is never zero). */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed >>> 0 || 1;
  for (let i = result.length - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function aloneOf({ alone }: Corpus, inputs: readonly Input[]): Input | undefined {
  if (alone === undefined) return undefined;
  return alone === "first"
    ? inputs[0]!
    : inputs.reduce((best, input) => (input.bytes > best.bytes ? input : best));
}

/** CPU time of bspatch; the patch is kept, since making it takes a minute. */
function patchSeconds(
  [from, to]: readonly [Input, Input],
  corpora: string,
  progress: (what: string) => void,
) {
  const folder = join(corpora, "patches");
  mkdirSync(folder, { recursive: true });
  const patch = join(folder, `${from.sha256.slice(0, 16)}-${to.sha256.slice(0, 16)}.patch`);
  const output = `${patch}.output`;
  if (!existsSync(patch)) {
    progress("making a patch with bsdiff");
    run(["bsdiff", from.path, to.path, patch]);
  }
  const { cpuSeconds } = run(["bspatch", from.path, output, patch]);
  rmSync(output);
  return cpuSeconds;
}

function smallest(results: readonly PeerResult[]): PeerResult {
  return results.reduce((best, result) => (result.bytes < best.bytes ? result : best));
}

/** A kept result with what is known of the peers by now; nothing is measured. */
export function withKnownPeers(result: CorpusResult, cache: PeerCache): CorpusResult {
  const { order } = result.tenon;
  const digests = order.map((name) => result.inputs.find((input) => input.name === name)!.sha256);
  const peers = { ...result.peers };
  for (const { name, variants } of CONTENDERS) {
    const known = variants.flatMap((which) => cache.known(which, digests) ?? []);
    if (peers[name] === undefined && known.length === variants.length) peers[name] = smallest(known);
  }
  return { ...result, peers };
}

type Peers = Pick<CorpusResult, "peers" | "beside"> & { readonly alone?: PeerResult };

/** The peers' part of a corpus. */
export function measurePeers(corpus: Corpus, { inputs, beside }: Fetched, options: ScenarioOptions): Peers {
  const { corpora, cache, isFresh } = options;
  const place = join(corpora, "work");
  const peer = (which: SizePeer, files: readonly Input[]) => {
    options.progress(`${corpus.name}: ${which.name} ${which.settings}`);
    return cache.result(which, files, { isFresh, withWork: (use) => withFolder(place, use) });
  };
  const best = ({ variants }: Contender) => smallest(variants.map((which) => peer(which, inputs)));
  const alone = aloneOf(corpus, inputs);
  return {
    peers: Object.fromEntries(options.peers.map((which) => [which.name, best(which)])),
    beside: Object.fromEntries(beside.map((input) => [input.name, peer(xzX86, [input])])),
    ...(alone && corpus.alone === "largest" && { alone: peer(xz, [alone]) }),
  };
}

export function measureCorpus(corpus: Corpus, fetched: Fetched, options: ScenarioOptions): CorpusResult {
  const { corpora, program } = options;
  const { inputs, beside } = fetched;
  const progress = (what: string) => options.progress(`${corpus.name}: ${what}`);
  const measured = <T>(what: string, level: Level, measure: (options: TenonOptions) => T) =>
    withFolder(join(corpora, "work"), (work) =>
      measure({ program, work, level, progress: (step) => progress(`tenon, ${what}: ${step}`) }),
    );
  const tenon = (files: readonly Input[], what: string, level: Level = "default") =>
    measured(what, level, (options) => measureTenon(files, options));
  const orders: Record<string, TenonResult> = {};
  const oldestFirst = tenon(inputs, "oldest first");
  if (corpus.orders) {
    orders["newest first"] = tenon(inputs.toReversed(), "newest first");
    orders.shuffled = tenon(shuffled(inputs, SHUFFLE_SEED), "shuffled");
  }
  const together =
    corpus.together && measured("together", "default", (options) => measureTogether(inputs, options));
  const uncompressed = corpus.uncompressed && tenon(inputs, "without entropy coding", "none");
  const alone = aloneOf(corpus, inputs);
  const aloneTenon = alone && tenon([alone], `${alone.name} alone`);
  const peers = measurePeers(corpus, fetched, options);
  return {
    corpus: corpus.name,
    title: corpus.title,
    measuredAt: new Date().toISOString(),
    rawBytes: sum(inputs.map(({ bytes }) => bytes)),
    inputs: [...inputs, ...beside].map(({ path: _, ...input }) => input),
    tenon: oldestFirst,
    ...(uncompressed && { uncompressed }),
    ...(together && { together }),
    orders,
    ...(aloneTenon && { alone: { tenon: aloneTenon, ...(peers.alone && { xz: peers.alone }) } }),
    peers: peers.peers,
    beside: peers.beside,
    ...(corpus.restore && {
      patchCpuSeconds: patchSeconds([inputs.at(-2)!, inputs.at(-1)!], corpora, progress),
    }),
  };
}
