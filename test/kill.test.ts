/**
 * Processes that are killed: two that add and one that collects garbage, at random moments. What was said to be
 * stored is there, and check finds no damage. `npm run soak` does the same for many more rounds.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Repository } from "../src/store/index.ts";
import { assertKept, killRound, Ledger, seeded } from "./kill/rounds.ts";

const ROUNDS = 5;

test(`${ROUNDS} rounds of two writers and a collector, killed at random, lose nothing`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "tenon-kill-"));
  try {
    const location = join(folder, "repository");
    await (await Repository.init(location)).close();
    const ledger = new Ledger();
    // The moments are drawn from a seed, what the processes have come to by then is not.
    const random = seeded(1);
    for (let round = 1; round <= ROUNDS; round++) {
      await killRound(location, round, ledger, random);
      await assertKept(location, ledger, `after round ${round}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
