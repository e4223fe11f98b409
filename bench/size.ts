/**
 * How many bytes tenon keeps of executables, against peers on the same files in the same run.
 *
 *   npm run bench:size -- [--only CORPUS,...] [--corpora DIR] [--peers NAME,...] [--fresh] [--json]
 *                         [--fetch-only | --peers-only | --report] [--write FILE] [--tenon MAIN.ts]
 *
 * The corpora are fetched on first use (docs/benchmarks-size.md names them) into DIR, outside the checkout, which also
 * keeps what peers took: their results are taken from there when tool, version, settings and bytes are the same,
 * unless --fresh is given. The results of each corpus are kept too: --report prints them without measuring.
 * bench/size/install.sh installs what is needed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isReached } from "./report.ts";
import { aimsOf } from "./size/aims.ts";
import { CORPORA, corporaNamed } from "./size/corpora.ts";
import { CONTENDERS, contendersNamed, PeerCache } from "./size/peers.ts";
import {
  type CorpusResult,
  measureCorpus,
  measurePeers,
  type ScenarioOptions,
  withKnownPeers,
} from "./size/scenario.ts";
import { fetchCorpus } from "./size/sources.ts";
import { document } from "./size/table.ts";
import { PROGRAM } from "./size/tenon.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    corpora: { type: "string" },
    peers: { type: "string" },
    fresh: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "fetch-only": { type: "boolean", default: false },
    "peers-only": { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    write: { type: "string" },
    tenon: { type: "string" },
  },
});

const names = (list: string) => list.split(",").filter(Boolean);
const cacheHome = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const corpora = resolve(values.corpora ?? join(cacheHome, "tenon-bench"));
const checkout = join(import.meta.dirname, "..");
if (`${corpora}/`.startsWith(`${checkout}/`)) throw new Error(`${corpora} lies in the checkout`);
const resultsFolder = join(corpora, "results");
mkdirSync(resultsFolder, { recursive: true });

const progress = (what: string) => process.stderr.write(`${what}\n`);
const options: ScenarioOptions = {
  corpora,
  program: resolve(values.tenon ?? PROGRAM),
  peers: values.peers === undefined ? CONTENDERS : contendersNamed(names(values.peers)),
  cache: new PeerCache(join(corpora, "peers.json")),
  isFresh: values.fresh,
  progress,
};

const results: CorpusResult[] = [];
for (const corpus of corporaNamed(names(values.only))) {
  const resultPath = join(resultsFolder, `${corpus.name}.json`);
  if (values.report) {
    if (existsSync(resultPath)) {
      const kept = JSON.parse(readFileSync(resultPath, "utf8")) as CorpusResult;
      results.push(withKnownPeers(kept, options.cache));
    }
    continue;
  }
  const fetched = fetchCorpus(corpus, corpora, progress);
  if (values["fetch-only"]) continue;
  if (values["peers-only"]) {
    measurePeers(corpus, fetched, options);
    continue;
  }
  try {
    const result = measureCorpus(corpus, fetched, options);
    // What another checkout took is not for this one's document.
    if (values.tenon === undefined) writeFileSync(resultPath, `${JSON.stringify(result, null, 2)}\n`);
    results.push(result);
  } catch (error) {
    // The others are still worth their hours.
    progress(`${corpus.name}: FAILED: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}

if (!values["fetch-only"] && !values["peers-only"]) {
  const text = document(results, CORPORA.length);
  const withAims = results.map((result) => ({
    ...result,
    aims: aimsOf(result).map((aim) => ({ ...aim, isReached: isReached(aim) })),
  }));
  console.log(values.json ? JSON.stringify(withAims, null, 2) : text);
  if (values.write !== undefined) writeFileSync(values.write, `${text}\n`);
}
