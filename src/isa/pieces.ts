/** What the scans of both architectures share: pieces of code, and arrays that grow. */
import { TenonError } from "../errors/index.ts";

/** Field offsets are u32 and the kernels count in i32: no text section comes near. */
const MAX_CODE_BYTES = 2 ** 31 - 1;

/** One past each piece's last byte, ascending; the last is the code's length. Empty for no code. */
export type PieceEnds = Uint32Array;

/**
 * The pieces of code that begin at 0 and at each of `starts`. Every piece is decoded as if the others were not there.
 * Errors: `limit` for code of 2 GiB and more, `usage` for starts that don't ascend or lie outside the code.
 */
export function pieceEnds(codeBytes: number, starts: ArrayLike<number> | undefined): PieceEnds {
  if (codeBytes > MAX_CODE_BYTES) {
    throw new TenonError("limit", `${codeBytes} bytes of code in one scan, at most ${MAX_CODE_BYTES}`);
  }
  if (codeBytes === 0) return new Uint32Array(0);
  const ends = new Uint32Array((starts?.length ?? 0) + 1);
  let count = 0;
  let last = 0;
  for (let i = 0; i < (starts?.length ?? 0); i++) {
    const start = starts![i]!;
    if (!Number.isInteger(start) || start >= codeBytes || start < last || (start === last && i > 0)) {
      throw new TenonError("usage", `piece ${i} starts at ${start}: after ${last}, before ${codeBytes}`);
    }
    if (start > 0) ends[count++] = start;
    last = start;
  }
  ends[count++] = codeBytes;
  return ends.subarray(0, count);
}

type Elements = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** A typed array to which runs are appended. */
export class Growing<T extends Elements> {
  #elements: T;
  #length = 0;

  constructor(elements: T) {
    this.#elements = elements;
  }

  push(element: number): void {
    this.#reserve(1);
    this.#elements[this.#length++] = element;
  }

  append(run: T): void {
    this.#reserve(run.length);
    this.#elements.set(run, this.#length);
    this.#length += run.length;
  }

  #reserve(count: number): void {
    const need = this.#length + count;
    if (need <= this.#elements.length) return;
    const make = this.#elements.constructor as new (length: number) => T;
    const larger = new make(Math.max(need, this.#elements.length * 2));
    larger.set(this.#elements);
    this.#elements = larger;
  }

  /** What was appended; valid until more is. */
  view(): T {
    return this.#elements.subarray(0, this.#length) as T;
  }

  /** Just what was appended. Nothing is to be appended afterwards. */
  finish(): T {
    const elements = this.#elements;
    const make = elements.constructor as new (buffer: ArrayBuffer) => T;
    return new make(elements.buffer.transfer(this.#length * elements.BYTES_PER_ELEMENT));
  }
}
