/** Finding every address field of x86-64 code: by the kernel, and by its twin, with the same result. */
import { instantiateKernel, type KernelMemory } from "../../kernels/index.ts";
import { scanInBatches } from "../batches.ts";
import { Growing, type PieceEnds, pieceEnds } from "../pieces.ts";
import { decodePacked, packedDisplacement, packedImmediate } from "./decode.ts";
import {
  INSTRUCTION_INVALID,
  INSTRUCTION_LENGTH,
  INSTRUCTION_TRUNCATED,
  X86_64_IMM32,
  X86_64_REL32,
  X86_64_RIP32,
} from "./layout.ts";
import { tableBytes } from "./tables.ts";

export interface X86_64ScanOptions {
  /**
   * Ascending offsets where pieces of the code begin (0 need not be among them): each piece is decoded as if it
   * stood alone, so that functions found elsewhere stay in step whatever lies between them.
   */
  readonly starts?: ArrayLike<number>;
  /** Also give displacements and immediates that can hold a 32-bit absolute address (non-PIE code). */
  readonly absolute?: boolean;
  /** Also give one byte for each instruction. */
  readonly instructions?: boolean;
}

/** Address fields, in order of position. All are 4 bytes, little-endian. */
export interface X86_64Scan {
  /** Offset of each field in the code. */
  readonly fieldOffsets: Uint32Array;
  /** Kind of each field, and how far the instruction's end is: see `x86_64Kind` and `x86_64End`. */
  readonly fieldShapes: Uint8Array;
  /**
   * With `instructions`: length (bits 0 to 3), truncated (bit 6), invalid (bit 7) of each; else empty. The lengths
   * add up to the code's.
   */
  readonly instructions: Uint8Array;
  readonly instructionCount: number;
  /** Bytes that are no instruction. Many of them: not code. */
  readonly invalidCount: number;
  /** Pieces that end inside an instruction. */
  readonly truncatedCount: number;
}

const SHAPE_KIND = 0x0f;
const SHAPE_TRAILING_SHIFT = 4;
const FIELD_BYTES = 4;

/** Kind of a field: `X86_64_REL32`, `X86_64_RIP32`; with `absolute` also the DISP32 and IMM32 kinds. */
export function x86_64Kind(shape: number): number {
  return shape & SHAPE_KIND;
}

/** Offset of the end of the instruction around a field: REL32 and RIP32 distances count from here. */
export function x86_64End(fieldOffset: number, shape: number): number {
  return fieldOffset + FIELD_BYTES + (shape >> SHAPE_TRAILING_SHIFT);
}

/** What assembly/isa-x86-64.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly WINDOW_BYTES: { readonly value: number };
  tables(): number;
  input(): number;
  offsets(): number;
  shapes(): number;
  instructions(): number;
  fields(): number;
  decoded(): number;
  invalid(): number;
  truncated(): number;
  reset(): void;
  scan(from: number, to: number, final: boolean, base: number, absolute: boolean): number;
  readonly MAX_PIECES: { readonly value: number };
  pieces(): number;
  scanPieces(count: number, absolute: boolean, onlyBlank: boolean, absoluteBlank: number): void;
  keepBlank(first: number, base: number, absoluteBlank: number): void;
  branchSites(): number;
  branchWidths(): number;
  scanBranches(to: number, mark: number): number;
}

/** The kernel with its tables, and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly windowBytes: number;
  readonly window: Uint8Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly shapes: Uint8Array<ArrayBuffer>;
  readonly instructions: Uint8Array<ArrayBuffer>;
  readonly pieces: Uint32Array<ArrayBuffer>;
  readonly branchSites: Uint32Array<ArrayBuffer>;
  readonly branchWidths: Uint8Array<ArrayBuffer>;
}

let loaded: Engine | undefined;

function engine(): Engine {
  if (loaded === undefined) {
    const kernel = instantiateKernel<Kernel>("isa-x86-64");
    const buffer = kernel.memory.buffer;
    const windowBytes = kernel.WINDOW_BYTES.value;
    new Uint8Array(buffer, kernel.tables(), tableBytes.length).set(tableBytes);
    loaded = {
      kernel,
      windowBytes,
      window: new Uint8Array(buffer, kernel.input(), windowBytes),
      offsets: new Uint32Array(buffer, kernel.offsets(), windowBytes / 4),
      shapes: new Uint8Array(buffer, kernel.shapes(), windowBytes / 4),
      instructions: new Uint8Array(buffer, kernel.instructions(), windowBytes),
      pieces: new Uint32Array(buffer, kernel.pieces(), 3 * kernel.MAX_PIECES.value),
      branchSites: new Uint32Array(buffer, kernel.branchSites(), windowBytes / 2),
      branchWidths: new Uint8Array(buffer, kernel.branchWidths(), windowBytes / 2),
    };
  }
  return loaded;
}

/** What a scan gathers. Code has a field every 13 to 20 bytes and an instruction every 4 to 5. */
class Found {
  readonly offsets: Growing<Uint32Array<ArrayBuffer>>;
  readonly shapes: Growing<Uint8Array<ArrayBuffer>>;
  readonly instructions: Growing<Uint8Array<ArrayBuffer>>;
  readonly wantsInstructions: boolean;
  instructionCount = 0;
  invalidCount = 0;
  truncatedCount = 0;

  constructor(codeBytes: number, wantsInstructions: boolean) {
    this.offsets = new Growing(new Uint32Array((codeBytes >> 4) + 16));
    this.shapes = new Growing(new Uint8Array((codeBytes >> 4) + 16));
    this.instructions = new Growing(new Uint8Array(wantsInstructions ? (codeBytes >> 2) + 16 : 0));
    this.wantsInstructions = wantsInstructions;
  }

  finish(): X86_64Scan {
    return {
      fieldOffsets: this.offsets.finish(),
      fieldShapes: this.shapes.finish(),
      instructions: this.instructions.finish(),
      instructionCount: this.instructionCount,
      invalidCount: this.invalidCount,
      truncatedCount: this.truncatedCount,
    };
  }
}

function takeFound({ kernel, offsets, shapes, instructions }: Engine, found: Found): void {
  const fields = kernel.fields();
  const decoded = kernel.decoded();
  found.offsets.append(offsets.subarray(0, fields));
  found.shapes.append(shapes.subarray(0, fields));
  if (found.wantsInstructions) found.instructions.append(instructions.subarray(0, decoded));
  found.instructionCount += decoded;
  found.invalidCount += kernel.invalid();
  found.truncatedCount += kernel.truncated();
  kernel.reset();
}

function scanToEnds(code: Uint8Array, ends: PieceEnds, absolute: boolean, found: Found): void {
  const machine = engine();
  const { kernel, windowBytes, window } = machine;
  kernel.reset();
  let windowStart = 0;
  let windowEnd = 0;
  let at = 0;
  const fill = () => {
    takeFound(machine, found);
    windowStart = at;
    windowEnd = Math.min(at + windowBytes, code.length);
    window.set(code.subarray(windowStart, windowEnd));
  };
  for (const end of ends) {
    while (at < end) {
      if (at >= windowEnd) fill();
      const to = Math.min(end, windowEnd);
      at = windowStart + kernel.scan(at - windowStart, to - windowStart, to === end, windowStart, absolute);
      // The rest of the window is shorter than what one instruction may look at.
      if (at < to) fill();
    }
  }
  takeFound(machine, found);
}

/** Every address field of the code, by the WebAssembly kernel. Errors as `pieceEnds`. */
export function scanX86_64(code: Uint8Array, options: X86_64ScanOptions = {}): X86_64Scan {
  const ends = pieceEnds(code.length, options.starts);
  const found = new Found(code.length, options.instructions ?? false);
  scanToEnds(code, ends, options.absolute ?? false, found);
  return found.finish();
}

export interface X86_64PieceOptions {
  /** As for `scanX86_64`. */
  readonly absolute?: boolean;
  /**
   * Give only fields that are blanked: those with a distance that is 0, and those for addresses that hold this value
   * (as u32).
   */
  readonly absoluteBlank?: number;
}

/** Fields of some pieces of code, by position. */
export type X86_64Fields = Pick<X86_64Scan, "fieldOffsets" | "fieldShapes">;

/**
 * Address fields of pieces of the code, each decoded by itself; what lies between them isn't looked at. Errors: `usage`
 * for pieces that don't ascend, overlap, or lie outside the code.
 */
export function scanX86_64Pieces(
  code: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  { absolute = false, absoluteBlank }: X86_64PieceOptions = {},
): X86_64Fields {
  const machine = engine();
  const { kernel, window, windowBytes, pieces, offsets, shapes } = machine;
  const onlyBlank = absoluteBlank !== undefined;
  const blank = absoluteBlank ?? 0;
  let codeBytes = 0;
  for (let i = 0; i < begins.length; i++) codeBytes += ends[i]! - begins[i]!;
  const foundOffsets = new Growing(new Uint32Array((codeBytes >> 5) + 16));
  const foundShapes = new Growing(new Uint8Array((codeBytes >> 5) + 16));
  const take = () => {
    const fields = kernel.fields();
    foundOffsets.append(offsets.subarray(0, fields));
    foundShapes.append(shapes.subarray(0, fields));
    kernel.reset();
  };
  kernel.reset();
  scanInBatches(code, begins, ends, {
    window,
    pieces,
    alignment: 1,
    run(count) {
      kernel.scanPieces(count, absolute, onlyBlank, blank);
      take();
    },
    runLong(begin, end) {
      for (let at = begin; at < end; ) {
        const to = Math.min(at + windowBytes, end);
        window.set(code.subarray(at, to));
        const read = kernel.scan(0, to - at, to === end, at, absolute);
        if (onlyBlank) kernel.keepBlank(0, at, blank);
        take();
        at += read;
      }
    },
  });
  return { fieldOffsets: foundOffsets.view(), fieldShapes: foundShapes.view() };
}

/** The same in plain TypeScript. */
export function scanX86_64PiecesTwin(
  code: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  { absolute = false, absoluteBlank }: X86_64PieceOptions = {},
): X86_64Fields {
  const offsets = new Growing(new Uint32Array(16));
  const shapes = new Growing(new Uint8Array(16));
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  for (let piece = 0; piece < begins.length; piece++) {
    const begin = begins[piece]!;
    const found = scanX86_64Twin(code.subarray(begin, ends[piece]), { absolute });
    for (const [i, offset] of found.fieldOffsets.entries()) {
      const shape = found.fieldShapes[i]!;
      const blank = x86_64Kind(shape) <= X86_64_RIP32 ? 0 : absoluteBlank;
      if (absoluteBlank !== undefined && view.getUint32(begin + offset, true) !== blank) continue;
      offsets.push(begin + offset);
      shapes.push(shape);
    }
  }
  return { fieldOffsets: offsets.finish(), fieldShapes: shapes.finish() };
}

/** Fields of branches within a function. */
export interface X86_64Branches {
  /** Offset of each field. */
  readonly site: Uint32Array;
  /** 1 or 4 bytes. */
  readonly width: Uint8Array;
}

/**
 * Fields of the branches of one piece of code: of JMP, Jcc, LOOP and JRCXZ with 8 bits and without prefixes; and of
 * those with 32 bits the ones that hold `mark` (u32), or when that is 0 any value but 0.
 */
export function scanX86_64Branches(code: Uint8Array, mark: number): X86_64Branches {
  const { kernel, windowBytes, window, branchSites, branchWidths } = engine();
  if (code.length > windowBytes) return branchesOf(code, mark, scanX86_64(code, { instructions: true }));
  window.set(code);
  const count = kernel.scanBranches(code.length, mark);
  return { site: branchSites.slice(0, count), width: branchWidths.slice(0, count) };
}

/** The same in plain TypeScript. */
export function scanX86_64BranchesTwin(code: Uint8Array, mark: number): X86_64Branches {
  return branchesOf(code, mark, scanX86_64Twin(code, { instructions: true }));
}

const SHORT_BYTES = 2;

function branchesOf(
  code: Uint8Array,
  mark: number,
  { fieldOffsets, fieldShapes, instructions }: X86_64Scan,
): X86_64Branches {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const site: number[] = [];
  const width: number[] = [];
  let field = 0;
  let at = 0;
  for (const packed of instructions) {
    const next = at + (packed & INSTRUCTION_LENGTH);
    if (packed === SHORT_BYTES && isShortBranch(code[at]!)) {
      site.push(at + 1);
      width.push(1);
    }
    for (; field < fieldOffsets.length && fieldOffsets[field]! < next; field++) {
      if (x86_64Kind(fieldShapes[field]!) !== X86_64_REL32) continue;
      const word = view.getUint32(fieldOffsets[field]!, true);
      if (mark !== 0 ? word !== mark : word === 0) continue;
      site.push(fieldOffsets[field]!);
      width.push(FIELD_BYTES);
    }
    at = next;
  }
  return { site: Uint32Array.from(site), width: Uint8Array.from(width) };
}

/** JMP, Jcc, LOOP and JRCXZ with 8 bits of distance, without prefixes. */
function isShortBranch(opcode: number): boolean {
  return (opcode & 0xf0) === 0x70 || opcode === 0xeb || (opcode & 0xfc) === 0xe0;
}

/** `scanX86_64` in plain TypeScript: for tests, and where WebAssembly can't run. */
export function scanX86_64Twin(code: Uint8Array, options: X86_64ScanOptions = {}): X86_64Scan {
  const ends = pieceEnds(code.length, options.starts);
  const { absolute = false, instructions = false } = options;
  const found = new Found(code.length, instructions);
  let at = 0;
  const addField = (kind: number, offset: number, instructionEnd: number) => {
    found.offsets.push(at + offset);
    found.shapes.push(kind | ((instructionEnd - at - offset - FIELD_BYTES) << SHAPE_TRAILING_SHIFT));
  };
  for (const end of ends) {
    while (at < end) {
      const packed = decodePacked(code, at, end);
      const next = at + (packed & INSTRUCTION_LENGTH);
      if (packed > 0xff) {
        const displacement = packedDisplacement(packed);
        const immediate = packedImmediate(packed);
        if (displacement.kind === X86_64_RIP32 || (absolute && displacement.kind !== 0)) {
          addField(displacement.kind, displacement.offset, next);
        }
        if (immediate.kind === X86_64_REL32 || (absolute && immediate.kind === X86_64_IMM32)) {
          addField(immediate.kind, immediate.offset, next);
        }
      }
      found.instructionCount++;
      if ((packed & INSTRUCTION_INVALID) !== 0) found.invalidCount++;
      if ((packed & INSTRUCTION_TRUNCATED) !== 0) found.truncatedCount++;
      if (instructions) found.instructions.push(packed & 0xff);
      at = next;
    }
  }
  return found.finish();
}
