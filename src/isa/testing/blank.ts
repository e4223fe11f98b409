/** For tests and benchmarks: code with every field that a scan reports set to zero. */
import { AARCH64_FIELD_MASKS, AARCH64_LOW12_MASK, type Aarch64Scan, type X86_64Scan } from "../index.ts";

export function blankX86_64(code: Uint8Array, scan: X86_64Scan): Uint8Array {
  const blanked = code.slice();
  for (const offset of scan.fieldOffsets) blanked.fill(0, offset, offset + 4);
  return blanked;
}

export function blankAarch64(code: Uint8Array, scan: Aarch64Scan): Uint8Array {
  const blanked = code.slice();
  const view = new DataView(blanked.buffer);
  const clear = (offset: number, mask: number) =>
    view.setUint32(offset, (view.getUint32(offset, true) & ~mask) >>> 0, true);
  for (const [i, offset] of scan.fieldOffsets.entries())
    clear(offset, AARCH64_FIELD_MASKS[scan.fieldKinds[i]!]!);
  for (const offset of scan.pairUserOffsets) clear(offset, AARCH64_LOW12_MASK);
  return blanked;
}
