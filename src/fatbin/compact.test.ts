import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { carryOut, writeRecipe } from "./compact/recipe.ts";
import { KIND_X86_64 } from "./compact/regions.ts";
import {
  type CompactOptions,
  HEAD_BYTES,
  packCompact,
  readFatHead,
  readFlavours,
  verifyFat,
} from "./index.ts";
import { encodeManifest } from "./manifest.ts";
import { inputsOf, run } from "./testing/compiled.ts";
import { tinyProgram } from "./testing/tiny-program.ts";

const base = tinyProgram({ status: 1, ballastBytes: 9000 });
const fast = tinyProgram({ status: 3, isFixed: false, ballastBytes: 5000 });
const fastest = tinyProgram({ status: 4, ballastBytes: 9000 });
const flavours = { "": base, "x86-64-v3": fast, "x86-64-v4": fastest };

function packed(programs: Readonly<Record<string, Uint8Array>>, options?: CompactOptions): Uint8Array {
  const fat = run(packCompact(inputsOf(programs), options));
  const bytes = new Uint8Array(Buffer.concat([...fat.pieces()]));
  assert.equal(bytes.length, fat.sizeBytes);
  return bytes;
}

test("a compact file gives back its flavours; the default is mapped, or a recipe too", () => {
  for (const [defaultFlavour, stored] of [
    ["mapped", ["recipe", "recipe", "image"]],
    ["compressed", ["recipe", "recipe", "recipe"]],
  ] as const) {
    const file = packed(flavours, { defaultFlavour });
    const head = readFatHead(file.subarray(0, HEAD_BYTES), file.length);
    assert.equal(head.mode, "compact");
    assert.deepEqual(
      head.flavours.map((one) => one.stored),
      stored,
    );
    assert.deepEqual([...readFlavours(file, head, [2, 0, 1, 0])], [base, fastest, fast, fastest]);
    assert.equal(verifyFat(file), 3);
    assert.deepEqual(packed({ "x86-64-v4": fastest, "": base, "x86-64-v3": fast }, { defaultFlavour }), file);
  }
});

test("the default is the flavour that needs least, whatever ranks say", () => {
  const inputs = inputsOf(flavours).map((input) => ({ ...input, rank: input.features === "" ? 5 : 0 }));
  const { manifest } = run(packCompact(inputs));
  assert.deepEqual(
    manifest.flavours.map(({ name, recipe }) => [name, recipe === undefined]),
    [
      ["baseline", true],
      ["x86-64-v4", false],
      ["x86-64-v3", false],
    ],
  );
});

test("one flavour, and flavours with the same bytes", () => {
  assert.equal(verifyFat(packed({ avx2: fast })), 1);
  assert.equal(verifyFat(packed({ avx2: fast }, { defaultFlavour: "compressed" })), 1);
  const file = packed({ "": base, aes: fast, sha: fast });
  const { flavours: read, manifest } = readFatHead(file, file.length);
  assert.equal(read.length, 3);
  assert.equal(new Set(manifest.flavours.flatMap(({ recipe }) => recipe?.offset ?? [])).size, 1);
  assert.equal(verifyFat(file), 3);
});

test("what can't be packed is refused before any work", () => {
  assert.throws(() => packCompact(inputsOf({ "": base, avx9: fast })).next(), { code: "usage" });
  assert.throws(() => packCompact([]).next(), { code: "usage" });
});

test("progress grows to the whole", () => {
  const work = packCompact(inputsOf(flavours), { defaultFlavour: "compressed" });
  let last = 0;
  for (let step = work.next(); !step.done; step = work.next()) {
    assert.ok(step.value.doneBytes >= last);
    last = step.value.doneBytes;
    assert.equal(step.value.totalBytes, base.length + fast.length + fastest.length);
  }
  assert.ok(last > 0);
});

test("verify finds every changed byte and every other length", () => {
  const file = packed(flavours);
  const refuses = (bytes: Uint8Array) => assert.throws(() => verifyFat(bytes), isTenonError);
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = file.slice();
      changed[at]! ^= change;
      try {
        verifyFat(changed);
      } catch (error) {
        return assert.ok(isTenonError(error), String(error));
      }
      // A bit of a recipe that no decoder looks at: the flavours are what they were.
      const { manifest } = readFatHead(changed, changed.length);
      assert.ok(
        manifest.flavours.some(
          ({ recipe }) => recipe && at >= recipe.offset && at < recipe.offset + recipe.bytes,
        ),
      );
    }),
    { seed: 3, numRuns: 300 },
  );
  const { restorer } = readFatHead(file, file.length).manifest;
  const other = file.slice();
  other[restorer!.offset + 9]! ^= 1;
  assert.throws(() => verifyFat(other), { code: "damaged", message: /restorer is not that of this release/ });
  for (const length of [0, 100, 4096, 8192, 9000, file.length - 16, file.length - 1])
    refuses(file.subarray(0, length));
  refuses(new Uint8Array(Buffer.concat([file, Buffer.alloc(1)])));
});

test("a recipe that is its own ancestor is damage, not a loop", () => {
  const file = packed(flavours, { defaultFlavour: "compressed" });
  const { manifest } = readFatHead(file, file.length);
  const own = manifest.flavours.map((one, i) => ({ ...one, recipe: { ...one.recipe!, parent: i } }));
  file.set(encodeManifest({ ...manifest, flavours: own }), 8192);
  const head = readFatHead(file, file.length);
  assert.throws(() => [...readFlavours(file, head, [0])], { code: "damaged", message: /circles/ });
  const beyond = manifest.flavours.map((one) => ({ ...one, recipe: { ...one.recipe!, parent: 9 } }));
  file.set(encodeManifest({ ...manifest, flavours: beyond }), 8192);
  assert.throws(() => readFatHead(file, file.length), { code: "damaged" });
});

/** A call forward in the base, moved by 16 bytes in the image. */
const PARENT = Uint8Array.from([0xe8, 16, 0, 0, 0, ...Array.from({ length: 59 }, (_, i) => i & 0x7f)]);
const IMAGE = Uint8Array.from([
  ...Array(16).fill(0x90),
  0xe8,
  16,
  0,
  0,
  0,
  ...PARENT.subarray(5),
  9,
  9,
  9,
  9,
]);
/** Of version 1: bytes that stay readable. */
const GOLDEN =
  "AQAAAAEAAABUAAAAAAAAAAAAQAAAAAAAAABAAAAAAAAAAACagAAAAEAAAAAAAAAAEwAAABwAAABUAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAXAAAAAAAAACi1L/0gE5kAAAEBAEAAAQEAVAABACABUICCiBgotS/9IFR1AAAokAkJCQkCAJ2CBB24Ag==";

test("the format's golden bytes", () => {
  const code = (bytes: number) => [{ kind: KIND_X86_64, offset: 0, bytes, place: 0 }];
  const content = new Uint8Array(Buffer.concat([IMAGE]));
  // The place 21 of the parent, tagged.
  content.set([0x9a, 0, 0, 21], 17);
  const plain = (bytes: Uint8Array, dictionary?: Uint8Array) =>
    new Uint8Array(zstdCompressSync(bytes, dictionary && { dictionary }));
  const prefix = PARENT.slice();
  prefix.set([0x9a, 0, 0, 21], 1);
  const recipe = writeRecipe(
    {
      imageBytes: IMAGE.length,
      target: { low: 0x400000, span: IMAGE.length, regions: code(IMAGE.length) },
      base: { low: 0x400000, span: PARENT.length, regions: code(PARENT.length) },
      tag: 0x9a000000,
      space: 128,
      pieces: [{ start: 0, shift: 16 }],
      fixups: { at: [80], values: [0x03020100] },
      frames: [
        {
          imageBytes: IMAGE.length,
          prefixOffset: 0,
          prefixBytes: PARENT.length,
          packed: plain(content, prefix),
        },
      ],
    },
    plain,
  );
  const image = IMAGE.slice();
  image.set([0, 1, 2, 3], 80);
  assert.deepEqual(carryOut(recipe, IMAGE.length, PARENT), image);
  assert.deepEqual(carryOut(new Uint8Array(Buffer.from(GOLDEN, "base64")), IMAGE.length, PARENT), image);
});

test("the golden manifest of a compact file", () => {
  const { manifest } = run(
    packCompact(inputsOf({ "": base, "x86-64-v3": base.map((byte, i) => (i === 200 ? 7 : byte)) })),
  );
  // What depends on the length of a restorer or a recipe is set.
  const flavours = manifest.flavours.map((one) => ({
    ...one,
    imageOffset: one.recipe ? 0 : 16_384,
    steps: one.steps.map((step) => ({ ...step, from: 0 })),
    ...(one.recipe && { recipe: { ...one.recipe, offset: 32_768, bytes: 100 } }),
  }));
  const restorer = { offset: 12_288, bytes: 8, checksum: 5n };
  const bytes = encodeManifest({ ...manifest, fileBytes: 40_000, restorer, flavours });
  assert.equal(
    createHash("sha256").update(bytes).digest("hex"),
    "91fdd9220decb31b6b1d2216458008218b2c3c78f815c16f2dd63842df1d3fa8",
  );
});

test("no bytes crash who carries out recipes: an error of tenon's own", () => {
  const recipe = new Uint8Array(Buffer.from(GOLDEN, "base64"));
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 12 }),
      fc.nat(200),
      fc.nat(400),
      (noise, at, length) => {
        const changed = recipe.slice(0, length);
        if (changed.length >= noise.length) changed.set(noise, Math.min(at, changed.length - noise.length));
        try {
          assert.equal(carryOut(changed, IMAGE.length, PARENT).length, IMAGE.length);
        } catch (error) {
          assert.ok(isTenonError(error), String(error));
        }
      },
    ),
    { seed: 6, numRuns: 3000 },
  );
});
