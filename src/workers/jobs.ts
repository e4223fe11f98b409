/** How many tasks run at once when nobody says. */
import { availableParallelism } from "node:os";

/** More than anybody has use for: each thread takes some 20 MB before it does anything. */
export const MAX_JOBS = 256;
/** One thread reads, hashes, compresses on the thread pool and writes: it keeps no more than these busy. */
const MAX_DEFAULT_JOBS = 4;

/**
 * The CPUs that this process may use, at most 4. The main thread is not counted: it waits while tasks run, so that it
 * can answer a signal, and needs a tenth of a CPU beside them.
 */
export function defaultJobs(): number {
  return Math.min(MAX_DEFAULT_JOBS, availableParallelism());
}
