import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import {
  compressionOf,
  type LayerEntry,
  MergedImage,
  mediaKind,
  parseDockerManifest,
  parseDocument,
} from "./index.ts";

const entry = (path: string, typeflag = "0", target = ""): LayerEntry<string> => ({
  path: Buffer.from(path),
  target: Buffer.from(target),
  mode: 0o644,
  typeflag,
  content: typeflag === "0" ? path : undefined,
});

function merged(...layers: LayerEntry<string>[][]): string[] {
  const image = new MergedImage<string>();
  for (const layer of layers) image.add(layer);
  return [...image.walk(new Uint8Array(0), { recursive: true })].map(({ path }) =>
    Buffer.from(path).toString(),
  );
}

test("whiteouts hide what is below, wherever they stand in their layer", () => {
  const base = [entry("a/x"), entry("a/y"), entry("b")];
  assert.deepEqual(merged(base, [entry("a/z"), entry("a/.wh.x"), entry(".wh.b"), entry("b/c")]), [
    "a",
    "a/y",
    "a/z",
    "b",
    "b/c",
  ]);
  assert.deepEqual(merged(base, [entry("a/new"), entry("a/.wh..wh..opq")]), ["a", "a/new", "b"]);
  assert.deepEqual(merged(base, [entry(".wh.nothing"), entry("no/.wh..wh..opq")]), ["a", "a/x", "a/y", "b"]);
});

test("a directory keeps what it has, a file in its place doesn't", () => {
  assert.deepEqual(merged([entry("a/x")], [entry("a", "5")]), ["a", "a/x"]);
  assert.deepEqual(merged([entry("a/x")], [entry("a")]), ["a"]);
  assert.deepEqual(merged([entry("a")], [entry("a/x")]), ["a", "a/x"]);
});

test("links are followed inside of the image and in no circle", () => {
  const image = new MergedImage<string>();
  image.add([
    entry("usr/bin/tool"),
    entry("bin", "2", "usr/bin"),
    entry("up", "2", "../../.."),
    entry("loop", "2", "loop"),
    entry("abs", "2", "/usr"),
  ]);
  const at = (path: string) => image.lookup(Buffer.from(path))?.type;
  assert.deepEqual(["bin/tool", "up/bin/tool", "abs/bin/tool", "loop/x", "bin", "../bin"].map(at), [
    "file",
    "file",
    "file",
    undefined,
    "symlink",
    undefined,
  ]);
  image.add([entry("hard", "1", "usr/bin/tool"), entry("bad", "1", "nowhere"), entry("../out")]);
  assert.equal(at("hard"), "file");
  assert.equal(image.leftOut, 2);
});

test("media types", () => {
  assert.equal(mediaKind("application/vnd.docker.distribution.manifest.list.v2+json"), "index");
  assert.equal(mediaKind("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"), "foreign");
  assert.deepEqual(
    [
      "application/vnd.oci.image.layer.v1.tar",
      "application/vnd.oci.image.layer.v1.tar+zstd",
      "application/vnd.docker.image.rootfs.diff.tar.gzip",
      "application/vnd.oci.image.layer.v1.tar+lzma",
    ].map(compressionOf),
    ["none", "zstd", "gzip", undefined],
  );
});

test("any JSON is a document or a named error, seed 3", () => {
  const tenonOnly = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (!isTenonError(error)) throw error;
    }
  };
  const json = fc.record(
    {
      schemaVersion: fc.constantFrom(1, 2),
      manifests: fc.jsonValue(),
      layers: fc.jsonValue(),
      config: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(json, fc.jsonValue()), (value) => {
      const bytes = Buffer.from(JSON.stringify(value));
      tenonOnly(() => parseDocument(bytes, "test"));
      tenonOnly(() => parseDockerManifest(bytes));
    }),
    { seed: 3, numRuns: 400 },
  );
  assert.throws(() => parseDocument(Buffer.from([0xff, 0xfe]), "test"), { code: "invalid" });
});
