/**
 * Address fields rewritten, and written back.
 *
 * A distance that an instruction holds changes whenever the instruction or what it means moves. Rewritten, it is the
 * place that it means, in the base's geography: equal calls look alike wherever they stand, as BCJ filters of
 * archivers have it for one program by itself. A rewritten field of 32 bits holds `tag + place`, most significant
 * byte first; `restorer.c` has the way back once more.
 *
 * The scan finds the same fields before and after: it looks at the bytes around a field, and takes those fields whose
 * value is within the tagged range (afterwards), or will be (before). What can't be told apart is a **fixup**.
 */
import {
  KIND_AARCH64,
  KIND_ANCHORED,
  KIND_SELF_RELATIVE,
  KIND_WORDS,
  KIND_X86_64,
  type Region,
} from "./regions.ts";

/** A 64-bit word that was rewritten has this in its upper half: no address, length or number of real programs does. */
export const WORD_TAG = 0x7e4f_0e4e;

/** What to do with fields; places and values are unsigned 32-bit numbers. */
export interface FieldVisitor {
  /** A distance at `at`, counted from `origin`; whether it was taken. */
  distance(at: number, origin: number): boolean;
  /** A 64-bit word. */
  word(at: number): void;
  /** An AArch64 branch at `at`, standing at `place`. */
  branch(at: number, place: number): void;
  /** ADRP; `size` is log2 of what the next instruction's offset counts in, or -1 if that isn't its other half. */
  page(at: number, place: number, size: number): void;
}

/** One-byte opcodes whose operand may be relative to the next instruction, as a set of 256 bits. */
export const OPCODES = new Uint32Array([
  0x0f0f_0f0e, 0x0f0f_0f0f, 0, 0x0000_0a08, 0x0000_2ffb, 0, 0xff00_00c0, 0xc0c0_0000,
]);

const MODRM_MASK = 0xc7;
const MODRM_RIP = 0x05;

/** Visits the fields of a part of a region: `from` and `to` are offsets in the file, `bytes[0]` is that at `base`. */
export function visitFields(
  bytes: Uint8Array,
  base: number,
  region: Region,
  from: number,
  to: number,
  visitor: FieldVisitor,
): void {
  const start = Math.max(region.offset, from);
  const end = Math.min(region.offset + region.bytes, to);
  if (start >= end) return;
  const shift = region.place - region.offset;
  switch (region.kind) {
    case KIND_X86_64:
      visitX86_64(bytes, start - base, end - base, shift + base, visitor);
      return;
    case KIND_AARCH64:
      visitAarch64(bytes, start - base, end - base, shift + base, visitor);
      return;
    case KIND_WORDS:
      for (let at = start + padding(start, region, 8); at + 8 <= end; at += 8) visitor.word(at - base);
      return;
    case KIND_SELF_RELATIVE:
      for (let at = start + padding(start, region, 4); at + 4 <= end; at += 4)
        visitor.distance(at - base, (at + shift) >>> 0);
      return;
    case KIND_ANCHORED:
      for (let at = start + padding(start, region, 4); at + 4 <= end; at += 4)
        visitor.distance(at - base, region.place);
      return;
  }
}

/** From an offset up to the region's next unit. */
function padding(at: number, { offset }: Region, unit: number): number {
  return (unit - ((at - offset) % unit)) % unit;
}

function visitX86_64(
  bytes: Uint8Array,
  start: number,
  end: number,
  shift: number,
  visitor: FieldVisitor,
): void {
  // The last bytes, without those of fields, the newest lowest: two words of them.
  let near = 0;
  let far = 0;
  for (let at = start; at + 5 <= end; at++) {
    const byte = bytes[at]!;
    far = ((far << 8) | (near >>> 24)) & 0xffff;
    near = (near << 8) | byte;
    const before = (near >>> 8) & 0xff;
    if (
      byte === 0xe8 ||
      byte === 0xe9 ||
      ((byte & 0xf0) === 0x80 && before === 0x0f) ||
      ((byte & MODRM_MASK) === MODRM_RIP &&
        (((OPCODES[before >>> 5]! >>> (before & 31)) & 1) !== 0 ||
          ((near >>> 16) & 0xff) === 0x0f ||
          near >>> 24 === 0xc5 ||
          (far & 0xff) === 0xc4 ||
          far >>> 8 === 0x62))
    ) {
      if (visitor.distance(at + 1, (at + 5 + shift) >>> 0)) {
        at += 4;
        near = far = 0;
      }
    }
  }
}

function visitAarch64(
  bytes: Uint8Array,
  start: number,
  end: number,
  shift: number,
  visitor: FieldVisitor,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start + ((4 - ((start + shift) & 3)) & 3); at + 4 <= end; at += 4) {
    const code = view.getUint32(at, true);
    if ((code & 0x7c00_0000) === 0x1400_0000) visitor.branch(at, (at + shift) >>> 0);
    else if ((code & 0x9f00_0000) >>> 0 === 0x9000_0000) {
      const size = at + 8 <= end ? pairedSize(code, view.getUint32(at + 4, true)) : -1;
      visitor.page(at, (at + shift) >>> 0, size);
      if (size >= 0) at += 4;
    }
  }
}

/** ADD (0) or a load or store with an unsigned offset (0 to 4) from the register that ADRP sets; else -1. */
function pairedSize(adrp: number, next: number): number {
  if ((adrp & 31) !== ((next >>> 5) & 31)) return -1;
  if ((next & 0xffc0_0000) >>> 0 === 0x9100_0000) return 0;
  if ((next & 0x3b00_0000) !== 0x3900_0000) return -1;
  // 128-bit registers have size 0 with the upper bit of opc.
  return (next & 0x0480_0000) === 0x0480_0000 ? 4 : next >>> 30;
}
