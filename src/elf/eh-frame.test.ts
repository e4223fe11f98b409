import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteWriter, utf8 } from "../bytes/index.ts";
import {
  buildEhFrameHdr,
  DW_EH_PE_indirect,
  DW_EH_PE_omit,
  type EhFrame,
  FileView,
  fdeAddressField,
  PT_GNU_EH_FRAME,
  parseElf,
  readEhFrameHdr,
  readEhFrames,
  readEncodedPointer,
  readLeb128,
  SHF_ALLOC,
  UNRESOLVED,
} from "./index.ts";
import { buildSample, type Placed } from "./testing/sample-elf.ts";

/** One record: length, id, body, padded with DW_CFA_nop to 4 bytes. */
function record(id: number, body: Uint8Array, wide = false): Uint8Array {
  const padded = (body.length + 3) & ~3;
  const out = new ByteWriter();
  if (wide) out.u32(0xffff_ffff).u64(4 + padded);
  else out.u32(4 + padded);
  return out
    .u32(id)
    .raw(body)
    .raw(new Uint8Array(padded - body.length))
    .finish();
}

/** Version 1, code alignment 1, data alignment -8, return register 16, augmentation data, one instruction. */
function cieBody(augmentation: string, data: readonly number[], version = 1): Uint8Array {
  const out = new ByteWriter().u8(version).raw(utf8(`${augmentation}\0`));
  if (version === 4) out.u8(8).u8(0);
  out.u8(1).u8(0x78).u8(16);
  if (augmentation.startsWith("z")) out.u8(data.length).raw(new Uint8Array(data));
  return out.u8(0x0c).finish();
}

function frameOf(data: Uint8Array | ((self: Placed) => Uint8Array)): EhFrame {
  const { bytes } = buildSample({ sections: [{ name: ".eh_frame", flags: SHF_ALLOC, data }] });
  const frames = readEhFrames(parseElf(bytes));
  assert.equal(frames.length, 1);
  return frames[0]!;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const PCREL_CIE = record(0, cieBody("zR", [0x1b]));

/** FDE for the usual CIE: pcrel sdata4 address, range, no augmentation data. */
function fde(position: number, { address, at }: { address: number; at: number }, range = 16): Uint8Array {
  const body = new ByteWriter()
    .u32((address - (at + position + 8)) >>> 0)
    .u32(range)
    .u8(0)
    .finish();
  return record(position + 4, body);
}

describe("records", () => {
  test("CIE and FDE, file order kept, terminators in the middle and at the end", () => {
    const frame = frameOf(({ address: at }) => {
      const size = fde(0, { address: 0, at: 0 }).length;
      const second = PCREL_CIE.length + size + 4;
      return join(
        PCREL_CIE,
        fde(PCREL_CIE.length, { address: 0x50_0000, at }),
        new Uint8Array(4),
        fde(second, { address: 0x40_1000, at }, 99),
        new Uint8Array(4),
      );
    });
    assert.deepEqual(frame.problems, []);
    assert.equal(frame.endOffset, frame.area.offset + frame.area.sizeBytes);
    assert.equal(frame.cies.length, 1);
    assert.deepEqual(
      { ...frame.cies[0], offset: 0, instructionsOffset: 0 },
      {
        offset: 0,
        sizeBytes: PCREL_CIE.length,
        version: 1,
        augmentation: "zR",
        codeAlignment: 1,
        dataAlignment: -8,
        returnRegister: 16,
        fdeEncoding: 0x1b,
        lsdaEncoding: DW_EH_PE_omit,
        personality: 0,
        personalityField: 0,
        personalityIndirect: false,
        isSignalFrame: false,
        hasAugmentationData: true,
        instructionsOffset: 0,
        usable: true,
      },
    );
    assert.deepEqual([...frame.fdes.address], [0x50_0000, 0x40_1000]);
    assert.deepEqual([...frame.fdes.rangeBytes], [16, 99]);
    assert.deepEqual([...frame.fdes.cie], [0, 0]);
    assert.deepEqual([...frame.fdes.instructions], [17, 17]);
    assert.equal(frame.terminators.length, 2);
  });

  test("64-bit length: the id still has 4 bytes", () => {
    const cie = record(0, cieBody("zR", [0x00]), true);
    const body = new ByteWriter().u64(0x1234_5678).u64(32).u8(0).finish();
    const bytes = join(cie, record(cie.length + 12, body, true));
    const frame = frameOf(bytes);
    assert.deepEqual(frame.problems, []);
    assert.deepEqual([...frame.fdes.address], [0x1234_5678]);
    assert.deepEqual([...frame.fdes.rangeBytes], [32]);
    assert.equal(frame.fdes.sizeBytes[0], bytes.length - cie.length);
    const sample = buildSample({ sections: [{ name: ".eh_frame", flags: SHF_ALLOC, data: bytes }] });
    assert.equal(fdeAddressField(new FileView(sample.bytes), frame.fdes.offset[0]!), 16);
  });

  test("augmentation zPLR with an indirect personality, S and B", () => {
    const cie = record(0, cieBody("zPLRSB", [0x9b, 0x10, 0, 0, 0, 0x1b, 0x1b]));
    const frame = frameOf(({ address }) => {
      const at = address + cie.length + 8;
      const body = new ByteWriter()
        .u32((0x41_0000 - at) >>> 0)
        .u32(5)
        .u8(4)
        .u32((0x42_0000 - (at + 9)) >>> 0);
      return join(cie, record(cie.length + 4, body.u8(0x41).finish()));
    });
    assert.deepEqual(frame.problems, []);
    const [common] = frame.cies;
    assert.equal(common?.personalityIndirect, true);
    assert.equal(common.personality - (common.personalityField + 0x40_0000), 0x10);
    assert.equal(common.isSignalFrame, true);
    assert.equal(frame.fdes.address[0], 0x41_0000);
    assert.equal(frame.fdes.lsda[0], 0x42_0000);
    assert.equal(frame.fdes.lsdaField[0], 17);
    assert.equal(frame.fdes.instructions[0], 21);
  });

  test("versions 3 and 4, and no augmentation at all", () => {
    for (const version of [1, 3, 4]) {
      const cie = record(0, cieBody("", [], version));
      const frame = frameOf(join(cie, record(cie.length + 4, new ByteWriter().u64(0x7000).u64(8).finish())));
      assert.deepEqual(frame.problems, []);
      assert.equal(frame.fdes.address[0], 0x7000);
      assert.equal(frame.fdes.instructions[0], 24);
    }
  });

  test("aligned pointers skip to a multiple of 8", () => {
    // The pointer's field is 18 bytes after a multiple of 16, so that 6 bytes of padding come first.
    const pointer = [0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0];
    const frame = frameOf(record(0, cieBody("zPR", [0x50, 0, 0, 0, 0, 0, 0, ...pointer, 0x1b])));
    assert.deepEqual(frame.problems, []);
    assert.equal(frame.cies[0]?.personality, 0x1234_5678);
    assert.equal(frame.cies[0].fdeEncoding, 0x1b);
  });
});

describe("garbage", () => {
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    [
      "a CIE pointer before the section",
      join(PCREL_CIE, record(0x7fff_0000, new Uint8Array(12))),
      "CIE_pointer",
    ],
    ["a CIE pointer into the middle", join(PCREL_CIE, record(8, new Uint8Array(12))), "CIE_pointer"],
    ["a CIE pointer to itself", join(PCREL_CIE, record(4, new Uint8Array(12))), "CIE_pointer"],
    ["an unknown version", record(0, cieBody("zR", [0x1b], 9)), "CIE"],
    ["an unknown augmentation", record(0, cieBody("zX", [])), "CIE"],
    ["an augmentation without end", record(0, new Uint8Array(40).fill(1)), "CIE"],
    ["a letter without data", record(0, cieBody("zRL", [0x1b])), "CIE"],
    ["an unknown pointer encoding", record(0, cieBody("zP", [0x07, 0, 0])), "CIE"],
    ["a cut FDE", join(PCREL_CIE, record(PCREL_CIE.length + 4, new Uint8Array(4))), "initial_location"],
    ["a length past the end", join(PCREL_CIE, new ByteWriter().u32(1000).u32(0).finish()), "length"],
    ["a length below 4", join(PCREL_CIE, new ByteWriter().u32(3).u32(0).finish()), "length"],
    [
      "a 64-bit length past the end",
      new ByteWriter()
        .u32(0xffff_ffff)
        .u64(2 ** 52)
        .u32(0)
        .finish(),
      "length",
    ],
    ["a cut 64-bit length", new ByteWriter().u32(0xffff_ffff).u32(0).finish(), "length"],
    ["bytes left over", join(PCREL_CIE, new Uint8Array(2)), "length"],
  ];
  for (const [name, bytes, field] of cases) {
    test(name, () => {
      const frame = frameOf(bytes);
      assert.equal(frame.problems[0]?.field, field, JSON.stringify(frame.problems));
      for (const cie of frame.fdes.cie) assert.ok(cie >= -1 && cie < frame.cies.length);
    });
  }

  test("a section at an address above 2^53 - 1 gives no frames", () => {
    // Found by the fuzzer: the address of a function came out above 2^53.
    const sections = [{ name: ".eh_frame", flags: SHF_ALLOC, data: PCREL_CIE }];
    const { bytes, sectionHeadersOffset } = buildSample({ sections });
    new DataView(bytes.buffer).setBigUint64(sectionHeadersOffset + 64 + 16, 2n ** 53n, true);
    const elf = parseElf(bytes);
    assert.deepEqual(
      elf.problems.map(({ field }) => field),
      ["sh_addr"],
    );
    assert.deepEqual(readEhFrames(elf), []);
  });

  test("a section of nothing but terminators", () => {
    const frame = frameOf(new Uint8Array(4000));
    assert.equal(frame.terminators.length, 1000);
    assert.deepEqual(frame.problems, []);
  });
});

describe("index", () => {
  function withIndex(omitSectionHeaders: boolean) {
    const sample = buildSample({
      omitSectionHeaders,
      sections: [
        {
          name: ".eh_frame",
          flags: SHF_ALLOC,
          data: (self) => {
            const size = fde(0, { address: 0, at: 0 }).length;
            const addresses = [0x43_0000, 0x41_0000, 0x41_0000, 0x42_0000];
            const fdes = addresses.map((address, i) =>
              fde(PCREL_CIE.length + i * size, { address, at: self.address }),
            );
            return join(PCREL_CIE, ...fdes, new Uint8Array(4));
          },
        },
        {
          name: ".eh_frame_hdr",
          flags: SHF_ALLOC,
          data: (self, earlier) => {
            const frame = earlier.get(".eh_frame")!.address;
            const size = fde(0, { address: 0, at: 0 }).length;
            const out = new ByteWriter()
              .u32(0x3b_03_1b_01)
              .u32((frame - (self.address + 4)) >>> 0)
              .u32(4);
            for (const [i, address] of [
              [1, 0x41_0000] as const,
              [2, 0x41_0000] as const,
              [3, 0x42_0000] as const,
              [0, 0x43_0000] as const,
            ]) {
              out.u32((address - self.address) >>> 0);
              out.u32((frame + PCREL_CIE.length + i * size - self.address) >>> 0);
            }
            return out.finish();
          },
        },
      ],
      segments: [{ type: PT_GNU_EH_FRAME, section: ".eh_frame_hdr" }],
    });
    return parseElf(sample.bytes);
  }

  for (const omitted of [false, true]) {
    test(`is derived from the FDEs ${omitted ? "without" : "with"} section headers`, () => {
      const elf = withIndex(omitted);
      const hdr = readEhFrameHdr(elf)!;
      const [frame] = readEhFrames(elf);
      assert.deepEqual(hdr.problems, []);
      assert.deepEqual(frame!.problems, []);
      assert.equal(frame!.area.sizeIsExact, !omitted);
      assert.equal(frame!.fdes.count, 4);
      assert.equal(hdr.ehFrameAddress, frame!.area.address);
      assert.deepEqual([...hdr.functions], [0x41_0000, 0x41_0000, 0x42_0000, 0x43_0000]);
      const derived = buildEhFrameHdr(frame!, hdr, { unique: false })!;
      assert.deepEqual(
        Buffer.from(derived),
        Buffer.from(elf.bytes.subarray(hdr.offset, hdr.offset + hdr.sizeBytes)),
      );
      const unique = buildEhFrameHdr(frame!, hdr, { unique: true })!;
      assert.equal(unique.length, derived.length - 8);
      assert.equal(unique[8], 3);
    });
  }

  test("a table that can't be expressed is declined", () => {
    const elf = withIndex(false);
    const [frame] = readEhFrames(elf);
    assert.equal(buildEhFrameHdr(frame!, { address: 2 ** 40 }, { unique: false }), undefined);
  });

  test("a count that doesn't fit is a problem, and nothing is allocated for it", () => {
    const data = new ByteWriter().u32(0x3b_03_1b_01).u32(0).u32(0xffff_ffff).finish();
    const hdr = readEhFrameHdr(
      parseElf(buildSample({ sections: [{ name: ".eh_frame_hdr", flags: SHF_ALLOC, data }] }).bytes),
    );
    assert.equal(hdr?.problems[0]?.field, "fde_count");
    assert.equal(hdr.functions.length, 0);
  });
});

describe("encoded pointers", () => {
  const bases = { address: 0x1000, dataBase: 0x2000, textBase: 0x3000, functionBase: 0x4000 };
  const cases: readonly (readonly [number, readonly number[], number])[] = [
    [0x00, [1, 0, 0, 0, 0, 0, 0, 0], 1],
    [0x01, [0x80, 0x01], 128],
    [0x02, [0xff, 0xff], 0xffff],
    [0x03, [0xff, 0xff, 0xff, 0xff], 0xffff_ffff],
    [0x04, [1, 0, 0, 0, 1, 0, 0, 0], 0x1_0000_0001],
    [0x19, [0x7f], 0xfff],
    [0x1a, [0xfe, 0xff], 0xffe],
    [0x1b, [0xf0, 0xff, 0xff, 0xff], 0xff0],
    [0x1c, [0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0xff0],
    [0x10, [0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0xff0],
    [0x2b, [1, 0, 0, 0], 0x3001],
    [0x3b, [1, 0, 0, 0], 0x2001],
    [0x4b, [1, 0, 0, 0], 0x4001],
    [0x9b, [0, 0, 0, 0], 0],
    [0x0b, [0xff, 0xff, 0xff, 0xff], UNRESOLVED],
    [0x6b, [1, 0, 0, 0], UNRESOLVED],
    [0x00, [0, 0, 0, 0, 0, 0, 0xff, 0], UNRESOLVED],
  ];
  for (const [encoding, bytes, expected] of cases) {
    test(`0x${encoding.toString(16)} of ${bytes.join(" ")}`, () => {
      const view = new FileView(new Uint8Array(bytes));
      const pointer = readEncodedPointer(view, 0, bytes.length, encoding, bases);
      assert.equal(pointer?.value, expected);
      assert.equal(pointer.next, bytes.length);
      assert.equal(pointer.indirect, (encoding & DW_EH_PE_indirect) !== 0);
      assert.equal(readEncodedPointer(view, 0, bytes.length - 1, encoding, bases), undefined);
    });
  }

  test("a base that isn't known gives no address", () => {
    const view = new FileView(new Uint8Array([1, 0, 0, 0]));
    assert.equal(readEncodedPointer(view, 0, 4, 0x3b, { address: 0 })?.value, UNRESOLVED);
  });

  test("LEB128: padding, signs, precision, no end", () => {
    const read = (bytes: readonly number[], signed: boolean) =>
      readLeb128(new FileView(new Uint8Array(bytes)), 0, bytes.length, signed)?.value;
    assert.equal(read([0xe5, 0x8e, 0x26], false), 624485);
    assert.equal(read([0xc0, 0xbb, 0x78], true), -123456);
    assert.equal(read([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], false), 0);
    assert.equal(read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], true), -1);
    assert.equal(read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], false), Number.MAX_SAFE_INTEGER);
    assert.equal(read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], false), 2 ** 53);
    assert.equal(read(new Array(10).fill(0x80), false), undefined);
    assert.equal(read([0x80], false), undefined);
  });
});
