/**
 * Pieces of x86-64 code from their streams by a kernel, many in a call; what they consist of, and the same in plain
 * TypeScript, is in code-restore-twin.ts. The fields of references in them are found on the way.
 */
import type { ByteReader } from "../bytes/index.ts";
import type { Delta } from "../delta/index.ts";
import { x86_64TableBytes } from "../isa/index.ts";
import { instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import { CodeRestorerTwin } from "./code-restore-twin.ts";
import { Stream, type StreamNumber, type StreamReaders } from "./code-streams.ts";
import { KnownFields } from "./references-known.ts";

/** What assembly/code-restore.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly MAX_PIECE_BYTES: { readonly value: number };
  readonly MAX_PIECES: { readonly value: number };
  readonly OUT_BYTES: { readonly value: number };
  readonly WINDOW_BYTES: { readonly value: number };
  readonly SLACK_BYTES: { readonly value: number };
  tables(): number;
  windows(): number;
  cursors(): number;
  runAt(): number;
  pieces(): number;
  out(): number;
  fieldOffsets(): number;
  fieldKinds(): number;
  fieldShapes(): number;
  fieldContexts(): number;
  fields(): number;
  takeFields(): void;
  readonly MAX_FIELDS: { readonly value: number };
  fresh(count: number, allRuns: boolean, absolute: boolean): number;
  source(): number;
  byteLiterals(): number;
  byteFroms(): number;
  byteCopies(): number;
  byteSteps(): number;
  change(
    sourceBytes: number,
    mostBytes: number,
    fileOffset: number,
    allRuns: boolean,
    absolute: boolean,
  ): number;
}

/** The kernel and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly mostBytes: number;
  readonly windows: readonly Uint8Array[];
  /** Addresses of the windows. */
  readonly windowsAt: readonly number[];
  readonly cursors: Uint32Array;
  readonly run: Float64Array;
  readonly pieces: Uint32Array;
  readonly out: Uint8Array;
  readonly fieldOffsets: Uint32Array;
  readonly fieldKinds: Uint8Array;
  readonly fieldShapes: Uint8Array;
  readonly fieldContexts: Uint8Array;
  readonly source: Uint8Array;
  readonly byteLiterals: Uint32Array;
  readonly byteFroms: Uint32Array;
  readonly byteCopies: Uint32Array;
}

/** The streams of the kernel's windows, in order. */
const STREAMS: readonly StreamNumber[] = [
  Stream.code,
  Stream.displacements8,
  Stream.displacements32,
  Stream.immediates8,
  Stream.immediates32,
  Stream.branchSymbols,
  Stream.branchNumbers,
  Stream.operandRuns,
  Stream.deltaNumbers,
  Stream.deltaHeads,
  Stream.deltaCopies,
  Stream.deltaValues,
];
const RUNS_WINDOW = STREAMS.indexOf(Stream.operandRuns);
/** Bytes of the pieces of a call, if it isn't a long one alone: what a processor's cache holds. */
const BATCH_BYTES = 1 << 17;
/** Pieces take less than this of any stream, for each of their bytes: a branch of 2 bytes has a number of 5. */
const MOST_SHARE = 3;

/** Entries of deltas that get memory together. */
const KEPT_ENTRIES = 1 << 14;
/** Shorter runs are copied faster one by one than by a call. */
const SHORT_RUN = 32;

let loaded: Engine | undefined;

function engine(): Engine {
  if (loaded === undefined) {
    const kernel = instantiateKernel<Kernel>("code-restore");
    const { buffer } = kernel.memory;
    const stride = kernel.WINDOW_BYTES.value + kernel.SLACK_BYTES.value;
    const fields = kernel.MAX_FIELDS.value + kernel.OUT_BYTES.value / 4;
    const windowsAt = STREAMS.map((_, i) => kernel.windows() + i * stride);
    new Uint8Array(buffer, kernel.tables(), x86_64TableBytes.length).set(x86_64TableBytes);
    const mostBytes = kernel.MAX_PIECE_BYTES.value;
    loaded = {
      kernel,
      mostBytes,
      windows: windowsAt.map((at) => new Uint8Array(buffer, at, stride)),
      windowsAt,
      cursors: new Uint32Array(buffer, kernel.cursors(), 2 * STREAMS.length),
      run: new Float64Array(buffer, kernel.runAt(), 1),
      pieces: new Uint32Array(buffer, kernel.pieces(), 2 * kernel.MAX_PIECES.value),
      out: new Uint8Array(buffer, kernel.out(), kernel.OUT_BYTES.value),
      fieldOffsets: new Uint32Array(buffer, kernel.fieldOffsets(), fields),
      fieldKinds: new Uint8Array(buffer, kernel.fieldKinds(), fields),
      fieldShapes: new Uint8Array(buffer, kernel.fieldShapes(), fields),
      fieldContexts: new Uint8Array(buffer, kernel.fieldContexts(), fields),
      source: new Uint8Array(buffer, kernel.source(), mostBytes),
      byteLiterals: new Uint32Array(buffer, kernel.byteLiterals(), mostBytes),
      byteFroms: new Uint32Array(buffer, kernel.byteFroms(), mostBytes),
      byteCopies: new Uint32Array(buffer, kernel.byteCopies(), mostBytes),
    };
  }
  return loaded;
}

export interface RestorerOptions {
  /** The file being made. */
  readonly blanked: Uint8Array;
  /** Number of its pieces. */
  readonly pieces: number;
  /** Whether 32-bit addresses are references. */
  readonly absolute: boolean;
}

/** Restores the pieces of one file, in order. Not reentrant: the kernel is shared by all. */
export class CodeRestorer {
  readonly #fields: KnownFields;
  readonly #engine = engine();
  readonly #twin: CodeRestorerTwin;
  readonly #readers: readonly ByteReader[];
  /** Which part of each stream is in its window. */
  readonly #begins = new Float64Array(STREAMS.length);
  readonly #ends = new Float64Array(STREAMS.length);
  readonly #blanked: Uint8Array;
  readonly #absolute: boolean;
  /** Pieces that were not handed over yet. */
  readonly #waiting: Int32Array;
  /** Steps of deltas, of which the first are in use. */
  #kept = new Uint32Array(0);
  #keptCount = 0;
  #count = 0;
  #bytes = 0;

  constructor(sources: StreamReaders, { blanked, pieces, absolute }: RestorerOptions) {
    this.#twin = new CodeRestorerTwin(sources);
    this.#readers = STREAMS.map((stream) => sources.of(stream));
    this.#blanked = blanked;
    this.#absolute = absolute;
    this.#waiting = new Int32Array(this.#engine.pieces.length / 2);
    this.#fields = new KnownFields(pieces);
    this.#engine.kernel.takeFields();
  }

  /** Takes a fresh piece on, the next one; it is there after `flush`. Errors as `flush`. */
  fresh(piece: number, offset: number, lengthBytes: number): void {
    const { mostBytes, pieces } = this.#engine;
    if (lengthBytes > mostBytes) {
      this.flush();
      this.#twin.fresh(this.#blanked.subarray(offset, offset + lengthBytes));
      return;
    }
    if (this.#count === this.#waiting.length || (this.#count > 0 && this.#bytes + lengthBytes > BATCH_BYTES))
      this.flush();
    pieces[2 * this.#count] = lengthBytes;
    pieces[2 * this.#count + 1] = offset;
    this.#waiting[this.#count++] = piece;
    this.#bytes += lengthBytes;
  }

  /** Restores the fresh pieces that wait. Errors: `invalid` for what no writer makes. */
  flush(): void {
    const { kernel, pieces } = this.#engine;
    const blanked = this.#blanked;
    while (this.#count > 0) {
      const count = this.#count;
      const hasAllRuns = this.#fill(this.#bytes);
      const made = kernel.fresh(count, hasAllRuns, this.#absolute);
      this.#take();
      this.#copyOut(made);
      if (made === count) {
        this.#count = 0;
        this.#bytes = 0;
        return;
      }
      const failed = pieces[2 * made + 1]!;
      this.#twin.fresh(blanked.subarray(failed, failed + pieces[2 * made]!));
      this.#drop(made + 1);
    }
  }

  /** Copies the first pieces to where they belong; neighbours go together. */
  #copyOut(count: number): void {
    const { pieces, out } = this.#engine;
    const blanked = this.#blanked;
    let from = 0;
    for (let i = 0; i < count; ) {
      const offset = pieces[2 * i + 1]!;
      let end = offset;
      for (; i < count && pieces[2 * i + 1] === end; i++) {
        this.#fields.isKnown[this.#waiting[i]!] = 1;
        end += pieces[2 * i]!;
      }
      const bytes = end - offset;
      if (bytes > SHORT_RUN) blanked.set(out.subarray(from, from + bytes), offset);
      else for (let k = 0; k < bytes; k++) blanked[offset + k] = out[from + k]!;
      from += bytes;
    }
  }

  /** Forgets the first of those that wait. */
  #drop(done: number): void {
    const { pieces } = this.#engine;
    const count = this.#count - done;
    pieces.copyWithin(0, 2 * done, 2 * this.#count);
    this.#waiting.copyWithin(0, done, this.#count);
    this.#count = count;
    this.#bytes = 0;
    for (let i = 0; i < count; i++) this.#bytes += pieces[2 * i]!;
  }

  /** A piece at an offset by another, of `mostBytes` at most; else as `CodeRestorerTwin.change`. */
  change(
    { piece, offset, mostBytes }: { piece: number; offset: number; mostBytes: number },
    source: Uint8Array,
    begin: (lengthBytes: number) => Uint8Array,
  ): Delta {
    const { kernel, out, byteLiterals, byteFroms, byteCopies } = this.#engine;
    if (source.length > this.#engine.mostBytes) return this.#twin.change(source, mostBytes, begin);
    this.#engine.source.set(source);
    const hasAllRuns = this.#fill(source.length);
    const length = kernel.change(source.length, mostBytes, offset, hasAllRuns, this.#absolute);
    if (length < 0) return this.#twin.change(source, mostBytes, begin);
    this.#take();
    this.#fields.isKnown[piece] = 1;
    begin(length).set(out.subarray(0, length));
    const count = kernel.byteSteps();
    return {
      count,
      literal: this.#keep(byteLiterals, count),
      from: this.#keep(byteFroms, count),
      copy: this.#keep(byteCopies, count),
    };
  }

  /** A copy of a column's first entries, beside others in one buffer: there are thousands. */
  #keep(column: Uint32Array, count: number): Uint32Array {
    if (count > this.#kept.length - this.#keptCount) {
      this.#kept = new Uint32Array(Math.max(KEPT_ENTRIES, count));
      this.#keptCount = 0;
    }
    const begin = this.#keptCount;
    this.#keptCount += count;
    if (count > SHORT_RUN) this.#kept.set(column.subarray(0, count), begin);
    else for (let i = 0; i < count; i++) this.#kept[begin + i] = column[i]!;
    return this.#kept.subarray(begin, this.#keptCount);
  }

  /** Fills windows that are too short for so much code; true when that of runs has all of the rest. */
  #fill(codeBytes: number): boolean {
    const { windows, windowsAt, cursors, run, kernel } = this.#engine;
    const most = kernel.WINDOW_BYTES.value;
    for (let i = 0; i < STREAMS.length; i++) {
      const { bytes, offset } = this.#readers[i]!;
      const end = this.#ends[i]!;
      if (offset > end || (end - offset < MOST_SHARE * codeBytes && end < bytes.length)) {
        const part = bytes.subarray(offset, Math.min(bytes.length, offset + most));
        windows[i]!.set(part);
        windows[i]!.fill(0, part.length, part.length + kernel.SLACK_BYTES.value);
        this.#begins[i] = offset;
        this.#ends[i] = offset + part.length;
      }
      cursors[2 * i] = windowsAt[i]! + offset - this.#begins[i]!;
      cursors[2 * i + 1] = windowsAt[i]! + this.#ends[i]! - this.#begins[i]!;
    }
    run[0] = this.#twin.operands.run;
    return this.#ends[RUNS_WINDOW] === this.#readers[RUNS_WINDOW]!.bytes.length;
  }

  #takeFields(): void {
    const { kernel, fieldOffsets, fieldKinds, fieldShapes, fieldContexts } = this.#engine;
    this.#fields.append({
      count: kernel.fields(),
      offset: fieldOffsets,
      kind: fieldKinds,
      shape: fieldShapes,
      context: fieldContexts,
    });
    kernel.takeFields();
  }

  /** The fields in what was restored. To be called at the end. */
  finish(): KnownFields {
    this.#takeFields();
    return this.#fields;
  }

  /** Takes over how far the kernel came. */
  #take(): void {
    const { kernel, windowsAt, cursors, run } = this.#engine;
    for (let i = 0; i < STREAMS.length; i++)
      this.#readers[i]!.offset = cursors[2 * i]! - windowsAt[i]! + this.#begins[i]!;
    this.#twin.operands.run = run[0]!;
    if (kernel.fields() > kernel.MAX_FIELDS.value) this.#takeFields();
  }
}
