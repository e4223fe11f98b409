/** A program's fields rewritten into a base's geography, and back: `toPlaces`, `toDistances`. */
import { type FieldVisitor, visitFields, WORD_TAG } from "./fields.ts";
import type { PlaceMap } from "./place-map.ts";
import type { Geography } from "./regions.ts";

/** What a decoder needs beside the map of places. */
export interface RewriteRules {
  /** What is added to places in fields of 32 bits; some 32-bit number that is rare in the program. */
  readonly tag: number;
  /** Lowest address of the program, for words of 64 bits. */
  readonly low: number;
}

export interface Fixups {
  /** Offsets in the file. */
  readonly at: readonly number[];
  /** The 4 bytes that stand there. */
  readonly values: readonly number[];
}

const BRANCH_MASK = 0x03ff_ffff;
/** The bits of ADRP's immediate: 2 low ones, 19 high ones. */
const PAGE_MASK = 0x60ff_ffe0;

function pageOf(code: number): number {
  return (((code >>> 3) & 0x1f_fffc) | ((code >>> 29) & 3)) & 0x1f_ffff;
}

function withPage(code: number, page: number): number {
  return ((code & ~PAGE_MASK) | ((page & 3) << 29) | (((page >>> 2) & 0x7_ffff) << 5)) >>> 0;
}

const byteSwap = (value: number) =>
  ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

/**
 * Rewrites all fields of `bytes`, which are the file from `base` on. Places go through `map`; for a base by itself
 * that is the identity. `limit`: places below it are the program's own.
 */
export function toPlaces(
  bytes: Uint8Array,
  base: number,
  { regions, span }: Geography,
  map: PlaceMap,
  { tag, low }: RewriteRules,
): Fixups {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at: number[] = [];
  const values: number[] = [];
  const { space } = map;
  const fix = (offset: number, value: number) => {
    at.push(base + offset);
    values.push(value);
  };
  const visitor: FieldVisitor = {
    distance(offset, origin) {
      const value = view.getUint32(offset, true);
      const place = (value + origin) >>> 0;
      const basePlace = place < span ? map.toBase(place) : -1;
      if (basePlace >= 0) {
        view.setUint32(offset, (basePlace + tag) >>> 0);
        return true;
      }
      if ((byteSwap(value) - tag) >>> 0 >= space) return false;
      fix(offset, value);
      return true;
    },
    word(offset) {
      const high = view.getUint32(offset + 4, true);
      const value = view.getUint32(offset, true);
      const place = high * 2 ** 32 + value - low;
      const basePlace = place >= 0 && place < span ? map.toBase(place) : -1;
      if (basePlace >= 0) {
        view.setUint32(offset, basePlace, true);
        view.setUint32(offset + 4, WORD_TAG, true);
      } else if (high === WORD_TAG && value < space) {
        fix(offset, value);
        fix(offset + 4, high);
      }
    },
    branch(offset, place) {
      const code = view.getUint32(offset, true);
      const target = (place + (((code & BRANCH_MASK) << 6) >> 4)) >>> 0;
      const basePlace = target < span ? map.toBase(target) : -1;
      const wanted = basePlace >= 0 ? basePlace >>> 2 : code & BRANCH_MASK;
      const written = (code & ~BRANCH_MASK) | (wanted & BRANCH_MASK);
      view.setUint32(offset, written, true);
      if (branchBack(written, place, map) !== code) fix(offset, code);
    },
    page(offset, place, size) {
      const code = view.getUint32(offset, true);
      const next = size >= 0 ? view.getUint32(offset + 4, true) : 0;
      const target = (((place >>> 12) + ((pageOf(code) << 11) >> 11)) * 4096 + lowOf(next, size)) >>> 0;
      const basePlace = target < span ? map.toBase(target) : -1;
      if (basePlace >= 0) {
        view.setUint32(offset, withPage(code, basePlace >>> 12), true);
        if (size >= 0) view.setUint32(offset + 4, withLow(next, size, basePlace), true);
      }
      const [codeBack, nextBack] = pageBack(view, offset, place, size, map);
      if (codeBack !== code) fix(offset, code);
      if (size >= 0 && nextBack !== next) fix(offset + 4, next);
    },
  };
  for (const region of regions) visitFields(bytes, base, region, base, base + bytes.length, visitor);
  return { at, values };
}

function branchBack(code: number, place: number, map: PlaceMap): number {
  const basePlace = (code & BRANCH_MASK) << 2;
  if (basePlace >= map.space) return code >>> 0;
  return ((code & ~BRANCH_MASK) | (((map.toTarget(basePlace) - place) >>> 2) & BRANCH_MASK)) >>> 0;
}

/** The low bits of an address in the instruction after ADRP. */
function lowOf(next: number, size: number): number {
  return size < 0 ? 0 : ((next >>> 10) & 0xfff) << size;
}

function withLow(next: number, size: number, place: number): number {
  return ((next & ~0x003f_fc00) | (((place & 0xfff) >>> size) << 10)) >>> 0;
}

function pageBack(
  view: DataView,
  offset: number,
  place: number,
  size: number,
  map: PlaceMap,
): [number, number] {
  const code = view.getUint32(offset, true);
  const next = size >= 0 ? view.getUint32(offset + 4, true) : 0;
  const basePlace = (pageOf(code) * 4096 + lowOf(next, size)) >>> 0;
  if (basePlace >= map.space) return [code, next];
  const target = map.toTarget(basePlace);
  return [withPage(code, (target >>> 12) - (place >>> 12)), size >= 0 ? withLow(next, size, target) : 0];
}

/** The way back, in place; the fixups come after it. `bytes` is the whole file. */
export function toDistances(
  bytes: Uint8Array,
  { regions }: Geography,
  map: PlaceMap,
  { tag, low }: RewriteRules,
  fixups: Fixups,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { space } = map;
  const visitor: FieldVisitor = {
    distance(offset, origin) {
      const basePlace = (view.getUint32(offset) - tag) >>> 0;
      if (basePlace >= space) return false;
      view.setUint32(offset, (map.toTarget(basePlace) - origin) >>> 0, true);
      return true;
    },
    word(offset) {
      const basePlace = view.getUint32(offset, true);
      if (view.getUint32(offset + 4, true) !== WORD_TAG || basePlace >= space) return;
      view.setBigUint64(offset, BigInt(map.toTarget(basePlace)) + BigInt(low), true);
    },
    branch(offset, place) {
      view.setUint32(offset, branchBack(view.getUint32(offset, true), place, map), true);
    },
    page(offset, place, size) {
      const [code, next] = pageBack(view, offset, place, size, map);
      view.setUint32(offset, code, true);
      if (size >= 0) view.setUint32(offset + 4, next, true);
    },
  };
  for (const region of regions) visitFields(bytes, 0, region, 0, bytes.length, visitor);
  for (const [i, at] of fixups.at.entries()) view.setUint32(at, fixups.values[i]!, true);
}
