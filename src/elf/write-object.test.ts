import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { utf8 } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  type ObjectContent,
  type ObjectSection,
  parseElf,
  R_AARCH64_ADD_ABS_LO12_NC,
  R_AARCH64_ADR_PREL_PG_HI21,
  R_AARCH64_CALL26,
  R_X86_64_32,
  R_X86_64_PLT32,
  readSymbolTables,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_MERGE,
  SHF_STRINGS,
  SHF_WRITE,
  SHT_NOBITS,
  SHT_PROGBITS,
  STB_GLOBAL,
  STB_LOCAL,
  STB_WEAK,
  STT_FUNC,
  STT_NOTYPE,
  STT_OBJECT,
  STV_DEFAULT,
  STV_HIDDEN,
  writeObject,
} from "./index.ts";

const directory = mkdtempSync(join(tmpdir(), "tenon-write-object-"));
after(() => rmSync(directory, { recursive: true }));

/** Cross compilers look for lld under their own prefix; here is one under the name that `-B` adds. */
const tools = join(directory, "tools");
mkdirSync(tools);
const lld = spawnSync("sh", ["-c", "command -v ld.lld"], { encoding: "utf8" }).stdout.trim();
if (lld !== "") symlinkSync(lld, join(tools, "ld.lld"));

const has = (tool: string) => spawnSync(tool, ["--version"]).status === 0;
const lacks = (...tools: string[]) => {
  const missing = tools.filter((tool) => !has(tool));
  return missing.length === 0 ? false : `not on this machine: ${missing.join(", ")}`;
};

function run(tool: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(tool, args, { encoding: "utf8" });
  assert.equal(status, 0, `${tool} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

const words = (...values: number[]) => new Uint8Array(new Uint32Array(values).buffer);

/** `int main(void) { puts("joined"); return 0; }`, puts called and the string named by relocations. */
function hello(machine: "x86-64" | "aarch64", extra: readonly ObjectSection[] = []): ObjectContent {
  const isX86 = machine === "x86-64";
  const target = { symbol: 1 };
  const string = { section: 1 };
  const text: ObjectSection = isX86
    ? {
        ...{ name: ".text.main", type: SHT_PROGBITS, flags: SHF_ALLOC | SHF_EXECINSTR, alignment: 16 },
        // push rax; mov edi, string; call puts; xor eax, eax; pop rcx; ret
        bytes: new Uint8Array([0x50, 0xbf, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x31, 0xc0, 0x59, 0xc3]),
        relocations: [
          { offset: 2, type: R_X86_64_32, addend: 0n, target: string },
          { offset: 7, type: R_X86_64_PLT32, addend: -4n, target },
        ],
        group: 0,
      }
    : {
        ...{ name: ".text.main", type: SHT_PROGBITS, flags: SHF_ALLOC | SHF_EXECINSTR, alignment: 4 },
        // stp x29, x30, [sp, -16]!; adrp x0; add x0, x0; bl puts; mov w0, 0; ldp x29, x30, [sp], 16; ret
        bytes: words(0xa9bf7bfd, 0x90000000, 0x91000000, 0x94000000, 0x52800000, 0xa8c17bfd, 0xd65f03c0),
        relocations: [
          { offset: 4, type: R_AARCH64_ADR_PREL_PG_HI21, addend: 0n, target: string },
          { offset: 8, type: R_AARCH64_ADD_ABS_LO12_NC, addend: 0n, target: string },
          { offset: 12, type: R_AARCH64_CALL26, addend: 0n, target },
        ],
        group: 0,
      };
  const bytes = utf8("joined\0");
  const strings = { name: ".rodata.str1.1", type: SHT_PROGBITS, entrySize: 1, alignment: 1, bytes };
  const symbol = { value: 0, visibility: STV_DEFAULT, sizeBytes: 0 };
  return {
    machine,
    groups: [{ signature: 2, isComdat: true }],
    sections: [
      text,
      { ...strings, flags: SHF_ALLOC | SHF_MERGE | SHF_STRINGS },
      {
        ...{ name: ".bss.room", type: SHT_NOBITS, flags: SHF_ALLOC | SHF_WRITE, alignment: 32 },
        ...{ bytes: new Uint8Array(0), sizeBytes: 4096 },
      },
      ...extra,
    ],
    symbols: [
      // Not in the order of the table: the writer puts what is local first.
      { ...symbol, name: "room", binding: STB_GLOBAL, type: STT_OBJECT, section: 2, sizeBytes: 4096 },
      { ...symbol, name: "puts", binding: STB_GLOBAL, type: STT_NOTYPE, section: "undefined" },
      {
        ...symbol,
        name: "main",
        binding: STB_WEAK,
        type: STT_FUNC,
        section: 0,
        sizeBytes: text.bytes.length,
      },
      {
        ...{ name: "hidden", binding: STB_GLOBAL, type: STT_OBJECT, visibility: STV_HIDDEN },
        ...{ section: 1, value: 2, sizeBytes: 5 },
      },
      { ...symbol, name: "here", binding: STB_LOCAL, type: STT_NOTYPE, section: 0, value: 1 },
    ],
  };
}

test("what is written is read again as it was said", () => {
  const elf = parseElf(writeObject(hello("x86-64")));
  assert.deepEqual(elf.problems, []);
  assert.equal(elf.kind, "object");
  const table = readSymbolTables(elf).symtab!;
  const names = Array.from({ length: table.count }, (_, i) => table.name(i));
  assert.deepEqual(names, ["", "", "here", "room", "puts", "main", "hidden"]);
  const symtab = elf.sections.find((section) => section.name === ".symtab")!;
  assert.equal(symtab.header.sh_info, 3, "index of the first symbol that is not local");
});

const LINKERS = [
  ["x86-64", "gcc", "", ["bfd", "gold", "lld"]],
  ["aarch64", "aarch64-linux-gnu-gcc", "qemu-aarch64", ["bfd", "gold", "lld"]],
] as const;

for (const [machine, gcc, emulator, linkers] of LINKERS) {
  for (const linker of linkers) {
    const needs = [gcc, "ld.lld", ...(emulator === "" ? [] : [emulator])];
    test(`${machine}: ${linker} links it, and it runs`, { skip: lacks(...needs) }, () => {
      const object = join(directory, `${machine}-${linker}.o`);
      const program = join(directory, `${machine}-${linker}`);
      writeFileSync(object, writeObject(hello(machine)));
      run(gcc, "-static", "-no-pie", `-fuse-ld=${linker}`, "-B", tools, "-o", program, object);
      const out = emulator === "" ? run(program) : run(emulator, program);
      assert.equal(out, "joined\n");
    });
  }
  test(`${machine}: eu-elflint has nothing against it`, { skip: lacks("eu-elflint") }, () => {
    const object = join(directory, `${machine}-lint.o`);
    writeFileSync(object, writeObject(hello(machine)));
    assert.equal(run("eu-elflint", "--gnu-ld", object), "No errors\n");
  });
}

/** Sections with a symbol each, more than 16 bits can number. */
function crowd(count: number): ObjectContent {
  const small = { type: SHT_PROGBITS, flags: SHF_ALLOC, alignment: 1, bytes: new Uint8Array([7]) };
  const extra = Array.from({ length: count }, (_, i) => ({ ...small, name: `.rodata.n${i}` }));
  const content = hello("x86-64", extra);
  const base = { binding: STB_LOCAL, type: STT_OBJECT, visibility: STV_DEFAULT, value: 0, sizeBytes: 1 };
  const more = extra.map((_, i) => ({ ...base, name: `n${i}`, section: i + 3 }));
  return { ...content, symbols: [...content.symbols, ...more] };
}

test("more than 0xff00 sections", { skip: lacks("gcc", "ld.lld", "eu-elflint") }, () => {
  const object = join(directory, "crowd.o");
  writeFileSync(object, writeObject(crowd(0xff20)));
  assert.equal(run("eu-elflint", "--gnu-ld", object), "No errors\n");
  for (const linker of ["bfd", "lld"]) {
    const program = join(directory, `crowd-${linker}`);
    run("gcc", "-static", "-no-pie", `-fuse-ld=${linker}`, "-o", program, object);
    assert.equal(run(program), "joined\n");
  }
});

test("more than 2^20 sections are refused", () => {
  const section = { name: ".rodata.a", type: SHT_PROGBITS, flags: SHF_ALLOC, alignment: 1 };
  const sections = new Array(1 << 20).fill({ ...section, bytes: new Uint8Array(0) });
  const content: ObjectContent = { machine: "x86-64", sections, symbols: [] };
  assert.throws(
    () => writeObject(content),
    (error) => isTenonError(error, "limit"),
  );
});
