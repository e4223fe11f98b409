/** Damaged objects: a version that holds together, or a TenonError, in bounded time. Seeds are fixed. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { parseElf } from "../elf/index.ts";
import { isTenonError } from "../errors/index.ts";
import { diffVersions, type LibraryVersion, readVersion } from "./index.ts";
import { missing, type Target, Workshop } from "./testing/compile.ts";
import { C_SOURCE, CC_SOURCE } from "./testing/sources.ts";

const shop = new Workshop();
after(() => shop.dispose());

/** Versions may be refused; nothing else may happen. */
function attempt(bytes: Uint8Array): LibraryVersion | undefined {
  try {
    return readVersion([{ name: "it.o", bytes }]);
  } catch (error) {
    const isNamed = isTenonError(error) && ["invalid", "unsupported", "limit"].includes(error.code);
    if (!isNamed) throw error;
    return undefined;
  }
}

/** What importers may rely on, whatever the bytes were. */
function checkSound(version: LibraryVersion): void {
  for (const unit of version.units) {
    assert.ok(unit.bytes.length === unit.sizeBytes || unit.bytes.length === 0);
    assert.ok(unit.alignment >= 1 && Number.isInteger(Math.log2(unit.alignment)));
    assert.ok(version.bundles[unit.bundle]!.units.includes(unit.index));
    let last = 0;
    for (const { offset, target } of unit.relocations) {
      assert.ok(offset >= last && offset <= unit.sizeBytes);
      last = offset;
      if (target.kind === "unit") assert.ok(target.offset <= version.units[target.unit]!.sizeBytes);
    }
    for (const { offset } of unit.symbols) assert.ok(offset >= 0 && offset <= unit.sizeBytes);
  }
  for (const { unit, fde, fdeRelocations } of version.unwind) {
    assert.ok(version.units[unit] !== undefined);
    for (const { offset } of fdeRelocations) assert.ok(offset >= 0 && offset < fde.length);
  }
  assert.equal(new Set(version.bundles.map(({ name }) => name)).size, version.bundles.length);
}

const TARGETS: readonly Target[] = ["x86-64", "aarch64"];
for (const target of TARGETS) {
  for (const source of ["c", "cc"] as const) {
    describe(`${source} for ${target}`, { skip: missing(target, source) }, () => {
      const { bytes } = missing(target, source)
        ? { bytes: new Uint8Array() }
        : shop.compile(source === "c" ? C_SOURCE : CC_SOURCE, { target, source });

      test("changed bytes anywhere", () => {
        const change = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) });
        const property = fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
          const changed = bytes.slice();
          for (const { at, value } of changes) changed[at] = value;
          const version = attempt(changed);
          if (version !== undefined) checkSound(version);
        });
        fc.assert(property, { numRuns: 800, seed: 3 });
      });

      test("changed fields of headers, symbols, relocations, groups and unwind tables", () => {
        const elf = parseElf(bytes);
        // Bytes of code say nothing to this room: what is parsed is damaged more often than by chance.
        const places = [
          { start: 0, size: 64 },
          { start: elf.header.e_shoff, size: 64 * elf.sections.length },
          ...elf.sections
            .filter((section) => /^\.(rela|symtab|group|eh_frame|strtab|shstrtab)/.test(section.name))
            .map(({ header }) => ({ start: header.sh_offset, size: header.sh_size })),
        ].filter(({ size }) => size > 0);
        const interesting = fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 16, 0x7f, 0x80, 0xf1, 0xf2, 0xfe, 0xff);
        const change = fc.record({
          place: fc.constantFrom(...places),
          at: fc.nat(1 << 20),
          value: interesting,
        });
        let read = 0;
        const property = fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
          const changed = bytes.slice();
          for (const { place, at, value } of changes) changed[place.start + (at % place.size)] = value;
          const version = attempt(changed);
          if (version === undefined) return;
          read++;
          checkSound(version);
          diffVersions(version, version);
        });
        fc.assert(property, { numRuns: 1500, seed: 5 });
        assert.ok(read > 100, `${read} were read`);
      });

      test("cut anywhere", () => {
        const property = fc.property(fc.nat(bytes.length - 1), (length) => {
          assert.equal(attempt(bytes.slice(0, length)), undefined);
        });
        fc.assert(property, { numRuns: 60, seed: 7 });
      });
    });
  }
}

describe("built to be expensive", { skip: missing("x86-64") }, () => {
  /** An object with a section of these bytes, flags and entry size. */
  const withSection = (flags: string, directives: string) =>
    shop.compile(`.section .rodata.it,"${flags},@progbits,1\n${directives}\n`, { source: "s" }).bytes;

  test("a string for each byte is bounded by the units, and takes time in proportion", () => {
    const version = attempt(withSection('aMS"', ".zero 50000"))!;
    assert.equal(version.units.length, 50_000);
    assert.throws(() => readVersion([{ name: "it.o", bytes: withSection('aMS"', ".zero 1048577") }]), {
      code: "limit",
      message: /it\.o: \.rodata\.it: more than 1048576 units/,
    });
  });

  test("symbols that all have the same long name", () => {
    const long = "n".repeat(60_000);
    const { bytes } = shop.compile(`.text\n${long}: nop\n${"l: nop\n".replace("l", "short")}`, {
      source: "s",
    });
    const elf = parseElf(bytes);
    const symtab = elf.sections.find((section) => section.isNamed(".symtab"))!.header;
    const count = symtab.sh_size / 24;
    // A symbol table of 20,000 entries behind the file, all with the same name.
    const grown = new Uint8Array(bytes.length + 24 * 20_000);
    grown.set(bytes);
    const view = new DataView(grown.buffer);
    const last = bytes.subarray(symtab.sh_offset + 24 * (count - 2), symtab.sh_offset + 24 * (count - 1));
    for (let i = 0; i < 20_000; i++) grown.set(last, bytes.length + 24 * i);
    const section = elf.sections.findIndex((one) => one.isNamed(".symtab"));
    view.setBigUint64(elf.header.e_shoff + 64 * section + 24, BigInt(bytes.length), true);
    view.setBigUint64(elf.header.e_shoff + 64 * section + 32, BigInt(24 * 20_000), true);
    assert.throws(() => readVersion([{ name: "it.o", bytes: grown }]), {
      code: "invalid",
      message: /st_name/,
    });
  });
});
