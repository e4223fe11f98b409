/** Large files made to cost time or memory: many headers over the same bytes, tables of the smallest records. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  EHDR_BYTES,
  functionStarts,
  PHDR_BYTES,
  PT_LOAD,
  PT_NOTE,
  parseElf,
  readEhFrames,
  readGoBuildInfo,
  readGoFunctions,
  readNotes,
  readRelocationTables,
  SHDR_BYTES,
  SHF_ALLOC,
  SHT_INIT_ARRAY,
  SHT_NOTE,
  SHT_RELA,
  sectionNamed,
  toolchainHint,
} from "./index.ts";
import { buildSample } from "./testing/sample-elf.ts";

const FILE_BYTES = 8 << 20;
const HEADERS = 5_000;

/** CPU time that a reader may take for 8 MiB; what is quadratic takes more than twice that. */
const BOUND_MS = 2000;

function bounded<T>(run: () => T): T {
  const before = process.cpuUsage();
  const result = run();
  const spentMs = process.cpuUsage(before).user / 1000;
  assert.ok(spentMs < BOUND_MS, `${spentMs} ms`);
  return result;
}

/** A file of zeros with 5,000 program headers, each over all that follows. */
function manySegments(type: number): Uint8Array {
  const bytes = new Uint8Array(FILE_BYTES);
  bytes.set(buildSample({}).bytes.subarray(0, EHDR_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint16(56, HEADERS, true);
  view.setBigUint64(40, 0n, true);
  view.setUint16(60, 0, true);
  const offset = EHDR_BYTES + PHDR_BYTES * HEADERS;
  const size = BigInt(FILE_BYTES - offset);
  for (let i = 0; i < HEADERS; i++) {
    const at = EHDR_BYTES + PHDR_BYTES * i;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, 7, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, BigInt(FILE_BYTES) * BigInt(i + 1), true);
    view.setBigUint64(at + 32, size, true);
    view.setBigUint64(at + 40, size, true);
  }
  return bytes;
}

/** A file of zeros with 5,000 section headers of one type and name, each over all of it. */
function manySections(type: number, name: string): Uint8Array {
  const names = buildSample({ sections: [{ name, data: new Uint8Array(0) }] });
  const shdrs = FILE_BYTES - SHDR_BYTES * HEADERS;
  const bytes = new Uint8Array(FILE_BYTES);
  bytes.set(names.bytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(40, BigInt(shdrs), true);
  view.setUint16(60, HEADERS, true);
  bytes.copyWithin(shdrs, names.sectionHeadersOffset, names.sectionHeadersOffset + 3 * SHDR_BYTES);
  for (let i = 3; i < HEADERS; i++) {
    const at = shdrs + SHDR_BYTES * i;
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 8, BigInt(SHF_ALLOC), true);
    view.setBigUint64(at + 32, BigInt(FILE_BYTES), true);
  }
  return bytes;
}

function readEverything(bytes: Uint8Array) {
  return bounded(() => {
    const elf = parseElf(bytes);
    readGoFunctions(elf);
    readGoBuildInfo(elf);
    toolchainHint(elf);
    for (const table of readRelocationTables(elf)) for (let i = 0; i < table.count; i++) table.type(i);
    return { elf, notes: readNotes(elf), starts: functionStarts(elf), frames: readEhFrames(elf) };
  });
}

describe("many headers over the same bytes", () => {
  test("PT_LOAD", () => {
    const { elf } = readEverything(manySegments(PT_LOAD));
    assert.equal(elf.segments.length, HEADERS);
    assert.equal(elf.addresses.ranges.length, HEADERS);
  });

  test("PT_NOTE", () => {
    const { notes } = readEverything(manySegments(PT_NOTE));
    assert.equal(notes.notes.length, 65_536);
  });

  for (const [type, name] of [
    [SHT_RELA, ".rela.dyn"],
    [SHT_NOTE, ".note"],
    [SHT_INIT_ARRAY, ".init_array"],
    [1, ".eh_frame"],
    [1, ".gopclntab"],
  ] as const) {
    test(`sections called ${name}`, () => {
      const { elf } = readEverything(manySections(type, name));
      assert.equal(elf.sections.length, HEADERS);
      assert.equal(sectionNamed(elf, name)?.index, 1);
    });
  }
});

describe("tables of the smallest records", () => {
  const frame = (record: readonly number[]) => {
    const data = new Uint8Array(FILE_BYTES);
    for (let at = 0; at < data.length; at += record.length) data.set(record, at);
    return buildSample({ sections: [{ name: ".eh_frame", flags: SHF_ALLOC, data }] }).bytes;
  };

  test("CIEs of 8 bytes", () => {
    const { frames } = readEverything(frame([4, 0, 0, 0, 0, 0, 0, 0]));
    assert.equal(frames[0]?.cies.length, 65_536);
  });

  test("FDEs of 8 bytes without a CIE", () => {
    const { frames } = readEverything(frame([4, 0, 0, 0, 1, 0, 0, 0]));
    assert.equal(frames[0]?.fdes.count, FILE_BYTES / 8);
    assert.equal(frames[0].problems.length, 257);
  });

  test("terminators", () => {
    const { frames } = readEverything(frame([0, 0, 0, 0]));
    assert.equal(frames[0]?.terminators.length, FILE_BYTES / 4);
  });
});

describe("offsets above 2 GiB", () => {
  // The pages in between are never touched, so that this costs no memory.
  const far = 2 ** 31 + 2 ** 20;
  let bytes: Uint8Array | undefined;
  try {
    bytes = new Uint8Array(far + 2 ** 20);
  } catch {
    bytes = undefined;
  }

  test("headers and tables there are read", { skip: bytes ? false : "no address space for 2 GiB" }, () => {
    const cie = [0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0, 1, 0x78, 16, 1, 0x1b, 0, 0, 0];
    const fde = [0x10, 0, 0, 0, 0x18, 0, 0, 0, 0x40, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    const data = new Uint8Array([...cie, ...fde]);
    const sample = buildSample({ sections: [{ name: ".eh_frame", flags: SHF_ALLOC, data }] });
    bytes!.set(sample.bytes);
    bytes!.set(data, far);
    bytes!.set(sample.bytes.subarray(sample.sectionHeadersOffset), far + 4096);
    const view = new DataView(bytes!.buffer);
    view.setBigUint64(40, BigInt(far + 4096), true);
    view.setBigUint64(far + 4096 + SHDR_BYTES + 16, BigInt(far + 0x40_0000), true);
    view.setBigUint64(far + 4096 + SHDR_BYTES + 24, BigInt(far), true);
    const elf = parseElf(bytes!);
    const [frame] = readEhFrames(elf);
    assert.deepEqual(elf.problems, []);
    assert.deepEqual(frame?.problems, []);
    assert.equal(frame?.fdes.offset[0], far + cie.length);
    assert.equal(frame.fdes.address[0], far + 0x40_0000 + cie.length + 8 + 0x40);
    assert.equal(frame.fdes.rangeBytes[0], 9);
  });
});
