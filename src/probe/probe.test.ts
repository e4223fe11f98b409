import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { noise } from "../bytes/testing/random.ts";
import { isTenonError } from "../errors/index.ts";
import { probe } from "./index.ts";
import { hexOf, LayoutWriter, tarOf } from "./testing/archives.ts";
import type { MethodResult, ProbeReport } from "./types.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-probe-"));
});
after(() => rmSync(folder, { recursive: true }));

const method = (report: ProbeReport, name: string): MethodResult =>
  report.methods.find((found) => found.name === name)!;

const common = noise(300_000, 1);
const base = tarOf([
  { name: "lib/common", data: common },
  { name: "etc/x", data: noise(700, 2) },
]);
const second = tarOf([
  { name: "lib/copy", data: common },
  { name: "bin/own", data: noise(150_000, 3) },
]);

test("an OCI layout: layers once, images as groups, files inside told apart", async () => {
  const layout = new LayoutWriter(join(folder, "layout"));
  const [one, two] = [layout.layer(base), layout.layer(second, (tar) => zstdCompressSync(tar))];
  layout.image("one", [one]);
  layout.image("both", [one, two]);
  const phases = new Set<string>();
  const report = await probe([layout.path], { onProgress: ({ phase }) => phases.add(phase) });

  assert.deepEqual(report.problems, []);
  assert.equal(report.totalBytes, base.length + second.length);
  assert.deepEqual([report.layers, report.files], [2, 4]);
  assert.deepEqual(
    report.objects.map(({ kind, groups }) => [kind, groups]),
    [
      ["gzip layer", [0, 1]],
      ["zstd layer", [1]],
    ],
  );
  assert.deepEqual(
    report.groups.map(({ name, totalBytes }) => [name, totalBytes]),
    [
      [`${layout.path}:one`, base.length],
      [`${layout.path}:both`, base.length + second.length],
    ],
  );
  assert.equal(report.otherBlobs.count, 5, "index.json, two manifests, two configs");
  assert.equal(report.storedBytes, one.size + two.size + report.otherBlobs.bytes);
  assert.equal(method(report, "exact").uniqueBytes, report.totalBytes);
  // The file that both layers have is kept once.
  const files = method(report, "exact-file");
  assert.ok(files.uniqueBytes <= report.totalBytes - common.length, `${files.uniqueBytes}`);
  for (const each of report.methods) {
    assert.equal(each.totalBytes, report.totalBytes, each.name);
    assert.ok(each.packedBytes! > 0 && each.aloneBytes! > 0, each.name);
  }
  const chunks = method(report, "tenon-chunks");
  assert.ok(chunks.uniqueBytes < report.totalBytes - 200_000 && chunks.uniqueBytes > 450_000);
  const { verdict } = report;
  assert.equal(verdict!.compressedNowBytes, one.size + two.size);
  assert.ok(verdict!.tenonBytes < verdict!.compressedNowBytes);
  assert.deepEqual(
    report.leftOut.map(({ name }) => name),
    ["elf", "elf+dislocate"],
  );

  const [[all, shared], [sharedToo]] = report.matrix!.bytes as [[number, number], [number]];
  assert.equal(shared, sharedToo);
  assert.ok(all > 250_000 && shared === all, "the first image is a part of the second");
  assert.deepEqual(report.savings.map(({ name }) => name).sort(), ["lib/common", "lib/copy"]);
  assert.equal(report.obstacles[0]!.name, "bin/own");
  assert.deepEqual([...phases].sort(), ["checking", "compressing", "measuring"]);
  // The layer probe looked at gzip alone.
  assert.equal(report.layerProbeLines![1], "layers (gzip blobs) processed : 1");
});

test("the same images as blobs of a cache, as docker archive, as plain files: the same figures of the chunkers", async () => {
  const cache = join(folder, "cache");
  mkdirSync(cache);
  for (const blob of [gzipSync(base), gzipSync(second), Buffer.from('{"a config":1}')]) {
    writeFileSync(join(cache, hexOf(blob)), blob);
  }
  const archive = join(folder, "images.tar");
  const manifest = [
    { Config: "c.json", RepoTags: ["app:1"], Layers: ["1/layer.tar", "2/layer.tar"] },
    { Config: "c.json", RepoTags: null, Layers: ["3/layer.tar"] },
  ];
  writeFileSync(
    archive,
    tarOf([
      { name: "1/layer.tar", data: base },
      { name: "2/layer.tar", data: second },
      { name: "3/layer.tar", target: "../1/layer.tar" },
      { name: "c.json", data: Buffer.from("{}") },
      { name: "manifest.json", data: Buffer.from(JSON.stringify(manifest)) },
    ]),
  );
  const plain = join(folder, "plain");
  mkdirSync(plain);
  writeFileSync(join(plain, "1.tar"), base);
  writeFileSync(join(plain, "2.tar"), second);
  symlinkSync("1.tar", join(plain, "link"));
  const reports = await Promise.all(
    [[cache], [archive], [plain], [join(plain, "1.tar"), join(plain, "2.tar")]].map((paths) =>
      probe(paths, { recompress: false }),
    ),
  );
  for (const report of reports) {
    assert.deepEqual(report.problems, []);
    for (const name of ["bup(13)", "bup(7)", "gear(14)", "noms(64/13)", "tenon-chunks"]) {
      const { uniqueBytes, uniquePieces } = method(report, name);
      const first = method(reports[0]!, name);
      // A cache comes in the order of its names: cuts are the same, and so are the sums.
      assert.deepEqual([uniqueBytes, uniquePieces], [first.uniqueBytes, first.uniquePieces], name);
    }
    assert.equal(report.verdict, undefined);
    assert.equal(method(report, "exact").packedBytes, undefined);
  }
  const kinds = reports.map(({ objects }) => objects[0]!.kind);
  assert.deepEqual(kinds, ["gzip layer", "tar layer", "file", "tar layer"]);
  assert.deepEqual(
    reports[1]!.groups.map(({ name }) => name),
    ["app:1", `${archive}, image 2`],
  );
  assert.equal(reports[1]!.objects.length, 2, "a linked layer is the layer it leads to");
  assert.equal(reports[0]!.otherBlobs.count, 1);
});

test("what is damaged is left out and named", async () => {
  const layout = new LayoutWriter(join(folder, "damaged"));
  const good = layout.layer(base);
  const whole = gzipSync(second);
  const cut = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", whole.subarray(0, whole.length / 2));
  const crc = Buffer.from(whole);
  crc[crc.length - 6]! ^= 1;
  const wrongCrc = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", crc);
  const renamed = { ...layout.layer(noise(5000, 9)) };
  writeFileSync(join(layout.path, "blobs", "sha256", renamed.digest.slice(7)), Buffer.alloc(renamed.size));
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  layout.image("bad", [
    good,
    cut,
    wrongCrc,
    renamed,
    { mediaType, digest: `sha256:${"0".repeat(64)}`, size: 5 },
    { ...good, size: good.size + 1 },
    { mediaType, digest: "sha256:../../../etc/passwd", size: 1 },
    { mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", digest: good.digest, size: 1 },
  ]);
  const wrong = layout.json("application/vnd.oci.image.manifest.v1+json", { layers: [], x: 1 });
  writeFileSync(join(layout.path, "blobs", "sha256", wrong.digest.slice(7)), '{"layers":[],"x":2}');
  layout.add(wrong);
  const told: string[] = [];
  const report = await probe([layout.path], { recompress: false, onProblem: ({ code }) => told.push(code) });
  assert.equal(report.totalBytes, base.length);
  assert.equal(report.layers, 1);
  assert.deepEqual(told.sort(), [
    "damaged",
    "damaged",
    "damaged",
    "damaged",
    "damaged",
    "not-found",
    "unsupported",
    "unsupported",
  ]);
  assert.ok(report.problems.every(({ skipped, reason }) => skipped && reason !== ""));
});

test("indexes that name themselves or are nested without end, and manifests that are not JSON, end", async () => {
  const layout = new LayoutWriter(join(folder, "nested"));
  const mediaType = "application/vnd.oci.image.index.v1+json";
  let inner = layout.image("plain", [layout.layer(base)]);
  for (let depth = 0; depth < 20; depth++) {
    // The same twice: only its first occurrence is followed.
    inner = layout.json(mediaType, { manifests: [inner, inner], depth });
  }
  layout.add(inner);
  layout.add(layout.blob(mediaType, Buffer.from("{ no JSON")));
  layout.add(layout.json(mediaType, { manifests: [{ digest: 5 }, null, "x", []] }));
  const report = await probe([layout.path], { recompress: false });
  assert.equal(report.layers, 1);
  assert.deepEqual(
    report.problems.map(({ code }) => code),
    ["limit", "invalid", "unsupported", "unsupported", "unsupported", "unsupported"],
  );
});

test("a bomb is named, not swallowed; several gzip members are one layer", async () => {
  // One MiB of zeros as a deflate block, 1200 times over: 1.2 GiB from about 1.2 MB.
  const bomb = join(folder, "bomb.gz");
  const zeros = deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: 2 });
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  writeFileSync(bomb, Buffer.concat([header, ...new Array<Buffer>(1200).fill(zeros)]));
  const double = join(folder, "double.gz");
  writeFileSync(double, Buffer.concat([gzipSync(base.subarray(0, 5000)), gzipSync(base.subarray(5000))]));
  const report = await probe([bomb, double], { recompress: false });
  assert.deepEqual(
    report.problems.map(({ code, path }) => [code, path]),
    [["limit", bomb]],
  );
  assert.equal(report.totalBytes, base.length);
  assert.equal(report.files, 2);
});

test("a tar that breaks off is counted, and named", async () => {
  const broken = join(folder, "broken.tar");
  writeFileSync(broken, base.subarray(0, 200_000));
  const report = await probe([broken], { recompress: false });
  assert.deepEqual([report.totalBytes, report.problems.length], [200_000, 1]);
  assert.deepEqual([report.problems[0]!.code, report.problems[0]!.skipped], ["invalid", false]);
});

test("a path that isn't there is a problem beside others, and an error alone", async () => {
  const there = join(folder, "there");
  writeFileSync(there, "x");
  const gone = join(folder, "gone");
  const report = await probe([gone, there], { recompress: false });
  assert.deepEqual([report.files, report.problems[0]!.code], [1, "not-found"]);
  await assert.rejects(probe([gone]), (error) => isTenonError(error, "not-found"));
});

test("an empty directory and empty files give an empty report", async () => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  writeFileSync(join(empty, "nothing"), "");
  const report = await probe([empty]);
  assert.deepEqual([report.totalBytes, report.files, report.problems.length], [0, 0, 0]);
  assert.ok(report.methods.every(({ uniqueBytes, pieces }) => uniqueBytes === 0 && pieces === 0));
});

test("it stops when it is told to", async () => {
  const controller = new AbortController();
  const path = join(folder, "long");
  writeFileSync(path, Buffer.alloc(3 << 20));
  const options = { signal: controller.signal, onProgress: () => controller.abort(), recompress: false };
  await assert.rejects(probe([path], options), (error) => isTenonError(error, "interrupted"));
});
