/** Damaged files: every reader either gives a result or throws a TenonError, in bounded time. Seeds are fixed. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes, utf8 } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  buildEhFrameHdr,
  buildId,
  compressionHeader,
  derivedAreas,
  type Elf,
  functionStarts,
  goFunctionName,
  PT_DYNAMIC,
  PT_GNU_EH_FRAME,
  parseElf,
  readComments,
  readDebugLink,
  readEhFrameHdr,
  readEhFrames,
  readGoBuildInfo,
  readGoFunctions,
  readNotes,
  readRelocationTables,
  readRelr,
  readSymbolTables,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_RELR,
  toolchainHint,
} from "./index.ts";
import { compileSamples, noCompiler } from "./testing/compiled-samples.ts";
import { EXTREMES, overwrite, structures } from "./testing/mutator.ts";
import { buildSample, words64 } from "./testing/sample-elf.ts";

const built = noCompiler ? undefined : compileSamples(["pie", "shared", "relr", "object", "debug"]);
after(() => built?.[Symbol.dispose]());

/** Calls everything that the room offers and looks at every record. */
function readAll(bytes: Uint8Array): Elf | undefined {
  let elf: Elf;
  try {
    elf = parseElf(bytes);
  } catch (error) {
    assert.ok(isTenonError(error), String(error));
    return undefined;
  }
  for (const section of elf.sections) {
    assert.ok(section.name.length <= bytes.length && section.kind.length > 0);
    assert.ok(section.bytes.length <= bytes.length);
    compressionHeader(elf, section);
  }
  for (const area of derivedAreas(elf)) assert.ok(elf.view.has(area.offset, area.sizeBytes));
  for (const table of Object.values(readSymbolTables(elf))) {
    for (let i = 0; i < table.count; i++) {
      table.name(i);
      table.sectionIndex(i);
      table.st_size(i);
    }
  }
  for (const table of readRelocationTables(elf)) {
    for (let i = 0; i < table.count; i++)
      table.r_offset(i) + table.r_addend(i) + table.type(i) + table.symbol(i);
  }
  const relr = readRelr(elf);
  assert.ok((relr?.addresses.length ?? 0) <= bytes.length / 8);
  const ehFrames = readEhFrames(elf);
  for (const frame of ehFrames) {
    assert.ok(elf.view.has(frame.area.offset, frame.area.sizeBytes));
    assert.ok(frame.endOffset <= frame.area.offset + frame.area.sizeBytes);
    checkFrame(frame);
    const hdr = readEhFrameHdr(elf);
    if (hdr !== undefined) buildEhFrameHdr(frame, hdr, { unique: true });
  }
  const go = readGoFunctions(elf);
  if (go !== undefined) for (let i = 0; i < go.count; i++) goFunctionName(elf, go, i);
  readGoBuildInfo(elf);
  buildId(elf, readNotes(elf).notes);
  readComments(elf);
  readDebugLink(elf);
  toolchainHint(elf);
  const starts = functionStarts(elf, { ehFrames, goFunctions: go });
  for (let i = 0; i < starts.count; i++) {
    assert.ok(Number.isSafeInteger(starts.address[i]) && starts.sizeBytes[i]! >= 0);
    if (i > 0 && starts.section[i] === starts.section[i - 1])
      assert.ok(starts.address[i]! > starts.address[i - 1]!);
  }
  return elf;
}

/** Records follow each other without overlap, and everything named in one lies in it. */
function checkFrame({ fdes, cies, endOffset }: ReturnType<typeof readEhFrames>[number]): void {
  let end = 0;
  for (let i = 0; i < fdes.count; i++) {
    assert.ok(fdes.offset[i]! >= end);
    end = fdes.offset[i]! + fdes.sizeBytes[i]!;
    assert.ok(end <= endOffset);
    assert.ok(fdes.cie[i]! < cies.length);
    assert.ok(fdes.lsdaField[i]! < fdes.sizeBytes[i]! && fdes.instructions[i]! <= fdes.sizeBytes[i]!);
    assert.ok(Number.isSafeInteger(fdes.address[i]!));
  }
  for (const cie of cies) assert.ok(cie.offset + cie.sizeBytes <= endOffset);
}

const mutations = fc.array(
  fc.record({
    region: fc.nat(31),
    at: fc.nat(0xffff),
    widthBytes: fc.constantFrom(1, 2, 4, 8),
    value: fc.oneof(fc.constantFrom(...EXTREMES), fc.bigInt(0n, 0xffffn), fc.bigInt(0n, (1n << 64n) - 1n)),
  }),
  { minLength: 1, maxLength: 5 },
);

/** Runs a number of mutations of one file, and checks that enough of them were not refused at the door. */
function fuzz(bytes: Uint8Array, runs: number, seed: number): void {
  const whole = readAll(bytes)!;
  const regions = structures(whole);
  let parsed = 0;
  let slowestMs = 0;
  fc.assert(
    fc.property(mutations, (list) => {
      const before = process.cpuUsage();
      if (readAll(overwrite(bytes, regions, list)) !== undefined) parsed++;
      slowestMs = Math.max(slowestMs, process.cpuUsage(before).user / 1000);
    }),
    { seed, numRuns: runs },
  );
  assert.ok(parsed > runs / 2, `${parsed} of ${runs} were parsed`);
  // Whole files take some milliseconds; what grows with a hostile number takes seconds.
  assert.ok(slowestMs < 1000, `${slowestMs} ms`);
}

describe("mutations of real files", { skip: noCompiler }, () => {
  for (const [i, name] of ["pie", "shared", "relr", "object", "debug"].entries()) {
    test(name, () => fuzz(built!.samples.find((sample) => sample.name === name)!.bytes, 700, 100 + i));
  }

  test("cut anywhere", () => {
    const { bytes } = built!.samples.find(({ name }) => name === "shared")!;
    for (let length = 0; length < bytes.length; length += 37) readAll(bytes.subarray(0, length));
  });
});

/** A CIE with the augmentation zR (pcrel sdata4), an FDE of 16 bytes of code, a terminator. */
const FRAME = new Uint8Array([
  ...[0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0, 1, 0x78, 16, 1, 0x1b, 0, 0, 0, 0, 0, 0, 0],
  ...[0x10, 0, 0, 0, 0x1c, 0, 0, 0, 0x40, 0xff, 0xff, 0xff, 16, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0],
]);

describe("mutations of a file with everything in it", () => {
  const goTable = () => {
    const table = words64(0x0801_0000_ffff_fff1n, 2, 1, 0, 72, 80, 80, 80, 80);
    const functions = new Uint8Array(new Uint32Array([0, 20, 8, 20, 16, 0, 0, 0]).buffer);
    return concatBytes([table, utf8("\0main\0\0\0"), functions, new Uint8Array(40)]);
  };
  const sample = (omitSectionHeaders: boolean) =>
    buildSample({
      omitSectionHeaders,
      sections: [
        { name: ".text", flags: SHF_ALLOC | SHF_EXECINSTR, data: new Uint8Array(64) },
        { name: ".gopclntab", flags: SHF_ALLOC, data: goTable() },
        {
          name: ".go.buildinfo",
          flags: SHF_ALLOC | SHF_WRITE,
          data: concatBytes([
            new Uint8Array([0xff]),
            utf8(" Go buildinf:\x08\x02"),
            new Uint8Array(16),
            utf8("\x02go\x00"),
          ]),
        },
        { name: ".relr.dyn", type: SHT_RELR, flags: SHF_ALLOC, data: words64(0x40_1000, 3, -1) },
        {
          name: ".eh_frame",
          flags: SHF_ALLOC,
          data: FRAME,
        },
        {
          name: ".eh_frame_hdr",
          flags: SHF_ALLOC,
          data: (self, earlier) =>
            new Uint8Array(
              new Int32Array([0x3b031b01, earlier.get(".eh_frame")!.address - self.address - 4, 1, 0, 0])
                .buffer,
            ),
        },
        {
          name: ".dynamic",
          flags: SHF_ALLOC,
          data: words64(5, 0x40_0000, 10, 64, 6, 0x40_0100, 4, 0x40_0200, 0, 0),
        },
      ],
      segments: [
        { type: PT_DYNAMIC, section: ".dynamic" },
        { type: PT_GNU_EH_FRAME, section: ".eh_frame_hdr" },
      ],
    }).bytes;

  test("with section headers", () => fuzz(sample(false), 1500, 7));
  test("without section headers", () => fuzz(sample(true), 1500, 8));
});
