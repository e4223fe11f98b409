import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteWriter, concatBytes, utf8 } from "../bytes/index.ts";
import {
  DT_NULL,
  DT_RELA,
  DT_RELASZ,
  functionStarts,
  goFunctionName,
  PT_DYNAMIC,
  parseElf,
  readGoBuildInfo,
  readGoFunctions,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  toolchainHint,
} from "./index.ts";
import { buildSample, type Placed, type SampleSection, words64 } from "./testing/sample-elf.ts";

const TEXT: SampleSection = { name: ".text", flags: SHF_ALLOC | SHF_EXECINSTR, data: new Uint8Array(256) };
const STARTS = [0, 32, 96] as const;
const END = 160;
const NAMES = ["main.main", "runtime.text", "main.init"] as const;

/** A table of three functions, 32 bytes of header more for Go 1.18 and later. */
function pclntab(magic: number, textStart: number, quantum = 1): Uint8Array {
  const wide = magic === 0xffff_fffa;
  const header = wide ? 64 : 72;
  const names = utf8(`\0${NAMES.join("\0")}\0`);
  const namesAt = (i: number) => 1 + NAMES.slice(0, i).reduce((sum, name) => sum + name.length + 1, 0);
  const word = wide ? 8 : 4;
  const functab = (2 * STARTS.length + 1) * word;
  const functionsAt = header + names.length;
  const out = new ByteWriter();
  out.u32(magic).u16(0).u8(quantum).u8(8).u64(STARTS.length).u64(1);
  if (!wide) out.u64(textStart);
  out.u64(header).u64(functionsAt).u64(functionsAt).u64(functionsAt).u64(functionsAt).raw(names);
  const put = (value: number) => (wide ? out.u64(value) : out.u32(value));
  const recordBytes = 44;
  for (const [i, start] of STARTS.entries()) {
    put(wide ? textStart + start : start);
    put(functab + i * recordBytes);
  }
  put(wide ? textStart + END : END);
  for (const [i, start] of STARTS.entries()) {
    const at = out.length;
    put(wide ? textStart + start : start);
    out.u32(namesAt(i));
    out.raw(new Uint8Array(recordBytes - (out.length - at)));
  }
  return out.finish();
}

type Earlier = ReadonlyMap<string, Placed>;

function withTable(
  magic: number,
  options: { stripped?: boolean; stated?: boolean } = {},
  rest: readonly SampleSection[] = [],
) {
  const data = (_: Placed, earlier: Earlier) => {
    const text = earlier.get(".text")!.address;
    return pclntab(magic, options.stated === false ? 0 : text);
  };
  return buildSample({
    omitSectionHeaders: options.stripped ?? false,
    sections: [TEXT, { name: ".gopclntab", flags: SHF_ALLOC, data }, ...rest],
  });
}

/** moduledata as far as it is looked at: words 0, 1 and 22. */
const MODULEDATA: SampleSection = {
  name: ".noptrdata",
  flags: SHF_ALLOC | SHF_WRITE,
  data: (_, earlier) => {
    const words = new Array<number>(40).fill(0);
    words[0] = earlier.get(".gopclntab")!.address;
    words[1] = words[0] + 72;
    words[22] = earlier.get(".text")!.address;
    return words64(...words);
  },
};

describe("table of functions", () => {
  const magics = [
    ["1.16", 0xffff_fffa],
    ["1.18", 0xffff_fff0],
    ["1.20", 0xffff_fff1],
  ] as const;
  for (const [version, magic] of magics) {
    for (const stripped of [false, true]) {
      test(`Go ${version}, ${stripped ? "by its magic" : "by section"}`, () => {
        const { bytes, placed } = withTable(magic, { stripped });
        const elf = parseElf(bytes);
        const table = readGoFunctions(elf)!;
        const text = placed.get(".text")!.address;
        assert.deepEqual(table.problems, []);
        assert.equal(table.version, version);
        assert.equal(table.foundBy, stripped ? "magic" : "section");
        assert.equal(table.textStartSource, "header");
        assert.deepEqual(
          [...table.addresses],
          [...STARTS, END].map((start) => text + start),
        );
        assert.deepEqual(
          NAMES.map((_, i) => goFunctionName(elf, table, i)),
          NAMES,
        );
        assert.ok(table.records[0]! > table.functionsOffset);
        const starts = functionStarts(elf);
        assert.deepEqual(
          [...starts.address],
          STARTS.map((start) => text + start),
        );
        assert.deepEqual([...starts.sizeBytes], [32, 64, 64]);
        assert.equal(toolchainHint(elf).languages[0], "go");
      });
    }
  }

  test("the beginning of the code is found through moduledata, else through .text", () => {
    for (const [sections, source] of [
      [[MODULEDATA], "moduledata"],
      [[], "section"],
    ] as const) {
      const { bytes, placed } = withTable(0xffff_fff1, { stated: false }, sections);
      const table = readGoFunctions(parseElf(bytes))!;
      assert.equal(table.textStartSource, source);
      assert.equal(table.textStart, placed.get(".text")!.address);
    }
  });

  /** R_X86_64_RELATIVE. */
  const relative = (at: number, addend: number) => [at, 8, addend] as const;
  const relocated = (rela: (earlier: Earlier) => readonly (readonly [number, number, number])[]) =>
    buildSample({
      omitSectionHeaders: true,
      sections: [
        TEXT,
        { name: ".gopclntab", flags: SHF_ALLOC, data: () => pclntab(0xffff_fff1, 0) },
        { name: ".noptrdata", flags: SHF_ALLOC, data: new Uint8Array(8 * 40) },
        { name: ".rela", flags: SHF_ALLOC, data: (_, earlier) => words64(...rela(earlier).flat()) },
        {
          name: ".dynamic",
          flags: SHF_ALLOC,
          data: (_, earlier) => words64(DT_RELA, earlier.get(".rela")!.address, DT_RELASZ, 48, DT_NULL, 0),
        },
      ],
      segments: [{ type: PT_DYNAMIC, section: ".dynamic" }],
    });

  test("position-independent: the relocation of textStart has it", () => {
    const { bytes, placed } = relocated((earlier) => [
      relative(0x1000, 5),
      relative(earlier.get(".gopclntab")!.address + 24, earlier.get(".text")!.address + 16),
    ]);
    const table = readGoFunctions(parseElf(bytes))!;
    assert.equal(table.textStartSource, "relocation");
    assert.equal(table.textStart, placed.get(".text")!.address + 16);
  });

  test("position-independent without textStart: the relocations of moduledata have it", () => {
    const { bytes, placed } = relocated((earlier) => {
      const moduledata = earlier.get(".noptrdata")!.address;
      return [
        relative(moduledata, earlier.get(".gopclntab")!.address),
        relative(moduledata + 8 * 22, earlier.get(".text")!.address),
      ];
    });
    const table = readGoFunctions(parseElf(bytes))!;
    assert.equal(table.textStartSource, "moduledata");
    assert.equal(table.textStart, placed.get(".text")!.address);
  });

  const damaged: readonly (readonly [string, (view: DataView) => void, RegExp])[] = [
    ["an unknown magic", (v) => v.setUint32(0, 0xffff_ffff, true), /magic/],
    ["Go 1.15", (v) => v.setUint32(0, 0xffff_fffb, true), /1\.15/],
    ["32-bit pointers", (v) => v.setUint8(7, 4), /pointers/],
    ["too many functions", (v) => v.setBigUint64(8, 2n ** 60n, true), /fit/],
    ["parts outside", (v) => v.setBigUint64(64, 2n ** 40n, true), /outside/],
    ["parts out of order", (v) => v.setBigUint64(40, 1n, true), /order/],
  ];
  for (const [name, patch, why] of damaged) {
    test(`${name}: no functions and a problem`, () => {
      const { bytes, placed } = withTable(0xffff_fff1);
      patch(new DataView(bytes.buffer, placed.get(".gopclntab")!.offset));
      const table = readGoFunctions(parseElf(bytes))!;
      assert.equal(table.count, 0);
      assert.match(table.problems[0]!.why, why);
    });
  }

  test("records and names that lead outside are reported", () => {
    const { bytes } = withTable(0xffff_fff1);
    const view = new DataView(bytes.buffer);
    const table = readGoFunctions(parseElf(bytes))!;
    view.setUint32(table.functionsOffset + 4, 0xffff_ffff, true);
    view.setUint32(table.records[1]! + 4, 0x8000_0000, true);
    const damagedTable = readGoFunctions(parseElf(bytes))!;
    assert.deepEqual(
      damagedTable.problems.map(({ field }) => field),
      ["funcoff", "nameOff"],
    );
    assert.deepEqual([damagedTable.records[0], damagedTable.names[1]], [0, 0]);
    assert.equal(goFunctionName(parseElf(bytes), damagedTable, 1), "");
  });
});

describe("build information", () => {
  const magic = concatBytes([new Uint8Array([0xff]), utf8(" Go buildinf:")]);
  const marks = new Uint8Array(16).fill(0x30);

  for (const stripped of [false, true]) {
    test(`strings that follow, ${stripped ? "by its magic" : "by section"}`, () => {
      const modules = concatBytes([marks, utf8("path\tx/y\n"), marks]);
      const out = new ByteWriter().raw(magic).u8(8).u8(2).raw(new Uint8Array(16));
      out.varint(8).raw(utf8("go1.26.4")).varint(modules.length).raw(modules);
      const data = out.finish();
      const { bytes } = buildSample({
        omitSectionHeaders: stripped,
        sections: [{ name: ".go.buildinfo", flags: SHF_ALLOC | SHF_WRITE, data }],
      });
      const info = readGoBuildInfo(parseElf(bytes));
      assert.equal(info?.version, "go1.26.4");
      assert.equal(info.modules, "path\tx/y\n");
    });
  }

  test("pointers to strings, as before Go 1.18", () => {
    const { bytes } = buildSample({
      sections: [
        { name: ".rodata", flags: SHF_ALLOC, data: utf8("go1.17.1") },
        {
          name: ".data",
          flags: SHF_ALLOC,
          data: (_, earlier) => words64(earlier.get(".rodata")!.address, 8),
        },
        {
          name: ".go.buildinfo",
          flags: SHF_ALLOC,
          data: (_, earlier) =>
            concatBytes([magic, new Uint8Array([8, 0]), words64(earlier.get(".data")!.address, 0)]),
        },
      ],
    });
    assert.equal(readGoBuildInfo(parseElf(bytes))?.version, "go1.17.1");
  });

  test("a length that leads outside is declined", () => {
    const data = new ByteWriter().raw(magic).u8(8).u8(2).raw(new Uint8Array(16)).varint(1000).finish();
    const { bytes } = buildSample({ sections: [{ name: ".go.buildinfo", flags: SHF_ALLOC, data }] });
    assert.equal(readGoBuildInfo(parseElf(bytes)), undefined);
  });
});
