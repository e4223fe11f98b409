import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Turns } from "./turns.ts";

test("what is begun is made ready beside each other and stored in order", async () => {
  const turns = new Turns(2);
  const said: string[] = [];
  for (let i = 0; i < 6; i++) {
    await turns.begin(10, async (turn) => {
      said.push(`ready ${i}`);
      await setTimeout(6 - i);
      await turn;
      said.push(`stored ${i}`);
      await setTimeout(1);
    });
  }
  await turns.finish();
  assert.deepEqual(
    said.slice(0, 6),
    [0, 1, 2, 3, 4, 5].map((i) => `ready ${i}`),
  );
  assert.deepEqual(
    said.slice(6),
    [0, 1, 2, 3, 4, 5].map((i) => `stored ${i}`),
  );
});

test("with one job each is stored before the next begins; large ones are few, and together not too large", async () => {
  const mostAtOnce = async (jobs: number, sizes: readonly number[]) => {
    const turns = new Turns(jobs);
    let now = 0;
    let most = 0;
    for (const bytes of sizes) {
      await turns.begin(bytes, async (turn) => {
        most = Math.max(most, ++now);
        await turn;
        await setTimeout(1);
        now--;
      });
    }
    await turns.finish();
    return most;
  };
  assert.equal(await mostAtOnce(1, [1, 1, 1]), 1);
  assert.equal(await mostAtOnce(2, new Array(50).fill(1)), 32);
  assert.equal(await mostAtOnce(2, new Array(10).fill(5 << 20)), 3);
  assert.equal(await mostAtOnce(4, [100 << 20, 60 << 20, 60 << 20]), 2);
  assert.equal(await mostAtOnce(4, [500 << 20, 1, 500 << 20]), 1);
});

test("after a failure nothing more is stored, and the failure is told once everything has ended", async () => {
  const turns = new Turns(2);
  const stored: number[] = [];
  let underWay = 0;
  const begin = (i: number, failure?: string) =>
    turns.begin(1, async (turn) => {
      underWay++;
      try {
        await setTimeout(1);
        await turn;
        await setTimeout(2);
        if (failure !== undefined) throw new Error(failure);
        stored.push(i);
      } finally {
        underWay--;
      }
    });
  await begin(0);
  await begin(1, "the first");
  await begin(2, "the second");
  await begin(3);
  await assert.rejects(turns.finish(), /the first/);
  await assert.rejects(begin(4), /the first/);
  assert.deepEqual([stored, underWay], [[0], 0]);

  const others = new Turns(2);
  const ended: unknown[] = [];
  await others.begin(1, async (turn) => {
    await turn;
    await setTimeout(3);
    ended.push("first");
  });
  await others.begin(1, async (turn) => {
    await turn.catch((error) => ended.push(error));
  });
  const reason = new Error("elsewhere");
  await others.abandon(reason);
  assert.deepEqual(ended, ["first", reason]);
});
