/** Addresses of functions from several sources, sorted and joined. */
import { SHF_EXECINSTR } from "./constants.ts";
import type { Elf } from "./elf.ts";
import { UNRESOLVED } from "./pointer-encoding.ts";

/** Functions as columns, ascending by section and address, each address once. */
export interface FunctionStarts {
  readonly count: number;
  /** Virtual address; in object files the offset in the section. */
  readonly address: Float64Array;
  /** Bytes of code, from the most trustworthy source that states them; 0 when none does. */
  readonly sizeBytes: Float64Array;
  /** Section index in object files; all 0 otherwise. */
  readonly section: Uint32Array;
  /** Bits of SOURCE_*. */
  readonly sources: Uint8Array;
}

/** Object files: section and offset in one number that sorts; larger offsets are left out. */
const SECTION_SCALE = 2 ** 32;

/** Keys with their sizes and sources; keys are addresses, or section * 2^32 + offset. */
export class FunctionCollector {
  readonly #elf: Elf;
  #keys: Float64Array;
  #sizes: Float64Array;
  #sources: Uint8Array;
  #count = 0;

  constructor(elf: Elf, capacity: number) {
    this.#elf = elf;
    this.#keys = new Float64Array(capacity);
    this.#sizes = new Float64Array(capacity);
    this.#sources = new Uint8Array(capacity);
  }

  /** Adds an address, unless it isn't executable. */
  add(address: number, sizeBytes: number, source: number): void {
    if (address !== UNRESOLVED && this.#elf.addresses.isExecutable(address))
      this.#push(address, sizeBytes, source);
  }

  /** Adds an offset in a section, unless the section isn't code or ends before. */
  addInSection(section: number, offset: number, sizeBytes: number, source: number): void {
    const header = this.#elf.sections[section]?.header;
    if (header === undefined || !(header.sh_flags & SHF_EXECINSTR)) return;
    if (offset < 0 || offset >= Math.min(header.sh_size, SECTION_SCALE)) return;
    this.#push(section * SECTION_SCALE + offset, sizeBytes, source);
  }

  #push(key: number, sizeBytes: number, source: number): void {
    if (this.#count === this.#keys.length) this.#grow();
    this.#keys[this.#count] = key;
    this.#sizes[this.#count] = Math.max(sizeBytes, 0);
    this.#sources[this.#count++] = source;
  }

  #grow(): void {
    const capacity = 2 * this.#keys.length;
    const [keys, sizes, sources] = [this.#keys, this.#sizes, this.#sources];
    this.#keys = new Float64Array(capacity);
    this.#sizes = new Float64Array(capacity);
    this.#sources = new Uint8Array(capacity);
    this.#keys.set(keys);
    this.#sizes.set(sizes);
    this.#sources.set(sources);
  }

  finish(): FunctionStarts {
    const sorted = this.#keys.slice(0, this.#count).sort();
    let count = 0;
    for (const key of sorted) if (count === 0 || sorted[count - 1] !== key) sorted[count++] = key;
    const keys = sorted.subarray(0, count);
    const sizeBytes = new Float64Array(count);
    const sources = new Uint8Array(count);
    // The source of a stated size: bits are in order of trust, so a lower one replaces a higher.
    const sizeSource = new Uint8Array(count).fill(255);
    let at = 0;
    for (let i = 0; i < this.#count; i++) {
      const key = this.#keys[i]!;
      // Tables are mostly ascending: the next key is tried before the search.
      if (keys[at] !== key && keys[++at] !== key) at = indexOf(keys, key);
      const source = this.#sources[i]!;
      sources[at] = sources[at]! | source;
      if (this.#sizes[i]! > 0 && source < sizeSource[at]!) {
        sizeBytes[at] = this.#sizes[i]!;
        sizeSource[at] = source;
      }
    }
    const section = new Uint32Array(count);
    const address = keys.slice();
    if (this.#elf.kind === "object") {
      for (let i = 0; i < count; i++) {
        section[i] = Math.floor(keys[i]! / SECTION_SCALE);
        address[i] = keys[i]! % SECTION_SCALE;
      }
    }
    return { count, address, sizeBytes, section, sources };
  }
}

/** Index of a value that is in an ascending array. */
function indexOf(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
