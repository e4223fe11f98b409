/** Finding out whether a backend keeps its promise before anything relies on it. */
import { randomBytes } from "node:crypto";
import { equalBytes } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import type { Backend } from "./types.ts";

/**
 * Creates a file twice and expects that the second call is refused and the first one's bytes stay. Some object
 * stores take the condition and ignore it: on those, two writers would overwrite each other's refs. `unsupported` then.
 */
export async function probeCreateIfAbsent(backend: Backend): Promise<void> {
  const name = `probe/${randomBytes(8).toString("hex")}`;
  const [first, second] = [Uint8Array.of(1), Uint8Array.of(2)];
  try {
    const created = await backend.createIfAbsent(name, first);
    const again = await backend.createIfAbsent(name, second);
    if (created && !again && equalBytes(await backend.read(name), first)) return;
  } finally {
    await backend.remove(name);
  }
  throw new TenonError(
    "unsupported",
    `${backend.location} overwrites files that should only be created: several writers would lose data there`,
  );
}
