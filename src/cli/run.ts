/** From arguments to an exit code: parse, set up, dispatch, render what was thrown. */
import type { Context, Handler } from "./context.ts";
import type { ExitCode } from "./exit.ts";
import { EXIT } from "./exit.ts";
import { Output, OutputClosed, type Sink } from "./output.ts";
import { type Invocation, parseCommandLine } from "./parse.ts";
import type { StoreModule } from "./store.ts";
import type { CommandName } from "./table.ts";

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly signal: AbortSignal;
  readonly loadStore?: () => Promise<StoreModule>;
  readonly standardInput?: () => AsyncIterable<Uint8Array>;
}

/** Each command's function, loaded when it is called. */
const HANDLERS: { readonly [N in CommandName]: () => Promise<{ readonly run: Handler<N> }> } = {
  init: () => import("./commands/init.ts"),
  add: () => import("./commands/add.ts"),
  get: () => import("./commands/get.ts"),
  cat: () => import("./commands/cat.ts"),
  ls: () => import("./commands/ls.ts"),
  log: () => import("./commands/log.ts"),
  diff: () => import("./commands/diff.ts"),
  tag: () => import("./commands/tag.ts"),
  rm: () => import("./commands/rm.ts"),
  stats: () => import("./commands/stats.ts"),
  check: () => import("./commands/check.ts"),
  repair: () => import("./commands/repair.ts"),
  gc: () => import("./commands/gc.ts"),
  compact: () => import("./commands/compact.ts"),
  "fat pack": () => import("./commands/fat-pack.ts"),
  "fat unpack": () => import("./commands/fat-unpack.ts"),
  "fat list": () => import("./commands/fat-list.ts"),
  "fat explain": () => import("./commands/fat-explain.ts"),
  "fat verify": () => import("./commands/fat-verify.ts"),
  "lib add": () => import("./commands/lib-add.ts"),
  "lib list": () => import("./commands/lib-list.ts"),
  "lib diff": () => import("./commands/lib-diff.ts"),
  "lib delta": () => import("./commands/lib-delta.ts"),
  "spacer-delta": () => import("./commands/spacer-delta.ts"),
  "lib layout": () => import("./commands/lib-layout.ts"),
  "lib share": () => import("./commands/lib-share.ts"),
  probe: () => import("./commands/probe.ts"),
  inspect: () => import("./commands/inspect.ts"),
  debug: () => import("./commands/debug.ts"),
  version: () => import("./commands/version.ts"),
  completion: () => import("./commands/completion.ts"),
  help: () => import("./commands/help.ts"),
  __refs: () => import("./commands/refs.ts"),
};

/** The store's commands need more to be set up than the others. */
const STANDALONE: ReadonlySet<CommandName> = new Set(["version", "completion", "help"]);

async function contextFor(invocation: Invocation, options: RunOptions, output: Output): Promise<Context> {
  const { globals } = invocation;
  const base = {
    output,
    env: options.env,
    signal: options.signal,
    loadStore: options.loadStore ?? (() => import("../store/index.ts")),
    standardInput: options.standardInput ?? async function* () {},
    jobs: globals.jobs,
  };
  if (STANDALONE.has(invocation.command)) return { ...base, location: "", onEvent: () => {} };
  const [{ eventRenderer }, { defaultLocation }] = await Promise.all([
    import("./events.ts"),
    import("./location.ts"),
  ]);
  const onEvent = eventRenderer({
    output,
    json: globals.json,
    quiet: globals.quiet,
    verbose: globals.verbose,
    showProgress:
      !globals["no-progress"] && (globals.json || (output.stderr.isTerminal && options.env.TERM !== "dumb")),
    now: () => performance.now(),
  });
  return { ...base, location: globals.repo ?? defaultLocation(options.env), onEvent };
}

async function dispatch<N extends CommandName>(
  invocation: Invocation<N>,
  context: Context,
): Promise<ExitCode> {
  const { run } = await HANDLERS[invocation.command as N]();
  return run(invocation, context);
}

/** Runs one command line (without `node` and the script) and returns its exit code; never throws. */
export async function run(args: readonly string[], options: RunOptions): Promise<ExitCode> {
  const output = new Output(options);
  let invocation: Invocation | undefined;
  try {
    invocation = await parseCommandLine(args, options.env);
    if (invocation === undefined) {
      const { overview } = await import("./manual/help.ts");
      for (const line of overview(output.stderr.columns())) output.note(line);
      return EXIT.usage;
    }
    const exitCode = await dispatch(invocation, await contextFor(invocation, options, output));
    await output.flush();
    return exitCode;
  } catch (error) {
    // What was printed before the failure is still a result.
    const failure = await output.flush().then(
      () => error,
      (closed) => (closed instanceof OutputClosed ? closed : error),
    );
    const { renderFailure } = await import("./failure.ts");
    const json = invocation?.globals.json ?? args.includes("--json");
    const verbose = invocation?.globals.verbose ?? false;
    return renderFailure(failure, {
      output,
      json,
      verbose,
      ...(invocation ? { command: invocation.command } : {}),
    });
  } finally {
    output.status(undefined);
  }
}
