import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { reportPage } from "./index.ts";
import type { ProbeReport } from "./types.ts";

const EVIL = `<script>document.title="owned"</script>"'&\u202e\u0007<img src=http://example.org/x onerror=alert(1)>`;

const method = (name: string, uniqueBytes: number) => ({
  name,
  label: `how ${name} cuts`,
  totalBytes: 1000,
  uniqueBytes,
  pieces: 20,
  uniquePieces: 10,
  packedBytes: uniqueBytes / 2,
  aloneBytes: uniqueBytes / 1.5,
  isRestorable: name !== "lossy",
});

const report: ProbeReport = {
  version: 1,
  inputs: ["images", EVIL],
  totalBytes: 1000,
  storedBytes: 400,
  layers: 2,
  files: 5,
  methods: [method("exact", 1000), method("tenon-chunks", 600), method("lossy", 300)],
  leftOut: [{ name: "elf", reason: `none ${EVIL}` }],
  verdict: { compressedNowBytes: 400, tenonBytes: 300, chunkCdnBytes: 500 },
  layerProbeLines: [`=== chunk-dedup probe over ${EVIL} ===`],
  groups: [
    { name: "a", totalBytes: 600, objects: 1, ownBytes: 100 },
    { name: EVIL, totalBytes: 400, objects: 1, ownBytes: 100 },
  ],
  objects: [],
  matrix: {
    of: "groups",
    names: ["a", EVIL],
    bytes: [
      [600, 300],
      [300, 400],
    ],
    leftOut: 3,
  },
  savings: [{ name: EVIL, places: 2, totalBytes: 300, savedBytes: 150, groups: [EVIL, "a"] }],
  obstacles: [{ name: EVIL, places: 1, totalBytes: 300, ownBytes: 200, what: "data" }],
  executables: [
    {
      name: EVIL,
      totalBytes: 300,
      sharedBytes: 100,
      nearBytes: 100,
      uniqueBytes: 100,
      cells: Array.from({ length: 256 }, (_, i) => (i % 2 ? ([1, 0, 0] as const) : ([0, 1, 1] as const))),
    },
  ],
  problems: [{ path: EVIL, code: "damaged", reason: `broken ${EVIL}`, skipped: true }],
  otherBlobs: { count: 0, bytes: 0 },
};

const page = reportPage(report);

test("names can't leave their place, and what can't be seen is shown", () => {
  assert.ok(!page.includes("<script") && !page.includes("<img"));
  assert.ok(!page.includes("\u202e") && !page.includes("\u0007"));
  assert.ok(
    page.includes("&lt;script&gt;document.title=&quot;owned&quot;&lt;/script&gt;&quot;&#39;&amp;\\u{202e}"),
  );
});

test("the page loads nothing", () => {
  assert.ok(!/<(?:link|iframe|object|embed|video|audio)\b|@import|url\(/i.test(page));
  const tags = page.replace(/"[^"]*"/g, '""').match(/<[a-z][^>]*>/g)!;
  assert.ok(tags.length > 500);
  for (const tag of tags) assert.ok(!/\s(?:src|href|on\w+)=/.test(tag), tag);
  assert.ok(page.includes("default-src 'none'"));
});

test("tags are closed in order", () => {
  const open: string[] = [];
  const empty = new Set(["meta", "rect", "!doctype"]);
  for (const [, slash, name] of page
    .replace(/<style>[\s\S]*?<\/style>/, "")
    .matchAll(/<(\/?)([!a-z][a-z0-9]*)/g)) {
    if (empty.has(name!)) continue;
    if (slash === "") open.push(name!);
    else assert.equal(open.pop(), name);
  }
  assert.deepEqual(open, []);
});

test("without matrix, executables, verdict and problems their sections are not there", () => {
  const { matrix: _matrix, verdict: _verdict, layerProbeLines: _lines, ...rest } = report;
  const small = reportPage({ ...rest, executables: [], problems: [], savings: [], obstacles: [] });
  for (const title of [
    "Who shares",
    "Largest executables",
    "Left out",
    "Would a chunk store",
    "layer probe printed",
  ]) {
    assert.ok(page.includes(title), title);
    assert.ok(!small.includes(title), title);
  }
});

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-page-"));
});
after(() => rmSync(folder, { recursive: true }));

/** What the test uses of playwright-core. */
interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[] }): Promise<{
      newPage(options: { viewport: { width: number; height: number }; colorScheme?: "dark" }): Promise<{
        on(event: "request" | "pageerror" | "console", listener: (what: { url?(): string }) => void): void;
        goto(url: string): Promise<unknown>;
        title(): Promise<string>;
        evaluate<T>(code: string): Promise<T>;
      }>;
      close(): Promise<void>;
    }>;
  };
}

function chromiumPath(): string | undefined {
  try {
    return execFileSync("sh", ["-c", "command -v chromium || command -v chromium-browser"], {
      encoding: "utf8",
    }).trim();
  } catch {
    return undefined;
  }
}

test("in a browser: nothing is requested, nothing runs, bars and maps have their lengths", async (t) => {
  const executablePath = chromiumPath();
  if (executablePath === undefined) return t.skip("chromium is not installed");
  // Not a static import: an installation without development tools has no browser either.
  const path: string = "playwright-core";
  const playwright = (await import(path).catch(() => undefined)) as Playwright | undefined;
  if (playwright === undefined) return t.skip("playwright-core is not installed");
  const file = join(folder, "report.html");
  writeFileSync(file, page);
  const browser = await playwright.chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    for (const width of [1200, 420]) {
      const tab = await browser.newPage({ viewport: { width, height: 900 } });
      const requests: string[] = [];
      const trouble: unknown[] = [];
      tab.on("request", (request) => requests.push(request.url!()));
      tab.on("pageerror", (error) => trouble.push(error));
      tab.on("console", (message) => trouble.push(message));
      await tab.goto(pathToFileURL(file).href);
      assert.deepEqual(requests, [pathToFileURL(file).href]);
      assert.deepEqual(trouble, []);
      assert.equal(await tab.title(), "tenon probe");
      const widths = await tab.evaluate<number[]>(
        "[...document.querySelectorAll('.track .unique')].map((bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width)",
      );
      assert.deepEqual(
        widths.map((share) => Math.round(share * 100)),
        [100, 60, 30],
      );
      assert.equal(await tab.evaluate("document.querySelectorAll('svg rect').length"), 128 + 256);
      assert.ok(await tab.evaluate("document.querySelector('svg rect').getBoundingClientRect().height > 5"));
      assert.equal(await tab.evaluate("document.querySelectorAll('.matrix tbody td').length"), 4);
    }
  } finally {
    await browser.close();
  }
});

test("chromium alone renders it too", (t) => {
  const executablePath = chromiumPath();
  if (executablePath === undefined) return t.skip("chromium is not installed");
  const file = join(folder, "plain.html");
  writeFileSync(file, page);
  const dom = execFileSync(
    executablePath,
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      `--user-data-dir=${folder}/profile`,
      "--dump-dom",
      pathToFileURL(file).href,
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  assert.ok(dom.includes("<title>tenon probe</title>"));
  assert.equal(dom.match(/<rect /g)?.length, 128 + 256);
  assert.ok(!dom.includes("<script") && !dom.includes("<img"));
});
