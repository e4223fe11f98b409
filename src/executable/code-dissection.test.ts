import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  type CodedDissection,
  type Dissection,
  decodeDissection,
  dissect,
  encodeDissection,
  handprint,
  joinDecoded,
  pieceHashes,
} from "./index.ts";
import { link, nextRelease, numbers, sampleProgram } from "./testing/small-program.ts";

const seed = { seed: 20261121 };
const hashed = (dissection: Dissection) => ({ dissection, hashes: pieceHashes(dissection) });

function code(file: Uint8Array, bases: readonly Dissection[]): CodedDissection {
  const dissection = dissect(file, { prove: false });
  return encodeDissection(dissection, pieceHashes(dissection), bases.map(hashed));
}

const restore = ({ head, streams }: CodedDissection, bases: readonly Dissection[]) =>
  joinDecoded(decodeDissection(head, streams, bases));

const streamBytes = ({ streams }: CodedDissection) =>
  [...streams.values()].reduce((sum, s) => sum + s.length, 0);

test("a program alone comes back", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 60 }), (start, functions) => {
      const file = link(sampleProgram(start, functions));
      assert.ok(equalBytes(restore(code(file, []), []), file));
    }),
    { ...seed, numRuns: 40 },
  );
});

test("the next release comes back by the one before, and by two", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 2, max: 80 }), fc.nat(6), (start, functions, changes) => {
      const first = sampleProgram(start, functions);
      const second = nextRelease(first, start + 1, changes);
      const third = nextRelease(second, start + 2, changes);
      const a = dissect(link(first));
      const codedSecond = code(link(second), [a]);
      const b = decodeDissection(codedSecond.head, codedSecond.streams, [a]);
      assert.ok(equalBytes(joinDecoded(b), link(second)));
      for (const bases of [[b], [b, a], [a, b]]) {
        assert.ok(equalBytes(restore(code(link(third), bases), bases), link(third)));
      }
    }),
    { ...seed, numRuns: 25 },
  );
});

test("one changed function of a program costs little, whatever moved", () => {
  const first = sampleProgram(11, 2000);
  const file = link(nextRelease(first, 12, 1));
  const coded = code(file, [dissect(link(first))]);
  const { references, foretold } = coded.counts;
  assert.ok(streamBytes(coded) < 0.01 * file.length, `${streamBytes(coded)} bytes of ${file.length}`);
  assert.ok(foretold > references * 0.99, `${foretold} of ${references}`);
});

test("coding is deterministic", () => {
  const first = dissect(link(sampleProgram(5, 300)));
  const file = link(nextRelease(sampleProgram(5, 300), 6, 20));
  assert.deepEqual(code(file, [first]), code(file, [first]));
});

test("relatives share keys, strangers don't", () => {
  const keys = (file: Uint8Array) => {
    const dissection = dissect(file);
    return handprint(dissection, pieceHashes(dissection));
  };
  const first = sampleProgram(21, 400);
  const own = new Set(keys(link(first)));
  assert.ok(own.size > 10);
  const shared = (file: Uint8Array) => keys(file).filter((key) => own.has(key)).length;
  assert.ok(shared(link(nextRelease(first, 22, 20))) > 10);
  assert.equal(shared(link(sampleProgram(23, 400))), 0);
});

test("damaged streams fail with a typed error or give other bytes, never more than the file", () => {
  const first = sampleProgram(31, 120);
  const base = dissect(link(first));
  const file = link(nextRelease(first, 32, 25));
  const whole = code(file, [base]);
  const names = [...whole.streams.keys()];
  const random = numbers(33);
  let failed = 0;
  for (let run = 0; run < 1500; run++) {
    const streams = new Map<number, Uint8Array>();
    for (const [name, bytes] of whole.streams) streams.set(name, bytes.slice());
    let head = whole.head;
    if (random(12) === 0) {
      head = head.slice();
      head[random(head.length)] = random(256);
    } else {
      const name = names[random(names.length)]!;
      const bytes = streams.get(name)!;
      const what = random(4);
      if (what === 0) streams.delete(name);
      else if (what === 1) streams.set(name, bytes.subarray(0, random(bytes.length)));
      else for (let i = 0; i < what; i++) bytes[random(bytes.length)] = random(256);
    }
    try {
      assert.ok(restore({ ...whole, head, streams }, [base]).length <= 2 * file.length);
    } catch (error) {
      failed++;
      assert.ok(isTenonError(error), String((error as Error).stack));
      assert.ok(["invalid", "limit", "unsupported"].includes(error.code), error.message);
    }
  }
  assert.ok(failed > 500, `${failed} of 1500`);
});

test("streams without their bases, or with others, are no hazard", () => {
  const first = sampleProgram(41, 100);
  const file = link(nextRelease(first, 42, 10));
  const coded = code(file, [dissect(link(first))]);
  for (const bases of [[], [dissect(link(sampleProgram(43, 50)))], [dissect(link(sampleProgram(44, 400)))]]) {
    try {
      assert.ok(!equalBytes(restore(coded, bases), file));
    } catch (error) {
      assert.ok(isTenonError(error), String((error as Error).stack));
    }
  }
});

const ESBUILD = new URL("../../node_modules/@esbuild/linux-x64/bin/esbuild", import.meta.url);

test("a real program, and a patched copy of it", { skip: !existsSync(ESBUILD) }, () => {
  const file = new Uint8Array(readFileSync(ESBUILD));
  const dissection = dissect(file, { prove: false });
  const alone = encodeDissection(dissection, pieceHashes(dissection), []);
  assert.ok(equalBytes(restore(alone, []), file));
  assert.ok(streamBytes(alone) < 1.1 * file.length);
  const patched = file.slice();
  const random = numbers(51);
  for (let i = 0; i < 60; i++) patched[0x1000 + random(patched.length - 0x2000)] = random(256);
  const coded = code(patched, [dissection]);
  assert.ok(equalBytes(restore(coded, [dissection]), patched));
  assert.ok(streamBytes(coded) < 0.01 * file.length, `${streamBytes(coded)} bytes`);
});
