import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "./slots.ts";

test("never more than there is room for, in the order of coming, the heaviest alone", async () => {
  const slots = new Slots(4);
  let inside = 0;
  let most = 0;
  const begun: number[] = [];
  const work = (number: number, weight: number) =>
    slots.run(weight, async () => {
      begun.push(number);
      inside += Math.min(weight, 4);
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= Math.min(weight, 4);
      if (number === 5) throw new Error("five");
      return number;
    });
  const weights = [1, 1, 3, 9, 1, 2, 2, 4, 1];
  const results = await Promise.allSettled(weights.map((weight, number) => work(number, weight)));
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : "failed")),
    [0, 1, 2, 3, 4, "failed", 6, 7, 8],
  );
  assert.deepEqual(begun, [...weights.keys()]);
  assert.equal(most, 4);
  assert.equal(await work(9, 4), 9);
});
