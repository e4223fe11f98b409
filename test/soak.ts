/** `npm run soak [ROUNDS [SEED]]`: the kill test for 200 rounds, or as many as asked. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Repository } from "../src/store/index.ts";
import { assertKept, killRound, Ledger, seeded } from "./kill/rounds.ts";

const rounds = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const folder = await mkdtemp(join(tmpdir(), "tenon-soak-"));
const location = join(folder, "repository");
console.log(`${rounds} rounds, seed ${seed}, ${location}`);
await (await Repository.init(location)).close();
const ledger = new Ledger();
const random = seeded(seed);
const begun = performance.now();
for (let round = 1; round <= rounds; round++) {
  // On failure the repository stays where it is, to be looked at.
  await killRound(location, seed + round, ledger, random);
  await assertKept(location, ledger, `after round ${round} of seed ${seed}`);
  if (round % 10 === 0) {
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    console.log(`${round} rounds in ${seconds} s, ${ledger.claims.size} refs are as they were said to be`);
  }
}
await rm(folder, { recursive: true, force: true });
