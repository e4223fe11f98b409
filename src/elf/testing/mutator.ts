/** Damages executables where it hurts: one mutator for the tests of every room, and for the fuzzer. */
import { xorshift32 } from "../../bytes/testing/random.ts";
import { isTenonError } from "../../errors/index.ts";
import { type Elf, parseElf } from "../index.ts";

/** A small generator of numbers below a bound so that a run is told by its seed. */
export function generator(seed: number): (below: number) => number {
  // Seeds that follow each other shall not begin alike.
  const next = xorshift32(Math.imul(seed + 1, 0x9e3779b1) | 1);
  return (below) => next() % Math.max(below, 1);
}

/** Values at which checks go wrong: around 0, sign bits, 2^53, 2^64, and sizes of real things. */
export const EXTREMES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 7n, 8n, 16n, 24n, 40n, 64n, 127n, 128n, 255n, 0xff00n, 0xffffn, 0x1_0000n],
  ...[0x7fff_ffffn, 0x8000_0000n, 0xffff_fff0n, 0xffff_ffffn, 1n << 32n, 1n << 40n, (1n << 53n) - 1n],
  ...[1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 8n, (1n << 64n) - 1n],
];

export interface Range {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Where structures are: file header and headers of both kinds, then all parts but code and plain data. */
export function structures(elf: Elf): Range[] {
  const { e_phoff, e_shoff } = elf.header;
  const ranges = [
    { offset: 16, sizeBytes: 48 },
    { offset: e_phoff, sizeBytes: elf.segments.length * 56 },
    { offset: e_shoff, sizeBytes: elf.sections.length * 64 },
  ];
  for (const { kind, fileSizeBytes, header } of elf.sections) {
    if (["code", "plt", "data", "debug", "null"].includes(kind) || fileSizeBytes === 0) continue;
    ranges.push({ offset: header.sh_offset, sizeBytes: fileSizeBytes });
  }
  return ranges.filter(({ sizeBytes }) => sizeBytes > 0);
}

/** Overwrites the aligned number that holds a byte of a range. */
export interface Write {
  /** Number of the range, and byte in it, each taken modulo what there is. */
  readonly region: number;
  readonly at: number;
  readonly widthBytes: number;
  readonly value: bigint;
}

/** A copy with these writes. Fields are aligned: most writes hit one exactly. */
export function overwrite(bytes: Uint8Array, ranges: readonly Range[], writes: readonly Write[]): Uint8Array {
  const copy = bytes.slice();
  for (const { region, at, widthBytes, value } of writes) {
    const { offset, sizeBytes } = ranges[region % ranges.length]!;
    put(copy, offset + (at % sizeBytes), widthBytes, value);
  }
  return copy;
}

function put(bytes: Uint8Array, at: number, widthBytes: number, value: bigint): void {
  const where = Math.max(0, Math.min(at, bytes.length - widthBytes));
  const aligned = where - (where % widthBytes);
  for (let i = 0; i < widthBytes && aligned + i < bytes.length; i++) {
    bytes[aligned + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

const WIDTHS = [1, 2, 4, 8] as const;
/** Copies and shifts of up to this many bytes. */
const MAX_MOVED_BYTES = 400;

/** One thing done to a file; `damage` does some of them. */
export interface Change {
  readonly what: "byte" | "extreme" | "place" | "nudge" | "copy" | "shift" | "cut" | "code";
  readonly at: number;
  readonly from: number;
  readonly lengthBytes: number;
  readonly widthBytes: number;
  readonly value: bigint;
}

/** What to do to a file, from a seed: mostly to its structures. */
export function planDamage(bytes: Uint8Array, random: (below: number) => number): Change[] {
  const ranges = rangesOf(bytes);
  const changes: Change[] = [];
  for (let i = 1 + random(6); i > 0; i--) {
    const range = ranges[random(ranges.length)]!;
    const anywhere = random(4) === 0;
    const at = anywhere ? random(bytes.length) : range.offset + random(range.sizeBytes);
    const kinds = ["byte", "extreme", "extreme", "place", "nudge", "nudge", "copy", "shift", "code"] as const;
    const what = random(25) === 0 ? "cut" : kinds[random(kinds.length)]!;
    const value =
      what === "byte"
        ? BigInt(random(256))
        : what === "extreme"
          ? EXTREMES[random(EXTREMES.length)]!
          : what === "place"
            ? BigInt(random(bytes.length))
            : BigInt(random(128) - 64);
    const widthBytes = what === "byte" ? 1 : WIDTHS[random(WIDTHS.length)]!;
    changes.push({
      what,
      at: what === "cut" ? bytes.length - random(bytes.length >> 1) : at,
      from: random(bytes.length),
      lengthBytes: 1 + random(MAX_MOVED_BYTES),
      widthBytes,
      value,
    });
  }
  return changes;
}

/** The header, the structures, and the end of the file, where section headers are. */
function rangesOf(bytes: Uint8Array): Range[] {
  const tail = Math.min(bytes.length, 64 * 40);
  const ranges = [
    { offset: 0, sizeBytes: Math.min(bytes.length, 64) },
    { offset: Math.min(64, bytes.length - 1), sizeBytes: Math.min(bytes.length, 56 * 10) },
    { offset: bytes.length - tail, sizeBytes: tail },
  ];
  try {
    ranges.push(...structures(parseElf(bytes)));
  } catch (error) {
    if (!isTenonError(error)) throw error;
  }
  return ranges;
}

/** A copy of a file with these changes, in their order. */
export function applyDamage(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  let damaged = bytes.slice();
  for (const { what, at, from, lengthBytes, widthBytes, value } of changes) {
    if (damaged.length < 64) break;
    const end = Math.min(damaged.length, at + lengthBytes);
    if (what === "cut") damaged = damaged.slice(0, Math.max(1, at));
    else if (what === "copy") damaged.copyWithin(at, from, Math.min(damaged.length, from + lengthBytes));
    else if (what === "shift") damaged.copyWithin(at + 1 + Number(BigInt.asUintN(3, value)), at, end);
    else if (what === "code") {
      // Prefixes, opcodes and immediates of all kinds, where nobody expects them.
      let state = Number(BigInt.asUintN(32, value)) ^ from;
      for (let i = at; i < Math.min(end, damaged.length); i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        damaged[i] = state >>> 24;
      }
    } else if (what === "nudge") {
      const aligned = Math.max(0, at - (at % widthBytes));
      let old = 0n;
      for (let i = widthBytes - 1; i >= 0; i--) old = (old << 8n) | BigInt(damaged[aligned + i] ?? 0);
      put(damaged, aligned, widthBytes, BigInt.asUintN(64, old + value));
    } else put(damaged, at, widthBytes, BigInt.asUintN(64, value));
  }
  return damaged;
}

/** A damaged copy of a file. */
export function damage(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  return applyDamage(bytes, planDamage(bytes, random));
}
