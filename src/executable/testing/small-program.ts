/**
 * Small linked x86-64 programs for tests: functions that call one another and load addresses of data, laid out as a
 * linker would. The same plan with a few edits is "the next release": everything behind an edit moves.
 */
import { ByteWriter, utf8 } from "../../bytes/index.ts";

/** Deterministic numbers (a linear congruential generator). */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** One instruction, or a run of data. */
export type Part =
  | { readonly plain: readonly number[] }
  | { readonly call: number }
  | { readonly load: number }
  /** Conditional jump over the next `skip` parts. */
  | { readonly skip: number };

export interface Program {
  readonly functions: readonly (readonly Part[])[];
  /** Bytes of each run of data. */
  readonly data: readonly (readonly number[])[];
}

const PLAIN: readonly (readonly number[])[] = [
  [0x48, 0x89, 0xe5],
  [0x48, 0x83, 0xec, 0x28],
  [0x8b, 0x44, 0x24, 0x10],
  [0x48, 0x8b, 0x4c, 0x24, 0x38],
  [0x31, 0xc0],
  [0x0f, 0xb6, 0x07],
  [0xf2, 0x0f, 0x58, 0xc1],
  [0xb8, 0x39, 0x05, 0x00, 0x00],
];

export function sampleProgram(seed: number, functions: number): Program {
  const random = numbers(seed);
  const data = Array.from({ length: functions }, () =>
    Array.from({ length: 8 + random(60) }, () => random(256)),
  );
  return {
    data,
    functions: Array.from({ length: functions }, () => sampleFunction(random, functions)),
  };
}

export function sampleFunction(random: (below: number) => number, functions: number): Part[] {
  return Array.from({ length: 4 + random(40) }, () => {
    const what = random(10);
    if (what === 0) return { call: random(functions) };
    if (what === 1) return { load: random(functions) };
    if (what === 2) return { skip: 1 + random(5) };
    const plain = PLAIN[random(PLAIN.length)]!;
    return {
      plain: [...plain.slice(0, -1), random(4) === 0 && plain.length > 3 ? random(128) : plain.at(-1)!],
    };
  });
}

/** Changes some functions and data, and inserts a function in the middle. */
export function nextRelease(program: Program, seed: number, changes: number): Program {
  const random = numbers(seed);
  const functions = program.functions.map((parts) => [...parts]);
  const data = program.data.map((bytes) => [...bytes]);
  for (let i = 0; i < changes; i++) {
    const parts = functions[random(functions.length)]!;
    parts.splice(
      random(parts.length),
      random(3),
      ...sampleFunction(random, functions.length).slice(0, 1 + random(4)),
    );
    const bytes = data[random(data.length)]!;
    bytes.splice(random(bytes.length), random(4), random(256), random(256));
  }
  // At the end of the list, so that numbers stay; laid out where a linker might put it.
  functions.push(sampleFunction(random, functions.length));
  return { functions, data };
}

const BASE = 0x10000;
const TEXT_OFFSET = 0x1000;
const ALIGN = 16;

/** The file: position-independent, one executable segment with all functions, one for data, symbols of the functions. */
export function link({ functions, data }: Program): Uint8Array {
  const size = (part: Part) =>
    "plain" in part ? part.plain.length : "call" in part ? 5 : "load" in part ? 7 : 2;
  const starts: number[] = [];
  let at = TEXT_OFFSET;
  for (const parts of functions) {
    starts.push(at);
    at += parts.reduce((sum, part) => sum + size(part), 1);
    at = Math.ceil(at / ALIGN) * ALIGN;
  }
  const textEnd = at;
  const dataOffset = Math.ceil(at / 0x1000) * 0x1000;
  const dataStarts: number[] = [];
  at = dataOffset;
  for (const run of data) {
    dataStarts.push(at);
    at += run.length;
    at = Math.ceil(at / 8) * 8;
  }
  const tail = sections({ starts, textEnd, dataOffset, dataEnd: at });
  const dataEnd = at;
  const bytes = new Uint8Array(dataEnd + tail.bytes.length);
  bytes.set(tail.bytes, dataEnd);
  const view = new DataView(bytes.buffer);
  bytes.set(
    header({ entry: starts[0]! + BASE, textEnd, dataOffset, dataEnd, sections: dataEnd + tail.headers }),
  );
  for (const [i, parts] of functions.entries()) {
    let place = starts[i]!;
    for (const [j, part] of parts.entries()) {
      if ("plain" in part) bytes.set(part.plain, place);
      else if ("call" in part) {
        bytes[place] = 0xe8;
        view.setInt32(place + 1, starts[part.call]! - place - 5, true);
      } else if ("load" in part) {
        bytes.set([0x48, 0x8d, 0x05], place);
        view.setInt32(place + 3, dataStarts[part.load]! - place - 7, true);
      } else {
        const skipped = parts.slice(j + 1, j + 1 + part.skip).reduce((sum, next) => sum + size(next), 0);
        bytes.set([0x74, skipped], place);
      }
      place += size(part);
    }
    bytes[place++] = 0xc3;
    while (place % ALIGN !== 0) bytes[place++] = 0xcc;
  }
  for (const [i, run] of data.entries()) bytes.set(run, dataStarts[i]!);
  return bytes;
}

interface Layout {
  readonly textEnd: number;
  readonly dataOffset: number;
  readonly dataEnd: number;
}

function header({
  entry,
  textEnd,
  dataOffset,
  dataEnd,
  sections,
}: Layout & { entry: number; sections: number }) {
  const out = new ByteWriter(256);
  out.raw(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  out
    .u16(3)
    .u16(62)
    .u32(1)
    .u64(entry)
    .u64(64)
    .u64(sections)
    .u32(0)
    .u16(64)
    .u16(56)
    .u16(2)
    .u16(64)
    .u16(6)
    .u16(5);
  const segment = (flags: number, offset: number, length: number) =>
    out
      .u32(1)
      .u32(flags)
      .u64(offset)
      .u64(offset + BASE)
      .u64(offset + BASE)
      .u64(length)
      .u64(length)
      .u64(0x1000);
  segment(5, 0, textEnd);
  segment(6, dataOffset, dataEnd - dataOffset);
  return out.finish();
}

/** Symbols, strings and section headers, and where the headers begin among them. */
function sections({ starts, textEnd, dataOffset, dataEnd }: Layout & { readonly starts: readonly number[] }) {
  const out = new ByteWriter(4096);
  out.raw(new Uint8Array(24));
  for (const [i, start] of starts.entries()) {
    const bytes = (starts[i + 1] ?? textEnd) - start;
    out
      .u32(1)
      .u8(0x12)
      .u8(0)
      .u16(1)
      .u64(start + BASE)
      .u64(bytes);
  }
  const symbolBytes = out.length;
  const strings = utf8("\0f\0.text\0.data\0.symtab\0.strtab\0.shstrtab\0");
  out.raw(strings);
  while (out.length % 8 !== 0) out.u8(0);
  const headers = out.length;
  const section = (
    name: number,
    type: number,
    flags: number,
    offset: number,
    length: number,
    link = 0,
    entry = 0,
  ) =>
    out
      .u32(name)
      .u32(type)
      .u64(flags)
      .u64(flags === 0 ? 0 : offset + BASE)
      .u64(offset)
      .u64(length)
      .u32(link)
      .u32(link === 0 ? 0 : 1)
      .u64(1)
      .u64(entry);
  out.raw(new Uint8Array(64));
  section(3, 1, 6, TEXT_OFFSET, textEnd - TEXT_OFFSET);
  section(9, 1, 3, dataOffset, dataEnd - dataOffset);
  section(15, 2, 0, dataEnd, symbolBytes, 4, 24);
  section(23, 3, 0, dataEnd + symbolBytes, strings.length);
  section(31, 3, 0, dataEnd + symbolBytes, strings.length);
  return { bytes: out.finish(), headers };
}
