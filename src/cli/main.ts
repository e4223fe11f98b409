/** The program `tenon`. It imports next to nothing, so that the compile cache is on before the rest is loaded. */
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Compiled code is kept in the user's own cache: the shared temporary directory is open to others. */
function cacheDirectory({ XDG_CACHE_HOME: cache, HOME: home }: NodeJS.ProcessEnv): string {
  return join(cache && isAbsolute(cache) ? cache : join(home || homedir(), ".cache"), "tenon", "node");
}

/** Standard input in pieces; stops waiting for more when the signal fires. */
async function* readStandardInput(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { addAbortSignal } = await import("node:stream");
  try {
    yield* addAbortSignal(signal, process.stdin);
  } finally {
    process.stdin.destroy();
  }
}

async function main(): Promise<void> {
  // Node's own warnings (experimental parts, contradicting colours) are not for users, and would stand among JSON lines.
  process.removeAllListeners("warning");
  enableCompileCache(cacheDirectory(process.env));
  const [{ run }, { descriptorSink }, { listenForInterrupt }] = await Promise.all([
    import("./run.ts"),
    import("./descriptors.ts"),
    import("./interrupt.ts"),
  ]);
  const stderr = descriptorSink(2);
  const signal = listenForInterrupt(() => {
    // Only for who watches: a program that reads standard error expects events there.
    if (stderr.isTerminal) stderr.writeNow("\r\u001b[Ktenon: stopping; a second signal stops at once\n");
  });
  process.exitCode = await run(process.argv.slice(2), {
    env: process.env,
    stdout: descriptorSink(1),
    stderr,
    signal,
    standardInput: () => readStandardInput(signal),
  });
}

void main();
