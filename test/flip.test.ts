/**
 * Every byte of every file of a small repository, flipped in turn: `check` with all data notices each, and `get`
 * gives right bytes or an error.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isTenonError } from "../src/errors/index.ts";
import { acquireMaintenance, WriterLease, writeCondemned } from "../src/repository/index.ts";
import { check } from "../src/store/check.ts";
import { openBase } from "../src/store/context.ts";
import {
  assertNothingWrong,
  restoreScratch,
  SMALL_SPECS,
  smallRepository,
} from "../src/store/testing/small-repository.ts";

const scratch = await restoreScratch();
after(() => scratch.remove());

test("every flipped byte is noticed by check, and get gives right bytes or an error", async () => {
  const { backend } = await smallRepository();
  const lease = await WriterLease.acquire(backend);
  const maintenance = await acquireMaintenance(backend);
  await writeCondemned(backend, maintenance, { when: "2026-01-02T03:04:05.678Z", packs: ["0".repeat(64)] });
  await maintenance.release();
  const right = await scratch.all(backend);
  assert.ok(right.size >= 7);
  for (const { name } of await backend.list("")) {
    const bytes = await backend.read(name);
    for (let i = 0; i < bytes.length; i++) {
      const what = `${name}, byte ${i}`;
      const flipped = Uint8Array.from(bytes);
      flipped[i]! ^= 1 << (i % 8);
      await backend.replace(name, flipped);
      try {
        const { ok } = await check(await openBase(backend), { readData: true });
        assert.equal(ok, false, what);
      } catch (error) {
        assert.ok(name === "config" && isTenonError(error), what);
      }
      // What is restored does not depend on the marks of writers and of garbage.
      if (/^(?:leases|condemned)\//.test(name)) continue;
      const spec = SMALL_SPECS[i % SMALL_SPECS.length]!;
      assertNothingWrong(right, await scratch.restore(backend, spec), what);
    }
    await backend.replace(name, bytes);
  }
  assert.equal((await check(await openBase(backend), { readData: true })).ok, true);
  await lease.release();
});
