import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instantiateKernel } from "../kernels/index.ts";
import { Library, located } from "./code-library.ts";
import { type CodedPieces, findPartners, ReferencePool } from "./code-partners.ts";
import { StreamReaders, StreamWriters } from "./code-streams.ts";
import { readTargetsTwin, writeTargets } from "./code-targets.ts";
import { readTargets, targetNumbers } from "./code-targets-kernel.ts";
import { type Dissection, dissect, pieceHashes } from "./index.ts";
import { Mode, matchPieces } from "./match-pieces.ts";
import { link, nextRelease, sampleProgram } from "./testing/small-program.ts";

const seed = { seed: 20261121 };

/** The targets of a file as streams, coded by equal pieces of a base, and what both sides know beside them. */
function coded(dissection: Dissection, bases: readonly Dissection[]) {
  const { pieces, references, blanked } = dissection;
  const library = new Library(bases.map(located));
  const hashes = bases.map((base) => pieceHashes(base));
  const matches = matchPieces(dissection, pieceHashes(dissection), library, hashes, {
    cost: () => Number.POSITIVE_INFINITY,
    keep: () => {},
  });
  const whole: CodedPieces = {
    ...matches,
    count: pieces.count,
    kind: pieces.kind,
    offset: pieces.offset,
    deltas: new Map(),
  };
  const pool = () => new ReferencePool(library, references.count);
  const partners = findPartners(whole, references, pool());
  const out = new StreamWriters();
  writeTargets(whole, references, pool(), partners, blanked, references, out);
  return { whole, references, pool, partners, blanked, streams: out.finish() };
}

test("the kernel reads the targets that its twin reads", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 2, max: 60 }), fc.nat(6), (start, functions, changes) => {
      const first = sampleProgram(start, functions);
      const a = dissect(link(first));
      const b = dissect(link(nextRelease(first, start + 1, changes)));
      for (const bases of [[], [a], [b, a]]) {
        const { whole, references, pool, partners, blanked, streams } = coded(b, bases);
        assert.ok(bases.length === 0 || whole.mode.includes(Mode.copy));
        const read = (reader: typeof readTargets) => {
          const sources = new StreamReaders(streams);
          const found = reader(whole, references, pool(), partners, blanked, sources);
          sources.end();
          return found;
        };
        const { target, targetOffset } = references;
        assert.deepEqual(read(readTargets), { target, targetOffset });
        assert.deepEqual(read(readTargetsTwin), { target, targetOffset });
      }
    }),
    { ...seed, numRuns: 40 },
  );
});

test("damaged streams: the kernel gives or says what its twin does", () => {
  const first = sampleProgram(7, 40);
  const a = dissect(link(first));
  const b = dissect(link(nextRelease(first, 8, 4)));
  const { whole, references, pool, partners, blanked, streams } = coded(b, [a]);
  const numbers = [...streams.keys()];
  fc.assert(
    fc.property(fc.constantFrom(...numbers), fc.nat(), fc.nat(255), (number, at, value) => {
      const damaged = new Map([...streams].map(([n, bytes]) => [n, bytes.slice()]));
      const bytes = damaged.get(number)!;
      bytes[at % bytes.length] = value;
      const outcome = (reader: typeof readTargets) => {
        try {
          const sources = new StreamReaders(damaged);
          const found = reader(whole, references, pool(), partners, blanked, sources);
          return { found, left: numbers.map((n) => sources.of(n as never).remaining) };
        } catch (error) {
          return String(error);
        }
      };
      assert.deepEqual(outcome(readTargets), outcome(readTargetsTwin));
    }),
    { ...seed, numRuns: 400 },
  );
});

test("the numbers that the kernel of targets repeats are its twin's", () => {
  const imports = { env: { through: () => 0 } };
  const exported = instantiateKernel<Record<string, { value: number }>>("executable-targets", imports);
  const repeated = Object.keys(exported).filter((name) => /^[A-Z]/.test(name));
  assert.ok(repeated.length > 30);
  for (const name of repeated) assert.equal(exported[name]!.value, targetNumbers[name], name);
});
