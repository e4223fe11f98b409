/** Finding every address field of x86-64 code: by the kernel, and by its twin, with the same result. */
import { instantiateKernel, type KernelMemory } from "../../kernels/index.ts";
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
}

/** The kernel with its tables, and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly windowBytes: number;
  readonly window: Uint8Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly shapes: Uint8Array<ArrayBuffer>;
  readonly instructions: Uint8Array<ArrayBuffer>;
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

function scanPieces(code: Uint8Array, ends: PieceEnds, absolute: boolean, found: Found): void {
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
  scanPieces(code, ends, options.absolute ?? false, found);
  return found.finish();
}

/** The same in plain TypeScript: for tests, and where WebAssembly can't run. */
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
