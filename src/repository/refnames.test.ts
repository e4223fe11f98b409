import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { formatRef, parseRefName, parseSpec, type Spec } from "./refnames.ts";
import { parseStateName, stateName } from "./refstate.ts";

test("ref names: what is one", () => {
  assert.deepEqual(parseRefName("esbuild"), { name: "esbuild", tag: "latest" });
  assert.deepEqual(parseRefName("esbuild:0.25.1"), { name: "esbuild", tag: "0.25.1" });
  assert.deepEqual(parseRefName("org/tool_x/a-b.c:_v"), { name: "org/tool_x/a-b.c", tag: "_v" });
  assert.deepEqual(parseRefName(`${"n".repeat(126)}:${"t".repeat(128)}`).tag.length, 128);
  assert.deepEqual(parseRefName(`${"a/".repeat(127)}b`).name.length, 255);
});

test("ref names: what is none", () => {
  for (const text of [
    "",
    ":",
    "a:",
    ":a",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    ".a",
    "a/.b",
    "-a",
    "a/-b",
    "a:-b",
    "a:.b",
    "a:b:c",
    "a b",
    "ä",
    "a@1",
    "a~1",
    "a\n",
    "a:b\n",
    "a:b/c",
    "n".repeat(256),
    `a:${"t".repeat(129)}`,
    `${"n".repeat(127)}:${"t".repeat(128)}`,
  ]) {
    assert.throws(() => parseRefName(text), { code: "usage" }, JSON.stringify(text));
  }
});

const word = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,30}$/);
const refName = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 6 }), word)
  .map(([parts, tag]) => ({ name: parts.join("/"), tag }));

test("ref names: text and file name lead back to the ref", () => {
  fc.assert(
    fc.property(refName, fc.integer({ min: 1, max: 9_999_999_999 }), (ref, sequence) => {
      assert.deepEqual(parseRefName(formatRef(ref)), ref);
      assert.deepEqual(parseStateName(stateName(ref, sequence)), { ref, sequence });
    }),
    { seed: 20260102, numRuns: 500 },
  );
});

const latest = (name: string) => ({ name, tag: "latest" });

test("specs: readings", () => {
  const cases: [string, Omit<Spec, "text">][] = [
    ["tool", { ref: { ref: latest("tool") } }],
    ["tool:1.0", { ref: { ref: { name: "tool", tag: "1.0" } } }],
    [
      "org/tool:1.0@3:/bin/x",
      { ref: { ref: { name: "org/tool", tag: "1.0" }, sequence: 3, path: "/bin/x" } },
    ],
    ["tool@3", { ref: { ref: latest("tool"), sequence: 3 } }],
    ["tool~2", { ref: { ref: latest("tool"), back: 2 } }],
    ["tool~0:x", { ref: { ref: latest("tool"), back: 0, path: "x" } }],
    ["tool:1.0~1", { ref: { ref: { name: "tool", tag: "1.0" }, back: 1 } }],
    ["tool:/bin/ls", { ref: { ref: latest("tool"), path: "/bin/ls" } }],
    ["tool:bin/ls", { ref: { ref: latest("tool"), path: "bin/ls" } }],
    ["tool::bin", { ref: { ref: latest("tool"), path: "bin" } }],
    ["tool:1.0:bin", { ref: { ref: { name: "tool", tag: "1.0" }, path: "bin" } }],
    ["tool:1.0:/a:b@c~d\n", { ref: { ref: { name: "tool", tag: "1.0" }, path: "/a:b@c~d\n" } }],
    ["tool:/a@3", { ref: { ref: latest("tool"), path: "/a@3" } }],
    ["tool@12:usr", { ref: { ref: latest("tool"), sequence: 12, path: "usr" } }],
    ["beef", { ref: { ref: latest("beef") }, digest: { digestPrefix: "beef" } }],
    ["BEEF", { ref: { ref: latest("BEEF") }, digest: { digestPrefix: "beef" } }],
    ["bee", { ref: { ref: latest("bee") } }],
    ["beef:/x", { ref: { ref: latest("beef"), path: "/x" }, digest: { digestPrefix: "beef", path: "/x" } }],
    ["beef:x", { ref: { ref: { name: "beef", tag: "x" } }, digest: { digestPrefix: "beef", path: "x" } }],
    ["sha256:beef", { ref: { ref: { name: "sha256", tag: "beef" } }, digest: { digestPrefix: "beef" } }],
    [
      "sha256:beef:/x",
      {
        ref: { ref: { name: "sha256", tag: "beef" }, path: "/x" },
        digest: { digestPrefix: "beef", path: "/x" },
      },
    ],
    ["beef@1", { ref: { ref: latest("beef"), sequence: 1 } }],
  ];
  for (const [text, readings] of cases) assert.deepEqual(parseSpec(text), { text, ...readings }, text);
  const digest = "0123456789abcdef".repeat(4);
  assert.equal(parseSpec(digest).digest?.digestPrefix, digest);
  assert.equal(parseSpec(`${digest}0`).digest, undefined);
});

test("specs: what is none", () => {
  for (const text of [
    "",
    ":",
    ":x",
    "tool:",
    "tool@",
    "tool@0",
    "tool@x",
    "tool~",
    "tool~1~2",
    "tool@1~1",
    "@1",
    "/x",
    "../x",
    "a b",
    "tool@12345678901",
  ]) {
    assert.throws(() => parseSpec(text), { code: "usage" }, JSON.stringify(text));
  }
});

test("specs: any text is read or refused, and quickly", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom(":", "@", "~", "/", "latest", "beef", "sha256:", "7"));
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      try {
        const { ref, digest } = parseSpec(pieces.join(""));
        assert.ok(ref !== undefined || digest !== undefined);
        if (ref) assert.deepEqual(parseRefName(formatRef(ref.ref)), ref.ref);
      } catch (error) {
        if (!isTenonError(error, "usage")) throw error;
      }
    }),
    { seed: 20260103, numRuns: 2000 },
  );
  const started = performance.now();
  for (const text of [
    "a".repeat(1e6),
    "a:".repeat(5e5),
    "a/".repeat(5e5),
    `a:${"@".repeat(1e6)}`,
    "f".repeat(1e6),
  ]) {
    assert.throws(() => {
      parseSpec(text);
      throw new TypeError("read it");
    });
  }
  assert.ok(performance.now() - started < 2000);
});
