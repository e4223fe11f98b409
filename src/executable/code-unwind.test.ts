import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter, equalBytes } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { readUnwind, writeUnwind } from "./code-unwind.ts";
import { writeSite } from "./references-sites.ts";
import { ReferenceKind } from "./types.ts";

const seed = { seed: 20261121 };

/** An FDE: length, pointers to CIE and function, the function's length, the rest. */
function record(functionBytes: number, rest: readonly number[]): Uint8Array {
  const out = new ByteWriter()
    .u32(12 + rest.length)
    .u32(0)
    .u32(0)
    .u32(functionBytes);
  return out.raw(Uint8Array.from(rest)).finish();
}

function fdeSites(): Uint8Array {
  const bytes = new Uint8Array(8);
  const at = writeSite(bytes, 0, 4, ReferenceKind.back32);
  return bytes.slice(0, writeSite(bytes, at, 0, ReferenceKind.field32));
}

function again(bytes: Uint8Array, sites: Uint8Array): number {
  const out = new ByteWriter();
  writeUnwind(bytes, sites, out);
  const into = new Uint8Array(bytes.length);
  const reader = new ByteReader(out.finish(), "test");
  readUnwind(into, sites, reader);
  reader.end();
  assert.ok(equalBytes(into, bytes));
  return out.length;
}

test("unwind: a record without its length, its fields and the zeros at its end", () => {
  assert.equal(again(record(0x1234, [0, 0x41, 0x0e, 0x10, 0, 0, 0, 0]), fdeSites()), 1 + 2 + 4);
});

test("unwind: any bytes come back", () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.boolean(), (content, isRecord) => {
      again(
        isRecord ? record(content.length * 77, [...content]) : content,
        isRecord ? fdeSites() : new Uint8Array(0),
      );
    }),
    { ...seed, numRuns: 500 },
  );
});

test("unwind: damaged bytes give bytes or a typed error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(60), fc.boolean(), (bytes, length, hasSites) => {
      try {
        readUnwind(
          new Uint8Array(length),
          hasSites ? fdeSites() : new Uint8Array(0),
          new ByteReader(bytes, "test"),
        );
      } catch (error) {
        if (!isTenonError(error, "invalid")) throw error;
      }
    }),
    { ...seed, numRuns: 2000 },
  );
});
