/** The promises of `Backend` as tests: every implementation runs them. Only tests import this. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, utf8 } from "../../bytes/index.ts";
import { type ErrorCode, isTenonError } from "../../errors/index.ts";
import type { Backend } from "../types.ts";

/** Makes an empty backend for one test. */
export type BackendMaker = () => Backend | Promise<Backend>;

export async function failsWith(code: ErrorCode, action: () => unknown): Promise<void> {
  await assert.rejects(
    async () => action(),
    (error) => isTenonError(error, code) || assert.fail(`expected ${code}, got ${String(error)}`),
  );
}

async function names(backend: Backend, folder: string): Promise<string[]> {
  const found = await backend.listNames(folder);
  const listed = await backend.list(folder);
  assert.deepEqual(
    listed.map(({ name }) => name),
    found,
  );
  return found;
}

export function backendConformance(kind: string, make: BackendMaker): void {
  test(`${kind}: gives back what was created, whole and by range`, async () => {
    const backend = await make();
    const bytes = utf8("0123456789");
    assert.equal(await backend.createIfAbsent("packs/ab/one", bytes), true);
    bytes.fill(0);
    assert.deepEqual(await backend.read("packs/ab/one"), utf8("0123456789"));
    assert.deepEqual(await backend.read("packs/ab/one", { offset: 3, length: 4 }), utf8("3456"));
    assert.deepEqual(await backend.read("packs/ab/one", { offset: 10, length: 0 }), utf8(""));
    assert.equal((await backend.stat("packs/ab/one"))?.size, 10);
    (await backend.read("packs/ab/one")).fill(0);
    assert.deepEqual(await backend.read("packs/ab/one"), utf8("0123456789"));
  });

  test(`${kind}: an empty file is a file`, async () => {
    const backend = await make();
    assert.equal(await backend.createIfAbsent("empty", utf8("")), true);
    assert.equal(await backend.createIfAbsent("empty", utf8("x")), false);
    assert.deepEqual(await backend.read("empty"), utf8(""));
  });

  test(`${kind}: what is missing is not-found, and nothing was made by asking`, async () => {
    const backend = await make();
    await failsWith("not-found", () => backend.read("a/b"));
    await failsWith("not-found", () => backend.openRandom("a/b"));
    assert.equal(await backend.stat("a/b"), undefined);
    assert.deepEqual(await backend.list(""), []);
    assert.deepEqual(await backend.list("refs"), []);
    await backend.remove("a/b");
    assert.equal(await backend.totalBytes(), 0);
    assert.equal(await backend.removeTemporaries(Number.MAX_SAFE_INTEGER), 0);
  });

  test(`${kind}: a folder is no file, nor a file a folder`, async () => {
    const backend = await make();
    await backend.createIfAbsent("a/b", utf8("x"));
    assert.equal(await backend.stat("a"), undefined);
    assert.equal(await backend.stat("a/b/c"), undefined);
    await assert.rejects(backend.read("a"), (error) => isTenonError(error));
    assert.deepEqual(await names(backend, "a/b"), []);
  });

  test(`${kind}: ranges that reach beyond the end are damage, impossible ones are refused`, async () => {
    const backend = await make();
    await backend.createIfAbsent("f", utf8("0123456789"));
    await failsWith("damaged", () => backend.read("f", { offset: 5, length: 6 }));
    await failsWith("damaged", () => backend.read("f", { offset: 11, length: 0 }));
    await failsWith("damaged", () => backend.read("f", { offset: 0, length: 2 ** 50 }));
    await failsWith("usage", () => backend.read("f", { offset: -1, length: 1 }));
    await failsWith("usage", () => backend.read("f", { offset: 0, length: 1.5 }));
    await failsWith("usage", () => backend.read("f", { offset: Number.NaN, length: 1 }));
  });

  test(`${kind}: random reads, waiting or not, also after the file was removed`, async () => {
    const backend = await make();
    await backend.createIfAbsent("f", utf8("0123456789"));
    const file = await backend.openRandom("f");
    await backend.remove("f");
    assert.equal(file.size, 10);
    const parts = await Promise.all([file.read(0, 3), file.read(7, 3), file.read(3, 4)]);
    assert.deepEqual(parts, [utf8("012"), utf8("789"), utf8("3456")]);
    await failsWith("damaged", () => file.read(8, 3));
    const into = new Uint8Array(4);
    assert.equal(file.readSync(into, 2), 4);
    assert.deepEqual(into, utf8("2345"));
    assert.equal(file.readSync(into, 8), 2);
    assert.deepEqual(into, utf8("8945"));
    assert.equal(file.readSync(into, 10), 0);
    await file.close();
  });

  test(`${kind}: names that could leave the repository or hide in it are refused`, async () => {
    const backend = await make();
    const long = "x".repeat(256);
    for (const name of [
      "",
      "/a",
      "a/",
      "a//b",
      "..",
      "../a",
      "a/../b",
      "./a",
      ".hidden",
      "a/.b",
      "tmp/x",
      "tmp",
    ]) {
      await failsWith("usage", () => backend.createIfAbsent(name, utf8("x")));
      await failsWith("usage", () => backend.read(name));
    }
    for (const name of ["ä", "a b", "a\0b", "a\\b", "a:b", "a\n", long, `${"a/".repeat(400)}b`]) {
      await failsWith("usage", () => backend.replace(name, utf8("x")));
      await failsWith("usage", () => backend.stat(name));
      await failsWith("usage", () => backend.remove(name));
    }
    for (const folder of ["/", "..", "a/../b"]) await failsWith("usage", () => backend.list(folder));
    assert.equal(await backend.createIfAbsent("a@1/b+c=d_e-f.g", utf8("x")), true);
    assert.equal(await backend.totalBytes(), 1);
  });

  test(`${kind}: lists what is below a folder, sorted, and nothing beside it`, async () => {
    const backend = await make();
    for (const name of ["refs/b@x/2", "refs/b@x/1", "refs/b", "refs-not/a", "refs/a/b/c", "config"]) {
      await backend.createIfAbsent(name, utf8(name));
    }
    assert.deepEqual(await names(backend, "refs"), ["refs/a/b/c", "refs/b", "refs/b@x/1", "refs/b@x/2"]);
    assert.deepEqual(await names(backend, "refs/"), await names(backend, "refs"));
    assert.deepEqual(await names(backend, "refs/b"), []);
    assert.equal((await names(backend, "")).length, 6);
    const listed = (await backend.list(""))[0]!;
    assert.deepEqual(await backend.stat(listed.name), { size: listed.size, mtimeMs: listed.mtimeMs });
  });

  test(`${kind}: of sixteen that create the same name exactly one does`, async () => {
    const backend = await make();
    for (let round = 0; round < 8; round++) {
      const name = `race/${round}`;
      const tries = Array.from({ length: 16 }, (_, i) => utf8(`writer ${i} ${"x".repeat(i * 1000)}`));
      const won = await Promise.all(tries.map((bytes) => backend.createIfAbsent(name, bytes)));
      assert.equal(won.filter(Boolean).length, 1);
      assert.deepEqual(await backend.read(name), tries[won.indexOf(true)]);
    }
    assert.equal((await backend.list("")).length, 8);
  });

  test(`${kind}: a writer's file appears at its commit and not before`, async () => {
    const backend = await make();
    const writer = await backend.createWriter();
    const piece = utf8("piece ");
    await writer.write(piece);
    piece.fill(0);
    await writer.write(utf8(""));
    await writer.write(utf8("by piece"));
    assert.equal(writer.bytesWritten, 14);
    assert.deepEqual(await backend.list(""), []);
    assert.equal(await backend.totalBytes(), 14);
    await failsWith("usage", () => writer.commit("../out"));
    await writer.commit("packs/p");
    assert.deepEqual(await backend.read("packs/p"), utf8("piece by piece"));
    await failsWith("usage", () => writer.write(utf8("x")));
    await failsWith("usage", () => writer.commit("packs/q"));
    await writer.abort();
    assert.deepEqual(await names(backend, ""), ["packs/p"]);
    assert.equal(await backend.totalBytes(), 14);
  });

  test(`${kind}: an aborted writer leaves nothing`, async () => {
    const backend = await make();
    const writer = await backend.createWriter();
    await writer.write(utf8("in vain"));
    await writer.abort();
    await writer.abort();
    assert.equal(await backend.totalBytes(), 0);
    await failsWith("usage", () => writer.write(utf8("x")));
  });

  test(`${kind}: committing a name again keeps the file, and heals one of another length`, async () => {
    const backend = await make();
    const commit = async (text: string) => {
      const writer = await backend.createWriter();
      await writer.write(utf8(text));
      await writer.commit("packs/p");
    };
    await Promise.all(Array.from({ length: 8 }, () => commit("content")));
    assert.deepEqual(await backend.read("packs/p"), utf8("content"));
    await backend.replace("packs/p", utf8("cont"));
    await commit("content");
    assert.deepEqual(await backend.read("packs/p"), utf8("content"));
    assert.equal(await backend.totalBytes(), 7);
  });

  test(`${kind}: a large file comes back through many small writes`, async () => {
    const backend = await make();
    const pieces = Array.from({ length: 300 }, (_, i) => new Uint8Array(10_007).fill(i));
    const writer = await backend.createWriter();
    for (const piece of pieces) await writer.write(piece);
    await writer.commit("big");
    assert.deepEqual(await backend.read("big"), concatBytes(pieces));
  });

  test(`${kind}: replace is whole for every reader, the last one wins`, async () => {
    const backend = await make();
    const texts = ["short", "a longer text", "x".repeat(100_000)].map(utf8);
    await backend.replace("leases/l", texts[0]!);
    let done = false;
    const writing = (async () => {
      for (let i = 0; i < 30; i++) await backend.replace("leases/l", texts[i % 3]!);
      done = true;
    })();
    while (!done) {
      const found = await backend.read("leases/l");
      assert.ok(texts.some((text) => text.length === found.length && text.at(-1) === found.at(-1)));
    }
    await writing;
    assert.deepEqual(await backend.read("leases/l"), texts[2]);
    assert.deepEqual(await names(backend, ""), ["leases/l"]);
  });

  test(`${kind}: what was removed may be created again`, async () => {
    const backend = await make();
    await backend.createIfAbsent("f", utf8("one"));
    await backend.remove("f");
    assert.equal(await backend.createIfAbsent("f", utf8("two")), true);
    assert.deepEqual(await backend.read("f"), utf8("two"));
  });
}
