/**
 * workers: threads that compute beside the main one.
 *
 * Nouns: a *task* is a pure function of the table in `tasks.ts`, called by its name; its *input*
 * moves to it, what is *lent* to it comes back (`Movable`), its *result* moves to who asked. *Jobs* are how many tasks
 * run at once. `Workers` starts threads when there is enough to do; with one job, or where threads can't be started,
 * tasks run where they are asked for.
 * Invariant: what a task gives depends on what it was given alone, never on where it ran or on how many run; each
 * request is answered, by a result, the error that the task threw, or an error that says what became of the thread.
 */
export { Movable } from "./movable.ts";
export { type RunOptions, Workers } from "./pool.ts";
export type { CodedExecutable, HashedExecutable, TakenApart, TaskName } from "./tasks.ts";
export { WORKER_ASSET } from "./thread.ts";
