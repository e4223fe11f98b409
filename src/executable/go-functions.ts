/**
 * Go's .gopclntab: a record for each function, tables of pc values, names, files; and the inlining trees.
 *
 * A record (Go 1.18 and later), u32 each: 0 entry, 4 name, 8 args, 12 deferreturn, 16 pcsp, 20 pcfile, 24 pcln,
 * 28 npcdata, 32 unit, [1.20: 36 start line], function id u8, flag u8, 0 u8, nfuncdata u8, then pc-value offsets,
 * then funcdata offsets. An entry of an inlining tree, 16 bytes (1.20): 0 function id u8, 4 name, 8 parent pc,
 * 12 start line; 20 bytes (1.18): 0 parent i16, 2 function id u8, 4 file, 8 line, 12 name, 16 parent pc.
 * Stack objects: their number u64, then 16 bytes each: offset i32, size i32, pointer bytes i32, bitmap u32 (from rodata).
 * Source: Go's runtime/runtime2.go, runtime/symtabinl.go.
 */
import type { FileView } from "../elf/index.ts";
import { DerivedRule } from "./derived-tables.ts";
import type { DataNotes } from "./dissect-data.ts";
import { regionAt } from "./dissect-data.ts";
import type { Marks } from "./dissect-marks.ts";
import { type Region, Role } from "./dissect-regions.ts";
import { fileOffset, type GoLayout } from "./go-layout.ts";
import type { Bases } from "./references-fields.ts";
import { ReferenceKind } from "./types.ts";

/** Funcdata that isn't there. */
const NO_FUNCDATA = 0xffff_ffff;
/** Numbers of the funcdata that are the stack objects and the inlining tree. */
const STACK_OBJECTS = 2;
const INLINE_TREE = 3;
/** Span of text that an entry of findfunctab covers, and its size. */
export const BUCKET_TEXT_BYTES = 4096;
export const BUCKET_BYTES = 20;
export const PART_TEXT_BYTES = 256;

/** Bytes of a record before its lists. */
export function recordBytes(version: string): number {
  return version === "1.18" ? 40 : 44;
}

/** Size of the record at an offset with its lists, rounded up to words of 8 bytes. */
export function wholeRecordBytes(view: DataView, at: number, fixed: number): number {
  const lists = view.getUint32(at + 28, true) + view.getUint8(at + fixed - 1);
  return Math.ceil((fixed + 4 * lists) / 8) * 8;
}

export function noteGoFunctions(
  view: FileView,
  layout: GoLayout,
  regions: readonly Region[],
  marks: Marks,
  notes: DataNotes,
): void {
  const { table, bases, recordsEnd } = layout;
  if (regionAt(regions, table.offset)?.role !== Role.goFunctions) return;
  const note = (at: number, kind: number, offset: number) => {
    if (marks.label(bases[kind]! + offset)) marks.site(at, kind);
  };
  for (const part of [table.namesOffset, table.unitsOffset, table.filesOffset, table.pcValuesOffset])
    marks.cut(part);
  for (let at = table.unitsOffset; at + 4 <= table.filesOffset; at += 4) {
    const offset = view.u32(at);
    // Units pad their lists with ~0.
    if (offset < table.pcValuesOffset - table.filesOffset) note(at, ReferenceKind.goFile, offset);
  }
  const fixed = recordBytes(table.version);
  const firstRecord = table.records[0]!;
  const trees = new Set<number>();
  const objects = new Set<number>();
  const inOrder = isContiguous(view, layout, fixed);
  if (inOrder) {
    // The last entry of functab, the end of the code, has no record.
    const last = table.functionsOffset + 8 * table.count;
    marks.cut(table.functionsOffset);
    notes.derived.set(table.functionsOffset, { rule: DerivedRule.goFunctions, end: last });
    marks.cut(last);
    note(last, ReferenceKind.goText, view.u32(last));
    marks.cut(firstRecord);
  }
  for (let i = 0; i < table.count; i++) {
    const at = table.records[i]!;
    if (at + fixed > recordsEnd) continue;
    const pcdata = view.u32(at + 28);
    const funcdata = view.u8(at + fixed - 1);
    if (at + fixed + 4 * (pcdata + funcdata) > recordsEnd) continue;
    marks.cut(at);
    note(at, ReferenceKind.goText, view.u32(at));
    note(at + 4, ReferenceKind.goName, view.u32(at + 4));
    for (const field of [16, 20, 24]) {
      if (view.u32(at + field) !== 0) note(at + field, ReferenceKind.goPcValue, view.u32(at + field));
    }
    note(at + 32, ReferenceKind.goUnit, 4 * view.u32(at + 32));
    const lists = at + fixed;
    for (let j = 0; j < pcdata; j++) {
      const offset = view.u32(lists + 4 * j);
      if (offset !== 0) note(lists + 4 * j, ReferenceKind.goPcValue, offset);
    }
    for (let j = 0; j < funcdata; j++) {
      const field = lists + 4 * (pcdata + j);
      const offset = view.u32(field);
      if (offset === NO_FUNCDATA) continue;
      note(field, ReferenceKind.goFuncdata, offset);
      if (j === STACK_OBJECTS) objects.add(bases[ReferenceKind.goFuncdata]! + offset);
      if (j === INLINE_TREE) trees.add(bases[ReferenceKind.goFuncdata]! + offset);
    }
  }
  if (recordsEnd < table.limitOffset) marks.cut(recordsEnd);
  noteStackObjects(view, bases, objects, marks);
  noteTrees(view, layout, regions, trees, marks);
  noteFindFunctions(layout, regions, marks, notes);
}

/** Records behind functab, one after the other in order: what the rule that derives functab needs. */
function isContiguous(view: FileView, { table, recordsEnd }: GoLayout, fixed: number): boolean {
  let at = table.records[0]!;
  for (let i = 0; i < table.count; i++) {
    if (table.records[i] !== at || at + fixed > recordsEnd) return false;
    at += wholeRecordBytes(view.data, at, fixed);
  }
  return true;
}

function noteStackObjects(view: FileView, bases: Bases, lists: ReadonlySet<number>, marks: Marks): void {
  // Lists don't overlap: all together are no longer than the file.
  let budget = view.length;
  for (const list of lists) {
    const at = fileOffset(marks.map, list);
    if (at < 0 || !view.has(at, 8)) continue;
    const bytes = 16 * view.u64(at);
    if (bytes > budget || !view.has(at + 8, bytes)) continue;
    budget -= bytes;
    for (let field = at + 8 + 12; field < at + 8 + bytes; field += 16) {
      if (marks.label(bases[ReferenceKind.goRodata]! + view.u32(field)))
        marks.site(field, ReferenceKind.goRodata);
    }
  }
}

/** Inlining trees end where the next thing is named. */
function noteTrees(
  view: FileView,
  { table, bases }: GoLayout,
  regions: readonly Region[],
  trees: ReadonlySet<number>,
  marks: Marks,
): void {
  const is118 = table.version === "1.18";
  const entryBytes = is118 ? 20 : 16;
  const nameField = is118 ? 12 : 4;
  const names = table.unitsOffset - table.namesOffset;
  for (const tree of trees) {
    const start = fileOffset(marks.map, tree);
    const region = regionAt(regions, start);
    if (region === undefined) continue;
    for (let at = start; at + entryBytes <= region.end; at += entryBytes) {
      if (at > start && marks.isNamed(at)) break;
      const name = view.u32(at + nameField);
      if (name >= names || view.u8(table.namesOffset + name - 1) !== 0) break;
      if (!is118 && (view.u32(at) & 0xffff_ff00) !== 0) break;
      if (marks.label(bases[ReferenceKind.goName]! + name)) marks.site(at + nameField, ReferenceKind.goName);
    }
  }
}

/** findfunctab has an entry for each 4096 bytes of text, the last cut after the 256 bytes that there are. */
function noteFindFunctions(
  { table, findFunctions }: GoLayout,
  regions: readonly Region[],
  marks: Marks,
  notes: DataNotes,
): void {
  const region = regionAt(regions, findFunctions);
  if (region?.role !== Role.data && region?.role !== Role.goFunctions) return;
  const textBytes = table.addresses[table.count]! - table.textStart;
  const end =
    findFunctions + 4 * Math.ceil(textBytes / BUCKET_TEXT_BYTES) + Math.ceil(textBytes / PART_TEXT_BYTES);
  if (end > region.end || notes.derived.has(findFunctions)) return;
  marks.cut(findFunctions);
  marks.cut(end);
  notes.derived.set(findFunctions, { rule: DerivedRule.goFindFunctions, end });
}
