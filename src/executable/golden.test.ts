/** Streams of executables that were written once must read for ever: test/golden/ (docs/formats/executable-recipe.md). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ByteReader, toHex } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { type DecodedDissection, decodeDissection, joinDecoded } from "./index.ts";

interface Coded {
  readonly digest: string;
  readonly head: Uint8Array;
  readonly streams: ReadonlyMap<number, Uint8Array>;
}

/**
 * Chains of files, each coded by the two before it: count varint; for each chain its count varint; for each file SHA-256,
 * head length varint, head, stream count varint, and of each stream number varint, length varint, bytes.
 */
function readGolden(version: number): Coded[][] {
  const path = new URL(`../../test/golden/executable-recipe-${version}.bin`, import.meta.url);
  const reader = new ByteReader(new Uint8Array(readFileSync(path)), "golden");
  const times = <T>(count: number, make: () => T) => Array.from({ length: count }, make);
  const chains = times(reader.varint("chains"), () =>
    times(reader.varint("files"), () => {
      const digest = toHex(reader.view(32, "digest"));
      const head = reader.view(reader.varint("headBytes"), "head");
      const streams = times(reader.varint("streams"), (): [number, Uint8Array] => {
        const number = reader.varint("number");
        return [number, reader.view(reader.varint("length"), "stream")];
      });
      return { digest, head, streams: new Map(streams) };
    }),
  );
  reader.end();
  return chains;
}

for (const version of [1, 2]) {
  test(`golden: streams of version ${version} give the files that they were made of`, () => {
    const chains = readGolden(version);
    assert.equal(chains.flat().length, 9);
    for (const chain of chains) {
      const before: DecodedDissection[] = [];
      for (const { digest, head, streams } of chain) {
        const decoded = decodeDissection(head, streams, before.slice(0, 2), version);
        assert.equal(createHash("sha256").update(joinDecoded(decoded)).digest("hex"), digest);
        before.unshift(decoded);
      }
    }
  });

  test(`golden: damaged streams of version ${version} give a typed error or other bytes`, () => {
    const [first, second] = readGolden(version)[0]!;
    const base = decodeDissection(first!.head, first!.streams, [], version);
    for (const [number, bytes] of second!.streams) {
      for (let at = 0; at < bytes.length; at += 1 + Math.floor(bytes.length / 25)) {
        const damaged = bytes.slice();
        damaged[at]! ^= 1 + ((at * 37) % 255);
        const streams = new Map(second!.streams).set(number, damaged);
        try {
          joinDecoded(decodeDissection(second!.head, streams, [base], version));
        } catch (error) {
          if (!isTenonError(error)) throw error;
        }
      }
    }
  });
}
