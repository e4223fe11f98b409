import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTarHeader, parseHeader, parsePax, TarWalk } from "./index.ts";

function block(fields: Record<number, string | Uint8Array>): Uint8Array {
  const bytes = Buffer.alloc(512);
  for (const [offset, value] of Object.entries(fields))
    Buffer.from(value as string).copy(bytes, Number(offset));
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function steps(...blocks: Uint8Array[]): string[] {
  const walk = new TarWalk();
  return blocks.map((bytes) => {
    const step = walk.step(bytes);
    if (step.kind !== "member") return step.kind;
    const { path, typeflag, dataBytes, isSparse } = step.member;
    return `${typeflag} ${text(path)} ${dataBytes}${isSparse ? " sparse" : ""}`;
  });
}

test("fields of ustar, GNU and v7 headers", () => {
  const posix = block({
    0: "name",
    100: "0000755\0",
    124: "00000000017 ",
    156: "5",
    257: "ustar\x0000",
    345: "a/long/prefix",
  });
  assert.ok(isTarHeader(posix));
  const { name, mode, size, typeflag } = parseHeader(posix);
  assert.deepEqual([text(name), mode, size, typeflag], ["a/long/prefix/name", 0o755, 15, "5"]);
  // GNU has other things where POSIX has the prefix; v7 has no type.
  assert.equal(text(parseHeader(block({ 0: "name", 257: "ustar  \0", 345: "12345" })).name), "name");
  assert.equal(parseHeader(block({ 0: "v7" })).typeflag, "0");
});

test("sizes: octal, base 256, negative, too large, not a number", () => {
  const size = (field: Uint8Array | string) => parseHeader(block({ 124: field })).size;
  assert.equal(size("00000001000\0"), 512);
  assert.equal(size("        777 "), 511);
  assert.equal(size(Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])), 2 ** 32);
  assert.equal(size(Buffer.from([0x80, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0])), undefined);
  assert.equal(size(Buffer.alloc(12, 0xff)), undefined);
  assert.equal(size("0009"), undefined);
});

test("extensions say the name and the size of the next member only", () => {
  const record = (key: string, value: string) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length++;
    return `${length}${rest}`;
  };
  const data = Buffer.alloc(512);
  data.write(record("path", "from pax") + record("size", "8589934592"));
  const long = Buffer.alloc(512);
  long.write("from GNU\0");
  const extension = (type: string, length: number) =>
    block({ 124: length.toString(8).padStart(11, "0"), 156: type });
  assert.deepEqual(
    steps(
      extension("x", 45),
      data,
      block({ 0: "x" }),
      block({ 0: "y" }),
      extension("L", 9),
      long,
      block({ 0: "z" }),
    ),
    ["raw", "raw", "0 from pax 8589934592", "0 y 0", "raw", "raw", "0 from GNU 0"],
  );
  assert.deepEqual(
    [...parsePax(Buffer.from("12 a=b c\n=d\n99 x=y\n")).entries()].map(([k, v]) => [k, text(v)]),
    [["a", "b c\n=d"]],
  );
});

test("a sparse member's data comes after all of its map", () => {
  const first = block({ 0: "holes", 124: "00000001000", 156: "S", 257: "ustar  \0", 482: "\x01" });
  const more = Buffer.alloc(512);
  more[504] = 1;
  assert.deepEqual(steps(first, more, Buffer.alloc(512)), ["raw", "raw", "S holes 512 sparse"]);
});

test("a walk takes any blocks, seed 11", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 512, maxLength: 512 }), { maxLength: 8 }),
      fc.nat(255),
      (blocks, type) => {
        const walk = new TarWalk();
        for (const bytes of blocks) {
          walk.step(bytes);
          walk.step(
            block({ 0: bytes.subarray(0, 99), 124: bytes.subarray(0, 12), 156: Uint8Array.of(type) }),
          );
        }
      },
    ),
    { seed: 11, numRuns: 200 },
  );
});
