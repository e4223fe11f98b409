import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, TenonError } from "../errors/index.ts";
import { EXIT, EXIT_CODES, exitCodeOf } from "./exit.ts";
import { renderFailure } from "./failure.ts";
import { Output, OutputClosed } from "./output.ts";
import { memorySink } from "./testing/fake.ts";

function render(error: unknown, flags: { json?: boolean; verbose?: boolean; command?: string } = {}) {
  const stderr = memorySink();
  const output = new Output({ stdout: memorySink(), stderr, env: {} });
  const exitCode = renderFailure(error, { output, json: false, verbose: false, ...flags });
  return { exitCode, text: stderr.text() };
}

// A Record over ErrorCode: a new code doesn't compile until its exit code is decided here too.
const EXPECTED: Readonly<Record<ErrorCode, number>> = {
  usage: 2,
  "not-found": 1,
  ambiguous: 1,
  "no-repository": 10,
  exists: 1,
  conflict: 1,
  busy: 1,
  damaged: 11,
  invalid: 1,
  unsupported: 1,
  limit: 1,
  io: 1,
  unsafe: 1,
  partial: 3,
  interrupted: 130,
};

test("every kind of failure has its exit code, and every exit code its line in the table", () => {
  for (const [code, exitCode] of Object.entries(EXPECTED)) {
    assert.equal(exitCodeOf(code as ErrorCode), exitCode, code);
    assert.equal(render(new TenonError(code as ErrorCode, "x")).exitCode, exitCode, code);
  }
  assert.deepEqual(
    EXIT_CODES.map(({ code }) => code),
    Object.values(EXIT),
  );
});

test("text: what failed and what to do next, without control characters", () => {
  assert.deepEqual(render(new TenonError("no-repository", "no repository in /a\u001bb")), {
    exitCode: 10,
    text: "tenon: no repository in /a\\x1bb\n  make one there with 'tenon init', or name another with --repo or TENON_REPO\n",
  });
  assert.equal(
    render(new TenonError("usage", "no such thing"), { command: "add" }).text,
    "tenon: no such thing\n  see 'tenon help add'\n",
  );
  assert.equal(render(new TenonError("io", "disk is full")).text, "tenon: disk is full\n");
  for (const command of ["get", "fat pack", "fat unpack", "debug"])
    assert.match(render(new TenonError("exists", "x exists"), { command }).text, /--overwrite/);
  assert.equal(render(new TenonError("exists", "x exists"), { command: "init" }).text, "tenon: x exists\n");
});

test("json: one line with code, message, data and exit code", () => {
  const { text } = render(new TenonError("damaged", "pack is damaged", { path: "packs/x", offset: 12 }), {
    json: true,
  });
  const line = JSON.parse(text);
  assert.equal(line.type, "error");
  assert.equal(line.exitCode, 11);
  assert.deepEqual(
    [line.error.code, line.error.message, line.error.path, line.error.offset],
    ["damaged", "pack is damaged", "packs/x", 12],
  );
  assert.equal(JSON.parse(render(new TypeError("oops"), { json: true }).text).error.code, "internal");
});

test("what is damaged outside any repository is not for `check`", () => {
  const damaged = new TenonError("damaged", "the fat file is cut short", { path: "server" });
  for (const command of ["fat list", "fat explain", "fat verify", "fat unpack"]) {
    assert.equal(render(damaged, { command }).text, "tenon: the fat file is cut short\n");
  }
  for (const command of ["fat pack", "get"]) assert.match(render(damaged, { command }).text, /tenon check/);
});

test("what the system, an abort or a mistake of ours threw", () => {
  const system = Object.assign(new Error("EACCES: permission denied, open 'x'"), {
    code: "EACCES",
    path: "x",
  });
  assert.deepEqual(render(system), { exitCode: 1, text: "tenon: EACCES: permission denied, open 'x'\n" });
  assert.equal(render(new DOMException("aborted", "AbortError")).exitCode, 130);
  const internal = render(new TypeError("oops"));
  assert.deepEqual([internal.exitCode, internal.text.split("\n")[0]], [1, "tenon: internal error: oops"]);
  assert.match(render(new TypeError("oops"), { verbose: true }).text, /failure\.test\.ts/);
  assert.equal(render("just text").exitCode, 1);
});

test("a reader that left is told nothing", () => {
  assert.deepEqual(render(new OutputClosed()), { exitCode: 0, text: "" });
});
