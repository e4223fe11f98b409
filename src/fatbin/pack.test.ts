import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { type FlavourInput, HEAD_BYTES, packFat, readFatHead, readFlavours, verifyFat } from "./index.ts";
import { encodeManifest } from "./manifest.ts";
import { inputsOf } from "./testing/compiled.ts";
import { tinyProgram } from "./testing/tiny-program.ts";

function packed(inputs: readonly FlavourInput[]): Uint8Array {
  const fat = packFat(inputs);
  const bytes = new Uint8Array(Buffer.concat([...fat.pieces()]));
  assert.equal(bytes.length, fat.sizeBytes);
  return bytes;
}

const base = tinyProgram({ status: 1 });
const fast = tinyProgram({ status: 3, isFixed: false });
const fastest = tinyProgram({ status: 4 });
const flavours = { "": base, "x86-64-v3": fast, "x86-64-v4": fastest };

test("a fat file gives back its flavours, the best first, and is the same whatever the order", () => {
  const file = packed(inputsOf(flavours));
  const head = readFatHead(file.subarray(0, HEAD_BYTES), file.length);
  const { machine, mode, flavours: read } = head;
  assert.equal(mode, "mapped");
  assert.equal(machine, "x86-64");
  assert.deepEqual(
    read.map(({ name }) => name),
    ["x86-64-v4", "x86-64-v3", "baseline"],
  );
  assert.deepEqual([...readFlavours(file, head, [0, 1, 2])], [fastest, fast, base]);
  assert.equal(verifyFat(file), 3);
  assert.deepEqual(packed(inputsOf({ "x86-64-v4": fastest, "": base, "x86-64-v3": fast })), file);
});

test("the format's golden files", () => {
  // The bytes of version 1: what is released stays readable, so these change with the launcher or the format only.
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const x86 = packed(inputsOf(flavours));
  const { length } = Buffer.from(x86.subarray(8192 + 20, 8192 + 24));
  assert.equal(length, 4);
  const manifestOf = (file: Uint8Array, at: number) => {
    const bytes = Buffer.from(file.buffer, file.byteOffset).readUInt32LE(at + 20);
    return file.subarray(at, at + bytes);
  };
  assert.equal(
    digest(manifestOf(x86, 8192)),
    "f391b337a10ad45e983c0971212277905f58dd7cc3b393e30ee011cdf2a295f2",
  );
  const arm = packed(
    inputsOf({
      "": tinyProgram({ machine: "aarch64", status: 1 }),
      "lse,sve2": tinyProgram({ machine: "aarch64", status: 2, isFixed: false }),
    }),
  );
  assert.equal(
    digest(manifestOf(arm, 65_536)),
    "ef1983e94e7031eb8d03ef1ac6d5c82f8175e940f98fde2d7bf549e79040b705",
  );
});

test("flavours with the same bytes are merged into the one that needs least", () => {
  const fat = packFat(inputsOf({ "x86-64-v3": base, avx2: base, "": base, "x86-64-v4": fast }));
  assert.deepEqual(
    fat.manifest.flavours.map(({ name }) => name),
    ["x86-64-v4", "baseline"],
  );
  assert.deepEqual(fat.merged.map(({ source }) => source).sort(), ["avx2", "x86-64-v3"]);
  // Neither needs less than the other: both stay, and share the bytes.
  const both = packFat(inputsOf({ aes: base, sha: base }));
  assert.equal(both.manifest.flavours.length, 2);
  assert.equal(new Set(both.manifest.flavours.map(({ imageOffset }) => imageOffset)).size, 1);
});

test("what can't be packed is refused with the source and the reason", () => {
  const refused = (inputs: Readonly<Record<string, Uint8Array>>, code: string, message: RegExp) =>
    assert.throws(() => packFat(inputsOf(inputs)), { code, message });
  refused({}, "usage", /at least one/);
  refused({ "": new Uint8Array(100) }, "invalid", /not an ELF file/);
  refused(
    { "": base, sve: tinyProgram({ machine: "aarch64", status: 0 }) },
    "usage",
    /for aarch64.*for x86-64/,
  );
  refused({ "": base, avx9: fast }, "usage", /avx9: unknown feature/);
  refused({ avx2: base, "avx2,avx": fast }, "usage", /need the same \(avx2\) and differ/);
  refused(
    { "": base, avx2: tinyProgram({ status: 9, stackIsExecutable: true }) },
    "unsupported",
    /executable/,
  );
  const appended = new Uint8Array(Buffer.concat([base, Buffer.from("payload")]));
  refused({ "": appended }, "unsupported", /7 bytes are appended .*\/proc\/self\/exe/);
  const object = base.slice();
  object[16] = 1;
  refused({ "": object }, "unsupported", /it is an object file/);
  const many = Array.from({ length: 65 }, () => ({ source: "x", bytes: base, features: "" }));
  assert.throws(() => packFat(many), { code: "limit" });
});

test("a rank outweighs features and is kept", () => {
  const inputs = [
    { source: "a", bytes: base, features: "", rank: 2 },
    { source: "b", bytes: fast, features: "avx512f" },
  ];
  const file = packed(inputs);
  assert.deepEqual(
    readFatHead(file, file.length).flavours.map(({ name, rank }) => [name, rank]),
    [
      ["baseline", 2],
      ["avx512f", 0],
    ],
  );
  assert.equal(verifyFat(file), 2);
  assert.throws(() => packFat([{ ...inputs[0]!, rank: 0.5 }]), { code: "usage" });
});

test("verify finds every changed byte and every other length", () => {
  const file = packed(inputsOf(flavours));
  const refuses = (bytes: Uint8Array) =>
    assert.throws(
      () => verifyFat(bytes),
      (error) => isTenonError(error) && error.code !== "usage",
    );
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = file.slice();
      changed[at]! ^= change;
      refuses(changed);
    }),
    { seed: 3, numRuns: 300 },
  );
  for (const length of [0, 100, 4096, 8192, 8200, 9000, file.length - 16, file.length - 1])
    refuses(file.subarray(0, length));
  refuses(new Uint8Array(Buffer.concat([file, Buffer.alloc(1)])));
});

test("a flavour's name can't lead out of the directory that it is unpacked to", () => {
  const { manifest } = packFat(inputsOf(flavours));
  const named = { ...manifest, flavours: manifest.flavours.map((one) => ({ ...one, name: "../../evil" })) };
  const file = packed(inputsOf(flavours));
  file.set(encodeManifest(named), 8192);
  assert.throws(() => readFatHead(file, file.length), { code: "damaged", message: /name/ });
});

test("no bytes crash the reader: it throws what it names", () => {
  const file = packed(inputsOf(flavours));
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(9000), (noise, at) => {
      const changed = file.slice();
      changed.set(noise, Math.min(at, changed.length - noise.length));
      try {
        readFatHead(changed, changed.length);
      } catch (error) {
        assert.ok(isTenonError(error), String(error));
      }
    }),
    { seed: 4, numRuns: 500 },
  );
});
