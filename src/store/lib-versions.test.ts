import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { sha256 } from "../digest/index.ts";
import { missing, Workshop } from "../library/testing/compile.ts";
import type { StoreEvent } from "./events.ts";
import { cat } from "./get.ts";
import { diffLibrary, diffLibraryFiles } from "./lib-diff.ts";
import { addLibrary, listLibraries, readLibraryVersion } from "./lib-versions.ts";
import { addFiles, newRepository } from "./testing/small-repository.ts";

const shop = new Workshop();
after(() => shop.dispose());
const skip = missing("x86-64");

const text = (n: number) => `int puts(const char *); static int helper(int x) { return x * ${n}; }
  int f(int x) { return puts("f") + helper(x); } int g(int x) { return puts("g") - x; }`;

/** Path of an object file called util.o. */
function object(n: number): string {
  return shop.compileFile(text(n), { name: "util.o" });
}

describe("versions of libraries", { skip }, () => {
  test("are stored as they were given, counted by unit, listed by version, compared", async () => {
    const context = await newRepository(new MemoryBackend());
    const paths = [object(3), object(5), object(3)];
    const first = await addLibrary(context, "util:1.9", [paths[0]!], { who: "tester" });
    assert.deepEqual(
      [first.objects, first.functions, first.comparedWith, first.newUnits, first.newUnitBytes],
      [1, 2, [], first.units, first.unitBytes],
    );
    const second = await addLibrary(context, "util:1.10", [paths[1]!], { who: "tester" });
    assert.deepEqual([second.comparedWith, second.newUnits, second.units], [["util:1.9"], 1, first.units]);
    const phases: string[] = [];
    const onEvent = (event: StoreEvent) => {
      if (event.type === "progress" && event.operation === "lib add")
        phases.push(`${event.doneItems}/${event.totalItems}`);
    };
    const again = await addLibrary(context, "util:2.0", [paths[2]!], { who: "tester", onEvent });
    assert.deepEqual(phases, ["0/2", "1/2"]);
    assert.deepEqual([again.newUnits, again.newUnitBytes], [0, 0]);
    assert.ok(again.storedBytes < second.storedBytes);

    await addFiles(context, "util:not-a-library", { tool: new Uint8Array(300) });
    await addFiles(context, "single", { tool: new Uint8Array(300) });
    const versions = await listLibraries(context, "util");
    assert.deepEqual(
      versions.map(({ version }) => version),
      ["1.9", "1.10", "2.0"],
    );
    assert.deepEqual((await listLibraries(context)).length, 3);
    assert.equal(versions[0]!.size, readFileSync(paths[0]!).length);
    assert.equal(versions[0]!.machine, "x86-64");

    const file = first.files[0]!.file;
    const pieces = [];
    for await (const piece of cat(context, `util:1.9:/${file}`)) pieces.push(piece);
    assert.equal(sha256(Buffer.concat(pieces)), sha256(readFileSync(paths[0]!)));
    const version = await readLibraryVersion(context, "util:1.9");
    assert.ok(version.bundles.some(({ name }) => name === "f"));

    const stored = await diffLibrary(context, "util:1.9", "util:1.10");
    assert.deepEqual(
      stored.changes.map(({ name, change, aspects }) => [name, change, ...aspects]),
      [["f", "changed", "bytes"]],
    );
    const { from: _, to: __, ...files } = await diffLibraryFiles(paths[0]!, paths[1]!);
    assert.deepEqual(files.totals, stored.totals);
    assert.deepEqual((await diffLibrary(context, "util:1.9", "util:2.0")).changes, []);
  });

  test("several files, of which two have the same name", async () => {
    const context = await newRepository(new MemoryBackend());
    const one = shop.compileFile("static int helper(int x) { return x; } int (*a)(int) = helper;", {
      name: "same.o",
    });
    const two = shop.compileFile("static int helper(int x) { return -x; } int (*b)(int) = helper;", {
      name: "same.o",
    });
    const { files, objects } = await addLibrary(context, "pair:1", [one, two]);
    assert.equal(objects, 2);
    const version = await readLibraryVersion(context, "pair:1");
    assert.deepEqual(
      version.objects.map(({ name }) => name),
      files.map(({ file }) => file),
    );
    assert.equal(version.bundles.filter(({ name }) => name.endsWith(":helper")).length, 2);
  });

  test("the manifest", async () => {
    const context = await newRepository(new MemoryBackend());
    const {
      ref,
      name,
      version,
      newUnits,
      newUnitBytes,
      storedBytes,
      comparedWith,
      sequence,
      size,
      ...counts
    } = await addLibrary(context, "util:1", [object(3)]);
    assert.deepEqual([ref, name, version, comparedWith, sequence], ["util:1", "util", "1", [], 1]);
    assert.ok(newUnits > 0 && newUnitBytes > 0 && storedBytes > 0 && size > 0);
    const pieces = [];
    for await (const piece of cat(context, "util:1:/library.json")) pieces.push(piece);
    const manifest = Buffer.concat(pieces).toString();
    assert.deepEqual(JSON.parse(manifest), { format: "tenon-library", version: 1, ...counts });
    assert.ok(
      manifest.startsWith(
        '{\n  "format": "tenon-library",\n  "version": 1,\n  "machine": "x86-64",\n  "files": [\n',
      ),
    );
  });

  test("stops when asked to", async () => {
    const context = await newRepository(new MemoryBackend());
    await addLibrary(context, "util:1", [object(3)]);
    const controller = new AbortController();
    const onEvent = (event: StoreEvent) => {
      if (event.type === "progress") controller.abort();
    };
    const options = { signal: controller.signal, onEvent };
    await assert.rejects(addLibrary(context, "util:2", [object(5)], options), { code: "interrupted" });
    assert.equal((await listLibraries(context)).length, 1);
  });

  test("what can't be is refused", async () => {
    const context = await newRepository(new MemoryBackend());
    const path = object(3);
    await assert.rejects(addLibrary(context, "util", [path]), { code: "usage", message: /names no version/ });
    await assert.rejects(addLibrary(context, "util:1", [`${path}x`]), { code: "not-found" });
    writeFileSync(join(shop.folder, "text.o"), "no object");
    await assert.rejects(addLibrary(context, "util:1", [join(shop.folder, "text.o")]), {
      code: "invalid",
      message: /text\.o/,
    });
    assert.deepEqual(await listLibraries(context), []);
    await addFiles(context, "tool:1", { a: new Uint8Array(300), b: new Uint8Array(301) });
    await addFiles(context, "tool:2", { a: new Uint8Array(300) });
    await addFiles(context, "tool:3", {
      "library.json": Buffer.from('{"format":"tenon-library","version":2}'),
      b: new Uint8Array(9),
    });
    await assert.rejects(readLibraryVersion(context, "tool:1"), {
      code: "unsupported",
      message: /has no library\.json/,
    });
    await assert.rejects(readLibraryVersion(context, "tool:2"), {
      code: "unsupported",
      message: /no directory/,
    });
    await assert.rejects(readLibraryVersion(context, "tool:3"), {
      code: "unsupported",
      message: /no manifest of this release/,
    });
    await assert.rejects(readLibraryVersion(context, "other:1"), { code: "not-found" });
    const digest = sha256(readFileSync(path));
    const counts = { objects: 1, functions: 1, units: 1, unitBytes: 1 };
    const manifest = (file: string, sum: string) =>
      Buffer.from(
        JSON.stringify({
          format: "tenon-library",
          version: 1,
          machine: "x86-64",
          files: [{ file, size: 9, digest: sum }],
          ...counts,
        }),
      );
    await addFiles(context, "bad:1", {
      "library.json": manifest("util.o", digest.replace(/./g, "0")),
      "util.o": readFileSync(path),
    });
    await assert.rejects(readLibraryVersion(context, "bad:1"), { code: "damaged" });
    await addFiles(context, "bad:2", {
      "library.json": manifest("../util.o", digest),
      "util.o": readFileSync(path),
    });
    await assert.rejects(readLibraryVersion(context, "bad:2"), { code: "unsupported" });
    await addFiles(context, "bad:3", {
      "library.json": manifest("util.o", digest),
      "util.o": readFileSync(path),
    });
    assert.equal((await readLibraryVersion(context, "bad:3")).objects.length, 1);
  });
});
