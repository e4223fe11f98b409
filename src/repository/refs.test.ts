import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backend, MemoryBackend } from "../backend/index.ts";
import { FaultyBackend } from "../backend/testing/faulty.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { formatRef, parseRefName, type RefName } from "./refnames.ts";
import { type RefHistoryEntry, RefStore } from "./refs.ts";
import { parseState, type RefChange, type RefRoot, serializeState, stateName } from "./refstate.ts";
import { type JsonObject, seal, unseal } from "./sealed.ts";

const tool = parseRefName("org/tool:1.0");
const root = (n: number): RefRoot => ({
  type: "tree",
  digest: sha256(Uint8Array.of(n)),
  size: n * 10,
  files: n,
});
const change = (n: number): RefChange => ({
  root: root(n),
  who: "ann@box",
  what: `add ${n} ü\n\ud800`,
  when: new Date(1_700_000_000_000 + n).toISOString(),
});
const removal: RefChange = { ...change(0), root: null };

async function withStates(count: number, backend: Backend = new MemoryBackend(), ref: RefName = tool) {
  const refs = new RefStore(backend);
  for (let n = 1; n <= count; n++) await refs.update(ref, { ...change(n), expectedSequence: n - 1 });
  return { backend, refs };
}

async function collect(refs: RefStore, ref = tool): Promise<RefHistoryEntry[]> {
  const entries: RefHistoryEntry[] = [];
  for await (const entry of refs.history(ref)) entries.push(entry);
  return entries;
}

/** "3 2! 1": sequences, those with a problem marked. */
const brief = (entries: readonly RefHistoryEntry[]) =>
  entries.map((entry) => `${entry.sequence}${"problem" in entry ? "!" : ""}`).join(" ");

async function flip(backend: Backend, name: string, at = 10): Promise<void> {
  const bytes = await backend.read(name);
  bytes[at]! ^= 1;
  await backend.replace(name, bytes);
}

test("ref state: the text is pinned", () => {
  const file: RefRoot = { type: "file", digest: sha256(Uint8Array.of(1)), size: 1, files: 1, mode: 0o755 };
  const state = { ...change(1), what: "add", root: file, ref: "org/tool:1.0", sequence: 1, parent: null };
  assert.equal(
    Buffer.from(serializeState(state)).toString(),
    `{
 "format": 1,
 "parent": null,
 "ref": "org/tool:1.0",
 "root": {
  "digest": "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a",
  "files": 1,
  "mode": 493,
  "size": 1,
  "type": "file"
 },
 "sequence": 1,
 "what": "add",
 "when": "2023-11-14T22:13:20.001Z",
 "who": "ann@box"
}
sha256 6740b2b82f9f0876f93a6b0e509b8d3e770820f06db8028380406c0e26aebdcb
`,
  );
});

test("ref state: each changed, missing or added byte is noticed", () => {
  const bytes = serializeState({
    ...change(1),
    ref: formatRef(tool),
    sequence: 2,
    parent: sha256(Uint8Array.of()),
  });
  assert.equal(parseState(bytes, tool, 2).what, change(1).what);
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [1, 0x20, 0x80, 0xff]) {
      const copy = bytes.slice();
      copy[at]! ^= mask;
      assert.throws(() => parseState(copy, tool, 2), { code: "damaged" });
    }
    assert.throws(() => parseState(bytes.subarray(0, at), tool, 2), { code: "damaged" });
  }
});

test("ref state: a file at another's place is damage, a wrong field is invalid, a new format unsupported", () => {
  const state = { ...change(1), ref: formatRef(tool), sequence: 2, parent: sha256(Uint8Array.of()) };
  const bytes = serializeState(state);
  assert.throws(() => parseState(bytes, tool, 3), { code: "damaged" });
  assert.throws(() => parseState(bytes, parseRefName("org/tool:1.1"), 2), { code: "damaged" });
  const value = unseal(bytes, { format: "ref state", path: "" });
  assert.throws(() => parseState(seal({ ...value, format: 2 }), tool, 2), { code: "unsupported" });
  const wrong: JsonObject[] = [
    { parent: null },
    { parent: "abc" },
    { when: "now" },
    { who: 5 },
    { extra: 0 },
    { root: [] },
    { root: { ...root(1), digest: "x" } as JsonObject },
    { root: { ...root(1), size: -1 } as JsonObject },
    { root: { ...root(1), type: "disk" } as JsonObject },
    { root: { ...root(1), mode: 0o644 } as JsonObject },
    { root: { ...root(1), type: "file", mode: 0o10000 } as JsonObject },
    { root: { ...root(1), more: 1 } as JsonObject },
  ];
  for (const one of wrong) {
    assert.throws(
      () => parseState(seal({ ...value, ...one }), tool, 2),
      { code: "invalid" },
      JSON.stringify(one),
    );
  }
});

test("refs: states follow one another", async () => {
  const { backend, refs } = await withStates(3);
  const state = await refs.read(tool);
  assert.deepEqual(state, {
    ...change(3),
    ref: "org/tool:1.0",
    sequence: 3,
    parent: sha256(await backend.read("refs/org/tool@1.0/0000000002")),
  });
  assert.equal((await refs.readState(tool, 1)).parent, null);
  await assert.rejects(refs.readState(tool, 4), { code: "not-found" });
  assert.equal(await refs.read(parseRefName("org/tool")), undefined);
  assert.equal(brief(await collect(refs)), "3 2 1");
});

test("refs: an update that expects another state is a conflict and changes nothing", async () => {
  const { backend, refs } = await withStates(2);
  for (const expectedSequence of [0, 1, 3]) {
    await assert.rejects(refs.update(tool, { ...change(9), expectedSequence }), { code: "conflict" });
  }
  assert.equal((await backend.list("refs")).length, 2);
});

test("refs: removal is a state; what never was cannot be removed", async () => {
  const { refs } = await withStates(1);
  await refs.update(tool, { ...removal, expectedSequence: 1 });
  assert.equal((await refs.read(tool))?.root, null);
  await refs.move(tool, change(2));
  assert.equal((await refs.read(tool))?.sequence, 3);
  await assert.rejects(refs.move(parseRefName("other"), removal), { code: "not-found" });
});

test("refs: texts and times that no state can hold are refused before anything is written", async () => {
  const { backend, refs } = await withStates(0);
  await assert.rejects(refs.move(tool, { ...change(1), what: "x".repeat(16385) }), { code: "limit" });
  await assert.rejects(refs.move(tool, { ...change(1), when: "now" }), { code: "usage" });
  await assert.rejects(refs.move(tool, { ...change(1), root: { ...root(1), digest: "x" } }), {
    code: "invalid",
  });
  assert.deepEqual(await backend.list(""), []);
  await refs.move(tool, { ...change(1), who: "\u0001".repeat(1024), what: "\ud800".repeat(16384) });
  assert.equal((await refs.read(tool))?.what.length, 16384);
});

test("refs: of sixteen updates that expect the same state exactly one wins, every time", async () => {
  const { backend, refs } = await withStates(0);
  for (let n = 0; n < 10; n++) {
    const tries = await Promise.allSettled(
      Array.from({ length: 16 }, (_, i) => refs.update(tool, { ...change(i), expectedSequence: n })),
    );
    const won = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.equal(won.length, 1);
    assert.deepEqual(await refs.read(tool), won[0]);
    for (const one of tries) assert.ok(one.status === "fulfilled" || isTenonError(one.reason, "conflict"));
  }
  assert.equal((await backend.list("refs")).length, 10);
});

test("refs: sixteen moves without expectation all get through, one after the other", async () => {
  const { refs } = await withStates(0);
  const states = await Promise.all(Array.from({ length: 16 }, (_, i) => refs.move(tool, change(i))));
  assert.deepEqual(
    states.map(({ sequence }) => sequence).sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, i) => i + 1),
  );
  assert.equal((await collect(refs)).filter((entry) => "problem" in entry).length, 0);
});

test("refs: a damaged newest state is damage, never the state before it", async () => {
  const { backend, refs } = await withStates(3);
  await flip(backend, stateName(tool, 3));
  await assert.rejects(refs.read(tool), { code: "damaged" });
  await assert.rejects(refs.move(tool, change(4)), { code: "damaged" });
  await assert.rejects(refs.forgetHistory(tool), { code: "damaged" });
  assert.equal(brief(await collect(refs)), "3! 2 1");
  const { refs: listed } = await refs.list();
  assert.ok(listed.length === 1 && "problem" in listed[0]! && isTenonError(listed[0].problem, "damaged"));
});

test("refs: history goes on past damage, gaps and states that were exchanged", async () => {
  const { backend, refs } = await withStates(6);
  await flip(backend, stateName(tool, 5));
  await backend.remove(stateName(tool, 3));
  const other = { ...change(77), ref: formatRef(tool), sequence: 1, parent: null };
  await backend.replace(stateName(tool, 1), serializeState(other));
  assert.equal(brief(await collect(refs)), "6 5! 4 3! 2 1!");
});

test("refs: lists all refs, removed ones too, and names foreign files", async () => {
  const { backend, refs } = await withStates(1);
  await withStates(2, backend, parseRefName("org"));
  await withStates(12, backend, parseRefName("org/tool:0.9"));
  await refs.move(parseRefName("org"), removal);
  await backend.createIfAbsent("refs/org/README", Uint8Array.of(1));
  await backend.createIfAbsent("refs/org@latest/0000000000", Uint8Array.of(1));
  const { refs: listed, foreign } = await refs.list();
  assert.deepEqual(
    listed.map(
      (entry) => `${formatRef(entry.ref)} ${entry.sequence} ${"state" in entry && entry.state.root !== null}`,
    ),
    ["org/tool:0.9 12 true", "org/tool:1.0 1 true", "org:latest 3 false"],
  );
  assert.deepEqual(foreign, ["refs/org/README", "refs/org@latest/0000000000"]);
});

test("refs: forgetting history keeps the present state and what follows", async () => {
  const { backend, refs } = await withStates(4);
  const before = await backend.totalBytes();
  const freed = await refs.forgetHistory(tool);
  assert.equal(before - freed, await backend.totalBytes());
  assert.equal(brief(await collect(refs)), "4");
  await refs.update(tool, { ...change(5), expectedSequence: 4 });
  assert.equal(brief(await collect(refs)), "5 4");
});

test("refs: forgetting that stops anywhere leaves no gap", async () => {
  for (let atChange = 1; atChange <= 3; atChange++) {
    const backend = new MemoryBackend();
    await withStates(4, backend);
    const faulty = new FaultyBackend(backend, { atChange, mode: "crash-before" });
    await assert.rejects(new RefStore(faulty).forgetHistory(tool), { code: "io" });
    const entries = await collect(new RefStore(backend));
    assert.equal(brief(entries), ["4 3 2 1", "4 3 2", "4 3"][atChange - 1]);
  }
});

test("refs: purge deletes what a removed ref was, its number goes on", async () => {
  const { backend, refs } = await withStates(3);
  await assert.rejects(refs.purge(tool), { code: "conflict" });
  await refs.move(tool, removal);
  assert.ok((await refs.purge(tool)) > 0);
  assert.equal((await backend.list("refs")).length, 1);
  assert.equal((await refs.move(tool, change(1))).sequence, 5);
  assert.equal(await refs.purge(parseRefName("never-was")), 0);
});

/** A backend whose next create waits until something else has been done. */
class LateBackend extends MemoryBackend {
  meanwhile: (() => Promise<unknown>) | undefined;

  override async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    const first = this.meanwhile;
    this.meanwhile = undefined;
    await first?.();
    return super.createIfAbsent(name, bytes);
  }
}

test("refs: a writer that sleeps while its number is used and forgotten gets a conflict", async () => {
  const backend = new LateBackend();
  const { refs } = await withStates(5, backend);
  backend.meanwhile = async () => {
    await refs.move(tool, change(6));
    await refs.move(tool, change(7));
    await refs.forgetHistory(tool);
  };
  await assert.rejects(refs.update(tool, { ...change(99), expectedSequence: 5 }), { code: "conflict" });
  assert.equal(brief(await collect(refs)), "7");
  backend.meanwhile = async () => {
    await refs.move(tool, removal);
    await refs.purge(tool);
    await refs.move(tool, change(9));
    await refs.forgetHistory(tool);
  };
  assert.equal((await refs.move(tool, change(10))).sequence, 10);
  assert.equal(brief(await collect(refs)), "10 9");
});

test("refs: a crash at any change leaves the old state or the new one", async () => {
  for (const mode of ["crash-before", "crash-after"] as const) {
    const backend = new MemoryBackend();
    await withStates(1, backend);
    const faulty = new FaultyBackend(backend, { atChange: 1, mode });
    await assert.rejects(new RefStore(faulty).move(tool, change(2)), { code: "io" });
    const state = await new RefStore(backend).read(tool);
    assert.equal(state?.sequence, mode === "crash-before" ? 1 : 2);
  }
});
