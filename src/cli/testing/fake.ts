/** Stand-ins for tests: sinks that remember, and a store that does what a test says. */
import type { ExitCode } from "../exit.ts";
import type { Sink } from "../output.ts";
import { run } from "../run.ts";
import type { OpenRepository, StoreModule } from "../store.ts";

export interface MemorySink extends Sink {
  readonly text: () => string;
}

export function memorySink({ isTerminal = false, columns = 80 } = {}): MemorySink {
  let text = "";
  return {
    isTerminal,
    columns: () => columns,
    async write(bytes) {
      text += Buffer.from(bytes).toString("utf8");
    },
    writeNow(more) {
      text += more;
    },
    text: () => text,
  };
}

/** A store whose repository has only the given operations; calling another fails the test. */
export function fakeStore(
  operations: Partial<OpenRepository>,
  statics: Partial<StoreModule["Repository"]> = {},
): () => Promise<StoreModule> {
  const open = async (location: string) =>
    ({ location, close: async () => {}, ...operations }) as Partial<OpenRepository> as OpenRepository;
  const Repository = { open, init: open, ...statics } as StoreModule["Repository"];
  return async () => ({ ...({} as StoreModule), Repository });
}

/** For commands that must not load the store. */
export const noStore = (): never => {
  throw new Error("the store was loaded");
};

export interface Outcome {
  readonly exitCode: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line against a store that a test provides. */
export async function runWith(
  args: readonly string[],
  loadStore: () => Promise<StoreModule>,
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
    readonly terminal?: boolean;
  } = {},
): Promise<Outcome> {
  const stdout = memorySink({ isTerminal: options.terminal ?? false });
  const stderr = memorySink({ isTerminal: options.terminal ?? false });
  const exitCode = await run(args, {
    env: { HOME: "/home/somebody", TENON_WHO: "somebody@somewhere", ...options.env },
    stdout,
    stderr,
    signal: options.signal ?? new AbortController().signal,
    loadStore,
  });
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

/** A list as an asynchronous iteration. */
export async function* each<T>(...items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
