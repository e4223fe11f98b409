/** What a command gets besides its invocation. */
import type { EventListener } from "./events.ts";
import type { ExitCode } from "./exit.ts";
import type { Output } from "./output.ts";
import type { Invocation } from "./parse.ts";
import type { OpenRepository, StoreModule } from "./store.ts";
import type { CommandName } from "./table.ts";

export interface Context {
  readonly output: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** The renderer of the store's events. */
  readonly onEvent: EventListener;
  /** Absolute or relative path of the repository. */
  readonly location: string;
  /** Threads that compute, where it was said. */
  readonly jobs: number | undefined;
  /** Loads the store: only commands that need it pay for it. */
  readonly loadStore: () => Promise<StoreModule>;
  /** Standard input, ended with an error when the signal fires. */
  readonly standardInput: () => AsyncIterable<Uint8Array>;
}

/** A command's function. */
export type Handler<N extends CommandName> = (
  invocation: Invocation<N>,
  context: Context,
) => Promise<ExitCode>;

/** Runs `work` on the repository and closes it, whatever happens. */
export async function withRepository<T>(
  context: Context,
  work: (repository: OpenRepository) => Promise<T>,
): Promise<T> {
  const { Repository } = await context.loadStore();
  const repository = await Repository.open(context.location, {
    signal: context.signal,
    onEvent: context.onEvent,
    jobs: context.jobs,
  });
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}
