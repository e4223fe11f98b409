/** Files of one `add`: each stored in its turn, counted, and reported when what it cost is known. */
import { displayPath } from "../bytes/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { openSource, type SourceChange } from "../files/index.ts";
import type { StoredTally } from "../repository/index.ts";
import { type RereadableSource, type Turn, Turns } from "../representation/index.ts";
import { type AddedBlob, addFile } from "./add-blob.ts";
import type { AddOptions } from "./types.ts";
import type { Walk } from "./walk-beside.ts";
import type { Writing } from "./writing.ts";

/** A file that changes while it is read is read again this often. */
const MAX_READS = 2;

interface Pending {
  readonly path: string;
  readonly blob: AddedBlob;
  readonly tally: StoredTally | undefined;
}

/** One `add` under way. */
export class Adder {
  readonly #writing: Writing;
  readonly #options: AddOptions;
  /** Reported when their cost is known, which is when their pack is closed. */
  #pending: Pending[] = [];
  #flushes = 0;
  files = 0;
  bytes = 0;
  newFiles = 0;
  problems = 0;
  /** Counted beforehand, when somebody looks at the progress. */
  readonly totals: { bytes?: number; items?: number };
  /** The order in which files are stored. */
  readonly turns: Turns;

  readonly walk: Walk;

  constructor(
    writing: Writing,
    options: AddOptions,
    { totals, walk }: { readonly totals: { bytes?: number; items?: number }; readonly walk: Walk },
  ) {
    this.#writing = writing;
    this.#options = options;
    this.totals = totals;
    this.walk = walk;
    this.turns = new Turns(writing.jobs);
  }

  problem(path: string, error: TenonError): void {
    this.problems++;
    this.#options.onEvent?.({
      type: "problem",
      operation: "add",
      code: error.code,
      message: error.message,
      path,
    });
  }

  readonly onRead = (bytes: number): void => {
    this.bytes += bytes;
    this.progress();
  };

  progress(): void {
    this.#options.onEvent?.({
      type: "progress",
      operation: "add",
      phase: "storing",
      doneBytes: this.bytes,
      ...(this.totals.bytes !== undefined && { totalBytes: this.totals.bytes }),
      doneItems: this.files,
      ...(this.totals.items !== undefined && { totalItems: this.totals.items }),
      storedBytes: this.#writing.session.storedBytes,
    });
  }

  /** Counts a stored blob and reports it when what it cost is known. */
  done(path: string, blob: AddedBlob): void {
    this.files++;
    if (!blob.known) this.newFiles++;
    this.#pending.push({ path, blob, tally: blob.tally });
    if (this.#writing.session.flushes !== this.#flushes) this.report();
    this.progress();
  }

  report(): void {
    this.#flushes = this.#writing.session.flushes;
    for (const { path, blob, tally } of this.#pending) {
      this.#options.onEvent?.({
        type: "item",
        operation: "add",
        path,
        kind: "file",
        digest: blob.digest,
        size: blob.size,
        storedBytes: tally?.storedBytes() ?? 0,
        known: blob.known,
        representation: blob.representation,
        declined: blob.declined,
      });
    }
    this.#pending = [];
  }

  /** Stores what a source gives. */
  async source(shown: string, source: RereadableSource): Promise<AddedBlob> {
    const { signal } = this.#options;
    const before = this.bytes;
    const blob = await addFile(this.#writing, source, { signal, onRead: this.onRead });
    this.bytes = before + blob.size;
    this.done(shown, blob);
    return blob;
  }

  /** Stores the file at `absolute` in its turn; undefined when it can't be read, which is reported. */
  async file(
    absolute: string | Uint8Array,
    sizeBytes: number,
    turn: Turn | undefined,
    isLast = false,
  ): Promise<AddedBlob | undefined> {
    const shown = displayPath(absolute);
    const { signal } = this.#options;
    let counted = 0;
    const onRead = (bytes: number) => {
      counted += bytes;
      this.onRead(bytes);
    };
    for (let read = 1; ; read++) {
      const source = watchedSource(absolute, sizeBytes);
      try {
        const blob = await addFile(this.#writing, source, { signal, onRead, turn, isLast });
        const change = source.change();
        this.bytes -= counted;
        counted = 0;
        if (change !== undefined && change !== "replaced") {
          if (read < MAX_READS) continue;
          const what = `${shown} ${changeText[change]} while it was read: stored as it was read, ${blob.size} bytes`;
          this.problem(shown, new TenonError("io", what, { path: shown }));
        }
        this.bytes += blob.size;
        this.done(shown, blob);
        return blob;
      } catch (error) {
        if (!isTenonError(error) || !leavesOthersAlone(error)) throw error;
        await turn;
        this.bytes -= counted;
        this.problem(shown, error);
        return undefined;
      }
    }
  }
}

const changeText: Record<Exclude<SourceChange, "replaced">, string> = {
  grew: "grew",
  shrank: "shrank",
  modified: "changed",
};

/** Errors of one input, after which the others can still be stored. */
function leavesOthersAlone(error: TenonError): boolean {
  return (
    error.data.path !== undefined &&
    ["io", "not-found", "unsupported"].includes(error.code) &&
    error.data.repository !== true
  );
}

function watchedSource(absolute: string | Uint8Array, sizeBytes: number) {
  let change: SourceChange | undefined;
  const source: RereadableSource & { change(): SourceChange | undefined } = {
    sizeBytes,
    change: () => change,
    async open() {
      const opened = await openSource(absolute);
      return {
        sizeBytes: opened.sizeBytes,
        read: (into) => opened.readSync(into),
        async close() {
          change ??= await opened.changed();
          await opened.close();
        },
      };
    },
  };
  return source;
}
