/**
 * A backend that fails on purpose: the proof that a crash at any point leaves the previous state readable.
 * A test counts the changes of a run (`changes`), then repeats the run once for each of them and mode.
 */
import { concatBytes } from "../../bytes/index.ts";
import { TenonError } from "../../errors/index.ts";
import type { Backend, BackendWriter, ByteRange, FileStat, ListedFile, RandomFile } from "../types.ts";

/**
 * - `error`: the change fails without effect, everything after it works (a full disk that was then cleared);
 * - `crash-before`, `crash-after`: the process dies just before or just after the change took effect;
 * - `torn`: it dies, and half of the bytes rest under the file's name (storage that broke its promise).
 */
export type FaultMode = "error" | "crash-before" | "crash-after" | "torn";

export interface FaultPlan {
  /** Which change fails, counted from 1; each create, write, commit, replace and remove is one. */
  readonly atChange: number;
  readonly mode: FaultMode;
}

export class FaultyBackend implements Backend {
  readonly location: string;
  /** Changes that were asked for so far. */
  changes = 0;
  /** True once a planned crash has come; from then on every call fails. */
  crashed = false;
  readonly #inner: Backend;
  readonly #plan: FaultPlan | undefined;

  constructor(inner: Backend, plan?: FaultPlan) {
    this.#inner = inner;
    this.#plan = plan;
    this.location = inner.location;
  }

  async read(name: string, range?: ByteRange): Promise<Uint8Array> {
    this.#mustRun();
    return this.#inner.read(name, range);
  }

  async openRandom(name: string): Promise<RandomFile> {
    this.#mustRun();
    return this.#inner.openRandom(name);
  }

  async stat(name: string): Promise<FileStat | undefined> {
    this.#mustRun();
    return this.#inner.stat(name);
  }

  async list(folder: string): Promise<ListedFile[]> {
    this.#mustRun();
    return this.#inner.list(folder);
  }

  async listNames(folder: string): Promise<string[]> {
    this.#mustRun();
    return this.#inner.listNames(folder);
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    return this.#change(
      () => this.#inner.createIfAbsent(name, bytes),
      () => this.#inner.createIfAbsent(name, firstHalf(bytes)),
    );
  }

  async createWriter(): Promise<BackendWriter> {
    this.#mustRun();
    const inner = await this.#inner.createWriter();
    const parts: Uint8Array[] = [];
    return {
      get bytesWritten() {
        return inner.bytesWritten;
      },
      write: (bytes) => {
        if (this.#plan?.mode === "torn") parts.push(bytes.slice());
        return this.#change(
          () => inner.write(bytes),
          () => inner.write(firstHalf(bytes)),
        );
      },
      commit: (name) =>
        this.#change(
          () => inner.commit(name),
          () => this.#inner.replace(name, firstHalf(concatBytes(parts))),
        ),
      abort: async () => {
        // A dead process cleans nothing up.
        if (!this.crashed) await inner.abort();
      },
    };
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#change(
      () => this.#inner.replace(name, bytes),
      () => this.#inner.replace(name, firstHalf(bytes)),
    );
  }

  async remove(name: string): Promise<void> {
    return this.#change(
      () => this.#inner.remove(name),
      async () => {},
    );
  }

  async totalBytes(): Promise<number> {
    this.#mustRun();
    return this.#inner.totalBytes();
  }

  async removeTemporaries(beforeMs: number): Promise<number> {
    this.#mustRun();
    return this.#inner.removeTemporaries(beforeMs);
  }

  async #change<T>(whole: () => Promise<T>, torn: () => Promise<unknown>): Promise<T> {
    this.#mustRun();
    this.changes++;
    if (this.#plan === undefined || this.changes !== this.#plan.atChange) return whole();
    const { mode } = this.#plan;
    this.crashed = mode !== "error";
    if (mode === "crash-after") await whole();
    if (mode === "torn") await torn();
    throw new TenonError("io", `planned fault (${mode}) at change ${this.changes}`, { system: "ENOSPC" });
  }

  #mustRun(): void {
    if (this.crashed) throw new TenonError("io", "this process has crashed, as planned");
  }
}

function firstHalf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.length >> 1);
}
