/** Unwind tables: one piece a record, with the references of FDEs and CIEs; exception tables cut where FDEs point. */
import {
  DW_EH_PE_indirect,
  DW_EH_PE_pcrel,
  DW_EH_PE_sdata4,
  type EhFrame,
  type Elf,
  readEhFrameHdr,
} from "../elf/index.ts";
import { DerivedRule } from "./derived-tables.ts";
import { INDEX_HEADER_BYTES } from "./derived-unwind.ts";
import { type DataNotes, regionAt } from "./dissect-data.ts";
import type { Marks } from "./dissect-marks.ts";
import { type Region, Role } from "./dissect-regions.ts";
import { ReferenceKind } from "./types.ts";

/** The one encoding whose fields are references: 4 bytes, relative to themselves. */
const RELATIVE_4 = DW_EH_PE_pcrel | DW_EH_PE_sdata4;

export function noteUnwind(
  elf: Elf,
  frames: readonly EhFrame[],
  regions: readonly Region[],
  marks: Marks,
  notes: DataNotes,
): void {
  if (elf.kind === "object") return;
  for (const frame of frames) noteFrame(elf, frame, regions, marks);
  noteIndex(elf, frames, regions, marks, notes);
}

function noteFrame(elf: Elf, frame: EhFrame, regions: readonly Region[], marks: Marks): void {
  const { offset, address: areaAddress } = frame.area;
  const region = regionAt(regions, offset);
  if (region?.role !== Role.unwind || region.offset !== offset || region.address !== areaAddress) return;
  const toAddress = areaAddress - offset;
  const { view } = elf;
  for (const cie of frame.cies) {
    marks.cut(cie.offset);
    const field = cie.personalityField;
    if (field === 0 || !cie.usable) continue;
    const encoding = view.u8(field - 1) & ~DW_EH_PE_indirect;
    if (encoding !== RELATIVE_4 || view.i32(field) === 0) continue;
    if (marks.label(field + toAddress + view.i32(field))) marks.site(field, ReferenceKind.field32);
  }
  const { fdes } = frame;
  for (let i = 0; i < fdes.count; i++) {
    const at = fdes.offset[i]!;
    marks.cut(at);
    const cie = frame.cies[fdes.cie[i]!];
    // 64-bit records, which nobody writes, have their fields elsewhere.
    if (cie === undefined || !cie.usable || view.u32(at) === 0xffff_ffff) continue;
    if (cie.fdeEncoding !== RELATIVE_4) continue;
    const function_ = at + 8;
    if (!marks.label(function_ + toAddress + view.i32(function_))) continue;
    marks.site(at + 4, ReferenceKind.back32);
    marks.site(function_, ReferenceKind.field32);
    const lsdaField = fdes.lsdaField[i]!;
    if (lsdaField === 0 || (cie.lsdaEncoding & ~DW_EH_PE_indirect) !== RELATIVE_4) continue;
    const lsda = at + lsdaField;
    if (view.i32(lsda) === 0) continue;
    const target = lsda + toAddress + view.i32(lsda);
    if (marks.label(target)) marks.site(lsda, ReferenceKind.field32);
  }
  for (const at of frame.terminators) marks.cut(at);
  if (frame.endOffset < region.end) marks.cut(frame.endOffset);
}

/** .eh_frame_hdr: a pointer to .eh_frame, the number of entries, and a table that is derived. */
function noteIndex(
  elf: Elf,
  frames: readonly EhFrame[],
  regions: readonly Region[],
  marks: Marks,
  notes: DataNotes,
): void {
  const index = readEhFrameHdr(elf);
  if (index === undefined || index.fdeCount === 0) return;
  const region = regionAt(regions, index.offset);
  if (region?.role !== Role.unwindIndex || region.offset !== index.offset) return;
  const table = index.offset + INDEX_HEADER_BYTES;
  if (index.tableOffset !== table || index.functions.length === 0) return;
  const pointer = index.offset + 4;
  if (
    index.ehFramePtrEncoding === RELATIVE_4 &&
    marks.label(pointer + region.address - region.offset + elf.view.i32(pointer))
  )
    marks.site(pointer, ReferenceKind.field32);
  marks.cut(table);
  const end = table + 8 * index.fdeCount;
  if (end < region.end) marks.cut(end);
  const records = frames.reduce((sum, frame) => sum + frame.fdes.count, 0);
  const rule = index.fdeCount === records ? DerivedRule.unwindIndex : DerivedRule.uniqueUnwindIndex;
  notes.derived.set(table, { rule, end });
}
