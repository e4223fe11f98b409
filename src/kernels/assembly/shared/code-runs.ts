/** Runs of operands that were foretold rightly. */
import { cursor, OPERAND_RUNS, setCursor, windowEnd } from "./code-windows";
import { value, varint } from "./varints";

/** The run as the caller has it: f64, infinite behind the last wrong one. */
export const RUN: usize = memory.data(8, 16);

const ENDLESS: u64 = u64.MAX_VALUE;

/** Right operands until the next wrong one. */
let run: u64 = 0;
let runsAt: usize = 0;
let runsEnd: usize = 0;
/** Whether the window holds all of the stream's rest. */
let hasAllRuns: bool = false;

/** Takes the run over from the caller. */
export function takeRun(allRuns: bool): void {
  const given = load<f64>(RUN);
  run = given > 9007199254740991 ? ENDLESS : <u64>given;
  runsAt = cursor(OPERAND_RUNS);
  runsEnd = windowEnd(OPERAND_RUNS);
  hasAllRuns = allRuns;
}

/** Gives it back. */
export function giveRun(): void {
  setCursor(OPERAND_RUNS, runsAt);
  store<f64>(RUN, run == ENDLESS ? Infinity : <f64>run);
}

function nextRun(): void {
  if (runsAt == runsEnd && hasAllRuns) run = ENDLESS;
  else {
    runsAt = varint(runsAt, runsEnd);
    run = value;
  }
}

/** Whether what is foretold is right. */
// @ts-ignore: decorator
@inline
export function isHit(): bool {
  if (run > 0) {
    run--;
    return true;
  }
  nextRun();
  return false;
}
