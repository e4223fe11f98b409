import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import {
  type Loader,
  type MemoryMap,
  PAGE_BYTES,
  PageCensus,
  pageMapSvg,
  programHeaders,
  readLoadSegments,
  readWindow,
  segmentMap,
  wholeFileMap,
  windows,
} from "./index.ts";
import { type ElfSegment, elfFile } from "./testing/elf-file.ts";

const page = (...filled: number[]) => {
  const bytes = new Uint8Array(PAGE_BYTES * filled.length);
  for (const [i, value] of filled.entries()) bytes.fill(value, i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
  return bytes;
};

function mapOf(file: Uint8Array, loader: Loader = "mmap"): MemoryMap {
  const headers = programHeaders(file.subarray(0, 64), file.length)!;
  const table = file.subarray(headers.offset, headers.offset + headers.sizeBytes);
  return segmentMap(readLoadSegments(headers, table, file.length), file.length, loader);
}

/** The memory as it would be built byte by byte. */
function memoryOf(file: Uint8Array, map: MemoryMap, maxPages: number): Map<number, Uint8Array> {
  const memory = new Map<number, Uint8Array>();
  for (const window of windows(map, maxPages)) {
    if (window.reads.length > 0) assert.ok(window.pages <= maxPages);
    const bytes = readWindow(file, window);
    for (let i = 0; i < window.pages; i++) {
      assert.ok(!memory.has(window.firstPage + i), "a page twice");
      memory.set(window.firstPage + i, bytes.slice(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
    }
  }
  return memory;
}

test("counts: every class, neighbours, totals", () => {
  const census = new PageCensus();
  census.beginImage();
  assert.deepEqual(
    census.addPages(16, page(1, 2, 3, 0, 4, 4)).newAt,
    [0, 1, 2, 4].map((n) => n * PAGE_BYTES),
  );
  census.addZeroPages(22, 10);
  census.beginImage();
  assert.deepEqual(census.addPages(16, page(1, 9, 2, 0)).newAt, [PAGE_BYTES]);
  const [small, large] = census.report();
  assert.deepEqual(small, {
    pageBytes: 4096,
    total: { pages: 20, zero: 12, distinct: 5, distinctAtAddress: 7, inAll: 2, inSome: 0, inOne: 3 },
    images: [
      { pages: 16, zero: 11, sharedSameAddress: 1, sharedOtherAddress: 1, sharedWithin: 2, unique: 1 },
      { pages: 4, zero: 1, sharedSameAddress: 1, sharedOtherAddress: 1, sharedWithin: 0, unique: 1 },
    ],
    neighbours: [{ from: 0, pages: 4, zero: 1, sameAddress: 1, sameContent: 2 }],
  });
  assert.equal(large!.pageBytes, 2 << 20);
  assert.deepEqual(
    large!.images.map(({ pages, unique }) => [pages, unique]),
    [
      [1, 1],
      [1, 1],
    ],
  );
});

test("a content that an image has twice is no neighbour's, and pages far above 2^32 are told apart", () => {
  const census = new PageCensus();
  const high = 2 ** 51;
  for (const [at, values] of [
    [high, [7, 7]],
    [high + 2 ** 32, [7, 8]],
    [high + 2 ** 32, [7, 9]],
  ] as const) {
    census.beginImage();
    census.addPages(at, page(...values));
  }
  const { neighbours, total } = census.report()[0]!;
  assert.deepEqual(
    neighbours.map(({ sameAddress, sameContent }) => [sameAddress, sameContent]),
    [
      [0, 1],
      [1, 1],
    ],
  );
  assert.equal(total.distinctAtAddress, 5);
});

test("2 MiB pages: equal only if all their pages are, zeros of any number cost nothing", () => {
  const census = new PageCensus();
  const image = (values: readonly number[], at: number) => {
    census.beginImage();
    census.addPages(at, page(...values));
    census.addZeroPages(at + values.length, 2 ** 40);
  };
  image([1, 2, 0], 512);
  image([1, 2], 512);
  image([1, 2], 1024);
  image([1, 3], 511);
  const { total, images, neighbours } = census.report()[1]!;
  assert.deepEqual(
    images.map(({ sharedSameAddress, sharedOtherAddress, unique }) => [
      sharedSameAddress,
      sharedOtherAddress,
      unique,
    ]),
    [
      [1, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 2],
    ],
  );
  assert.deepEqual(
    neighbours.map(({ sameContent }) => sameContent),
    [1, 1, 0],
  );
  assert.equal(total.distinct, 3);
  assert.equal(images[0]!.pages, 2 ** 31 + 1);
});

test("random images: counts as a plain count of strings gives them", () => {
  const images = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 12 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(images, fc.integer({ min: 0, max: 600 }), (values, start) => {
      const census = new PageCensus();
      for (const image of values) {
        census.beginImage();
        if (image.length > 0) census.addPages(start, page(...image));
      }
      const { images: counts, total } = census.report()[0]!;
      const all = values.flat().filter((value) => value !== 0);
      assert.equal(total.distinct, new Set(all).size);
      assert.equal(
        total.distinctAtAddress,
        new Set(values.flatMap((v) => v.flatMap((x, i) => (x ? [`${i} ${x}`] : [])))).size,
      );
      for (const [n, image] of values.entries()) {
        const others = values.filter((_, i) => i !== n);
        const expected = {
          pages: image.length,
          zero: 0,
          sharedSameAddress: 0,
          sharedOtherAddress: 0,
          sharedWithin: 0,
          unique: 0,
        };
        for (const [i, value] of image.entries()) {
          if (value === 0) expected.zero++;
          else if (others.some((other) => other[i] === value)) expected.sharedSameAddress++;
          else if (others.some((other) => other.includes(value))) expected.sharedOtherAddress++;
          else if (image.filter((x) => x === value).length > 1) expected.sharedWithin++;
          else expected.unique++;
        }
        assert.deepEqual(counts[n], expected);
      }
    }),
    { seed: 3 },
  );
});

const SEGMENTS: readonly ElfSegment[] = [
  { address: 0x40_0000n, fileSizeBytes: 0x1234, sizeBytes: 0x1234n },
  { address: 0x40_2000n, fileSizeBytes: 0x1100, sizeBytes: 0x3100n },
  { address: 0xffff_ffff_8000_0010n, fileSizeBytes: 0x20, sizeBytes: 0x20n },
];

test("mmap maps whole pages of the file and clears behind p_filesz only if more memory follows", () => {
  for (const bits of [64, 32] as const) {
    for (const isLittleEndian of [true, false]) {
      const segments = bits === 64 ? SEGMENTS : SEGMENTS.slice(0, 2);
      const file = elfFile({ bits, isLittleEndian, segments });
      const memory = memoryOf(file, mapOf(file), 2);
      const offsets = segments.map(({ address }) => Number(address % 4096n));
      const starts = elfFile.offsets(segments);
      const first = memory.get(0x401)!;
      assert.deepEqual(
        first,
        file.slice(starts[0]! + 4096, starts[0]! + 8192),
        "the rest of the page is the file's",
      );
      const last = memory.get(0x403)!;
      assert.deepEqual(last.slice(0, 0x100), file.slice(starts[1]! + 0x1000, starts[1]! + 0x1100));
      assert.ok(
        last.subarray(0x100).every((byte) => byte === 0),
        "p_memsz is larger: cleared",
      );
      assert.ok(memory.get(0x404)!.every((byte) => byte === 0));
      assert.equal(memory.size, bits === 64 ? 7 : 6);
      if (bits === 64) {
        const high = memory.get(Number(0xffff_ffff_8000_0010n / 4096n))!;
        assert.deepEqual(
          high.slice(offsets[2]!, offsets[2]! + 0x20),
          file.slice(starts[2]!, starts[2]! + 0x20),
        );
        assert.equal(high[0], file[starts[2]! - 0x10]);
      }
    }
  }
});

test("copy copies p_filesz bytes and nothing beside them", () => {
  const file = elfFile({ bits: 64, isLittleEndian: true, segments: SEGMENTS });
  const memory = memoryOf(file, mapOf(file, "copy"), 3);
  assert.ok(
    memory
      .get(0x401)!
      .subarray(0x234)
      .every((byte) => byte === 0),
  );
  assert.equal(memory.get(Number(0xffff_ffff_8000_0010n / 4096n))![0], 0);
});

test("segments that can't be mapped are copied, with the reason", () => {
  const file = elfFile({ bits: 64, isLittleEndian: true, segments: SEGMENTS, shiftBytes: 8 });
  const map = mapOf(file);
  assert.equal(map.loader, "copy");
  assert.match(map.reason!, /modulo 4096/);
});

test("two segments in one page: the later mapping has the page, copies have both", () => {
  const segments: ElfSegment[] = [
    { address: 0x1000n, fileSizeBytes: 0x1800, sizeBytes: 0x1800n },
    { address: 0x2800n, fileSizeBytes: 0x1000, sizeBytes: 0x1000n },
  ];
  const file = elfFile({ bits: 64, isLittleEndian: true, segments });
  const [first, second] = elfFile.offsets(segments);
  const mapped = memoryOf(file, mapOf(file), 8).get(2)!;
  assert.deepEqual(mapped, file.slice(second! - 0x800, second! + 0x800));
  const copied = memoryOf(file, mapOf(file, "copy"), 8).get(2)!;
  assert.deepEqual(copied.slice(0, 0x800), file.slice(first! + 0x1000, first! + 0x1800));
  assert.deepEqual(copied.slice(0x800), file.slice(second!, second! + 0x800));
});

test("windows of any size give the same memory", () => {
  const raw = page(1, 0, 2, 3).subarray(0, 3 * PAGE_BYTES + 5);
  const expected = memoryOf(raw, wholeFileMap(raw.length), 100);
  assert.equal(expected.size, 4);
  for (const maxPages of [1, 2, 3])
    assert.deepEqual(memoryOf(raw, wholeFileMap(raw.length), maxPages), expected);
  const file = elfFile({ bits: 64, isLittleEndian: true, segments: SEGMENTS });
  for (const loader of ["mmap", "copy"] as const) {
    assert.deepEqual(memoryOf(file, mapOf(file, loader), 1), memoryOf(file, mapOf(file, loader), 64));
  }
  assert.deepEqual([...windows(wholeFileMap(0), 1)], []);
});

test("broken and hostile headers are refused by name", () => {
  const good = () => elfFile({ bits: 64, isLittleEndian: true, segments: SEGMENTS });
  const change = (offset: number, ...bytes: number[]) => {
    const file = good();
    file.set(bytes, offset);
    return file;
  };
  const cases: [Uint8Array, string, RegExp][] = [
    [good().subarray(0, 40), "invalid", /Ehdr/],
    [change(4, 3), "invalid", /EI_CLASS/],
    [change(5, 9), "invalid", /EI_DATA/],
    [change(16, 1), "unsupported", /link it first/],
    [change(56, 0, 0), "unsupported", /no program headers/],
    [change(56, 0xff, 0xff), "unsupported", /65535/],
    [change(54, 57), "invalid", /e_phentsize/],
    [change(32, 255, 255, 255, 255, 255, 255, 255, 255), "invalid", /e_phoff/],
    [change(64 + 8, 255, 255, 255, 255), "invalid", /p_offset/],
    [change(64 + 32, 255, 255), "invalid", /p_filesz/],
    [change(64 + 40, 255, 255, 255, 255, 255, 255, 255, 255), "invalid", /p_memsz/],
    [change(64 + 40, 0, 0, 0, 1), "invalid", /lies on another/],
  ];
  for (const [file, code, message] of cases) {
    assert.throws(
      () => mapOf(file),
      (error) => isTenonError(error) && error.code === code && message.test(error.message),
      `${message}`,
    );
  }
  const none = good();
  for (let i = 0; i < SEGMENTS.length; i++) none[64 + i * 56] = 4;
  assert.throws(() => mapOf(none), /no PT_LOAD/);
  assert.equal(programHeaders(Uint8Array.of(1, 2, 3), 3), undefined);
});

test("any header gives a map or a TenonError", () => {
  const file = elfFile({ bits: 64, isLittleEndian: true, segments: SEGMENTS });
  const edits = fc.array(
    fc.tuple(fc.nat(64 + 3 * 56 - 1), fc.constantFrom(0, 1, 2, 7, 0x10, 0x7f, 0x80, 0xff)),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(edits, fc.boolean(), (changes, isMapped) => {
      const broken = file.slice();
      for (const [at, value] of changes) if (at > 3) broken[at] = value;
      try {
        const map = mapOf(broken, isMapped ? "mmap" : "copy");
        const census = new PageCensus();
        census.beginImage();
        let seen = 0;
        for (const window of windows(map, 16)) {
          if (window.reads.length > 0) census.addPages(window.firstPage, readWindow(broken, window));
          else census.addZeroPages(window.firstPage, window.pages);
          for (const { at, offset, lengthBytes } of window.reads) {
            assert.ok(at >= 0 && at + lengthBytes <= window.pages * PAGE_BYTES);
            assert.ok(offset >= 0 && offset + lengthBytes <= broken.length);
          }
          seen += window.pages;
        }
        assert.equal(census.report()[0]!.total.pages, seen);
        assert.ok(pageMapSvg([{ name: "x", runs: census.classes()[0]! }]).length < 1 << 20);
      } catch (error) {
        if (!isTenonError(error)) throw error;
      }
    }),
    { seed: 11, numRuns: 2000 },
  );
});

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-pages-"));
});
after(() => rmSync(folder, { recursive: true }));

test("the memory of a running program is what mmap says", (t) => {
  // The program writes its own read-only pages as the kernel mapped them.
  const source = join(folder, "self.c");
  const program = join(folder, "self");
  writeFileSync(
    source,
    `#include <stdio.h>
     #include <stdint.h>
     const char table[9000] = {1, 2, 3};
     extern char __executable_start, etext;
     int main(void) {
       uintptr_t from = (uintptr_t)&__executable_start & -4096, to = ((uintptr_t)&etext + 4095) & -4096;
       fwrite((void *)from, 1, to - from, stdout);
       uintptr_t data = (uintptr_t)&table & -4096;
       fwrite((void *)data, 1, 8192, stdout);
       fprintf(stderr, "%lx %lx %lx", from, to, data);
       return 0;
     }`,
  );
  try {
    execFileSync("gcc", ["-O1", "-static", "-no-pie", "-o", program, source], { stdio: "pipe" });
  } catch {
    return t.skip("gcc can't link static programs here");
  }
  const script = `"$0" 2> "$1"`;
  const output = execFileSync("sh", ["-c", script, program, join(folder, "addresses")], {
    maxBuffer: 1 << 26,
  });
  const [from, to, data] = readFileSync(join(folder, "addresses"), "utf8")
    .split(" ")
    .map((n) => Number.parseInt(n, 16));
  const file = new Uint8Array(readFileSync(program));
  const memory = memoryOf(file, mapOf(file), 64);
  const join_ = (start: number, end: number) =>
    Buffer.concat(Array.from({ length: (end - start) / 4096 }, (_, i) => memory.get(start / 4096 + i)!));
  const expected = Buffer.concat([join_(from!, to!), join_(data!, data! + 8192)]);
  assert.equal(Buffer.compare(output, expected), 0);
});
