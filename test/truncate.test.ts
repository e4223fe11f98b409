/** Every file of a small repository, cut off at every length: noticed, and never wrong bytes. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isTenonError } from "../src/errors/index.ts";
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

test("a file that is cut off anywhere is noticed by check, and get gives right bytes or an error", async () => {
  const { backend } = await smallRepository();
  const right = await scratch.all(backend);
  for (const { name, size } of await backend.list("")) {
    const bytes = await backend.read(name);
    for (let length = 0; length < size; length++) {
      const what = `${name}, cut to ${length} of ${size} bytes`;
      await backend.replace(name, bytes.subarray(0, length));
      try {
        // Without reading data: the length of a file shows in its end.
        const { ok } = await check(await openBase(backend));
        assert.equal(ok, false, what);
      } catch (error) {
        assert.ok(name === "config" && isTenonError(error), what);
      }
      // Whole content is restored for a sample; a prime, so that each spec comes up.
      if (length % 5 !== 0) continue;
      const spec = SMALL_SPECS[length % SMALL_SPECS.length]!;
      assertNothingWrong(right, await scratch.restore(backend, spec), what);
    }
    await backend.replace(name, bytes);
  }
});
