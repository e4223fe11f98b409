import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteWriter, concatBytes, utf8 } from "../bytes/index.ts";
import {
  buildId,
  compressionHeader,
  hasGoBuildId,
  parseElf,
  readComments,
  readDebugLink,
  readNotes,
  SHF_COMPRESSED,
  SHT_NOTE,
  sectionNamed,
  toolchainHint,
} from "./index.ts";
import { buildSample, type SampleSection, words64 } from "./testing/sample-elf.ts";

function elfWith(...sections: readonly SampleSection[]) {
  return parseElf(buildSample({ sections }).bytes);
}

/** A note with a name of any length, padded to 4. */
function note(name: string, type: number, description: readonly number[]): Uint8Array {
  const out = new ByteWriter()
    .u32(name.length + 1)
    .u32(description.length)
    .u32(type);
  out.raw(utf8(`${name}\0`));
  while (out.length % 4 !== 0) out.u8(0);
  out.raw(new Uint8Array(description));
  while (out.length % 4 !== 0) out.u8(0);
  return out.finish();
}

describe("notes", () => {
  test("padding of names and descriptions, build IDs", () => {
    const data = concatBytes([
      note("stapsdt", 9, [1, 2, 3]),
      note("GNU", 3, [0xab, 0xcd]),
      note("Go", 4, [1]),
    ]);
    const elf = elfWith({ name: ".note", type: SHT_NOTE, data });
    const { notes, problems } = readNotes(elf);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      notes.map(({ name, type, descriptionBytes }) => [name, type, descriptionBytes]),
      [
        ["stapsdt", 9, 3],
        ["GNU", 3, 2],
        ["Go", 4, 1],
      ],
    );
    assert.equal(buildId(elf, notes), "abcd");
    assert.equal(hasGoBuildId(notes), true);
    assert.equal(toolchainHint(elf).languages[0], "go");
  });

  test("sizes that lead outside end the section", () => {
    for (const data of [
      words64(0xffff_ffff, 0),
      words64(0xffff_ffff_0000_0000n, 0),
      words64(40n << 32n, 3),
    ]) {
      const { notes, problems } = readNotes(elfWith({ name: ".note", type: SHT_NOTE, data }));
      assert.equal(notes.length, 0);
      assert.equal(problems.length, 1);
    }
  });

  test("a flood of notes is cut", () => {
    const { notes, problems } = readNotes(
      elfWith({ name: ".note", type: SHT_NOTE, data: new Uint8Array(12 * 70_000) }),
    );
    assert.equal(notes.length, 65_536);
    assert.equal(problems.length, 1);
  });
});

describe("small facts", () => {
  test(".gnu_debuglink", () => {
    const link = concatBytes([utf8("abc.debug\0\0\0"), new Uint8Array([0x78, 0x56, 0x34, 0x12])]);
    assert.deepEqual(readDebugLink(elfWith({ name: ".gnu_debuglink", data: link })), {
      name: "abc.debug",
      crc32: 0x12345678,
    });
    assert.equal(readDebugLink(elfWith({ name: ".gnu_debuglink", data: link.subarray(0, 13) })), undefined);
    assert.equal(
      readDebugLink(elfWith({ name: ".gnu_debuglink", data: new Uint8Array(8).fill(65) })),
      undefined,
    );
  });

  test(".comment and the languages that it hints at", () => {
    const comment = (text: string) => elfWith({ name: ".comment", data: utf8(text) });
    const rust = comment("\0GCC: (GNU) 12\0\0rustc version 1.80.0\0unterminated");
    assert.deepEqual(readComments(rust), ["GCC: (GNU) 12", "rustc version 1.80.0"]);
    assert.deepEqual(toolchainHint(rust).languages, ["rust"]);
    assert.deepEqual(toolchainHint(comment("GCC: (GNU) 12\0")).languages, ["c"]);
    assert.deepEqual(toolchainHint(comment("zig 0.14.0\0")).languages, ["zig"]);
    assert.deepEqual(toolchainHint(elfWith()).languages, []);
  });

  test("SHF_COMPRESSED", () => {
    const data = words64(1, 5000, 8, 0);
    const elf = elfWith(
      { name: ".debug_info", flags: SHF_COMPRESSED, data },
      { name: ".debug_line", flags: SHF_COMPRESSED, data: data.subarray(0, 23) },
      { name: ".debug_str", data },
    );
    const header = (name: string) => compressionHeader(elf, sectionNamed(elf, name)!);
    assert.deepEqual(header(".debug_info"), { ch_type: 1, ch_size: 5000, ch_addralign: 8 });
    assert.equal(header(".debug_line"), undefined);
    assert.equal(header(".debug_str"), undefined);
  });
});
