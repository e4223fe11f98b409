/** Notes on the bytes of a file while it is dissected: where pieces begin, what is referred to, where references are. */
import { type LoadMap, rangeAt, UNLOADED } from "./join-layout.ts";
import { FIELD_BYTES } from "./references-kinds.ts";

/** A piece begins here. */
const CUT = 0x80;
/** The same in each byte of a word. */
const CUTS = 0x8080_8080 | 0;
/** Something refers to this byte. */
const LABEL = 0x40;
/** Kind of the reference whose field begins here, plus 1. */
const KIND = 0x3f;

/** One byte a file byte: notes come in any order and are read in order of position. */
export class Marks {
  readonly #marks: Uint8Array;
  /** The same, four bytes at a time. */
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly map: LoadMap;
  /** Labels in memory without file bytes. */
  readonly #memory = new Set<number>();

  constructor(fileBytes: number, map: LoadMap) {
    this.#words = new Uint32Array((fileBytes >> 2) + 2);
    this.#marks = new Uint8Array(this.#words.buffer, 0, fileBytes + 1);
    this.map = map;
  }

  cut(offset: number): void {
    this.#marks[offset]! |= CUT;
  }

  isCut(offset: number): boolean {
    return (this.#marks[offset]! & CUT) !== 0;
  }

  isLabel(offset: number): boolean {
    return (this.#marks[offset]! & LABEL) !== 0;
  }

  /** A cut or a label. */
  isNamed(offset: number): boolean {
    return (this.#marks[offset]! & (LABEL | CUT)) !== 0;
  }

  labelOffset(offset: number): void {
    this.#marks[offset]! |= LABEL;
  }

  /** Notes a reference of a kind, unless there is one; false when there is. */
  site(offset: number, kind: number): boolean {
    const mark = this.#marks[offset]!;
    if ((mark & KIND) !== 0) return false;
    this.#marks[offset] = mark | (kind + 1);
    return true;
  }

  /** Kind of the reference at an offset; -1 for none. */
  kindAt(offset: number): number {
    return (this.#marks[offset]! & KIND) - 1;
  }

  /** Forgets what refers to some bytes. */
  clearLabels(from: number, to: number): void {
    for (let at = from; at < to; at++) this.#marks[at]! &= ~LABEL;
  }

  /** Forgets all notes on some bytes. */
  clear(from: number, to: number): void {
    this.#marks.fill(0, from, to);
  }

  clearSite(offset: number): void {
    this.#marks[offset]! &= ~KIND;
  }

  /** Whether something is known to begin at an address. */
  isNamedAddress(address: number): boolean {
    const number = rangeAt(this.map, address);
    if (number < 0) return false;
    const range = this.map.ranges[number]!;
    const within = address - range.address;
    return within < range.fileBytes ? this.isNamed(range.offset + within) : this.#memory.has(address);
  }

  /** Notes that something refers to an address. False when nothing is loaded there. */
  label(address: number): boolean {
    if (address >= UNLOADED) return address - UNLOADED < this.#marks.length - 1;
    const { ranges } = this.map;
    const number = rangeAt(this.map, address);
    if (number < 0) return false;
    const range = ranges[number]!;
    const within = address - range.address;
    if (within < range.fileBytes) this.#marks[range.offset + within]! |= LABEL;
    else if (within < range.memoryBytes) this.#memory.add(address);
    return true;
  }

  /** Labels in memory without file bytes, ascending. */
  memoryLabels(): Float64Array {
    return Float64Array.from(this.#memory).sort();
  }

  /** The next byte from `offset` on that has any note; `end` for none. */
  next(offset: number, end: number): number {
    const marks = this.#marks;
    let at = offset;
    while (at < end && (at & 3) !== 0 && marks[at] === 0) at++;
    if ((at & 3) === 0) {
      const words = this.#words;
      let word = at >> 2;
      const last = end >> 2;
      while (word < last && words[word] === 0) word++;
      at = Math.max(at, word << 2);
    }
    while (at < end && marks[at] === 0) at++;
    return Math.min(at, end);
  }

  /** The next cut from `offset` on; `end` for none. */
  nextCut(offset: number, end: number): number {
    const marks = this.#marks;
    let at = offset;
    while (at < end && (at & 3) !== 0 && (marks[at]! & CUT) === 0) at++;
    if ((at & 3) === 0) {
      const words = this.#words;
      let word = at >> 2;
      const last = end >> 2;
      while (word < last && (words[word]! & CUTS) === 0) word++;
      at = Math.max(at, word << 2);
    }
    while (at < end && (marks[at]! & CUT) === 0) at++;
    return Math.min(at, end);
  }

  /** Gives the memory back at once: as much as the file. Nothing is to be noted or asked afterwards. */
  release(): void {
    this.#words.buffer.transfer(0);
  }

  /** True when a field of a reference fits before `end`. */
  fits(offset: number, kind: number, end: number): boolean {
    return offset + FIELD_BYTES[kind]! <= end;
  }
}
