import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { relaxTable, restoreTable } from "./code-exceptions.ts";

const seed = { seed: 20261121 };
const entry = fc.record({ gap: fc.nat(300), span: fc.nat(90), pad: fc.nat(5000), action: fc.nat(3) });

/** A table as LLVM writes it, moved by `shift` from its second entry on. */
function table(
  entries: readonly { gap: number; span: number; pad: number; action: number }[],
  shift = 0,
): Uint8Array {
  const sites = new ByteWriter();
  let at = 0;
  for (const [i, { gap, span, pad, action }] of entries.entries()) {
    if (i === 1) at += shift;
    at += gap;
    sites
      .varint(at)
      .varint(span)
      .varint(pad === 0 ? 0 : pad + shift)
      .varint(action);
    at += span;
  }
  const out = new ByteWriter()
    .u8(0xff)
    .u8(0x9b)
    .raw(Uint8Array.of(0xa0, 0x80, 0x01))
    .u8(1);
  return out
    .varint(sites.length)
    .raw(sites.view())
    .raw(Uint8Array.of(1, 0, 0, 0, 0, 0))
    .finish();
}

test("tables and any other bytes come back, in streams and alone", () => {
  const bytes = fc.oneof(
    fc.array(entry, { maxLength: 40 }).map((e) => table(e)),
    fc.uint8Array({ maxLength: 60 }),
  );
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.deepEqual(restoreTable(new ByteReader(relaxTable(a), "t")), a);
      const stream = new ByteReader(Buffer.concat([relaxTable(a), relaxTable(b)]), "t");
      assert.deepEqual(Uint8Array.from(restoreTable(stream, a.length)), a);
      assert.deepEqual(Uint8Array.from(restoreTable(stream, b.length)), b);
      stream.end();
    }),
    { ...seed, numRuns: 500 },
  );
});

test("code that grew in the middle changes few bytes", () => {
  const entries = Array.from({ length: 40 }, (_, i) => ({
    gap: 20 + i,
    span: 5,
    pad: 1000 + 9 * i,
    action: 1,
  }));
  const before = relaxTable(table(entries));
  const after = relaxTable(table(entries, 16));
  assert.equal(before.length, after.length);
  assert.ok(after.filter((byte, i) => byte !== before[i]).length <= 4);
});

test("damaged tables fail with a typed error", () => {
  const whole = relaxTable(
    table([
      { gap: 3, span: 4, pad: 90, action: 0 },
      { gap: 300, span: 4, pad: 0, action: 0 },
    ]),
  );
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.option(fc.nat(60)), (at, value, length) => {
      const damaged = whole.slice();
      damaged[at] = value;
      try {
        const got = restoreTable(new ByteReader(damaged, "t"), length ?? undefined);
        if (length !== null) assert.equal(got.length, length);
      } catch (error) {
        assert.ok(isTenonError(error, "invalid"), String(error));
      }
    }),
    { ...seed, numRuns: 2000 },
  );
});
