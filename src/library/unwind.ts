/** .eh_frame cut into what describes each function: an FDE with the CIE that it needs. */
import { fdeAddressField, readEhFrames } from "../elf/index.ts";
import type { CutResult } from "./cut.ts";
import type { UnitRelocation, UnwindEntry } from "./model.ts";
import { broken, type ObjectFile, type ObjectRelocation, refuse } from "./object-file.ts";
import type { Resolver } from "./references.ts";

/** An entry, and the unit of its exception table if it has one. */
export interface UnwindDraft extends UnwindEntry {
  readonly lsda: number | undefined;
}

/** The unwind entries of all units, in the order of the objects. Errors: `invalid`, `unsupported`. */
export function readUnwind(
  objects: readonly ObjectFile[],
  cut: CutResult,
  resolver: Resolver,
): UnwindDraft[] {
  return objects.flatMap((object) => readObjectUnwind(object, cut, resolver));
}

function readObjectUnwind(object: ObjectFile, cut: CutResult, resolver: Resolver): UnwindDraft[] {
  const entries: UnwindDraft[] = [];
  const fates = cut.fates[object.index]!;
  for (const section of object.elf.sections)
    if (fates[section.index]!.kind === "unwind" && !section.isNamed(".eh_frame"))
      throw refuse(object, `${section.name}: unwind tables under another name than .eh_frame`);
  for (const frame of readEhFrames(object.elf)) {
    const { area, fdes, cies, problems } = frame;
    if (area.section === undefined || fates[area.section]!.kind !== "unwind") continue;
    const [problem] = problems;
    if (problem !== undefined) throw broken(object, `.eh_frame ${problem.field}`, problem.why);
    const relocations = object.relocations.get(area.section) ?? [];
    /** Relocations of a record, resolved, with offsets from its beginning. */
    const within = (start: number, sizeBytes: number): UnitRelocation[] => {
      const from = start - area.offset;
      return between(relocations, from, from + sizeBytes).map((relocation) =>
        resolver.resolve(object, relocation, from, ".eh_frame"),
      );
    };
    const bytesAt = (start: number, sizeBytes: number) => object.elf.bytes.subarray(start, start + sizeBytes);
    const cieRelocations = cies.map(() => undefined as UnitRelocation[] | undefined);
    for (let i = 0; i < fdes.count; i++) {
      const [start, sizeBytes, number] = [fdes.offset[i]!, fdes.sizeBytes[i]!, fdes.cie[i]!];
      const cie = cies[number];
      if (cie === undefined)
        throw broken(object, ".eh_frame CIE_pointer", `no CIE for the entry at ${start}`);
      const field = fdeAddressField(object.elf.view, start);
      const pointer = between(relocations, start - area.offset + field, start - area.offset + field + 1)[0];
      if (pointer === undefined)
        throw refuse(object, `.eh_frame: the entry at ${start - area.offset} names no function`);
      // What describes a function of a dropped group is dropped with it.
      if (resolver.isDropped(object, pointer)) continue;
      const fdeRelocations = within(start, sizeBytes);
      const { target } = fdeRelocations.find(({ offset }) => offset === field)!;
      if (target.kind !== "unit")
        throw refuse(
          object,
          `.eh_frame: the entry at ${start - area.offset} describes no code of its object`,
        );
      cieRelocations[number] ??= within(cie.offset, cie.sizeBytes);
      const lsdaField = fdes.lsdaField[i]!;
      const lsda = fdeRelocations.find(({ offset }) => lsdaField !== 0 && offset === lsdaField)?.target;
      entries.push({
        unit: target.unit,
        object: object.index,
        cie: bytesAt(cie.offset, cie.sizeBytes),
        cieRelocations: cieRelocations[number],
        fde: bytesAt(start, sizeBytes),
        fdeRelocations,
        lsda: lsda?.kind === "unit" ? lsda.unit : undefined,
      });
    }
  }
  return entries;
}

/** The relocations with offsets from `from` to before `end`, of a list that is sorted by offset. */
function between(
  relocations: readonly ObjectRelocation[],
  from: number,
  end: number,
): readonly ObjectRelocation[] {
  let low = 0;
  let high = relocations.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (relocations[middle]!.offset < from) low = middle + 1;
    else high = middle;
  }
  let last = low;
  while (last < relocations.length && relocations[last]!.offset < end) last++;
  return relocations.slice(low, last);
}
