/**
 * For tests: pseudo-random code in which prefixes, escapes and odd operands are frequent. Golden digests rest on these
 * generators: they give the same bytes for ever.
 */

/** Numerical Recipes' linear congruential generator; its top byte. */
export function randomBytes(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
}

// Prefixes, REX, escapes, VEX, EVEX, XOP with plausible payloads; groups; operands with displacements.
const TELLING = Buffer.from(
  "664841f2f3f02e67640f0f38787a3ac4c5628f62e2e3e1f1f27d7ce8e9ea4de8e90f84f7f6c7f80525043dc8a0b8",
  "hex",
);

export function randomX86_64(lengthBytes: number, seed: number): Uint8Array {
  const next = randomBytes(seed);
  return Uint8Array.from({ length: lengthBytes }, () =>
    next() < 70 ? TELLING[next() % TELLING.length]! : next(),
  );
}

/** Words of which a third is ADRP or one of its users, with the registers X0 to X3, so that pairs abound. */
export function randomAarch64(lengthBytes: number, seed: number): Uint8Array {
  const next = randomBytes(seed);
  const code = new Uint8Array(lengthBytes);
  const view = new DataView(code.buffer);
  for (let at = 0; at + 4 <= lengthBytes; at += 4) {
    const choice = next();
    let word = (next() << 24) | (next() << 16) | (next() << 8) | next();
    if (choice < 50) word = (word & 0x60ffffe3) | 0x90000000;
    else if (choice < 80) word = (word & 0x003ffc63) | 0x91000000;
    else if (choice < 110) word = (word & 0xc4fffc63) | 0x39000000;
    view.setInt32(at, word, true);
  }
  return code;
}
