import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreEvent } from "../store/index.ts";
import { eventRenderer, formatItem } from "./events.ts";
import { Output } from "./output.ts";
import { memorySink } from "./testing/fake.ts";

const item: Extract<StoreEvent, { type: "item" }> = {
  type: "item",
  operation: "add",
  path: "bin/to\u001bol",
  kind: "file",
  digest: "ab".repeat(32),
  size: 4096,
  storedBytes: 1024,
  representation: "chunks",
  declined: [{ representation: "executable", reason: "no\nsections" }],
};
const problem: StoreEvent = {
  type: "problem",
  operation: "add",
  code: "io",
  message: "permission denied",
  path: "a\rb",
};
const progress: StoreEvent = {
  type: "progress",
  operation: "add",
  phase: "reading",
  doneBytes: 2048,
  doneItems: 1,
};

function render(
  flags: { json?: boolean; quiet?: boolean; verbose?: boolean; showProgress?: boolean },
  events: StoreEvent[],
): string {
  let now = 0;
  const stderr = memorySink({ isTerminal: true });
  const output = new Output({ stdout: memorySink(), stderr, env: { TERM: "dumb" } });
  const options = {
    output,
    json: false,
    quiet: false,
    verbose: false,
    showProgress: true,
    now: () => now,
    ...flags,
  };
  const listener = eventRenderer(options);
  for (const event of events) {
    now += 1000;
    listener(event);
  }
  return stderr.text();
}

test("an item says what it cost, as what it is kept, and why not as something better", () => {
  assert.equal(
    formatItem(item),
    "bin/to\\x1bol: 4.0 KiB, 1.0 KiB new, chunks; not executable: no\\nsections",
  );
  assert.equal(formatItem({ ...item, known: true, declined: [] }), "bin/to\\x1bol: 4.0 KiB, known, chunks");
  assert.equal(
    formatItem({ type: "item", operation: "get", path: "d", kind: "directory", size: 0 }),
    "d: directory",
  );
});

test("text: problems always, items with --verbose, progress as one line that is cleared", () => {
  assert.equal(
    render({ quiet: true }, [progress, item, problem]),
    "tenon: problem: a\\rb: permission denied\n",
  );
  assert.equal(render({ showProgress: false }, [progress, item]), "");
  const text = render({ verbose: true }, [progress, item, problem]);
  assert.equal(
    text,
    `\rreading  2.0 KiB  1 item\u001b[K\r\u001b[K${formatItem(item)}\ntenon: problem: a\\rb: permission denied\n`,
  );
});

test("json: each event is a line as it came; progress is thinned out, --quiet leaves the problems", () => {
  const lines = render({ json: true }, [progress, item, problem]).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [progress, item, problem],
  );
  assert.deepEqual(JSON.parse(render({ json: true, quiet: true }, [progress, item, problem])), problem);
  assert.equal(render({ json: true, showProgress: false }, [progress]), "");
});

test("json: at most ten lines of progress a second", () => {
  const stderr = memorySink();
  const output = new Output({ stdout: memorySink(), stderr, env: {} });
  let now = 0;
  const listener = eventRenderer({
    output,
    json: true,
    quiet: false,
    verbose: false,
    showProgress: true,
    now: () => now,
  });
  for (now = 0; now < 1000; now++) listener(progress);
  assert.equal(stderr.text().trimEnd().split("\n").length, 10);
});
