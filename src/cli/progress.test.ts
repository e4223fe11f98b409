import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProgress, type ProgressEvent, ProgressLine, REDRAW_MS } from "./progress.ts";

const MIB = 2 ** 20;

function progress(facts: Partial<ProgressEvent>): ProgressEvent {
  return { type: "progress", operation: "add", phase: "reading", doneBytes: 0, doneItems: 0, ...facts };
}

test("phase, share, amounts, rate, time left", () => {
  const event = progress({
    doneBytes: 50 * MIB,
    totalBytes: 200 * MIB,
    doneItems: 1200,
    totalItems: 4000,
    storedBytes: 3 * MIB,
  });
  assert.equal(
    formatProgress(event, 10 * MIB, 120),
    "reading   25%  50.0 MiB of 200.0 MiB  10.0 MiB/s  15s left  1,200 of 4,000 items  3.0 MiB stored",
  );
  assert.equal(
    formatProgress(progress({ doneBytes: 5 * MIB, doneItems: 2 }), undefined, 80),
    "reading  5.0 MiB  2 items",
  );
  assert.equal(
    formatProgress(progress({ phase: "marking", doneItems: 5, totalItems: 10 }), undefined, 80),
    "marking   50%  5 of 10 items",
  );
  // A total that turned out too small shows neither more than everything nor time.
  assert.equal(
    formatProgress(progress({ doneBytes: 3 * MIB, totalBytes: 2 * MIB }), MIB, 80),
    "reading  100%  3.0 MiB of 2.0 MiB  1.0 MiB/s",
  );
});

test("the line is never as wide as the terminal", () => {
  const event = progress({
    doneBytes: 50 * MIB,
    totalBytes: 200 * MIB,
    doneItems: 1200,
    totalItems: 4000,
    storedBytes: 3 * MIB,
  });
  for (let columns = 1; columns <= 120; columns++) {
    const line = formatProgress(event, 10 * MIB, columns);
    assert.ok(line.length < Math.max(columns, 1) || (columns === 1 && line === ""), `${columns}: ${line}`);
  }
});

test("drawn at most ten times a second, and not at all for short work", () => {
  let now = 0;
  const line = new ProgressLine(() => now);
  const drawnAt: number[] = [];
  for (now = 0; now < 2000; now += 7) {
    if (line.next(progress({ doneBytes: now * 1000, doneItems: 1 }), 80) !== undefined) drawnAt.push(now);
  }
  assert.ok(drawnAt[0]! >= 200, `first at ${drawnAt[0]}`);
  assert.ok(drawnAt.length >= 10 && drawnAt.length <= 20, `${drawnAt.length} lines`);
  for (let i = 1; i < drawnAt.length; i++) assert.ok(drawnAt[i]! - drawnAt[i - 1]! >= REDRAW_MS);
});

test("the rate is that of the last seconds of the present phase", () => {
  let now = 0;
  const line = new ProgressLine(() => now);
  let doneBytes = 0;
  let last: string | undefined;
  const second = (phase: string, bytes: number) => {
    for (let i = 0; i < 10; i++) {
      now += 100;
      doneBytes += bytes / 10;
      last = line.next(progress({ phase, doneBytes, doneItems: 0 }), 80) ?? last;
    }
  };
  for (let i = 0; i < 20; i++) second("reading", 100 * MIB);
  assert.match(last!, /100\.0 MiB\/s/);
  for (let i = 0; i < 7; i++) second("reading", 10 * MIB);
  assert.match(last!, / 10\.0 MiB\/s/);
  doneBytes = 0;
  second("writing", 5 * MIB);
  assert.match(last!, /^writing .* 5\.0 MiB\/s/);
});
