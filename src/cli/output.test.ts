import assert from "node:assert/strict";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { Output, OutputClosed, Paint, wantsColour } from "./output.ts";
import { memorySink } from "./testing/fake.ts";

test("colours: FORCE_COLOR over NO_COLOR over the terminal", () => {
  const terminal = { isTerminal: true };
  const pipe = { isTerminal: false };
  assert.equal(wantsColour(terminal, { TERM: "xterm" }), true);
  assert.equal(wantsColour(terminal, { TERM: "dumb" }), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: "1" }), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: "" }), true);
  assert.equal(wantsColour(pipe, {}), false);
  assert.equal(wantsColour(pipe, { FORCE_COLOR: "1", NO_COLOR: "1" }), true);
  assert.equal(wantsColour(terminal, { FORCE_COLOR: "0" }), false);
  assert.equal(new Paint(true).bold("x"), "\u001b[1mx\u001b[0m");
  assert.equal(new Paint(false).red("x"), "x");
});

test("lines are gathered for a pipe and written at once for a terminal", async () => {
  const pipe = memorySink();
  const gathered = new Output({ stdout: pipe, stderr: memorySink(), env: {} });
  await gathered.line("one");
  assert.equal(pipe.text(), "");
  await gathered.bytes(Buffer.from("two"));
  assert.equal(pipe.text(), "one\ntwo");
  for (let i = 0; i < 100; i++) await gathered.line("x".repeat(1000));
  assert.ok(pipe.text().length > 50_000);

  const terminal = memorySink({ isTerminal: true });
  await new Output({ stdout: terminal, stderr: memorySink(), env: {} }).line("one");
  assert.equal(terminal.text(), "one\n");
});

test("the progress line is gone before a result or a message appears", async () => {
  const screen = memorySink({ isTerminal: true });
  const output = new Output({ stdout: screen, stderr: screen, env: {} });
  output.status("50%");
  await output.line("result");
  output.status("60%");
  output.note("message");
  output.status(undefined);
  assert.equal(screen.text(), "\r50%\u001b[K\r\u001b[Kresult\n\r60%\u001b[K\r\u001b[Kmessage\n");
});

function failingOutput(code: string): Output {
  const stdout = {
    ...memorySink(),
    write: () => Promise.reject(Object.assign(new Error(`${code}: refused`), { code })),
  };
  return new Output({ stdout, stderr: memorySink(), env: {} });
}

test("a reader that went away is no failure, a full disk is one", async () => {
  const closed = failingOutput("EPIPE");
  await assert.rejects(closed.bytes(Buffer.from("x")), OutputClosed);
  await assert.rejects(closed.bytes(Buffer.from("x")), OutputClosed);
  await assert.rejects(failingOutput("ENOSPC").bytes(Buffer.from("x")), (error) => {
    return isTenonError(error, "io") && error.message === "cannot write to standard output: ENOSPC: refused";
  });
});
