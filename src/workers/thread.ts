/** One worker thread, as the main thread sees it. */
import { isSea } from "node:sea";
import type { Worker } from "node:worker_threads";
import { TenonError } from "../errors/index.ts";
import type { Packed } from "./packing.ts";
import { type Answer, READY, type Request } from "./protocol.ts";

/** Shown by debuggers and `top -H`. */
const NAME = "tenon-worker";
/** Name of the program's asset in a single-executable application, where threads can't load files. */
export const WORKER_ASSET = "worker.cjs";

/** Columns lie outside the heap: what is young in it is little, and three times this is kept in memory. */
const resourceLimits = { maxYoungGenerationSizeMb: 16 };

/** The program of a worker lies beside this module, in the sources and in what is built from them. */
async function start(program: URL | undefined): Promise<Worker> {
  const { Worker } = await import("node:worker_threads");
  if (program !== undefined) return new Worker(program, { name: NAME, resourceLimits });
  if (isSea()) {
    const { getAsset } = await import("node:sea");
    return new Worker(getAsset(WORKER_ASSET, "utf8"), { eval: true, name: NAME, resourceLimits });
  }
  const file = import.meta.url.endsWith(".ts") ? "entry.ts" : "entry.js";
  return new Worker(new URL(file, import.meta.url), { name: NAME, resourceLimits });
}

export class Thread {
  readonly #worker: Worker;
  /** Who waits for what it says next. */
  #settle: { resolve(said: unknown): void; reject(error: Error): void } | undefined;
  #ended: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (said) => {
      const settle = this.#settle;
      this.#settle = undefined;
      // Nobody waits: the process may end.
      worker.unref();
      settle?.resolve(said);
    });
    worker.on("messageerror", (error) => this.#end(error));
    worker.on("error", (error) => this.#end(error));
    worker.on("exit", () => this.#end(new Error("it ended")));
  }

  /** A thread that is ready for requests, of a program if not of ours. Errors: whatever kept it from starting. */
  static async start(program?: URL): Promise<Thread> {
    const thread = new Thread(await start(program));
    const said = await thread.#next();
    if (said === READY) return thread;
    const reason = new Error("it does not say that it is ready");
    await thread.stop(reason);
    throw reason;
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#settle = { resolve, reject };
    });
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** The answer to one request; one at a time. Errors: `io` when the thread dies. */
  async ask({ value, transfer }: Packed<Request>): Promise<Answer> {
    const answer = this.#next();
    // The process waits for it.
    this.#worker.ref();
    this.#worker.postMessage(value, transfer);
    return (await answer) as Answer;
  }

  #end(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    const what = `a worker thread ended before it was done (${why}); with one job everything runs in one thread`;
    this.#ended ??= new TenonError("io", what, {}, { cause });
    this.#settle?.reject(this.#ended);
    this.#settle = undefined;
  }

  /** Ends it at once, in the middle of whatever it does; the request under way fails with `reason`. */
  async stop(reason: Error): Promise<void> {
    this.#ended ??= reason;
    this.#settle?.reject(reason);
    this.#settle = undefined;
    await this.#worker.terminate();
  }
}
