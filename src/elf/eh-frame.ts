/**
 * .eh_frame: call frame information, one FDE for each function.
 *
 * A run of records: length u32 (ffffffff: u64 length follows; 0: terminator), then a u32 that is 0 for a CIE and
 * for an FDE the distance back from itself to its CIE. It has 4 bytes after a 64-bit length too.
 *   CIE: version u8, augmentation string, [EH data u64 for "eh"], code alignment uleb, data alignment sleb,
 *        return register (u8 in version 1, else uleb), [z: length uleb, data for L P R], instructions
 *   FDE: first address, number of bytes (both in the CIE's R encoding), [z: length uleb, LSDA pointer], instructions
 * Source: Linux Standard Base, "Exception Frames"; B (pointer authentication) and G (memory tags): AArch64 ABI.
 *
 * FDEs stand in file order, which isn't always the order of addresses. All offsets are file offsets in bytes.
 */
import { type Area, areasNamed } from "./areas.ts";
import { type Cie, readCie } from "./cie.ts";
import type { Elf } from "./elf.ts";
import { type FdeColumns, makeColumns, readFde } from "./fde.ts";
import { type Problem, ProblemList } from "./problems.ts";
import type { FileView } from "./view.ts";

export interface EhFrame {
  readonly area: Area;
  /** Where reading ended: the end of the area, or of the last record that could be read. */
  readonly endOffset: number;
  readonly cies: readonly Cie[];
  readonly fdes: FdeColumns;
  /** Offsets of the terminators (4 zero bytes each), wherever they are. */
  readonly terminators: Float64Array;
  readonly problems: readonly Problem[];
}

/**
 * Offset, counted from the beginning of the record, of the first address of an FDE: after the length and the
 * CIE pointer.
 */
export function fdeAddressField(view: FileView, recordOffset: number): number {
  return view.u32(recordOffset) === EXTENDED ? 16 : 8;
}

const EXTENDED = 0xffff_ffff;

/** A file has one .eh_frame; an object file may have some. Columns cost 10 times the bytes, so this is bounded. */
const MAX_TABLES = 64;

/** CIEs are objects; linkers merge equal ones, and the largest programs are left with some dozens. */
const MAX_CIES = 65_536;

/**
 * Reads every .eh_frame, by section or, without one, through PT_GNU_EH_FRAME. Bounded by the size of the file:
 * tables that together are larger than it are left out.
 */
export function readEhFrames(elf: Elf): EhFrame[] {
  const frames: EhFrame[] = [];
  let budget = elf.bytes.length;
  for (const area of areasNamed(elf, ".eh_frame")) {
    if (frames.length >= MAX_TABLES || area.sizeBytes > budget) continue;
    budget -= area.sizeBytes;
    frames.push(readEhFrame(elf, area));
  }
  return frames;
}

/** Reads one .eh_frame. Never throws for what the bytes say: see `problems` and `endOffset`. */
export function readEhFrame(elf: Elf, area: Area): EhFrame {
  const { view } = elf;
  const problems = new ProblemList();
  const counts = countRecords(view, area, problems);
  const terminators = new Float64Array(counts.terminators);
  const cies: Cie[] = [];
  const fdes = makeColumns(counts.fdes);
  const cieByOffset = new Map<number, number>();
  const dataBase = gotAddress(elf);
  const toAddress = area.address - area.offset;
  let fdeIndex = 0;
  let terminatorIndex = 0;
  let cieOffset = -1;
  let cieIndex = -1;
  for (let at = area.offset; at < counts.endOffset; ) {
    const length = view.u32(at);
    if (length === 0) {
      terminators[terminatorIndex++] = at;
      at += 4;
      continue;
    }
    const extended = length === EXTENDED;
    const idAt = extended ? at + 12 : at + 4;
    const end = extended ? idAt + view.u64(at + 4) : idAt + length;
    const id = view.u32(idAt);
    if (id === 0) {
      if (cies.length >= MAX_CIES) problems.add("CIE", at, `more than ${MAX_CIES} CIEs`);
      else {
        cieByOffset.set(at, cies.length);
        cies.push(readCie(view, { offset: at, bodyOffset: idAt + 4, end, toAddress }, dataBase, problems));
      }
    } else {
      const i = fdeIndex++;
      fdes.offset[i] = at;
      fdes.sizeBytes[i] = end - at;
      if (idAt - id !== cieOffset) {
        cieOffset = idAt - id;
        cieIndex = cieByOffset.get(cieOffset) ?? -1;
      }
      fdes.cie[i] = cieIndex;
      const cie = cies[cieIndex];
      if (cie === undefined) problems.add("CIE_pointer", idAt, `no CIE at offset ${cieOffset}`);
      else if (cie.usable)
        readFde(view, fdes, i, { at, bodyAt: idAt + 4, end, toAddress }, cie, dataBase, problems);
    }
    at = end;
  }
  return {
    area,
    endOffset: counts.endOffset,
    cies,
    fdes,
    terminators,
    problems: problems.list(),
  };
}

/** Walks the lengths, so that the columns are allocated once and no larger than the records need. */
function countRecords(view: FileView, area: Area, problems: ProblemList) {
  const limit = area.offset + area.sizeBytes;
  let fdes = 0;
  let terminators = 0;
  let at = area.offset;
  let endOffset = at;
  let why = "";
  while (at < limit) {
    if (limit - at < 4) {
      why = `${limit - at} bytes are left over`;
      break;
    }
    const length = view.u32(at);
    if (length === 0) {
      terminators++;
      at += 4;
      endOffset = at;
      // Without a section the end isn't known: the terminator is the end.
      if (!area.sizeIsExact) break;
      continue;
    }
    const extended = length === EXTENDED;
    if (extended && limit - at < 12) {
      why = "a 64-bit length is cut";
      break;
    }
    const idAt = extended ? at + 12 : at + 4;
    const body = extended ? view.u64(at + 4) : length;
    if (body < 4 || body > limit - idAt) {
      why = `a record of ${body} bytes doesn't fit`;
      break;
    }
    if (view.u32(idAt) !== 0) fdes++;
    at = idAt + body;
    endOffset = at;
  }
  if (why !== "") problems.add("length", at, why);
  return { fdes, terminators, endOffset };
}

/** Base of datarel pointers in .eh_frame on the machines read here: the global offset table. */
function gotAddress(elf: Elf): number | undefined {
  const got = elf.sections.find((section) => section.isNamed(".got.plt") || section.isNamed(".got"));
  return got?.header.sh_addr;
}
