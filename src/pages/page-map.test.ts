import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { type PageClass, pageMapSvg } from "./index.ts";

const EVIL = `<script>alert(1)</script>"'&\u202e\u0007\ud800`;
const run = (firstPage: number, classes: readonly PageClass[]) => ({
  firstPage,
  pages: classes.length,
  classes,
});
const times = (n: number, pageClass: PageClass) => Array.from({ length: n }, () => pageClass);

const svg = pageMapSvg([
  { name: "first", runs: [run(1024, [...times(100, "all"), ...times(50, "own"), "zero"])] },
  {
    name: EVIL,
    runs: [run(1024, ["all", "some", "some"]), { firstPage: 1027, pages: 2 ** 40 }, run(2 ** 51, ["own"])],
  },
]);

test("elements are closed in order, names are text, nothing is loaded", () => {
  const open: string[] = [];
  const body = svg.replace(/^<\?xml[^>]*\?>/, "");
  for (const [, end, name, empty] of body.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (end) assert.equal(open.pop(), name);
    else if (!empty) open.push(name!);
  }
  assert.deepEqual(open, []);
  assert.ok(
    !svg.includes("<script") &&
      !/\b(?:href|src|url|@import)\b/.test(svg.replaceAll("http://www.w3.org/2000/svg", "")),
  );
  assert.ok(!svg.includes("\u202e") && !svg.includes("\u0007") && svg.isWellFormed());
  assert.ok(svg.includes("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;\\u{202e}\\u{7}\\u{d800}"));
});

test("a parser of XML takes it", (t) => {
  const program =
    "import sys, xml.dom.minidom as m; d = m.parseString(sys.stdin.buffer.read()); print(len(d.getElementsByTagName('path')))";
  try {
    execFileSync("python3", ["--version"], { stdio: "pipe" });
  } catch {
    return t.skip("python3 is not installed");
  }
  assert.equal(execFileSync("python3", ["-c", program], { input: svg, encoding: "utf8" }), "7\n");
});

test("cells lie at their addresses, and shapes say what they are", () => {
  // 1024 is the beginning of a row; 100 cells are one run, the 50 behind them go on in the next row.
  assert.match(svg, /<path class="all" d="M108 132h700v9h-700z"><title>100 pages in all images<\/title>/);
  assert.match(
    svg,
    /<path class="own" d="M808 132h196v9h-196zM108 142h154v9h-154z"><title>50 pages in this image only<\/title>/,
  );
  assert.match(svg, /<path class="zero" d="M262 142h7v9h-7z"><title>1 page of zeros<\/title>/);
  assert.match(
    svg,
    /<title>first: 151 pages: 100 in all images, 0 in several images, 50 in this image only, 1 of zeros<\/title>/,
  );
  assert.match(svg, />400000<\/text>/);
  assert.match(svg, />8000000000000000<\/text>/);
  assert.match(svg, /… 1,099,511,627,523 pages of zeros more/);
});

test("large images get cells of several pages, coloured as most of them are", () => {
  const large = pageMapSvg([
    { name: "large", runs: [run(0, [...times(30_000, "own"), ...times(3, "all")])] },
  ]);
  assert.match(large, /A cell is 2 pages of 4 KiB/);
  assert.match(large, /<path class="all" d="M\d+ \d+h14v9h-14z"><title>3 pages in all images/);
  assert.match(pageMapSvg([{ name: "none", runs: [] }]), /Pages that an image has/);
});

/** What the test uses of playwright-core. */
interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[] }): Promise<{
      newPage(): Promise<{
        on(event: "request" | "pageerror" | "console", listener: (what: { url?(): string }) => void): void;
        goto(url: string): Promise<unknown>;
        evaluate<T>(code: string): Promise<T>;
      }>;
      close(): Promise<void>;
    }>;
  };
}

test("in a browser: nothing is requested, nothing runs, cells have their places", async (t) => {
  let executablePath: string;
  try {
    const command = "command -v chromium || command -v chromium-browser";
    executablePath = execFileSync("sh", ["-c", command], { encoding: "utf8" }).trim();
  } catch {
    return t.skip("chromium is not installed");
  }
  // Not a static import: an installation without development tools has no browser either.
  const path: string = "playwright-core";
  const playwright = (await import(path).catch(() => undefined)) as Playwright | undefined;
  if (playwright === undefined) return t.skip("playwright-core is not installed");
  const folder = mkdtempSync(join(tmpdir(), "tenon-map-"));
  const browser = await playwright.chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const file = join(folder, "map.svg");
    writeFileSync(file, svg);
    const tab = await browser.newPage();
    const seen: unknown[] = [];
    tab.on("request", (request) => seen.push(request.url!()));
    tab.on("pageerror", (error) => seen.push(error));
    tab.on("console", (message) => seen.push(message));
    await tab.goto(pathToFileURL(file).href);
    assert.deepEqual(seen, [pathToFileURL(file).href]);
    assert.equal(await tab.evaluate("document.documentElement.nodeName"), "svg");
    const widths = "[...document.querySelectorAll('path.all')].map((path) => path.getBBox().width)";
    assert.deepEqual(await tab.evaluate(widths), [700, 7]);
    const colour = "getComputedStyle(document.querySelector('path.own')).fill";
    assert.notEqual(await tab.evaluate(colour), "rgb(0, 0, 0)", "the style sheet holds");
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
});
