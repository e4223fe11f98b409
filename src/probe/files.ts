/** The methods that look at whole files: equal files, and executables taken apart. */
import { type Elf, parseElf } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { dislocated, elfCuts, relocationInfo } from "./elf-pieces.ts";
import { FingerprintTable, fingerprint } from "./fingerprints.ts";
import { Likeness } from "./likeness.ts";
import { type MeterResult, PieceMeter, sumOf } from "./meter.ts";
import { type CompressionPool, FRAME_BYTES } from "./recompress.ts";
import { HEAD_BYTES, isElf, whatIs } from "./sniff.ts";
import { TakenApart } from "./taken-apart.ts";
import type { MethodLeftOut } from "./types.ts";

/** An executable is taken apart in memory; larger ones count as whole files. */
const MAX_ELF_BYTES = 128 << 20;
/** Pieces given to the compressors before waiting for them. */
const PIECES_BYTES_PER_TURN = 4 << 20;

/** Told of every file when it has ended. */
export type FileListener = (file: { name: string; lengthBytes: number; what: string }) => void;

/** Takes files one after the other, and what lies between them. */
export class FileMethods {
  /**
   * Files that are no executables, and what lies between files: pieces of every method here. Measured once, and apart
   * from the executables: that a whole file equals a piece of an executable is no sharing worth the name.
   */
  readonly #others: PieceMeter;
  readonly #whole: PieceMeter;
  readonly #elf: PieceMeter;
  /** The same as `#elf` until the first file whose relocations can be undone. */
  #undone: { readonly counted: PieceMeter; readonly withoutInfo: PieceMeter } | undefined;
  /** Executables that tenon takes apart, and those that it doesn't. Without a pool they are not tried. */
  readonly #takenApart: TakenApart | undefined;
  readonly #notTakenApart: PieceMeter;
  readonly #pool: CompressionPool | undefined;
  readonly #onFile: FileListener;
  readonly #likeness = new Likeness();
  readonly #compared = new FingerprintTable({ numbered: false });
  readonly #head = new Uint8Array(HEAD_BYTES);
  #headBytes = 0;
  #name = "";
  #lengthBytes = 0;
  /** The executable that is being gathered. */
  #gathered: Uint8Array | undefined;
  #filled = 0;
  #waiting: { name: string; bytes: Uint8Array }[] = [];
  #files = 0;
  #executables = 0;

  constructor(pool: CompressionPool | undefined, onFile: FileListener) {
    this.#pool = pool;
    this.#onFile = onFile;
    this.#others = new PieceMeter(pool);
    this.#whole = new PieceMeter(pool);
    this.#elf = new PieceMeter(pool);
    this.#takenApart = pool && new TakenApart(pool);
    this.#notTakenApart = new PieceMeter(pool);
  }

  /** A file begins. */
  begin(name: string, lengthBytes: number): void {
    this.#others.endStream();
    this.#name = name;
    this.#lengthBytes = lengthBytes;
    this.#headBytes = 0;
    this.#gathered = undefined;
    this.#filled = 0;
    this.#files++;
  }

  data(bytes: Uint8Array): void {
    const isFirst = this.#filled === 0 && this.#headBytes === 0;
    if (this.#headBytes < HEAD_BYTES) {
      const part = bytes.subarray(0, HEAD_BYTES - this.#headBytes);
      this.#head.set(part, this.#headBytes);
      this.#headBytes += part.length;
    }
    if (isFirst && isElf(bytes)) {
      if (this.#lengthBytes <= MAX_ELF_BYTES) this.#gathered = new Uint8Array(this.#lengthBytes);
    }
    if (this.#gathered === undefined) this.#others.take(bytes, []);
    else {
      this.#whole.take(bytes, []);
      this.#gathered.set(bytes.subarray(0, this.#gathered.length - this.#filled), this.#filled);
      this.#filled += bytes.length;
    }
  }

  end(): void {
    this.#others.endStream();
    this.#whole.endStream();
    const what = whatIs(this.#head.subarray(0, this.#headBytes));
    this.#onFile({ name: this.#name, lengthBytes: this.#lengthBytes, what });
    if (this.#gathered !== undefined) {
      const bytes = this.#gathered.subarray(0, Math.min(this.#filled, this.#gathered.length));
      this.#waiting.push({ name: this.#name, bytes });
      this.#gathered = undefined;
    }
  }

  /** Headers and padding between files: each run is a piece. */
  frame(bytes: Uint8Array): void {
    this.#others.take(bytes, []);
  }

  /** After each block: takes the executables apart that have come. */
  async settle(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { name, bytes } of waiting) await this.#takeApart(name, bytes);
  }

  /** The layer or file has ended. */
  endStream(): void {
    this.#others.endStream();
  }

  async #takeApart(name: string, bytes: Uint8Array): Promise<void> {
    if ((await this.#takenApart?.add(bytes)) === false) await this.#takeLarge(this.#notTakenApart, bytes);
    await this.#pool?.ready();
    let elf: Elf;
    try {
      elf = parseElf(bytes);
    } catch (error) {
      if (!(error instanceof TenonError)) throw error;
      await this.#takeLarge(this.#elf, bytes);
      if (this.#undone === undefined) return;
      await this.#takeLarge(this.#undone.counted, bytes);
      await this.#takeLarge(this.#undone.withoutInfo, bytes);
      return;
    }
    this.#executables++;
    const cuts = elfCuts(elf);
    const undone = dislocated(elf);
    if (undone !== undefined && this.#undone === undefined) {
      await this.#pool?.drain();
      this.#undone = { counted: this.#elf.fork(), withoutInfo: this.#elf.fork() };
    }
    await this.#measure(this.#elf, bytes, cuts, []);
    if (this.#undone !== undefined) {
      const info = undone === undefined ? [] : relocationInfo(elf);
      await this.#measure(this.#undone.counted, undone ?? bytes, cuts, []);
      await this.#measure(this.#undone.withoutInfo, undone ?? bytes, cuts, info);
    }
    // Go's and Rust's programs, libraries; an object file has no addresses yet.
    if (elf.kind !== "object" && !elf.debugOnly && this.#compared.add(fingerprint(bytes))) {
      this.#likeness.add(name, elf);
    }
  }

  /** Pieces between the cuts, without those that lie in what is left out. */
  async #measure(
    meter: PieceMeter,
    bytes: Uint8Array,
    cuts: Float64Array,
    leftOut: readonly (readonly [number, number])[],
  ): Promise<void> {
    let given = 0;
    let hole = 0;
    for (let i = 1; i < cuts.length; i++) {
      const start = cuts[i - 1]!;
      const end = cuts[i]!;
      while (hole < leftOut.length && leftOut[hole]![1] <= start) hole++;
      if (hole < leftOut.length && leftOut[hole]![0] <= start && end <= leftOut[hole]![1]) continue;
      if (end - start < FRAME_BYTES) meter.piece(bytes.subarray(start, end));
      else await this.#takeLarge(meter, bytes.subarray(start, end));
      given += end - start;
      if (given < PIECES_BYTES_PER_TURN) continue;
      given = 0;
      await this.#pool?.ready();
    }
  }

  /** A piece, in parts, so that the compressors keep up. */
  async #takeLarge(meter: PieceMeter, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
      meter.take(bytes.subarray(at, at + FRAME_BYTES), []);
      await this.#pool?.ready();
    }
    meter.endStream();
  }

  /** Results by method, and why some are missing. After `finish`, when the pool has drained. */
  results(): { readonly results: Map<string, MeterResult>; readonly leftOut: MethodLeftOut[] } {
    const others = this.#others.result();
    const withOthers = (meter: PieceMeter) => sumOf([others, meter.result()]);
    const results = new Map([["exact-file", withOthers(this.#whole)]]);
    const leftOut: MethodLeftOut[] = [];
    if (this.#executables === 0) {
      leftOut.push({ name: "elf", reason: "there is no executable for x86-64 or AArch64 among the inputs" });
    } else results.set("elf", withOthers(this.#elf));
    if (this.#undone === undefined) {
      const reason =
        "no executable was linked with --emit-relocs, so there is nothing to undo relocations by";
      leftOut.push({ name: "elf+dislocate", reason });
    } else {
      results.set("elf+dislocate", withOthers(this.#undone.counted));
      results.set("elf+dislocate-info", withOthers(this.#undone.withoutInfo));
    }
    if (this.#takenApart === undefined) {
      leftOut.push({ name: "tenon-executables", reason: "it is measured only with recompression" });
    } else if (this.#takenApart.files > 0) {
      const { aloneBytes: _, ...sum } = sumOf([
        others,
        this.#notTakenApart.result(),
        { ...this.#takenApart.result(), aloneBytes: 0 },
      ]);
      results.set("tenon-executables", sum);
    }
    return { results, leftOut };
  }

  get likeness(): Likeness {
    return this.#likeness;
  }

  /** How many files there were. */
  get files(): number {
    return this.#files;
  }

  finish(): void {
    for (const meter of [this.#others, this.#whole, this.#elf]) meter.finish();
    this.#takenApart?.finish();
    this.#notTakenApart.finish();
    this.#undone?.counted.finish();
    this.#undone?.withoutInfo.finish();
  }
}
