/** For tests: repositories in memory, small enough to damage every byte of. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, MemoryBackend } from "../../backend/index.ts";
import { noise } from "../../bytes/testing/random.ts";
import { defaultChunkerParameters } from "../../chunking/index.ts";
import { isTenonError } from "../../errors/index.ts";
import { createConfig } from "../../repository/index.ts";
import { add } from "../add.ts";
import { openBase, openContext, type StoreContext } from "../context.ts";
import { get } from "../get.ts";
import type { AddResult } from "../types.ts";

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
  const tool = noise(300, 1);
  await addFiles(context, "app:1", { tool, notes: noise(60, 2), text: new Uint8Array(400).fill(0x61) });
  await addFiles(context, "app:1", { tool, notes: noise(60, 3), other: noise(200, 4) });
  await addFiles(context, "single", { tool: noise(250, 5) });
  return { backend, context };
}

/** Everything that `smallRepository` holds. */
export const SMALL_SPECS = ["app:1", "app:1@1", "single:latest"] as const;

export interface Restored {
  /** Content by spec and path. */
  readonly files: ReadonlyMap<string, string>;
  /** The get said that all is there. */
  readonly complete: boolean;
  readonly spec: string;
}

/** A place where things are restored to. */
export async function restoreScratch() {
  const folder = await mkdtemp(join(tmpdir(), "tenon-restore-"));
  const output = join(folder, "out");
  /** The files that a get leaves behind. */
  const restore = async (from: Backend, spec: string): Promise<Restored> => {
    let complete = false;
    try {
      const context = await openContext(await openBase(from));
      complete = (await get(context, spec, { output })).problems === 0;
    } catch (error) {
      const codes = ["damaged", "invalid", "not-found", "unsupported", "limit"];
      if (!isTenonError(error) || !codes.includes(error.code)) throw error;
    }
    const files = new Map<string, string>();
    const alone = await readFile(output, "base64").catch(() => undefined);
    if (alone !== undefined) files.set(spec, alone);
    const found = await readdir(output, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of found) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files.set(spec + path.slice(output.length), await readFile(path, "base64"));
    }
    await rm(output, { recursive: true, force: true });
    return { files, complete, spec };
  };
  return {
    restore,
    /** Content of everything by spec and path, without what can't be had. */
    async all(from: Backend): Promise<Map<string, string>> {
      const files: [string, string][] = [];
      for (const spec of SMALL_SPECS) files.push(...(await restore(from, spec)).files);
      return new Map(files);
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Never other bytes than the right ones; all of them when get says so. */
export function assertNothingWrong(right: ReadonlyMap<string, string>, got: Restored, what: string): void {
  for (const [path, content] of got.files) assert.equal(content, right.get(path), `${what}: ${path}`);
  if (!got.complete) return;
  const expected = [...right.keys()].filter((path) => path === got.spec || path.startsWith(`${got.spec}/`));
  assert.equal(
    got.files.size,
    expected.length,
    `${what}: ${got.spec} is not complete, but no problem was told`,
  );
}

/** A copy whose files can be damaged one by one. */
export async function copyOf(backend: MemoryBackend): Promise<MemoryBackend> {
  const copy = new MemoryBackend();
  for (const { name } of await backend.list("")) await copy.replace(name, await backend.read(name));
  return copy;
}
