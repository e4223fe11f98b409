import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  displayWidth,
  escapeControls,
  formatCount,
  formatMode,
  formatNumber,
  formatSeconds,
  formatSize,
  formatTable,
  wrap,
} from "./text.ts";

test("control characters never get through", () => {
  assert.equal(
    escapeControls("a\u001b[31mb\nc\td\u007f\u009b\u202e\u2028"),
    "a\\x1b[31mb\\nc\\td\\x7f\\x9b\\u{202e}\\u{2028}",
  );
  assert.equal(escapeControls("größe 文件 🔧 a\u0301"), "größe 文件 🔧 a\u0301");
  assert.equal(escapeControls("\ud800x"), "\\u{d800}x");
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x10ffff })), (codes) => {
      return !/[\p{Cc}\p{Cf}\p{Cs}]/u.test(escapeControls(String.fromCodePoint(...codes)));
    }),
    { seed: 2 },
  );
});

test("sizes have one decimal and never show 1024", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1536, "1.5 KiB"],
    [1024 * 1024 - 1, "1.0 MiB"],
    [10 * 2 ** 20, "10.0 MiB"],
    [3.25 * 2 ** 30, "3.3 GiB"],
    [2 ** 50, "1.0 PiB"],
    [2 ** 62, "4096.0 PiB"],
    [-2048, "-2.0 KiB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatSize(bytes), text);
});

test("numbers, counts and times", () => {
  assert.deepEqual([0, 999, 1000, 1234567].map(formatNumber), ["0", "999", "1,000", "1,234,567"]);
  assert.deepEqual(
    [formatCount(1, "file"), formatCount(2, "file"), formatCount(0, "entry", "entries")],
    ["1 file", "2 files", "0 entries"],
  );
  assert.deepEqual([0, 59.4, 59.6, 187, 7500, -3].map(formatSeconds), [
    "0s",
    "59s",
    "1m00s",
    "3m07s",
    "2h05m",
    "0s",
  ]);
});

test("modes as ls shows them", () => {
  assert.equal(formatMode("file", 0o755), "-rwxr-xr-x");
  assert.equal(formatMode("directory", 0o1777), "drwxrwxrwt");
  assert.equal(formatMode("symlink", 0o777), "lrwxrwxrwx");
  assert.equal(formatMode("file", 0o6644), "-rwSr-Sr--");
  assert.equal(formatMode("file", 0o4755), "-rwsr-xr-x");
});

test("columns are aligned by what the terminal shows", () => {
  assert.equal(displayWidth("文件"), 4);
  assert.equal(displayWidth("a\u0301"), 1);
  const lines = formatTable(
    [{ header: "NAME" }, { header: "SIZE", align: "right" }, { header: "WHY" }],
    [
      ["文件", "1.0 KiB", ""],
      ["b", "20 B", "x"],
    ],
    (text) => `<${text}>`,
  );
  assert.deepEqual(lines, ["<NAME     SIZE  WHY>", "文件  1.0 KiB", "b        20 B  x"]);
  assert.deepEqual(formatTable([{ header: "" }], [["x"]]), ["x"]);
  assert.deepEqual(formatTable([{ header: "A" }], []), ["A"]);
});

test("wrapping keeps every word and the width, unless a word is wider", () => {
  assert.deepEqual(wrap("one two three", 9, "  "), ["  one two", "  three"]);
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/)),
      fc.integer({ min: 1, max: 40 }),
      (words, width) => {
        const lines = wrap(words.join(" "), width);
        assert.equal(lines.join(" "), words.join(" "));
        for (const line of lines) assert.ok(line.length <= width || !line.includes(" "));
      },
    ),
    { seed: 3 },
  );
});
