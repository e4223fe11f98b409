/**
 * How much memory versions of a static library share: linked as they are, and with `tenon lib layout`.
 *
 *   npm run bench:lib -- [--only LIBRARY,...] [--corpora DIR] [--rounds N] [--json] [--write FILE]
 *                        [--fetch-only | --build-only | --report]
 *
 * For each library of bench/lib/corpora.ts: fetch and compile all versions (once, into DIR, outside the checkout), link
 * each plainly and with the layout, run the same workload with all of them, compare what they print, count pages with
 * `tenon lib share`, take the CPU time of interleaved runs, and have the kernel merge pages where it can. The results of
 * each library are kept in DIR: --report prints them without measuring. With --rounds 0 no times are taken.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildRelease } from "./build.ts";
import { librariesNamed } from "./corpora.ts";
import { fetchLibrary } from "./fetch.ts";
import { type LibraryResult, measureLibrary } from "./measure.ts";
import { document } from "./table.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    corpora: { type: "string" },
    rounds: { type: "string", default: "15" },
    json: { type: "boolean", default: false },
    write: { type: "string" },
    "fetch-only": { type: "boolean", default: false },
    "build-only": { type: "boolean", default: false },
    report: { type: "boolean", default: false },
  },
});

const cacheHome = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const corpora = resolve(values.corpora ?? join(cacheHome, "tenon-bench"));
const checkout = join(import.meta.dirname, "..", "..");
if (`${corpora}/`.startsWith(`${checkout}/`)) throw new Error(`${corpora} lies in the checkout`);
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 0) throw new Error("--rounds is a whole number");
const progress = (what: string) => process.stderr.write(`${what}\n`);

const results: LibraryResult[] = [];
for (const library of librariesNamed(values.only.split(",").filter(Boolean))) {
  const kept = join(corpora, "results", `lib-${library.name}.json`);
  if (values.report) {
    if (existsSync(kept)) results.push(JSON.parse(readFileSync(kept, "utf8")) as LibraryResult);
    continue;
  }
  const releases = fetchLibrary(library, corpora, progress);
  if (values["fetch-only"]) continue;
  if (values["build-only"]) {
    for (const release of releases) {
      for (const compilation of ["neutral", ...library.alsoCompiled] as const) {
        buildRelease(library, release, compilation, progress);
      }
    }
    continue;
  }
  const result = measureLibrary(library, releases, { corpora, rounds, progress });
  mkdirSync(join(corpora, "results"), { recursive: true });
  writeFileSync(kept, `${JSON.stringify(result, null, 2)}\n`);
  results.push(result);
}

if (!values["fetch-only"] && !values["build-only"]) {
  const text = document(results);
  console.log(values.json ? JSON.stringify(results, null, 2) : text);
  if (values.write !== undefined) writeFileSync(values.write, `${text}\n`);
}
