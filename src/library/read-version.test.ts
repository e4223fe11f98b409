import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { parseElf, SHF_ALLOC, SHT_GROUP } from "../elf/index.ts";
import { type Bundle, type LibraryVersion, readVersion, type Unit } from "./index.ts";
import { missing, type Target, Workshop } from "./testing/compile.ts";
import { C_SOURCE, CC_SOURCE } from "./testing/sources.ts";

const shop = new Workshop();
after(() => shop.dispose());
const noX86 = missing("x86-64", "cc");
const noReadelf = spawnSync("readelf", ["--version"]).status === 0 ? false : "readelf is not on this machine";

const FLAGS: Readonly<Record<Target, readonly (readonly string[])[]>> = {
  "x86-64": [
    ["-fPIC"],
    ["-fno-pic"],
    ["-fPIE", "-mtls-dialect=gnu2"],
    ["-fno-pic", "-O0", "-g"],
    ["-fno-function-sections", "-fno-data-sections"],
    ["-mcmodel=large", "-fno-pic"],
    ["-fno-asynchronous-unwind-tables"],
  ],
  aarch64: [
    ["-fPIC"],
    ["-fno-pic"],
    ["-O0", "-g"],
    ["-mcmodel=tiny", "-fno-pic"],
    ["-fPIC", "-mtls-dialect=trad"],
  ],
};

function bundleNamed(version: LibraryVersion, name: string): Bundle {
  const found = version.bundles.filter((bundle) => bundle.name === name);
  assert.equal(found.length, 1, `${name}: ${version.bundles.map((bundle) => bundle.name).join(" ")}`);
  return found[0]!;
}

const unitsOf = (version: LibraryVersion, bundle: Bundle): Unit[] =>
  bundle.units.map((i) => version.units[i]!);
const sectionsOf = (version: LibraryVersion, name: string) =>
  unitsOf(version, bundleNamed(version, name)).map(({ sectionName }) => sectionName);

/** What must hold of every version of one object. */
function checkWhole(version: LibraryVersion): void {
  const elf = parseElf(version.objects[0]!.bytes);
  const names = new Set<string>();
  for (const [i, unit] of version.units.entries()) {
    assert.equal(unit.index, i);
    assert.ok(!names.has(unit.name), unit.name);
    names.add(unit.name);
    assert.match(unit.identity, /^[0-9a-f]{64}$/);
    assert.ok(version.bundles[unit.bundle]!.units.includes(i));
    for (const { offset, target } of unit.relocations) {
      assert.ok(offset >= 0 && offset <= unit.sizeBytes);
      if (target.kind === "unit") assert.ok(target.offset <= version.units[target.unit]!.sizeBytes);
    }
  }
  assert.equal(version.bundles.flatMap(({ units }) => units).length, version.units.length);
  for (const section of elf.sections) {
    const { sh_flags, sh_size, sh_type } = section.header;
    if (
      (sh_flags & SHF_ALLOC) === 0 ||
      sh_type === SHT_GROUP ||
      sh_size === 0 ||
      section.isNamed(".eh_frame")
    )
      continue;
    const rest = section.bytes.slice();
    let covered = 0;
    for (const unit of version.units.filter((one) => one.section === section.index)) {
      assert.deepEqual(
        unit.bytes,
        section.bytes.subarray(unit.sectionOffset, unit.sectionOffset + unit.bytes.length),
      );
      rest.fill(0, unit.sectionOffset, unit.sectionOffset + unit.bytes.length);
      covered += unit.sizeBytes;
    }
    // What no unit has is the padding between aligned strings.
    assert.ok(covered === sh_size || section.name.includes(".str"), section.name);
    assert.ok(rest.every((byte) => byte === 0));
  }
}

/** Relocations as readelf sees them: section, offset, type, symbol or section, addend. */
function relocationsOf(path: string) {
  const text = execFileSync("readelf", ["-rW", path], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  let section = "";
  const found = [];
  for (const line of text.split("\n")) {
    section = /^Relocation section '\.rela(.*)' at/.exec(line)?.[1] ?? section;
    const one = /^([0-9a-f]{16}) +[0-9a-f]{16} (R_\w+) +[0-9a-f]{16} (\S+) ([+-]) ([0-9a-f]+)$/.exec(line);
    if (one === null) continue;
    const [, offset, type, name, sign, addend] = one;
    found.push({
      section,
      offset: Number.parseInt(offset!, 16),
      type: type!,
      name: name!,
      addend: Number.parseInt(addend!, 16) * (sign === "-" ? -1 : 1),
    });
  }
  return found;
}

for (const target of ["x86-64", "aarch64"] as const) {
  for (const source of ["c", "cc"] as const) {
    for (const flags of FLAGS[target]) {
      const skip = missing(target, source) || noReadelf;
      test(`${source} for ${target} with ${flags.join(" ")} is read as readelf reads it`, { skip }, () => {
        const path = shop.compileFile(source === "c" ? C_SOURCE : CC_SOURCE, { target, source, flags });
        const version = readVersion([{ name: "it.o", bytes: new Uint8Array(readFileSync(path)) }]);
        assert.equal(version.machine, target);
        checkWhole(version);
        const elf = parseElf(version.objects[0]!.bytes);
        const bySection = new Map<number, Unit[]>();
        for (const unit of version.units)
          bySection.set(unit.section, [...(bySection.get(unit.section) ?? []), unit]);
        let compared = 0;
        for (const one of relocationsOf(path)) {
          const unit = version.units.find(
            ({ sectionName, sectionOffset, sizeBytes }) =>
              sectionName === one.section &&
              one.offset >= sectionOffset &&
              one.offset <= sectionOffset + sizeBytes,
          );
          if (unit === undefined) continue;
          const found = unit.relocations.find(({ offset, target: to, addend }) => {
            if (offset + unit.sectionOffset !== one.offset) return false;
            if (to.kind === "external") return to.name === one.name && Number(addend) === one.addend;
            if (to.kind !== "unit") return false;
            if (to.symbol !== undefined) return to.symbol === one.name && Number(addend) === one.addend;
            const pointed = version.units[to.unit]!;
            return (
              pointed.sectionName === one.name &&
              pointed.sectionOffset + to.offset + Number(addend) === one.addend
            );
          });
          assert.ok(found, JSON.stringify(one));
          compared++;
        }
        const inUnits = version.units.reduce((sum, { relocations }) => sum + relocations.length, 0);
        assert.equal(compared, inUnits);
        assert.ok(compared > 20, `${compared}`);
        assert.equal(elf.problems.length, 0);
      });
    }
  }
}

describe("what belongs together", { skip: noX86 }, () => {
  test("functions with jump tables, cold parts and exception tables", () => {
    const c = readVersion([shop.compile(C_SOURCE, { flags: ["-fno-pic"] })]);
    assert.deepEqual(sectionsOf(c, "sw"), [".text.sw", ".text.unlikely.sw", ".rodata.sw"]);
    // Values instead of a jump table: the compiler's name for it means nothing, and it has no references back.
    const map = c.units.find(({ sectionName }) => sectionName.includes("CSWTCH"))!;
    assert.ok(map.anonymous);
    const cc = readVersion([shop.compile(CC_SOURCE, { source: "cc" })]);
    assert.deepEqual(sectionsOf(cc, "_Z6caughti"), [
      ".text._Z6caughti",
      ".text.unlikely._Z6caughti",
      ".gcc_except_table._Z6caughti",
    ]);
    const caught = bundleNamed(cc, "_Z6caughti");
    const [body, cold, table] = caught.units;
    const entries = cc.unwind.filter(({ unit }) => unit === body || unit === cold);
    assert.equal(entries.length, 2);
    for (const entry of entries) {
      assert.ok(
        entry.cieRelocations.some(({ target }) => target.kind === "external" || target.kind === "unit"),
      );
      assert.ok(entry.fdeRelocations.some(({ target }) => target.kind === "unit" && target.unit === table));
    }
  });

  for (const target of ["x86-64", "aarch64"] as const) {
    test(`jump tables on ${target}, with and without relocations in them`, { skip: missing(target) }, () => {
      const names = Array.from({ length: 30 }, (_, i) => `e${i}`);
      const cases = names.map((name, i) => `case ${i}: return ${name}(x) + ${(i * i) % 7};`).join(" ");
      const text = `${names.map((name) => `int ${name}(int);`).join(" ")}
        int sw(int x) { switch (x) { ${cases} } return 0; } static int st(int x) { switch (x) { ${cases} } return 1; }
        int call(int x) { return st(x) + st(x + 1); }`;
      for (const flags of [["-fPIC"], ["-fno-pic"]]) {
        const version = readVersion([shop.compile(text, { target, flags })]);
        for (const name of ["sw", "util.o:st"])
          assert.equal(sectionsOf(version, name).at(-1), `.rodata.${name.replace("util.o:", "")}`);
        const table = unitsOf(version, bundleNamed(version, "sw")).at(-1)!;
        assert.equal(table.relocations.length, target === "x86-64" ? 30 : 0);
      }
    });
  }

  test("kinds of units, bindings and types", () => {
    const version = readVersion([shop.compile(C_SOURCE, { flags: ["-fPIC", "-fcommon"] })]);
    const first = (name: string) => unitsOf(version, bundleNamed(version, name))[0]!;
    assert.equal(first("tl").kind, "tls-data");
    assert.equal(first("util.o:tb").kind, "tls-bss");
    assert.equal(first("util.o:counter").kind, "bss");
    assert.equal(first("util.o:n").kind, "bss");
    assert.equal(first("util.o:.init_array").kind, "init");
    assert.equal(first("overridable").symbols.find(({ name }) => name === "overridable")!.binding, "weak");
    assert.equal(first("hidden_one").symbols.find(({ name }) => name === "hidden_one")!.visibility, "hidden");
    assert.ok(
      version.units.some(({ symbols }) => symbols.some(({ name, type }) => name === "chosen" && type === 10)),
    );
    assert.deepEqual(version.commons, [{ name: "tentative", sizeBytes: 4, alignment: 4 }]);
    const boot = first("boot");
    assert.ok(
      boot.relocations.some(({ target }) => target.kind === "external" && target.name === "tentative"),
    );
    const weak = first("overridable").relocations.map(({ target }) => target);
    assert.ok(weak.some((target) => target.kind === "external" && target.name === "maybe" && target.weak));
    const texts = version.units
      .filter(({ kind }) => kind === "string")
      .map(({ bytes }) => Buffer.from(bytes).toString());
    for (const text of ["alpha\0", "beta\0", "gamma\0", "default\0"]) assert.ok(texts.includes(text), text);
  });

  test("strings are cut one by one, aligned ones without their padding", () => {
    const text = `
      .section .rodata.str1.8,"aMS",@progbits,1
      .balign 8
      .LC0: .string "first"
      .balign 8
      .LC1: .string "second one"
      .balign 8
      .LC2: .string ""
      .balign 8
      .LC3: .string "z"
      .text
      .globl f
      .type f, @function
      f: mov $.LC1, %edi
         mov $.LC1+7, %esi
         lea .LC3(%rip), %rdx
         mov $.LC2, %edi
         ret
      .size f, .-f
    `;
    const version = readVersion([shop.compile(text, { source: "s" })]);
    const strings = version.units.filter(({ kind }) => kind === "string");
    assert.deepEqual(
      strings.map(({ bytes, sectionOffset, alignment }) => [
        Buffer.from(bytes).toString(),
        sectionOffset,
        alignment,
      ]),
      [
        ["first\0", 0, 8],
        ["second one\0", 8, 8],
        ["\0", 24, 8],
        ["z\0", 32, 8],
      ],
    );
    const f = unitsOf(version, bundleNamed(version, "f"))[0]!;
    const pointed = f.relocations.map(({ target, addend }) => {
      assert.ok(target.kind === "unit");
      return [Buffer.from(version.units[target.unit]!.bytes).toString(), target.offset, Number(addend)];
    });
    assert.deepEqual(pointed, [
      ["second one\0", 0, 0],
      ["second one\0", 0, 7],
      ["z\0", 0, -4],
      ["\0", 0, 0],
    ]);
  });

  test("constants with addresses are cut as well; a string without end is left whole", () => {
    const text = `
      .section .rodata.cst8,"aM",@progbits,8
      .LC0: .quad f
      .LC1: .quad 5
      .section .rodata.str1.1,"aMS",@progbits,1
      .LC2: .ascii "no end"
      .text
      .globl f
      f: movq .LC1(%rip), %xmm0
         movq .LC0(%rip), %xmm1
         lea .LC2(%rip), %rax
         ret
    `;
    const version = readVersion([shop.compile(text, { source: "s" })]);
    const constants = version.units.filter(({ sectionName }) => sectionName === ".rodata.cst8");
    assert.deepEqual(
      constants.map(({ sizeBytes, relocations }) => [sizeBytes, relocations.length]),
      [
        [8, 1],
        [8, 0],
      ],
    );
    const whole = version.units.filter(({ sectionName }) => sectionName === ".rodata.str1.1");
    assert.deepEqual(
      whole.map(({ sizeBytes, kind }) => [sizeBytes, kind]),
      [[6, "rodata"]],
    );
  });
});

describe("several objects", { skip: noX86 }, () => {
  test("of COMDAT groups the first is kept, and references lead to it", () => {
    const one = shop.compile(CC_SOURCE, { source: "cc", name: "one.o" });
    const text = `template <class T> T larger(T a, T b) { return a < b ? b : a; }
      template int larger<int>(int, int); int again(int x) { return larger(x, 3) + 1; }
      inline int once() { return 3; } int other() { return once(); }`;
    const two = shop.compile(text, { source: "cc", name: "two.o", flags: ["-fno-inline"] });
    const version = readVersion([one, two]);
    const larger = version.units.filter(({ group }) => group === "_Z6largerIiET_S0_S0_");
    assert.deepEqual(
      larger.map(({ object, kind }) => [object, kind]),
      [[0, "code"]],
    );
    const again = unitsOf(version, bundleNamed(version, "_Z5againi"))[0]!;
    assert.ok(
      again.relocations.some(({ target }) => target.kind === "unit" && target.unit === larger[0]!.index),
    );
    const described = version.unwind.filter(({ unit }) => unit === larger[0]!.index);
    assert.deepEqual(
      described.map(({ object }) => object),
      [0],
    );
  });

  test("a group whose kept copy defines less than is needed is refused", () => {
    const text = (more: string) => `
      .section .text.g,"axG",@progbits,g,comdat
      .weak g
      g: ret
      ${more}`;
    const small = shop.compile(text(""), { source: "s", name: "small.o" });
    const large = shop.compile(text(".globl extra\nextra: ret\n.text\n.globl user\nuser: call extra"), {
      source: "s",
      name: "large.o",
    });
    assert.equal(readVersion([large, small]).units.filter(({ group }) => group === "g").length, 1);
    assert.throws(() => readVersion([small, large]), {
      code: "unsupported",
      message: /large\.o: extra: its group is dropped/,
    });
  });

  test("labels within functions are no names; several functions in a section are named after it", () => {
    const text = ".text\n.globl one\n.type one,@function\none: nop\nagain: jmp again\n.size one,.-one\n";
    const alone = readVersion([shop.compile(text, { source: "s" })]);
    assert.deepEqual(
      alone.bundles.map(({ name }) => name),
      ["one"],
    );
    const two = `${text}.globl two\n.type two,@function\ntwo: call one\n.size two,.-two\n`;
    assert.deepEqual(
      readVersion([shop.compile(two, { source: "s" })]).bundles.map(({ name }) => name),
      ["util.o:.text"],
    );
  });

  test("static functions of the same name in two files are two functions", () => {
    const text = (n: number) => `__attribute__((noinline)) static int helper(int x) { return x * ${n}; }
      int use${n}(int x) { return helper(x) + 1; }`;
    const version = readVersion([
      shop.compile(text(3), { name: "a.o" }),
      shop.compile(text(5), { name: "b.o" }),
    ]);
    const [a, b] = [bundleNamed(version, "a.o:helper"), bundleNamed(version, "b.o:helper")];
    assert.notEqual(a.identity, b.identity);
    const calls = (name: string) => unitsOf(version, bundleNamed(version, name))[0]!.relocations[0]!.target;
    const [x, y] = [calls("use3"), calls("use5")];
    assert.ok(x.kind === "unit" && x.unit === a.units[0]);
    assert.ok(y.kind === "unit" && y.unit === b.units[0]);
  });

  test("a strong definition is chosen over weak ones, a common one too; two strong ones are refused", () => {
    const weak = shop.compile("__attribute__((weak)) int f(void) { return 1; } int g(void) { return f(); }", {
      name: "weak.o",
      flags: ["-fno-inline"],
    });
    const strong = shop.compile("int f(void) { return 2; }", { name: "strong.o" });
    const version = readVersion([weak, strong]);
    assert.equal(version.units[bundleNamed(version, "f").units[0]!]!.object, 1);
    assert.ok(bundleNamed(version, "weak.o:f"));
    const call = unitsOf(version, bundleNamed(version, "g"))[0]!.relocations[0]!.target;
    assert.ok(call.kind === "unit" && version.units[call.unit]!.object === 1);
    assert.throws(() => readVersion([strong, { ...strong, name: "other.o" }]), {
      code: "unsupported",
      message: /other\.o: f is also defined in strong\.o/,
    });
    const common = shop.compile("int shared[4];", { name: "common.o", flags: ["-fcommon"] });
    const defined = shop.compile("int shared[4] = { 1 };", { name: "defined.o" });
    assert.deepEqual(readVersion([common, defined]).commons, []);
    assert.equal(readVersion([common]).commons[0]!.sizeBytes, 16);
  });

  test("archives, and releases in the names of files", () => {
    const text = "static int hidden_counter; int f(void) { return ++hidden_counter; }";
    const object = shop.compile(text, { name: "util-1.2.3.o" });
    const path = join(shop.folder, object.name);
    writeFileSync(path, object.bytes);
    const archive = join(shop.folder, "libutil.a");
    execFileSync("ar", ["rcs", archive, path]);
    const version = readVersion([{ name: "libutil.a", bytes: new Uint8Array(readFileSync(archive)) }]);
    assert.deepEqual(
      version.objects.map(({ name, label }) => [name, label]),
      [["util-1.2.3.o", "util.o"]],
    );
    assert.ok(bundleNamed(version, "util.o:hidden_counter"));
    assert.equal(bundleNamed(version, "f").identity, bundleNamed(readVersion([object]), "f").identity);
    const thin = join(shop.folder, "thin.a");
    execFileSync("ar", ["rcsT", thin, path]);
    assert.throws(() => readVersion([{ name: "thin.a", bytes: readFileSync(thin) }]), {
      message: /thin archive/,
    });
  });
});

describe("what is refused is named", { skip: noX86 }, () => {
  const refused = (bytes: Uint8Array, code: string, message: RegExp) =>
    assert.throws(() => readVersion([{ name: "it.o", bytes }]), { code, message });

  test("other files, other machines, link-time optimisation", () => {
    refused(Buffer.from("hello"), "invalid", /it\.o: elf: e_ident/);
    refused(Buffer.from("BC\xc0\xde", "latin1"), "unsupported", /it\.o: LLVM bitcode/);
    refused(
      new Uint8Array(readFileSync(process.execPath).subarray(0, 1 << 16)),
      "unsupported",
      /only relocatable/,
    );
    const slim = shop.compile("int f(void) { return 1; }", { flags: ["-flto"] });
    refused(slim.bytes, "unsupported", /it\.o: \.gnu\.lto_.*-flto/);
    const object = shop.compile("int f(void) { return 1; }");
    const other = missing("aarch64")
      ? undefined
      : shop.compile("int g;", { target: "aarch64", name: "arm.o" });
    if (other !== undefined)
      assert.throws(() => readVersion([object, other]), {
        message: /arm\.o: for aarch64, but util\.o is for x86-64/,
      });
    assert.throws(() => readVersion([]), { code: "invalid" });
  });

  test("relocations that object files don't have, SHT_REL, and a section of debug data that code refers to", () => {
    const { bytes } = shop.compile("extern int g(void); int f(void) { return g() + 1; }");
    const elf = parseElf(bytes);
    const rela = elf.sections.find((section) => section.isNamed(".rela.text.f"))!;
    const wrong = bytes.slice();
    wrong[rela.header.sh_offset + 8] = 8;
    refused(wrong, "unsupported", /it\.o: \.text\.f: relocation R_X86_64_RELATIVE at/);
    const rel = bytes.slice();
    rel[rela.headerOffset + 4] = 9;
    refused(rel, "unsupported", /\.rela\.text\.f: SHT_REL relocations/);
    const text = `
      .section .debug_it,"",@progbits
      here: .quad 1
      .text
      f: lea here(%rip), %rax
    `;
    refused(
      shop.compile(text, { source: "s" }).bytes,
      "unsupported",
      /R_X86_64_PC32 at 3 points to \.debug_it, into what/,
    );
  });
});
