/** Tasks and the threads that run them. */
import { TenonError } from "../errors/index.ts";
import { defaultJobs, MAX_JOBS } from "./jobs.ts";
import type { Movable } from "./movable.ts";
import { packed, packedCopy } from "./packing.ts";
import { type LentValue, type Request, receivedError } from "./protocol.ts";
import { type TaskName, type Tasks, taskOf } from "./tasks.ts";
import { Thread } from "./thread.ts";

/** Below this a thread isn't started before the work is done. */
const START_BYTES = 4 << 20;
/**
 * The same when nobody said how many jobs. A thread takes a second of CPU time and 60 MB until its code is as fast as
 * the main one's: on two CPUs, which zstd uses too, adding 200 programs of 80 MB takes as long with threads as without.
 */
const START_BYTES_UNASKED = 256 << 20;
/** What all tasks under way work on together. One that is larger runs alone, at several times its size in memory. */
const MAX_BYTES_UNDER_WAY = 144 << 20;
/** Copied rather than moved: others may want it at the same time, and a copy costs less than their waiting. */
const MAX_COPIED_BYTES = 1 << 20;

export interface RunOptions {
  /** Size of the file that it is about: how much it takes, in time and memory. */
  readonly bytes: number;
  /** Ends it at once. */
  readonly signal?: AbortSignal | undefined;
  /** Nobody waits for it yet: it comes after all that somebody waits for. */
  readonly isAhead?: boolean;
}

export interface WorkersOptions {
  /** Tasks that run at once; with 1 no thread is started. */
  readonly jobs?: number;
  /** What must be asked for before there are threads. */
  readonly startBytes?: number;
  /** What threads run if not `entry.ts`. */
  readonly program?: URL | undefined;
}

type Input<N extends TaskName> = Parameters<Tasks[N]>[0];
type Result<N extends TaskName> = ReturnType<Tasks[N]>;

interface Waiting {
  readonly task: TaskName;
  readonly input: unknown;
  readonly lent: readonly Movable<unknown>[];
  readonly bytes: number;
  readonly isAhead: boolean;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

export class Workers {
  #jobs: number;
  readonly #startBytes: number;
  readonly #program: URL | undefined;
  readonly #waiting = new Set<Waiting>();
  readonly #running = new Map<Waiting, Thread>();
  /** The one that was used last is at the end, and is used next: its memory is as large as it must be. */
  readonly #idle: Thread[] = [];
  /** Those that are being started among them. */
  #threads = 0;
  #starting = 0;
  #bytesUnderWay = 0;
  /** Of all tasks that were asked for. */
  #bytesAsked = 0;
  /** Why there are fewer threads than jobs were asked for. */
  obstacle: unknown;
  #isClosed = false;

  constructor({ jobs, startBytes, program }: WorkersOptions = {}) {
    this.#jobs = Math.min(jobs ?? defaultJobs(), MAX_JOBS);
    this.#startBytes = startBytes ?? (jobs === undefined ? START_BYTES_UNASKED : START_BYTES);
    this.#program = program;
  }

  /** Tasks that can run beside each other. */
  get jobs(): number {
    return this.#jobs;
  }

  /** Threads that there are. */
  get threads(): number {
    return this.#threads;
  }

  /**
   * What a task gives. The input is given away, what is lent comes back. Errors: those of the task; `interrupted` when the signal fires or the workers are closed; `io`
   * when the thread dies. Whatever the outcome, what was lent is back or lost.
   */
  run<N extends TaskName>(
    task: N,
    input: Input<N>,
    lent: readonly Movable<unknown>[],
    { bytes, signal, isAhead = false }: RunOptions,
  ): Promise<Result<N>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waiting: Waiting = { task, input, lent, bytes, isAhead, resolve, reject };
    const abort = () => this.#cancel(waiting, stopped());
    if (this.#isClosed || signal?.aborted) reject(stopped());
    else {
      this.#bytesAsked += bytes;
      signal?.addEventListener("abort", abort);
      this.#waiting.add(waiting);
      this.#dispatch();
    }
    return promise.finally(() => signal?.removeEventListener("abort", abort)) as Promise<Result<N>>;
  }

  get #isHere(): boolean {
    return this.#threads === 0 && (this.#jobs < 2 || this.#bytesAsked < this.#startBytes);
  }

  /** Starts whatever can be started: first what somebody waits for, in the order in which it was asked for. */
  #dispatch(): void {
    const inOrder = [...this.#waiting].sort((a, b) => Number(a.isAhead) - Number(b.isAhead));
    for (const waiting of inOrder) {
      if (!this.#waiting.has(waiting)) continue;
      if (waiting.lent.some(({ isLost }) => isLost)) {
        this.#cancel(waiting, stopped());
        continue;
      }
      if (!waiting.lent.every(({ isHere }) => isHere)) continue;
      if (this.#isHere) {
        this.#waiting.delete(waiting);
        runHere(waiting);
        continue;
      }
      if (this.#bytesUnderWay > 0 && this.#bytesUnderWay + waiting.bytes > MAX_BYTES_UNDER_WAY) return;
      const thread = this.#idle.pop();
      if (thread === undefined) {
        if (this.#threads < this.#jobs && this.#starting < this.#waiting.size) this.#startThread();
        return;
      }
      if (thread.hasEnded) {
        this.#threads--;
        this.#dispatch();
        return;
      }
      this.#waiting.delete(waiting);
      void this.#runIn(thread, waiting);
    }
  }

  #startThread(): void {
    this.#threads++;
    this.#starting++;
    void Thread.start(this.#program).then(
      (thread) => {
        this.#starting--;
        if (this.#isClosed) void thread.stop(stopped());
        else this.#idle.push(thread);
        this.#dispatch();
      },
      (error: unknown) => {
        // A system that allows no more threads, or a bundle without the program: slower, and as right.
        this.#starting--;
        this.#threads--;
        this.obstacle ??= error;
        this.#jobs = Math.max(1, this.#threads);
        this.#dispatch();
      },
    );
  }

  async #runIn(thread: Thread, waiting: Waiting): Promise<void> {
    const { task, input, lent, bytes } = waiting;
    this.#running.set(waiting, thread);
    this.#bytesUnderWay += bytes;
    const moved = lent.filter((movable) => movable.bytes > MAX_COPIED_BYTES);
    try {
      const values = lent.map((movable): { readonly packed: ReturnType<typeof packed>; moved: boolean } =>
        moved.includes(movable)
          ? { packed: packed(movable.lend()), moved: true }
          : { packed: packedCopy(movable.value), moved: false },
      );
      const own = packed(input);
      const request: Request = {
        task,
        input: own.value,
        lent: values.map(({ packed: { value }, moved }): LentValue => ({ value, moved })),
      };
      const transfer = [own, ...values.map((value) => value.packed)].flatMap(({ transfer }) => transfer);
      const answer = await thread.ask({ value: request, transfer });
      for (const [i, movable] of moved.entries()) movable.giveBack(answer.lent[i]);
      this.#idle.push(thread);
      if (answer.error === undefined) waiting.resolve(answer.result);
      else waiting.reject(receivedError(answer.error));
    } catch (error) {
      // The thread is dead, or what it was asked for can't be sent.
      void thread.stop(stopped());
      for (const movable of moved) movable.lose();
      this.#threads--;
      waiting.reject(error);
    } finally {
      this.#running.delete(waiting);
      this.#bytesUnderWay -= bytes;
      this.#dispatch();
    }
  }

  #cancel(waiting: Waiting, reason: Error): void {
    if (this.#waiting.delete(waiting)) waiting.reject(reason);
    else void this.#running.get(waiting)?.stop(reason);
  }

  /** Ends all threads at once; what they were asked for fails with `interrupted`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const reason = stopped();
    for (const waiting of [...this.#waiting]) this.#cancel(waiting, reason);
    const threads = [...this.#running.values(), ...this.#idle.splice(0)];
    await Promise.all(threads.map((thread) => thread.stop(reason)));
  }
}

function stopped(): TenonError {
  return new TenonError("interrupted", "stopped before the end, as asked");
}

/** Without a thread: nothing is copied or moved. */
function runHere({ task, input, lent, resolve, reject }: Waiting): void {
  try {
    resolve(taskOf(task)(input, ...lent.map(({ value }) => value)));
  } catch (error) {
    reject(error);
  }
}
