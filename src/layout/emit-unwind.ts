/** .eh_frame of a version: the entries of its functions, each CIE once. */
import { ByteWriter, toHex } from "../bytes/index.ts";
import { type ObjectRelocation, type ObjectSection, SHF_ALLOC, SHT_PROGBITS } from "../elf/index.ts";
import type { UnitRelocation, UnwindEntry } from "../library/index.ts";

/** Makes a relocation of the object from one of an entry; `unit` is the function that the entry describes. */
export type EmitRelocation = (unit: number, relocation: UnitRelocation, at: number) => ObjectRelocation;

/** Offsets of the two fields that every record begins with: its length, and the distance to its CIE. */
const POINTER_FIELD = 4;

/** The section, or undefined without entries. Entries keep the given order, a CIE stands before its first one. */
export function emitUnwind(entries: readonly UnwindEntry[], emit: EmitRelocation): ObjectSection | undefined {
  if (entries.length === 0) return undefined;
  const out = new ByteWriter(1 << 16);
  const relocations: ObjectRelocation[] = [];
  const cies = new Map<string, number>();
  const add = (unit: number, record: Uint8Array, own: readonly UnitRelocation[]): number => {
    const at = out.length;
    out.raw(record);
    for (const relocation of own) relocations.push(emit(unit, relocation, at + relocation.offset));
    return at;
  };
  for (const { unit, cie, cieRelocations, fde, fdeRelocations } of entries) {
    const targets = cieRelocations.map((relocation) => {
      const { target, type, addend } = emit(unit, relocation, relocation.offset);
      return `${relocation.offset} ${type} ${addend} ${"symbol" in target ? `y${target.symbol}` : `n${target.section}`}`;
    });
    const key = `${toHex(cie)} ${targets.join()}`;
    let cieAt = cies.get(key);
    if (cieAt === undefined) {
      cieAt = add(unit, cie, cieRelocations);
      cies.set(key, cieAt);
    }
    const at = add(unit, fde, fdeRelocations);
    out.patchU32(at + POINTER_FIELD, at + POINTER_FIELD - cieAt);
  }
  return {
    ...{ name: ".eh_frame", type: SHT_PROGBITS, flags: SHF_ALLOC, alignment: 8, bytes: out.finish() },
    relocations,
  };
}
