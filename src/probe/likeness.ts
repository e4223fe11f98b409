/**
 * How alike executables are: each is cut at its functions, and each function is looked for in the others, first as it
 * is, then with the address fields of its instructions blanked. What is found only then is *near*: the same code at
 * another place, which no chunk store finds and tenon's executables do. Data is cut by content, about 1 KiB each.
 */
import { cutPoints } from "../chunking/index.ts";
import { type Elf, functionStarts, PF_X, SHF_EXECINSTR } from "../elf/index.ts";
import { AARCH64_FIELD_MASKS, AARCH64_LOW12_MASK, scanAarch64, scanX86_64 } from "../isa/index.ts";
import { FingerprintTable, fingerprint } from "./fingerprints.ts";
import type { ExecutableMap } from "./types.ts";

/** Largest executables of which a map is made; the others are only compared with. */
const MAPS = 12;
const CELLS = 256;
/** Beyond this, the tables would need more memory than the probe allows itself. */
const MAX_TOTAL_BYTES = 2 ** 30;
const DATA = { algorithm: "mincdc4-v1", minBytes: 512, meanBytes: 1024, maxBytes: 1536 };

/** In how many files a numbered fingerprint is: the first one's number, then MANY. */
const MANY = 0xffff_ffff;

class Owners {
  readonly #table = new FingerprintTable({ numbered: true });
  #owner = new Uint32Array(1024);

  /** The number of the piece. */
  add(piece: Uint8Array, file: number): number {
    const before = this.#table.count;
    const number = this.#table.number(fingerprint(piece));
    if (number >= this.#owner.length) {
      const larger = new Uint32Array(this.#owner.length * 2);
      larger.set(this.#owner);
      this.#owner = larger;
    }
    if (this.#table.count > before) this.#owner[number] = file;
    else if (this.#owner[number] !== file) this.#owner[number] = MANY;
    return number;
  }

  isShared(number: number): boolean {
    return this.#owner[number] === MANY;
  }
}

interface Mapped {
  readonly name: string;
  readonly totalBytes: number;
  /** Ends of the pieces, and their numbers in the two tables; `NONE` for data, which has no blanked form. */
  readonly ends: Uint32Array;
  readonly exact: Uint32Array;
  readonly blanked: Uint32Array;
}

const NONE = 0xffff_ffff;

export class Likeness {
  readonly #exact = new Owners();
  readonly #blanked = new Owners();
  #mapped: Mapped[] = [];
  #files = 0;
  #totalBytes = 0;
  #leftOut = 0;

  /** Executables that were too many to be compared. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** An executable or library whose content wasn't there yet. Its bytes are used up: a copy would double the memory. */
  add(name: string, elf: Elf): void {
    const { bytes } = elf;
    if (this.#totalBytes + bytes.length > MAX_TOTAL_BYTES) {
      this.#leftOut++;
      return;
    }
    this.#totalBytes += bytes.length;
    const file = this.#files++;
    const { ends, isCode } = piecesOf(elf);
    const exact = new Uint32Array(ends.length);
    const blanked = new Uint32Array(ends.length).fill(NONE);
    let start = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i]!;
      exact[i] = this.#exact.add(bytes.subarray(start, end), file);
      start = end;
    }
    blankFields(elf, ends, isCode);
    for (let i = 0; i < ends.length; i++) {
      if (isCode[i] === 0) continue;
      blanked[i] = this.#blanked.add(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i]), file);
    }
    this.#mapped.push({ name, totalBytes: bytes.length, ends, exact, blanked });
    if (this.#mapped.length > 2 * MAPS) this.#keepLargest();
  }

  #keepLargest(): void {
    this.#mapped = this.#mapped.sort((a, b) => b.totalBytes - a.totalBytes).slice(0, MAPS);
  }

  /** Maps of the largest, when there are at least two to compare. */
  maps(): ExecutableMap[] {
    if (this.#files < 2) return [];
    this.#keepLargest();
    return this.#mapped.map((mapped) => this.#map(mapped));
  }

  #map({ name, totalBytes, ends, exact, blanked }: Mapped): ExecutableMap {
    const cellCount = Math.min(CELLS, totalBytes);
    const cells = Array.from({ length: cellCount }, (): [number, number, number] => [0, 0, 0]);
    const sums: [number, number, number] = [0, 0, 0];
    let start = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i]!;
      const near = blanked[i] !== NONE && this.#blanked.isShared(blanked[i]!);
      const what = this.#exact.isShared(exact[i]!) ? 0 : near ? 1 : 2;
      sums[what] += end - start;
      while (start < end) {
        const cell = Math.min(cellCount - 1, Math.floor((start * cellCount) / totalBytes));
        const cellEnd = Math.max(start + 1, Math.ceil(((cell + 1) * totalBytes) / cellCount));
        const to = Math.min(end, cell === cellCount - 1 ? end : cellEnd);
        cells[cell]![what] += to - start;
        start = to;
      }
    }
    return { name, totalBytes, sharedBytes: sums[0], nearBytes: sums[1], uniqueBytes: sums[2], cells };
  }
}

interface CodeRange {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Code by sections, or without section headers by executable segments. Ascending, apart. */
function codeRanges(elf: Elf): CodeRange[] {
  const ranges: CodeRange[] = [];
  for (const { header, fileSizeBytes } of elf.sections) {
    if (fileSizeBytes > 0 && header.sh_flags & SHF_EXECINSTR) {
      ranges.push({ offset: header.sh_offset, sizeBytes: fileSizeBytes });
    }
  }
  if (elf.sections.length === 0) {
    for (const { header, usable } of elf.segments) {
      if (usable && header.p_type === 1 && header.p_flags & PF_X && header.p_filesz > 0) {
        ranges.push({ offset: header.p_offset, sizeBytes: header.p_filesz });
      }
    }
  }
  ranges.sort((a, b) => a.offset - b.offset);
  let end = 0;
  return ranges.filter(({ offset, sizeBytes }) => {
    if (offset < end) return false;
    end = offset + sizeBytes;
    return true;
  });
}

function piecesOf(elf: Elf): { readonly ends: Uint32Array; readonly isCode: Uint8Array } {
  const ends: number[] = [];
  const isCode: number[] = [];
  const addData = (from: number, to: number) => {
    let at = from;
    for (const length of cutPoints(elf.bytes.subarray(from, to), DATA)) {
      at += length;
      ends.push(at);
      isCode.push(0);
    }
  };
  const starts = functionStarts(elf);
  const offsets: number[] = [];
  for (let i = 0; i < starts.count; i++) {
    const offset =
      elf.kind === "object"
        ? starts.address[i]! + (elf.sections[starts.section[i]!]?.header.sh_offset ?? 0)
        : elf.addresses.offsetOf(starts.address[i]!);
    if (offset !== undefined) offsets.push(offset);
  }
  offsets.sort((a, b) => a - b);
  let at = 0;
  let next = 0;
  for (const { offset, sizeBytes } of codeRanges(elf)) {
    addData(at, offset);
    at = offset;
    while (next < offsets.length && offsets[next]! <= at) next++;
    while (next < offsets.length && offsets[next]! < offset + sizeBytes) {
      const end = offsets[next++]!;
      if (end === at) continue;
      ends.push(end);
      isCode.push(1);
      at = end;
    }
    ends.push(offset + sizeBytes);
    isCode.push(1);
    at = offset + sizeBytes;
  }
  addData(at, elf.bytes.length);
  return { ends: Uint32Array.from(ends), isCode: Uint8Array.from(isCode) };
}

/** Sets the address fields of the code to zero; decoding begins anew at each function. */
function blankFields(elf: Elf, ends: Uint32Array, isCode: Uint8Array): void {
  const { buffer, byteOffset, byteLength } = elf.bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  for (let i = 0; i < ends.length; ) {
    if (isCode[i] === 0) {
      i++;
      continue;
    }
    // A run of functions that touch.
    const offset = i === 0 ? 0 : ends[i - 1]!;
    let last = i;
    while (last + 1 < ends.length && isCode[last + 1] === 1) last++;
    const starts = Array.from(ends.subarray(i, last), (end) => end - offset);
    const code = elf.bytes.subarray(offset, ends[last]);
    if (elf.machine === "x86-64") {
      const absolute = elf.kind === "static" || elf.kind === "dynamic";
      for (const at of scanX86_64(code, { starts, absolute }).fieldOffsets)
        view.setUint32(offset + at, 0, true);
    } else {
      const aligned = starts.filter((start) => start % 4 === 0);
      const found = scanAarch64(code, { starts: aligned });
      const clear = (at: number, mask: number) =>
        view.setUint32(offset + at, (view.getUint32(offset + at, true) & ~mask) >>> 0, true);
      for (const [k, at] of found.fieldOffsets.entries())
        clear(at, AARCH64_FIELD_MASKS[found.fieldKinds[k]!]!);
      for (const at of found.pairUserOffsets) clear(at, AARCH64_LOW12_MASK);
    }
    i = last + 1;
  }
}
