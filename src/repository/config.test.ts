import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryBackend } from "../backend/index.ts";
import { FaultyBackend } from "../backend/testing/faulty.ts";
import { concatBytes, equalBytes, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import {
  checkConfigCopy,
  createConfig,
  newRepositoryId,
  parseConfig,
  readConfig,
  repairConfig,
  serializeConfig,
} from "./config.ts";
import { Fields, type JsonObject, type JsonValue, seal, unseal } from "./sealed.ts";

const config = {
  format: 1,
  id: "00112233445566778899aabbccddeeff",
  created: "2026-01-02T03:04:05.678Z",
  chunker: { name: "gear", minBytes: 2048, meanBytes: 8192, maxBytes: 65536 } as JsonObject,
  compression: "default",
} as const;
const any = (value: JsonValue) => value;
const file = { format: "test", path: "place" };

test("config: the text is pinned", () => {
  assert.equal(
    Buffer.from(serializeConfig(config)).toString(),
    `{
 "chunker": {
  "maxBytes": 65536,
  "meanBytes": 8192,
  "minBytes": 2048,
  "name": "gear"
 },
 "compression": "default",
 "created": "2026-01-02T03:04:05.678Z",
 "format": 1,
 "id": "00112233445566778899aabbccddeeff"
}
sha256 99dd78c62243a1de0e893b9e7b1dc4a43561780fc63514156dc92ec61cc56b0f
`,
  );
});

test("config: comes back, the chunker through the caller's function", () => {
  assert.deepEqual(parseConfig(serializeConfig(config), any), config);
  const mean = parseConfig(serializeConfig(config), (value) => (value as { meanBytes: number }).meanBytes);
  assert.equal(mean.chunker, 8192);
  const refuse = () => {
    throw new TenonError("unsupported", "no such chunker");
  };
  assert.throws(() => parseConfig(serializeConfig(config), refuse), { code: "unsupported" });
});

test("config: each changed, missing or added byte is noticed", () => {
  const bytes = serializeConfig(config);
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [1, 0x20, 0x80, 0xff]) {
      const copy = bytes.slice();
      copy[at]! ^= flip;
      assert.throws(() => parseConfig(copy, any), { code: "damaged" });
    }
    assert.throws(() => parseConfig(bytes.subarray(0, at), any), { code: "damaged" });
    const longer = [...bytes.subarray(0, at), 0x20, ...bytes.subarray(at)];
    assert.throws(() => parseConfig(Uint8Array.from(longer), any), { code: "damaged" });
  }
});

test("config: another format is unsupported and names both versions", () => {
  assert.throws(
    () => parseConfig(seal({ ...config, format: 2, more: "fields" }), any),
    (error) => isTenonError(error, "unsupported") && /format 2.*format 1/.test(error.message),
  );
});

test("config: right checksum, wrong content", () => {
  for (const wrong of [
    { id: "xyz" },
    { id: 5 },
    { created: "yesterday" },
    { created: "2026-01-02" },
    { compression: "" },
    { extra: 1 },
  ]) {
    assert.throws(() => parseConfig(seal({ ...config, ...wrong } as JsonObject), any), { code: "invalid" });
  }
  const { id: _, ...without } = config;
  assert.throws(() => parseConfig(seal(without), any), { code: "invalid" });
  assert.throws(() => serializeConfig({ ...config, created: "now" }), { code: "usage" });
});

test("config: made once", async () => {
  const backend = new MemoryBackend();
  await assert.rejects(readConfig(backend, any), { code: "no-repository" });
  await createConfig(backend, config);
  await assert.rejects(createConfig(backend, { ...config, id: newRepositoryId() }), { code: "exists" });
  assert.deepEqual(await readConfig(backend, any), config);
});

test("config: a copy stands beside it; alone it keeps the place, and says what happened", async () => {
  const backend = new MemoryBackend();
  await createConfig(backend, config);
  assert.deepEqual(await backend.read("config.copy"), serializeConfig(config));
  assert.equal(await repairConfig(backend), undefined);
  await checkConfigCopy(backend);
  await backend.remove("config");
  await assert.rejects(createConfig(backend, config), { code: "exists" });
  await assert.rejects(
    readConfig(backend, any),
    /no such file .*; 'tenon repair' makes it again from config.copy/,
  );
  assert.equal(await repairConfig(backend), "config");
  await backend.replace("config.copy", serializeConfig({ ...config, compression: "max" }));
  await assert.rejects(checkConfigCopy(backend), { code: "damaged" });
  assert.deepEqual(await readConfig(backend, any), config);
});

test("config: what a newer release wrote is left alone", async () => {
  const newer = seal({ ...config, format: 2 });
  for (const name of ["config", "config.copy"]) {
    const backend = new MemoryBackend();
    await createConfig(backend, config);
    await backend.replace(name, newer);
    await assert.rejects(repairConfig(backend), { code: "unsupported" });
    assert.deepEqual(await backend.read(name), newer);
  }
});

test("config: of many that make it one succeeds", async () => {
  const backend = new MemoryBackend();
  const made = await Promise.allSettled(
    Array.from({ length: 16 }, () => createConfig(backend, { ...config, id: newRepositoryId() })),
  );
  assert.equal(made.filter(({ status }) => status === "fulfilled").length, 1);
});

test("config: a torn one is damaged, a huge one is not even read", async () => {
  const backend = new MemoryBackend();
  await assert.rejects(createConfig(new FaultyBackend(backend, { atChange: 1, mode: "torn" }), config));
  await assert.rejects(readConfig(backend, any), { code: "damaged" });
  await backend.replace("config", new Uint8Array(100_000));
  await assert.rejects(readConfig(backend, any), (error) => {
    return isTenonError(error, "damaged") && /100000 bytes are too many/.test(error.message);
  });
});

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger().map((n) => n || 0),
  fc.string({ unit: "binary" }),
);
const json = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie("value")),
    fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { noNullPrototype: true }),
  ),
})).value;

test("sealed text: every value comes back, and equal values have equal bytes", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), json, { noNullPrototype: true }), (value) => {
      const bytes = seal(value);
      const again = unseal(bytes, file);
      assert.deepEqual(again, value);
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      assert.ok(equalBytes(seal(reversed), bytes));
    }),
    { seed: 20260101, numRuns: 300 },
  );
});

test("sealed text: a checksum alone does not make a file", () => {
  for (const body of [
    "",
    "{}",
    "{ }\n",
    "[]\n",
    "null\n",
    '{\n "a": 1,\n "a": 1\n}\n',
    '{\n "b": 1,\n "a": 1\n}\n',
    '{\n "a": 1.5\n}\n',
    '{\n "a": 1e3\n}\n',
    '{\n "a": "\\u0061"\n}\n',
    "\ufeff{}\n",
    `{\n "a": ${"[".repeat(5000)}${"]".repeat(5000)}\n}\n`,
  ]) {
    assert.throws(() => unseal(resealed(utf8(body)), file), { code: "invalid" });
  }
  assert.throws(() => unseal(resealed(Uint8Array.of(0x22, 0xff, 0x22, 0x0a)), file), { code: "invalid" });
});

test("sealed text: refuses what it cannot hold", () => {
  for (const value of [1.5, Number.NaN, 2 ** 53, undefined, 5n]) {
    assert.throws(() => seal({ a: value as JsonValue }), { code: "usage" });
  }
});

test("sealed text: field names of objects that everyone has are only fields", () => {
  const value = JSON.parse('{"__proto__": {"format": 1}, "constructor": 1}') as JsonObject;
  assert.deepEqual(Object.keys(unseal(seal(value), file)), Object.keys(value).sort());
  assert.throws(() => new Fields({}, "test").any("constructor"), { code: "invalid" });
});

/** A body of our choice and the checksum that fits it. */
function resealed(body: Uint8Array): Uint8Array {
  return concatBytes([body, utf8(`sha256 ${sha256(body)}\n`)]);
}
