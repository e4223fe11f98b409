/** Bytes of a unit without what relocations fill in. */
import { type Machine, relocationField } from "../elf/index.ts";
import type { UnitRelocation } from "./model.ts";

/** A copy with every relocated field zero; the same bytes when there are no relocations. */
export function maskedBytes(
  machine: Machine,
  bytes: Uint8Array,
  relocations: readonly UnitRelocation[],
): Uint8Array {
  if (relocations.length === 0) return bytes;
  const masked = bytes.slice();
  const view = new DataView(masked.buffer, masked.byteOffset, masked.byteLength);
  for (const { offset, type } of relocations) {
    const field = relocationField(machine, type);
    if (field === undefined) continue;
    if (field.mask === undefined) masked.fill(0, offset, offset + field.sizeBytes);
    else view.setUint32(offset, view.getUint32(offset, true) & ~field.mask, true);
  }
  return masked;
}
