import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { elfFile } from "../../pages/testing/elf-file.ts";
import { noStore, runWith } from "../testing/fake.ts";

let folder: string;
const at = (name: string) => join(folder, name);
const share = (...args: string[]) => runWith(["lib", "share", ...args], () => import("../../store/index.ts"));

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-lib-share-"));
  const image = (fileSizeBytes: number) =>
    elfFile({
      bits: 64,
      isLittleEndian: true,
      segments: [{ address: 0x40_0000n, fileSizeBytes, sizeBytes: BigInt(fileSizeBytes) + 0x2000n }],
    });
  writeFileSync(at("one"), image(0x3000));
  writeFileSync(at("two"), image(0x4000));
  const memory = new Uint8Array(3 << 20);
  memory.set(image(0x3000).subarray(0x1000, 0x2000), 0x5000);
  writeFileSync(at("memory"), memory);
  writeFileSync(at("object"), elfFile({ bits: 64, isLittleEndian: true, segments: [] }).fill(1, 16, 17));
  writeFileSync(at("empty"), "");
});
after(() => rmSync(folder, { recursive: true }));

test("a table for people: each image, neighbours, the pool, and why something isn't as it should be", async () => {
  const { exitCode, stdout, stderr } = await share(at("one"), at("two"), at("memory"));
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const lines = stdout.split("\n");
  assert.equal(lines[0], "pages of 4.0 KiB");
  assert.match(lines[1]!, /^IMAGE +PAGES +ZERO +SHARED +AT ADDRESS +ELSEWHERE +WITHIN +UNIQUE$/);
  assert.match(lines[2]!, /one +5 +2 +3 +3 +0 +0 +0$/);
  assert.match(lines[3]!, /two +6 +2 +3 +3 +0 +0 +1$/);
  assert.match(lines[4]!, /memory +768 +767 +1 +0 +1 +0 +0$/);
  assert.equal(
    lines[5],
    "together 779 pages, 771 zero; of 8 others 4 differ (50.0%): 1 in all images, 2 in several, 1 in one",
  );
  assert.match(stdout, /one → \S+two +4 +3 +75\.0% +3 +75\.0%\n/);
  assert.match(stdout, /\npages of 2\.0 MiB\n/);
  assert.match(stdout, /\npool: 4 pages, 16\.0 KiB, [\d.]+ K?i?B compressed; its map 32 B; the files have /);
  assert.match(stdout, /memory: taken for memory as it is: it doesn't begin as an ELF file does\n/);
});

test("--json gives the report, --svg a map, --loader copy leaves out what stands beside segments", async () => {
  const svg = at("map.svg");
  const { exitCode, stdout } = await share("--json", "--svg", svg, "--loader", "copy", at("two"), at("one"));
  assert.equal(exitCode, 0);
  const report = JSON.parse(stdout);
  assert.deepEqual(report.images[0], { path: at("two"), kind: "elf", loader: "copy", fileBytes: 0x8000 });
  assert.deepEqual(Object.keys(report), ["version", "images", "pageSizes", "pool"]);
  assert.deepEqual(
    report.pageSizes.map(({ pageBytes }: { pageBytes: number }) => pageBytes),
    [4096, 2 << 20],
  );
  assert.deepEqual(report.pageSizes[0].neighbours, [
    { from: 0, pages: 5, zero: 2, sameAddress: 3, sameContent: 3 },
  ]);
  assert.ok(report.pool.zstdBytes > 0 && report.pool.zstdBytes < report.pool.bytes);
  assert.match(
    readFileSync(svg, "utf8"),
    /^<\?xml [\s\S]*<title>3 pages in all images<\/title>[\s\S]*<\/svg>\n$/,
  );
});

test("where a map can't be written is told before images are read, and an earlier map stays", async () => {
  const nowhere = await share("--svg", at("none/map.svg"), at("none"));
  assert.deepEqual([nowhere.exitCode, nowhere.stdout], [1, ""]);
  assert.match(nowhere.stderr, /map\.svg can't be written: there is no directory \S+none; make it first/);
  writeFileSync(at("kept.svg"), "earlier");
  assert.equal((await share("--svg", at("kept.svg"), at("none"))).exitCode, 1);
  assert.equal(readFileSync(at("kept.svg"), "utf8"), "earlier");
});

test("the same image twice is shared in full, an empty file has no pages", async () => {
  const { stdout } = await share("--json", at("one"), at("one"), at("empty"));
  const { images, pageSizes } = JSON.parse(stdout);
  assert.deepEqual(
    pageSizes[0].images.map(({ pages, unique }: { pages: number; unique: number }) => [pages, unique]),
    [
      [5, 0],
      [5, 0],
      [0, 0],
    ],
  );
  assert.equal(images[2].reason, "it is empty");
});

test("what can't be mapped is an error that names the file", async () => {
  for (const [name, message] of [
    ["none", /none: .*no such file/i],
    ["object", /object: .*link it first/],
    [".", /not a regular file/],
  ] as const) {
    const { exitCode, stdout, stderr } = await share(at("one"), at(name));
    assert.deepEqual([exitCode, stdout], [1, ""]);
    assert.match(stderr, message);
  }
  assert.equal((await runWith(["lib", "share"], noStore)).exitCode, 2);
  assert.equal((await runWith(["lib", "share", "--loader", "dma", "x"], noStore)).exitCode, 2);
});
