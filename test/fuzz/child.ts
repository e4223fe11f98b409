/** Runs the cases that the fuzzer hands over, so that one that hangs can be ended. */
import { caseOf, FuzzRun } from "./cases.ts";
import { fuzzPrograms } from "./programs.ts";

export type ToChild = { readonly seed: number };
export type FromChild =
  | { readonly type: "ready"; readonly programs: number }
  | { readonly type: "begin"; readonly seed: number; readonly what: string }
  | {
      readonly type: "end";
      readonly seed: number;
      readonly outcome: string;
      readonly rssBytes: number;
      readonly failure?: string;
    };

const tell = (message: FromChild) => process.send!(message);

const programs = fuzzPrograms(Number(process.argv[2]));
const run = new FuzzRun();
process.on("message", async ({ seed }: ToChild) => {
  const fuzzed = caseOf(seed, programs);
  tell({ type: "begin", seed, what: `${fuzzed.kind} ${fuzzed.program.name}` });
  let outcome = "failed";
  let failure: string | undefined;
  try {
    outcome = await run.run(fuzzed);
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const rssBytes = process.memoryUsage().rss;
  tell({ type: "end", seed, outcome, rssBytes, ...(failure !== undefined && { failure }) });
});
tell({ type: "ready", programs: programs.length });
