/** For tests: repositories in scratch directories, and content that is made from a seed. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { Repository } from "./repository.ts";

/** A directory that is removed after the test. */
export async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenon-store-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A new repository in a scratch directory, with the directory beside it for inputs and outputs. */
export async function scratchRepository(
  t: TestContext,
): Promise<{ repository: Repository; directory: string }> {
  const directory = await scratch(t);
  const repository = await Repository.init(join(directory, "repo"));
  t.after(() => repository.close());
  return { repository, directory };
}

/** Bytes that don't compress and are the same for the same seed (xorshift32). */
export function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** Writes files, given by relative path. */
export async function writeFiles(directory: string, files: Readonly<Record<string, Uint8Array | string>>) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
