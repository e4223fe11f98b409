/**
 * A process for the kill tests: `worker.ts REPOSITORY add|gc SEED`. It works until it is killed, and says on its
 * standard output what it has done: `have REF SEQUENCE DIGEST` once a ref has moved, `drop REF` before it removes one.
 */
import { writeSync } from "node:fs";
import { drawer, noise } from "../../src/bytes/testing/random.ts";
import { isTenonError } from "../../src/errors/index.ts";
import { Repository } from "../../src/store/index.ts";

const [location = "", role = "", seedText = ""] = process.argv.slice(2);
const draw = drawer(2 * Number(seedText) + 1);

/** At once: what is in a buffer when the process is killed was never said. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Few contents, so that what one process removes another one adds again. */
function someContent(): Uint8Array {
  const number = draw(24);
  return noise(1 + number * number * 97 * (1 + (number % 3)), number);
}

/** One of few refs for each worker: nobody else moves it. */
async function addOrRemove(repository: Repository): Promise<void> {
  const ref = `worker${seedText}/part${draw(4)}:latest`;
  if (draw(4) === 0) {
    say(`drop ${ref}`);
    await repository.remove(ref);
    return;
  }
  const count = 1 + draw(5);
  const inputs = Array.from({ length: count }, (_, i) => ({ name: `file${i}`, stream: once(someContent()) }));
  const { roots } = await repository.add(inputs, { ref });
  const { sequence, root } = roots[0]!;
  say(`have ${ref} ${sequence} ${root.digest}`);
}

async function collect(repository: Repository): Promise<void> {
  if (draw(4) === 0) await repository.compact();
  else await repository.gc();
}

say("ready");
for (;;) {
  // Opened anew each time, as commands do.
  const repository = await Repository.open(location);
  try {
    await (role === "gc" ? collect(repository) : addOrRemove(repository));
  } catch (error) {
    // Somebody else maintains the repository, took the content away just now, or removed the ref before.
    if (!isTenonError(error) || !["busy", "conflict", "not-found"].includes(error.code)) throw error;
  } finally {
    await repository.close();
  }
}
