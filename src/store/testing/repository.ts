/** For tests: repositories in scratch directories. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { scratch } from "../../files/testing/scratch.ts";
import type { Declined } from "../events.ts";
import { Repository } from "../repository.ts";

/** Whether a program is installed. */
export const has = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** A new repository in a scratch directory, with the directory beside it for inputs and outputs. */
export async function scratchRepository(
  t: TestContext,
): Promise<{ repository: Repository; directory: string }> {
  const directory = scratch(t);
  const repository = await Repository.init(join(directory, "repo"));
  t.after(() => repository.close());
  return { repository, directory };
}

/** Writes files, given by relative path. */
export async function writeFiles(directory: string, files: Readonly<Record<string, Uint8Array | string>>) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

/** How a file was kept, and why not better. */
export interface Kept {
  readonly representation: string;
  readonly declined: readonly Declined[];
}

/** Adds a file and compares what comes back, whole and in parts. */
export async function roundTrip(repository: Repository, path: string, ref: string): Promise<Kept> {
  const content = await readFile(path);
  let kept: Kept | undefined;
  await repository.add([path], {
    ref,
    onEvent: (event) => {
      if (event.type === "item") kept = { representation: event.representation!, declined: event.declined! };
    },
  });
  const read = async (range?: { readonly offset: number; readonly length: number }) =>
    Buffer.concat(await Array.fromAsync(repository.cat(ref, range)));
  assert.ok((await read()).equals(content), path);
  for (let i = 0; i < 12; i++) {
    const offset = Math.floor((content.length * i) / 11);
    const length = i * 700;
    const part = content.subarray(offset, offset + length);
    assert.ok((await read({ offset, length })).equals(part), `${path} from ${offset}`);
  }
  return kept!;
}
