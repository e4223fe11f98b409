import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import * as constants from "./constants.ts";
import {
  DT_JMPREL,
  DT_NULL,
  DT_PLTREL,
  DT_PLTRELSZ,
  DT_REL,
  PT_DYNAMIC,
  parseElf,
  R_AARCH64_RELATIVE,
  readRelocationTables,
  readRelr,
  relocationClass,
  relocationName,
  SHF_ALLOC,
  SHT_RELA,
  SHT_RELR,
} from "./index.ts";
import * as types from "./relocation-types.ts";
import { buildSample, words64 } from "./testing/sample-elf.ts";

/** What a linker does: an address, then bitmaps as long as they hold something. */
function encodeRelr(addresses: readonly number[]): bigint[] {
  const words: bigint[] = [];
  for (let i = 0; i < addresses.length; ) {
    let base = addresses[i]! + 8;
    words.push(BigInt(addresses[i++]!));
    for (;;) {
      let bits = 0n;
      while (i < addresses.length && addresses[i]! - base < 63 * 8 && (addresses[i]! - base) % 8 === 0) {
        bits |= 2n << BigInt((addresses[i++]! - base) / 8);
      }
      if (bits === 0n) break;
      words.push(bits | 1n);
      base += 63 * 8;
    }
  }
  return words;
}

function relrOf(words: readonly (number | bigint)[], roomBytes = 1 << 16) {
  const { bytes } = buildSample({
    sections: [
      { name: ".relr.dyn", type: SHT_RELR, flags: SHF_ALLOC, data: words64(...words) },
      { name: ".data", flags: SHF_ALLOC, data: new Uint8Array(roomBytes) },
    ],
  });
  return readRelr(parseElf(bytes))!;
}

describe("RELR", () => {
  test("what a linker packs comes back", () => {
    const addresses = fc.uniqueArray(fc.integer({ min: 1, max: 3000 }), { maxLength: 300 });
    fc.assert(
      fc.property(addresses, (slots) => {
        const sorted = slots.sort((a, b) => a - b).map((slot) => 0x40_0000 + 8 * slot);
        const table = relrOf(encodeRelr(sorted));
        if (sorted.length === 0) assert.equal(table, undefined);
        else assert.deepEqual([...table.addresses], sorted);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  test("all 63 bits of a bitmap, and a bitmap after it", () => {
    const table = relrOf([0x1000, -1n, 3]);
    assert.equal(table.addresses.length, 65);
    assert.equal(table.addresses[63], 0x1000 + 8 * 63);
    assert.equal(table.addresses[64], 0x1000 + 8 * 64);
  });

  test("a bitmap first, and more addresses than words in the file, are declined", () => {
    assert.match(relrOf([3]).problems[0]!.why, /without an address/);
    const flood = relrOf([8, ...new Array<bigint>(100).fill(-1n)], 16);
    assert.equal(flood.addresses.length, 0);
    assert.match(flood.problems[0]!.why, /more than the file/);
  });
});

describe("tables", () => {
  test("by section: addresses, types, symbols, addends of both signs", () => {
    const info = (symbol: number, type: number) => (BigInt(symbol) << 32n) | BigInt(type);
    const data = words64(0x1000, info(5, 1), -8, 2n ** 60n, info(0, 8), -(2n ** 62n));
    const elf = parseElf(
      buildSample({ sections: [{ name: ".rela.dyn", type: SHT_RELA, flags: SHF_ALLOC, data }] }).bytes,
    );
    const [table] = readRelocationTables(elf);
    assert.equal(table?.count, 2);
    assert.deepEqual(
      [table.r_offset(0), table.type(0), table.symbol(0), table.r_addend(0)],
      [0x1000, 1, 5, -8],
    );
    assert.deepEqual([table.r_offset(1), table.r_addend(1)], [2 ** 53, -(2 ** 53)]);
    assert.throws(() => table.type(2), RangeError);
  });

  test("DT_JMPREL with DT_PLTREL of DT_REL, without section headers", () => {
    const { bytes, placed } = buildSample({
      omitSectionHeaders: true,
      sections: [
        { name: ".rel.plt", flags: SHF_ALLOC, data: words64(0x2000, 7) },
        {
          name: ".dynamic",
          data: (_, earlier) =>
            words64(
              DT_JMPREL,
              earlier.get(".rel.plt")!.address,
              DT_PLTRELSZ,
              16,
              DT_PLTREL,
              DT_REL,
              DT_NULL,
              0,
            ),
        },
      ],
      segments: [{ type: PT_DYNAMIC, section: ".dynamic" }],
    });
    const [table] = readRelocationTables(parseElf(bytes));
    assert.deepEqual(
      [table?.name, table?.kind, table?.count, table?.offset, table?.r_addend(0)],
      [".rel.plt", "rel", 1, placed.get(".rel.plt")!.offset, 0],
    );
  });
});

describe("numbers", () => {
  const header = "/usr/include/elf.h";
  const skip = existsSync(header) ? false : `${header} is not on this machine`;

  /** `#define NAME value` lines with a plain number. */
  function defines(): Map<string, number> {
    const text = readFileSync(header, "utf8");
    const found = new Map<string, number>();
    for (const [, name, value] of text.matchAll(/^#define\s+(\w+)\s+\(?(0x[0-9a-f]+|\d+)\b(?!\s*<<)/gim)) {
      found.set(name!, Number(value));
    }
    return found;
  }

  test("agree with the C library's header", { skip }, () => {
    const known = defines();
    let compared = 0;
    for (const [name, value] of Object.entries({ ...constants, ...types })) {
      const expected = known.get(name);
      if (expected === undefined) continue;
      assert.equal(value, expected, name);
      compared++;
    }
    assert.ok(compared > 120, `${compared} were compared`);
  });

  test("so do the names of relocations", { skip }, () => {
    const known = defines();
    let compared = 0;
    for (const [machine, prefix] of [
      ["x86-64", "R_X86_64_"],
      ["aarch64", "R_AARCH64_"],
    ] as const) {
      for (const [name, value] of known) {
        if (!name.startsWith(prefix)) continue;
        const ours = relocationName(machine, value);
        // A number without a name here is fine; a wrong name isn't.
        if (ours === `${prefix}${value}` || name.endsWith("_NUM")) continue;
        assert.equal(ours, name);
        compared++;
      }
    }
    assert.ok(compared > 80, `${compared} were compared`);
  });

  test("a type without a name keeps its number", () => {
    assert.equal(relocationName("x86-64", 8), "R_X86_64_RELATIVE");
    assert.equal(relocationName("aarch64", 999), "R_AARCH64_999");
    assert.equal(relocationClass("aarch64", R_AARCH64_RELATIVE), "relative");
    assert.equal(relocationClass("x86-64", 2), "other");
  });
});
