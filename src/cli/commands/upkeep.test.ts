import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckResult, GcResult, Stats } from "../../store/index.ts";
import { fakeStore, runWith } from "../testing/fake.ts";
import { DIGEST } from "../testing/samples.ts";

test("stats: aligned for people, whole for programs", async () => {
  const stats: Stats = {
    logicalBytes: 10 * 2 ** 20,
    storedBytes: 4 * 2 ** 20,
    ratio: 0.4,
    refs: 2,
    files: 1234,
    blobs: 1000,
    atoms: 5000,
    segments: 10,
    packs: 1,
    streams: [{ kind: "chunk", segments: 8, atoms: 4000, rawBytes: 2 ** 20, storedBytes: 2 ** 19 }],
    storedByPart: { packs: 2 ** 20, packDirectories: 1024, index: 2048, refs: 100, other: 0 },
    representations: [{ name: "chunks", blobs: 1000, bytes: 10 * 2 ** 20 }],
  };
  const store = fakeStore({ stats: async () => stats });
  assert.deepEqual(JSON.parse((await runWith(["stats", "--json"], store)).stdout), stats);
  assert.equal(
    (await runWith(["stats"], store)).stdout,
    [
      "logical             10.0 MiB  1,234 files reached by 2 refs",
      "stored               4.0 MiB  40.0% of logical",
      "  packs              1.0 MiB  1 pack",
      "  pack directories   1.0 KiB",
      "  index              2.0 KiB",
      "  refs                 100 B",
      "  other                  0 B",
      "blobs                  1,000",
      "atoms                  5,000  in 10 segments",
      "",
      "STREAM  SEGMENTS  ATOMS      RAW     STORED  SHARE",
      "chunk          8  4,000  1.0 MiB  512.0 KiB  50.0%",
      "",
      "KEPT AS  BLOBS      SIZE",
      "chunks   1,000  10.0 MiB",
      "",
    ].join("\n"),
  );
});

test("check: damages are named, and the exit code is 11", async () => {
  const whole: CheckResult = {
    ok: true,
    packs: 2,
    blobs: 10,
    bytesRead: 2048,
    damages: [],
    notes: ["a stale lease"],
  };
  const good = await runWith(["check", "--read-data"], fakeStore({ check: async () => whole }));
  assert.deepEqual(
    [good.exitCode, good.stdout],
    [0, "note     a stale lease\n2 packs, 10 blobs, 2.0 KiB read: no damage\n"],
  );
  const damages = [{ file: "packs/x", what: "frame 3", refs: ["a:1", "b:2"], blobs: [DIGEST] }];
  const bad = await runWith(
    ["check"],
    fakeStore({ check: async () => ({ ...whole, ok: false, damages, notes: [] }) }),
  );
  assert.equal(bad.exitCode, 11);
  assert.equal(
    bad.stdout,
    `damaged  packs/x: frame 3\n         refs: a:1, b:2\n         blob: ${DIGEST}\n2 packs, 10 blobs, 2.0 KiB read: 1 damage\n`,
  );
});

test("check and repair: long lists are cut, unless all is asked for", async () => {
  const many = Array.from({ length: 1015 }, (_, i) => String(i));
  const damages = [{ what: "x", refs: [], blobs: many }];
  const checked: CheckResult = { ok: false, packs: 1, blobs: 1, bytesRead: 0, damages, notes: [] };
  const refsChanged = [{ ref: "a:1", lost: many }];
  const repaired = { rebuiltIndex: false, packsRewritten: 0, packsDropped: 0, refsChanged, lostBlobs: many };
  const store = fakeStore({ check: async () => checked }, { repair: async () => repaired });
  const check = (await runWith(["check"], store)).stdout;
  assert.equal(check.split("\n").length, 1 + 10 + 1 + 1 + 1);
  assert.match(check, /^ {9}and 1,005 more/m);
  assert.ok((await runWith(["check", "-v"], store)).stdout.includes("blob: 1014"));
  assert.equal((await runWith(["repair"], store)).stdout.split("\n").length, 1 + 11 + 11 + 1 + 1);
  assert.equal((await runWith(["repair", "-v"], store)).stdout.split("\n").length, 1 + 1015 + 1015 + 1 + 1);
});

test("repair: what is lost is listed, and the exit code is 3", async () => {
  const result = {
    rebuiltIndex: true,
    packsRewritten: 1,
    packsDropped: 0,
    refsChanged: [{ ref: "a:1", lost: ["x/y"] }],
    lostBlobs: [DIGEST],
  };
  const bad = await runWith(["repair"], fakeStore({}, { repair: async () => result }));
  assert.equal(bad.exitCode, 3);
  assert.equal(
    bad.stdout,
    `a:1  lost 1 entry\n  x/y\nlost blob  ${DIGEST}\nindex made again, 1 pack rewritten, 0 dropped, 1 blob lost\n`,
  );
  const none = { rebuiltIndex: true, packsRewritten: 0, packsDropped: 0, refsChanged: [], lostBlobs: [] };
  assert.equal((await runWith(["repair"], fakeStore({}, { repair: async () => none }))).exitCode, 0);
});

test("gc and compact", async () => {
  const collected: GcResult = {
    freedBytes: 2048,
    pendingBytes: 1024,
    waitingFor: ["a@b"],
    livePacks: 3,
    removedPacks: 1,
    rewrittenPacks: 2,
  };
  const seen: unknown[] = [];
  const store = fakeStore({
    async gc(options) {
      seen.push([options?.graceMs, options?.dryRun]);
      return collected;
    },
    async compact(options) {
      seen.push([options?.compression, options?.dryRun]);
      return { ...collected, pendingBytes: 0, waitingFor: [], beforeBytes: 4096, afterBytes: 1024 };
    },
  });
  assert.equal(
    (await runWith(["gc", "--grace", "1m", "--dry-run"], store)).stdout,
    "would free 2.0 KiB: 1 pack removed, 2 rewritten, 3 kept\n1.0 KiB more can be freed by a later run, when the present writers are done\n  waiting for a@b\n",
  );
  assert.equal(
    (await runWith(["compact", "--compression", "max"], store)).stdout,
    "freed 2.0 KiB: 1 pack removed, 2 rewritten, 3 kept\n4.0 KiB to 1.0 KiB (25.0%)\n",
  );
  assert.deepEqual(seen, [
    [60_000, true],
    ["max", false],
  ]);
});
