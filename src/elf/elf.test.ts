import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import {
  areasNamed,
  DT_NULL,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMTAB,
  EM_AARCH64,
  ET_EXEC,
  ET_REL,
  identifyElf,
  PT_DYNAMIC,
  parseElf,
  readSymbolTables,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_DYNAMIC,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
  sectionNamed,
} from "./index.ts";
import { buildSample, words64, zeroSection } from "./testing/sample-elf.ts";

const CODE = { flags: SHF_ALLOC | SHF_EXECINSTR, data: new Uint8Array(64).fill(0x90) };

function simple() {
  return buildSample({
    type: ET_EXEC,
    sections: [
      { name: ".text", ...CODE },
      { name: ".rodata", flags: SHF_ALLOC, data: new Uint8Array(10) },
      zeroSection(".bss", 100, SHF_ALLOC | SHF_WRITE),
    ],
    bssBytes: 4096,
  });
}

function patched(bytes: Uint8Array, patch: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  patch(new DataView(copy.buffer));
  return copy;
}

describe("identity and refusals", () => {
  test("what is not ELF", () => {
    assert.equal(identifyElf(new Uint8Array(3)), undefined);
    assert.equal(identifyElf(new Uint8Array(100)), undefined);
    for (const bytes of [new Uint8Array(0), new Uint8Array(100)]) {
      assert.throws(
        () => parseElf(bytes),
        (error) => isTenonError(error, "invalid"),
      );
    }
  });

  const refused: readonly (readonly [string, number, number, string])[] = [
    ["ELF32", 4, 1, "EI_CLASS"],
    ["an unknown class", 4, 7, "EI_CLASS"],
    ["big-endian", 5, 2, "EI_DATA"],
    ["another machine", 18, 243, "e_machine"],
    ["another version", 6, 2, "EI_VERSION"],
  ];
  for (const [name, offset, value, field] of refused) {
    test(`${name} is recognised and declined`, () => {
      const bytes = patched(simple().bytes, (view) => view.setUint8(offset, value));
      assert.notEqual(identifyElf(bytes), undefined);
      assert.throws(
        () => parseElf(bytes),
        (error) =>
          isTenonError(error, "unsupported") && error.data.field === field && error.data.offset === offset,
      );
    });
  }

  test("names the machine that it declines, in both byte orders", () => {
    const little = patched(simple().bytes, (view) => view.setUint16(18, 243, true));
    assert.equal(identifyElf(little)?.machine?.name, "RISC-V");
    const big = patched(simple().bytes, (view) => {
      view.setUint8(5, 2);
      view.setUint16(18, 22);
    });
    assert.equal(identifyElf(big)?.machine?.name, "S390");
    assert.equal(identifyElf(big)?.byteOrder, "big");
  });

  test("a file that ends anywhere in its first bytes is declined, not a crash", () => {
    const { bytes } = simple();
    for (let length = 0; length < 64; length++) {
      assert.throws(
        () => parseElf(bytes.subarray(0, length)),
        (error) => isTenonError(error, "invalid"),
      );
    }
    // From 64 bytes on the header is whole, and the rest is a list of problems.
    for (let length = 64; length < bytes.length; length++) {
      assert.notEqual(parseElf(bytes.subarray(0, length)).problems.length, 0);
    }
  });
});

describe("structure", () => {
  test("sections, kinds, addresses", () => {
    const { bytes, placed } = simple();
    const elf = parseElf(bytes);
    assert.deepEqual(elf.problems, []);
    assert.equal(elf.kind, "static");
    assert.equal(elf.machine, "x86-64");
    assert.deepEqual(
      elf.sections.map(({ name, kind }) => `${name} ${kind}`),
      [" null", ".text code", ".rodata read-only", ".bss bss", ".shstrtab strings"],
    );
    const text = placed.get(".text")!;
    assert.equal(elf.addresses.offsetOf(text.address + 3), text.offset + 3);
    assert.equal(elf.addresses.addressOf(text.offset + 3), text.address + 3);
    assert.equal(sectionNamed(elf, ".text")?.bytes.length, 64);
    assert.equal(sectionNamed(elf, ".tex"), undefined);
    assert.equal(sectionNamed(elf, ".text2"), undefined);
  });

  test("zero memory is mapped without bytes; outside nothing is", () => {
    const { bytes } = simple();
    const { addresses } = parseElf(bytes);
    const end = 0x40_0000 + bytes.length;
    assert.equal(addresses.offsetOf(end - 1), bytes.length - 1);
    assert.equal(addresses.offsetOf(end - 1, 2), undefined);
    assert.equal(addresses.offsetOf(end), undefined);
    assert.notEqual(addresses.rangeOf(end), undefined);
    assert.notEqual(addresses.rangeOf(end + 4095), undefined);
    assert.equal(addresses.rangeOf(end + 4096), undefined);
    assert.equal(addresses.rangeOf(0x3f_ffff), undefined);
    assert.equal(addresses.addressOf(bytes.length), undefined);
  });

  test("AArch64", () => {
    const elf = parseElf(buildSample({ machine: EM_AARCH64 }).bytes);
    assert.equal(elf.machine, "aarch64");
    assert.equal(elf.kind, "shared");
  });

  test("without section headers nothing is missing but the sections", () => {
    const { bytes } = buildSample({ omitSectionHeaders: true, sections: [{ name: ".text", ...CODE }] });
    const elf = parseElf(bytes);
    assert.deepEqual(elf.problems, []);
    assert.equal(elf.sections.length, 0);
    assert.equal(elf.addresses.offsetOf(0x40_0010), 16);
  });

  test("more than 65,279 sections: section 0 holds count and name table", () => {
    const { bytes, sectionHeadersOffset } = simple();
    const extended = patched(bytes, (view) => {
      view.setUint16(60, 0, true);
      view.setUint16(62, 0xffff, true);
      view.setBigUint64(sectionHeadersOffset + 32, 5n, true);
      view.setUint32(sectionHeadersOffset + 40, 4, true);
    });
    const elf = parseElf(extended);
    assert.deepEqual(elf.problems, []);
    assert.equal(elf.sections.length, 5);
    assert.equal(elf.sections[1]?.name, ".text");
  });

  test("PN_XNUM: section 0 holds the number of program headers", () => {
    const { bytes, sectionHeadersOffset } = simple();
    const extended = patched(bytes, (view) => {
      view.setUint16(56, 0xffff, true);
      view.setUint32(sectionHeadersOffset + 44, 1, true);
    });
    assert.deepEqual(parseElf(extended).problems, []);
    assert.equal(parseElf(extended).segments.length, 1);
    const without = patched(extended, (view) => view.setBigUint64(40, 0n, true));
    assert.equal(
      parseElf(without).problems.some(({ field }) => field === "e_phnum"),
      true,
    );
  });

  test("a file whose code was taken out maps by its sections", () => {
    const { bytes } = buildSample({
      sections: [
        zeroSection(".text", 64, SHF_ALLOC | SHF_EXECINSTR),
        { name: ".note", flags: SHF_ALLOC, data: new Uint8Array(16) },
      ],
    });
    const elf = parseElf(bytes);
    assert.equal(elf.debugOnly, true);
    const text = sectionNamed(elf, ".text")!;
    assert.equal(elf.addresses.offsetOf(text.header.sh_addr), undefined);
    assert.equal(elf.addresses.rangeOf(text.header.sh_addr)?.from, "section");
  });
});

describe("problems instead of exceptions", () => {
  const base = simple();
  const shdr = (index: number) => base.sectionHeadersOffset + 64 * index;
  const cases: readonly (readonly [string, string, (view: DataView) => void])[] = [
    ["section headers outside", "e_shoff", (v) => v.setBigUint64(40, 1n << 40n, true)],
    ["section headers at 2^64 - 1", "e_shoff", (v) => v.setBigUint64(40, 2n ** 64n - 1n, true)],
    [
      "a count of 2^63 sections",
      "e_shnum",
      (v) => {
        v.setUint16(60, 0, true);
        v.setBigUint64(shdr(0) + 32, 2n ** 63n, true);
      },
    ],
    ["a wrong section header size", "e_shentsize", (v) => v.setUint16(58, 40, true)],
    ["a wrong program header size", "e_phentsize", (v) => v.setUint16(54, 32, true)],
    ["sections counted but not placed", "e_shnum", (v) => v.setBigUint64(40, 0n, true)],
    ["a name table that isn't one", "e_shstrndx", (v) => v.setUint16(62, 1, true)],
    ["a name table index outside", "e_shstrndx", (v) => v.setUint16(62, 99, true)],
    ["program headers outside", "e_phoff", (v) => v.setBigUint64(32, 1n << 33n, true)],
    ["a segment outside", "p_offset", (v) => v.setBigUint64(64 + 8, 1n << 31n, true)],
    ["a segment larger in the file than in memory", "p_filesz", (v) => v.setBigUint64(64 + 40, 1n, true)],
    ["a segment of 2^64 - 1 bytes", "p_vaddr", (v) => v.setBigUint64(64 + 40, 2n ** 64n - 1n, true)],
    ["a kernel address", "p_vaddr", (v) => v.setBigUint64(64 + 16, 0xffff_ffff_8000_0000n, true)],
    ["a section outside", "sh_offset", (v) => v.setBigUint64(shdr(1) + 24, 2n ** 31n + 5n, true)],
    [
      "a section that shares bytes",
      "sh_offset",
      (v) => v.setBigUint64(shdr(2) + 24, v.getBigUint64(shdr(1) + 24, true) + 1n, true),
    ],
    [
      "an address and offset that don't fit together",
      "p_align",
      (v) => {
        v.setBigUint64(64 + 48, 4096n, true);
        v.setBigUint64(64 + 16, 0x40_0001n, true);
      },
    ],
  ];
  for (const [name, field, patch] of cases) {
    test(name, () => {
      const elf = parseElf(patched(base.bytes, patch));
      const found = elf.problems.find((problem) => problem.field === field);
      assert.notEqual(found, undefined, JSON.stringify(elf.problems));
      assert.ok(found!.offset < base.bytes.length);
      for (const section of elf.sections) assert.ok(section.bytes.length <= base.bytes.length);
    });
  }

  test("a file with a thousand faults lists some and counts the rest", () => {
    const sections = Array.from({ length: 1000 }, (_, i) => ({
      name: `.s${i}`,
      data: new Uint8Array(1),
      sizeBytes: 1e9,
    }));
    const { problems } = parseElf(buildSample({ sections }).bytes);
    assert.equal(problems.length, 257);
    assert.match(problems.at(-1)!.why, /^744 more/);
  });

  test("overlapping segments: the first keeps its addresses", () => {
    const { bytes } = buildSample({
      sections: [{ name: "x", data: new Uint8Array(64) }],
      segments: [{ type: 1, section: "x" }],
    });
    const elf = parseElf(bytes);
    assert.equal(
      elf.problems.some(({ why }) => why === "overlaps segment 0"),
      true,
    );
    assert.equal(elf.addresses.ranges.length, 1);
  });
});

describe("symbols", () => {
  const names = new TextEncoder().encode("\0main\0data\0unterminated");
  const sym = (name: number, info: number, shndx: number, value: number) => {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, name, true);
    view.setUint8(4, info);
    view.setUint16(6, shndx, true);
    view.setBigUint64(8, BigInt(value), true);
    return bytes;
  };
  const table = new Uint8Array(24 * 4);
  table.set(sym(1, 0x12, 1, 16), 24);
  table.set(sym(6, 0x11, 0xffff, 8), 48);
  table.set(sym(11, 0, 1, 0), 72);

  test("names are decoded on demand; SHN_XINDEX is resolved; a name without end is empty", () => {
    const { bytes } = buildSample({
      type: ET_REL,
      sections: [
        { name: ".text", ...CODE },
        { name: ".symtab", type: SHT_SYMTAB, data: table, link: 3 },
        { name: ".strtab", type: SHT_STRTAB, data: names },
        {
          name: ".symtab_shndx",
          type: SHT_SYMTAB_SHNDX,
          data: new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0]),
          link: 2,
        },
      ],
    });
    const { symtab, dynsym } = readSymbolTables(parseElf(bytes));
    assert.equal(dynsym, undefined);
    assert.equal(symtab?.count, 4);
    assert.equal(symtab.name(1), "main");
    assert.equal(symtab.isNamed(1, "main"), true);
    assert.equal(symtab.isNamed(1, "mai"), false);
    assert.equal(symtab.type(1), 2);
    assert.equal(symtab.binding(1), 1);
    assert.equal(symtab.st_value(1), 16);
    assert.equal(symtab.sectionIndex(1), 1);
    assert.equal(symtab.sectionIndex(2), 0x1_0007);
    assert.equal(symtab.name(3), "");
    assert.equal(symtab.sectionIndex(3), 1);
    assert.throws(() => symtab.st_value(4), RangeError);
    assert.throws(() => symtab.st_value(-1), RangeError);
  });

  test("dynamic symbols without section headers and hash table reach to the next table", () => {
    const { bytes } = buildSample({
      omitSectionHeaders: true,
      sections: [
        { name: ".dynsym", flags: SHF_ALLOC, data: table },
        { name: ".dynstr", flags: SHF_ALLOC, data: names },
        {
          name: ".dynamic",
          type: SHT_DYNAMIC,
          flags: SHF_ALLOC,
          data: (_, earlier) =>
            words64(
              ...[DT_SYMTAB, earlier.get(".dynsym")!.address],
              ...[DT_STRTAB, earlier.get(".dynstr")!.address],
              ...[DT_STRSZ, names.length],
              ...[DT_NULL, 0],
            ),
        },
      ],
      segments: [{ type: PT_DYNAMIC, section: ".dynamic" }],
    });
    const elf = parseElf(bytes);
    const { dynsym } = readSymbolTables(elf);
    assert.deepEqual(elf.problems, []);
    assert.equal(dynsym?.count, 4);
    assert.equal(dynsym.name(1), "main");
    assert.equal(areasNamed(elf, ".dynstr")[0]?.from, "dynamic");
  });
});
