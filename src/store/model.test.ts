/** Random sequences of operations against a plain map of what each ref holds. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { noise } from "../bytes/testing/random.ts";
import { scratchRepository, writeFiles } from "./testing/repository.ts";

const SEED = 20261121;
const REFS = ["a:1", "a:2", "b:latest"] as const;

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      ref: fc.constantFrom(...REFS),
      parts: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
      cut: fc.integer({ min: 0, max: 60_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rm" as const), ref: fc.constantFrom(...REFS) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("tag" as const),
      ref: fc.constantFrom(...REFS),
      to: fc.constantFrom(...REFS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("forget" as const), ref: fc.constantFrom(...REFS) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("gc" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact" as const) }) },
);

test("refs hold what was added last, whatever was removed, collected and compacted", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const { repository, directory } = await scratchRepository(t);
      const model = new Map<string, Buffer>();
      for (const move of steps) {
        if (move.kind === "add") {
          const whole = Buffer.concat(move.parts.map((part) => noise(30_000, part)));
          const content = whole.subarray(Math.min(move.cut, whole.length));
          await writeFiles(directory, { in: content });
          await repository.add([join(directory, "in")], { ref: move.ref });
          model.set(move.ref, content);
        } else if (move.kind === "rm" && model.delete(move.ref)) await repository.remove(move.ref);
        else if (move.kind === "tag" && model.has(move.ref)) {
          await repository.tag(move.ref, move.to);
          model.set(move.to, model.get(move.ref)!);
        } else if (move.kind === "forget" && model.has(move.ref))
          await repository.remove(move.ref, { history: true });
        else if (move.kind === "gc") await repository.gc();
        else if (move.kind === "compact") await repository.compact({ compression: "fast" });
      }
      const listed = await Array.fromAsync(repository.list());
      assert.deepEqual(
        listed.map((entry) => entry.type === "ref" && entry.ref),
        [...model.keys()].sort(),
      );
      for (const [ref, content] of model) {
        await repository.get(ref, { output: join(directory, "out"), overwrite: true });
        assert.ok(content.equals(await readFile(join(directory, "out"))), `${ref} differs`);
        const middle = Math.floor(content.length / 2);
        const part = Buffer.concat(
          await Array.fromAsync(repository.cat(ref, { offset: middle, length: 1000 })),
        );
        assert.ok(content.subarray(middle, middle + 1000).equals(part), `${ref} differs in the middle`);
      }
    }),
    { seed: SEED, numRuns: 25 },
  );
});
