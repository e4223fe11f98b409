/** For the tests of this room: repositories in memory, small enough to damage every byte of. */
import { type Backend, MemoryBackend } from "../backend/index.ts";
import { defaultChunkerParameters } from "../chunking/index.ts";
import { createConfig } from "../repository/index.ts";
import { add } from "./add.ts";
import { type StoreContext, openBase, openContext } from "./context.ts";
import type { AddResult } from "./types.ts";

/** Bytes from a seed (xorshift32), which no compressor shortens. */
export function noise(lengthBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let state = seed | 1;
  for (let i = 0; i < lengthBytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** An empty repository on `backend`. */
export async function newRepository(backend: Backend): Promise<StoreContext> {
  await createConfig(backend, {
    format: 1,
    id: "0123456789abcdef0123456789abcdef",
    created: "2026-01-02T03:04:05.678Z",
    chunker: { ...defaultChunkerParameters },
    compression: "default",
  });
  return openContext(await openBase(backend));
}

/** Adds a tree of these files, or one file when there is just one. */
export function addFiles(
  context: StoreContext,
  ref: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<AddResult> {
  const inputs = Object.entries(files).map(([name, bytes]) => ({ name, stream: once(bytes) }));
  return add(context, inputs, { ref, who: "tester", message: "for a test" });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export interface SmallRepository {
  readonly backend: MemoryBackend;
  readonly context: StoreContext;
}

/** Two refs, one of them with two states; chunks, small blobs and tree nodes; a pack for each state. */
export async function smallRepository(): Promise<SmallRepository> {
  const backend = new MemoryBackend();
  const context = await newRepository(backend);
  const tool = noise(700, 1);
  await addFiles(context, "app:1", { tool, notes: noise(60, 2), text: new Uint8Array(400).fill(0x61) });
  await addFiles(context, "app:1", { tool, notes: noise(60, 3), other: noise(300, 4) });
  await addFiles(context, "single", { tool: noise(500, 5) });
  return { backend, context };
}

/** A copy whose files can be damaged one by one. */
export async function copyOf(backend: MemoryBackend): Promise<MemoryBackend> {
  const copy = new MemoryBackend();
  for (const { name } of await backend.list("")) await copy.replace(name, await backend.read(name));
  return copy;
}
