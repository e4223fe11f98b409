/** Finding every address field of AArch64 code: by the kernel, and by its twin, with the same result. */
import { invalid } from "../../errors/index.ts";
import { instantiateKernel, type KernelMemory } from "../../kernels/index.ts";
import { scanInBatches } from "../batches.ts";
import { Growing, type PieceEnds, pieceEnds } from "../pieces.ts";
import { kindOfTopByte, low12Scale, PAIR_BYTES, writtenRegisters } from "./decode.ts";
import { AARCH64_ADRP21, AARCH64_FIELD_MASKS, AARCH64_LOW12 } from "./layout.ts";

export interface Aarch64ScanOptions {
  /** Ascending offsets, multiples of 4, where pieces of the code begin: no pair reaches across. */
  readonly starts?: ArrayLike<number>;
}

/** Address fields in order of position, and pairs in order of their users. */
export interface Aarch64Scan {
  /** Offset in the code of each instruction with an address field. */
  readonly fieldOffsets: Uint32Array;
  /** Kind of each: `AARCH64_BRANCH26` and so on. */
  readonly fieldKinds: Uint8Array;
  /** One ADRP can be in several pairs, or in none. */
  readonly pairAdrpOffsets: Uint32Array;
  /** Offset of the instruction whose 12-bit field completes the page; it is in one pair at most. */
  readonly pairUserOffsets: Uint32Array;
  /** log2 of the bytes that one unit of this field stands for, 0 to 4. */
  readonly pairScales: Uint8Array;
}

/** What assembly/isa-aarch64.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly WINDOW_BYTES: { readonly value: number };
  kinds(): number;
  input(): number;
  offsets(): number;
  foundKinds(): number;
  adrps(): number;
  users(): number;
  scales(): number;
  fields(): number;
  pairs(): number;
  reset(): void;
  begin(): void;
  scan(from: number, to: number, base: number): void;
  readonly MAX_PIECES: { readonly value: number };
  masks(): number;
  pieces(): number;
  pages(): number;
  shapes(): number;
  restart(): void;
  flush(): void;
  scanJoined(from: number, to: number, base: number, onlyBlank: boolean): void;
  scanPieces(count: number, onlyBlank: boolean): void;
}

/** The kernel with its table, and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly window: Uint8Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly kinds: Uint8Array<ArrayBuffer>;
  readonly adrps: Uint32Array<ArrayBuffer>;
  readonly users: Uint32Array<ArrayBuffer>;
  readonly scales: Uint8Array<ArrayBuffer>;
  readonly pieces: Uint32Array<ArrayBuffer>;
  readonly pages: Uint32Array<ArrayBuffer>;
  readonly shapes: Uint8Array<ArrayBuffer>;
}

let loaded: Engine | undefined;

function engine(): Engine {
  if (loaded === undefined) {
    const kernel = instantiateKernel<Kernel>("isa-aarch64");
    const buffer = kernel.memory.buffer;
    const words = kernel.WINDOW_BYTES.value / 4;
    new Uint8Array(buffer, kernel.kinds(), kindOfTopByte.length).set(kindOfTopByte);
    new Uint32Array(buffer, kernel.masks(), AARCH64_FIELD_MASKS.length).set(AARCH64_FIELD_MASKS);
    loaded = {
      kernel,
      window: new Uint8Array(buffer, kernel.input(), words * 4),
      offsets: new Uint32Array(buffer, kernel.offsets(), words),
      kinds: new Uint8Array(buffer, kernel.foundKinds(), words),
      adrps: new Uint32Array(buffer, kernel.adrps(), words),
      users: new Uint32Array(buffer, kernel.users(), words),
      scales: new Uint8Array(buffer, kernel.scales(), words),
      pieces: new Uint32Array(buffer, kernel.pieces(), 3 * kernel.MAX_PIECES.value),
      pages: new Uint32Array(buffer, kernel.pages(), words),
      shapes: new Uint8Array(buffer, kernel.shapes(), words),
    };
  }
  return loaded;
}

/** What a scan gathers. One word in six to ten has a field. */
class Found {
  readonly offsets: Growing<Uint32Array<ArrayBuffer>>;
  readonly kinds: Growing<Uint8Array<ArrayBuffer>>;
  readonly adrps = new Growing(new Uint32Array(64));
  readonly users = new Growing(new Uint32Array(64));
  readonly scales = new Growing(new Uint8Array(64));

  constructor(codeBytes: number) {
    this.offsets = new Growing(new Uint32Array((codeBytes >> 5) + 16));
    this.kinds = new Growing(new Uint8Array((codeBytes >> 5) + 16));
  }

  finish(): Aarch64Scan {
    return {
      fieldOffsets: this.offsets.finish(),
      fieldKinds: this.kinds.finish(),
      pairAdrpOffsets: this.adrps.finish(),
      pairUserOffsets: this.users.finish(),
      pairScales: this.scales.finish(),
    };
  }
}

/** Ends of pieces in whole words; what is left of the last (1 to 3 bytes) is no instruction. */
function wordPieceEnds(codeBytes: number, starts: ArrayLike<number> | undefined): PieceEnds {
  const ends = pieceEnds(codeBytes, starts);
  for (const end of ends.subarray(0, -1)) {
    if (end % 4 !== 0) throw invalid("aarch64 code", "piece start", end, "not a multiple of 4");
  }
  if (ends.length > 0) ends[ends.length - 1]! &= ~3;
  return ends;
}

/** Every address field of the code, by the WebAssembly kernel. Errors as `pieceEnds`; `invalid` for odd starts. */
export function scanAarch64(code: Uint8Array, options: Aarch64ScanOptions = {}): Aarch64Scan {
  const ends = wordPieceEnds(code.length, options.starts);
  const { kernel, window, offsets, kinds, adrps, users, scales } = engine();
  const found = new Found(code.length);
  kernel.reset();
  let windowStart = 0;
  let windowEnd = 0;
  let at = 0;
  const take = () => {
    const fields = kernel.fields();
    const pairs = kernel.pairs();
    found.offsets.append(offsets.subarray(0, fields));
    found.kinds.append(kinds.subarray(0, fields));
    found.adrps.append(adrps.subarray(0, pairs));
    found.users.append(users.subarray(0, pairs));
    found.scales.append(scales.subarray(0, pairs));
    kernel.reset();
  };
  for (const end of ends) {
    kernel.begin();
    while (at < end) {
      if (at >= windowEnd) {
        take();
        windowStart = at;
        windowEnd = Math.min(at + window.length, code.length & ~3);
        window.set(code.subarray(windowStart, windowEnd));
      }
      const to = Math.min(end, windowEnd);
      kernel.scan(at - windowStart, to - windowStart, windowStart);
      at = to;
    }
  }
  take();
  return found.finish();
}

/** Fields of some pieces of code by position, the users of pages (kind `AARCH64_LOW12`) among them. */
export interface Aarch64Fields {
  readonly fieldOffsets: Uint32Array;
  readonly fieldKinds: Uint8Array;
  /** Users of pages: log2 of the bytes that a unit of their field stands for; else 0. */
  readonly fieldScales: Uint8Array;
  /** Users of pages: number of the field of the ADRP; else 0. */
  readonly fieldPages: Uint32Array;
}

/**
 * Address fields of pieces of the code, each scanned by itself; `onlyBlank` leaves out those that aren't all zero,
 * and the users of such pages. Pieces may begin anywhere: their words count from there. Errors: `usage` for pieces
 * that don't ascend, overlap, or lie outside the code.
 */
export function scanAarch64Pieces(
  code: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  onlyBlank: boolean,
): Aarch64Fields {
  const { kernel, window, pieces, offsets, kinds, pages, shapes } = engine();
  let codeBytes = 0;
  for (let i = 0; i < begins.length; i++) codeBytes += ends[i]! - begins[i]!;
  const found = {
    offsets: new Growing(new Uint32Array((codeBytes >> 4) + 16)),
    kinds: new Growing(new Uint8Array((codeBytes >> 4) + 16)),
    scales: new Growing(new Uint8Array((codeBytes >> 4) + 16)),
    pages: new Growing(new Uint32Array((codeBytes >> 4) + 16)),
  };
  const take = () => {
    const fields = kernel.fields();
    found.offsets.append(offsets.subarray(0, fields));
    found.kinds.append(kinds.subarray(0, fields));
    found.scales.append(shapes.subarray(0, fields));
    found.pages.append(pages.subarray(0, fields));
    kernel.flush();
  };
  kernel.restart();
  scanInBatches(code, begins, ends, {
    window,
    pieces,
    alignment: 4,
    run(count) {
      kernel.scanPieces(count, onlyBlank);
      take();
    },
    runLong(begin, end) {
      kernel.begin();
      for (let at = begin; at < end; at += window.length) {
        const to = Math.min(at + window.length, end);
        window.set(code.subarray(at, to));
        kernel.scanJoined(0, (to - at) & ~3, at, onlyBlank);
        take();
      }
    },
  });
  return {
    fieldOffsets: found.offsets.view(),
    fieldKinds: found.kinds.view(),
    fieldScales: found.scales.view(),
    fieldPages: found.pages.view(),
  };
}

/** The same in plain TypeScript. */
export function scanAarch64PiecesTwin(
  code: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  onlyBlank: boolean,
): Aarch64Fields {
  const rows: { offset: number; kind: number; scale: number; page: number }[] = [];
  for (let piece = 0; piece < begins.length; piece++) {
    const begin = begins[piece]!;
    const bytes = code.slice(begin, ends[piece]);
    const view = new DataView(bytes.buffer);
    const scan = scanAarch64Twin(bytes);
    const numberOf = new Map<number, number>();
    let pair = 0;
    for (let field = 0; field <= scan.fieldOffsets.length; field++) {
      const to = scan.fieldOffsets[field] ?? Number.POSITIVE_INFINITY;
      for (; pair < scan.pairUserOffsets.length && scan.pairUserOffsets[pair]! < to; pair++) {
        const page = numberOf.get(scan.pairAdrpOffsets[pair]!);
        if (page === undefined) continue;
        const offset = begin + scan.pairUserOffsets[pair]!;
        rows.push({ offset, kind: AARCH64_LOW12, scale: scan.pairScales[pair]!, page });
      }
      const kind = scan.fieldKinds[field];
      if (kind === undefined) continue;
      if (onlyBlank && (view.getInt32(to, true) & AARCH64_FIELD_MASKS[kind]!) !== 0) continue;
      numberOf.set(to, rows.length);
      rows.push({ offset: begin + to, kind, scale: 0, page: 0 });
    }
  }
  return {
    fieldOffsets: Uint32Array.from(rows, ({ offset }) => offset),
    fieldKinds: Uint8Array.from(rows, ({ kind }) => kind),
    fieldScales: Uint8Array.from(rows, ({ scale }) => scale),
    fieldPages: Uint32Array.from(rows, ({ page }) => page),
  };
}

/** `scanAarch64` in plain TypeScript: for tests, and where WebAssembly can't run. */
export function scanAarch64Twin(code: Uint8Array, options: Aarch64ScanOptions = {}): Aarch64Scan {
  const ends = wordPieceEnds(code.length, options.starts);
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const found = new Found(code.length);
  const slots = new Uint32Array(32); // offset of the ADRP that filled the register, below `filled`'s bits
  let at = 0;
  for (const end of ends) {
    let filled = 0;
    for (; at < end; at += 4) {
      const word = view.getInt32(at, true);
      const kind = kindOfTopByte[word >>> 24]!;
      if (kind !== 0) {
        found.offsets.push(at);
        found.kinds.push(kind);
      }
      if (filled !== 0) {
        const base = (word >>> 5) & 31;
        const scale = low12Scale(word);
        if (scale >= 0 && ((filled >>> base) & 1) !== 0 && at - slots[base]! <= PAIR_BYTES) {
          found.adrps.push(slots[base]!);
          found.users.push(at);
          found.scales.push(scale);
        }
        filled &= ~writtenRegisters(word);
      }
      if (kind === AARCH64_ADRP21 && (word & 31) !== 31) {
        filled |= 1 << (word & 31);
        slots[word & 31] = at;
      }
    }
  }
  return found.finish();
}
