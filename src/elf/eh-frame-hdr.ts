/**
 * .eh_frame_hdr: the index that the unwinder searches.
 *
 *   0  version u8 (1), eh_frame_ptr_enc u8, fde_count_enc u8, table_enc u8
 *   4  eh_frame_ptr, fde_count, then the table: pairs of function address and FDE address, by address
 *
 * Linkers write 01 1b 03 3b: pointer pcrel sdata4, count udata4, table datarel sdata4 (relative to the beginning
 * of .eh_frame_hdr). All of it follows from .eh_frame, so it can be derived: `buildEhFrameHdr`.
 */
import { areasNamed } from "./areas.ts";
import type { EhFrame } from "./eh-frame.ts";
import type { Elf } from "./elf.ts";
import {
  DW_EH_PE_datarel,
  DW_EH_PE_omit,
  DW_EH_PE_pcrel,
  DW_EH_PE_sdata4,
  DW_EH_PE_udata4,
  readEncodedNumber,
  readEncodedPointer,
  UNRESOLVED,
} from "./pointer-encoding.ts";
import { type Problem, ProblemList } from "./problems.ts";

export interface EhFrameHdr {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly address: number;
  readonly version: number;
  readonly ehFramePtrEncoding: number;
  readonly fdeCountEncoding: number;
  readonly tableEncoding: number;
  /** Address of .eh_frame, or `UNRESOLVED`. */
  readonly ehFrameAddress: number;
  /** Entries that the header states; 0 when the table is omitted. */
  readonly fdeCount: number;
  /** File offset of the table. */
  readonly tableOffset: number;
  /** Function and FDE addresses of the table; empty when it isn't in the usual encoding or is cut. */
  readonly functions: Float64Array;
  readonly fdes: Float64Array;
  readonly problems: readonly Problem[];
}

/** The one table encoding that linkers write and unwinders search. */
const TABLE_ENCODING = DW_EH_PE_datarel | DW_EH_PE_sdata4;

/** Reads .eh_frame_hdr by section or PT_GNU_EH_FRAME; undefined when there is none or it has no header. */
export function readEhFrameHdr(elf: Elf): EhFrameHdr | undefined {
  const area = areasNamed(elf, ".eh_frame_hdr")[0];
  if (area === undefined || area.sizeBytes < 4) return undefined;
  const { view } = elf;
  const { offset, sizeBytes, address } = area;
  const end = offset + sizeBytes;
  const problems = new ProblemList();
  const hdr = {
    offset,
    sizeBytes,
    address,
    version: view.u8(offset),
    ehFramePtrEncoding: view.u8(offset + 1),
    fdeCountEncoding: view.u8(offset + 2),
    tableEncoding: view.u8(offset + 3),
    ehFrameAddress: UNRESOLVED,
    fdeCount: 0,
    tableOffset: end,
    functions: new Float64Array(0),
    fdes: new Float64Array(0),
  };
  const finish = (field: string, at: number, why: string): EhFrameHdr => {
    problems.add(field, at, why);
    return { ...hdr, problems: problems.list() };
  };
  if (hdr.version !== 1) return finish("version", offset, `unknown version ${hdr.version}`);
  const bases = { address: address + 4, dataBase: address };
  const pointer = readEncodedPointer(view, offset + 4, end, hdr.ehFramePtrEncoding, bases);
  if (pointer === undefined) return finish("eh_frame_ptr", offset + 4, "cut, or in an unknown encoding");
  hdr.ehFrameAddress = pointer.value;
  if (hdr.fdeCountEncoding === DW_EH_PE_omit) return { ...hdr, tableOffset: pointer.next, problems: [] };
  const count = readEncodedNumber(view, pointer.next, end, hdr.fdeCountEncoding);
  if (count === undefined) return finish("fde_count", pointer.next, "cut, or in an unknown encoding");
  hdr.fdeCount = count.value;
  hdr.tableOffset = count.next;
  if (hdr.tableEncoding === DW_EH_PE_omit) return { ...hdr, problems: [] };
  if (hdr.tableEncoding !== TABLE_ENCODING) {
    return finish("table_enc", offset + 3, `table encoding ${hdr.tableEncoding} is not read`);
  }
  if (hdr.fdeCount < 0 || hdr.fdeCount * 8 > end - hdr.tableOffset) {
    return finish("fde_count", pointer.next, `${hdr.fdeCount} entries don't fit`);
  }
  hdr.functions = new Float64Array(hdr.fdeCount);
  hdr.fdes = new Float64Array(hdr.fdeCount);
  for (let i = 0; i < hdr.fdeCount; i++) {
    hdr.functions[i] = address + view.i32(hdr.tableOffset + 8 * i);
    hdr.fdes[i] = address + view.i32(hdr.tableOffset + 8 * i + 4);
  }
  return { ...hdr, problems: problems.list() };
}

/** What linkers do differently when they make the table. */
export interface EhFrameHdrRules {
  /** Of several FDEs with one function address only the first in .eh_frame is listed (lld). */
  readonly unique: boolean;
}

/**
 * The bytes that .eh_frame_hdr would have: header and a table of all FDEs, by function address, equal ones in
 * file order. Undefined when an address is unresolved or a distance doesn't fit into 32 bits. To be compared with
 * the real bytes: a linker may have done otherwise.
 */
export function buildEhFrameHdr(
  frame: EhFrame,
  place: { readonly address: number },
  rules: EhFrameHdrRules,
): Uint8Array | undefined {
  const { address } = place;
  const { count, offset, address: functions } = frame.fdes;
  const toAddress = frame.area.address - frame.area.offset;
  const order = sortedOrder(functions, count);
  const bytes = new Uint8Array(12 + 8 * count);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  bytes[1] = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
  bytes[2] = DW_EH_PE_udata4;
  bytes[3] = TABLE_ENCODING;
  const pointer = frame.area.address - (address + 4);
  if (!fits(pointer)) return undefined;
  view.setInt32(4, pointer, true);
  let written = 0;
  let previous = -1;
  for (const i of order) {
    const from = functions[i]!;
    if (from === UNRESOLVED) return undefined;
    if (rules.unique && from === previous) continue;
    previous = from;
    const function_ = from - address;
    const fde = offset[i]! + toAddress - address;
    if (!fits(function_) || !fits(fde)) return undefined;
    view.setInt32(12 + 8 * written, function_, true);
    view.setInt32(16 + 8 * written, fde, true);
    written++;
  }
  view.setUint32(8, written, true);
  return bytes.subarray(0, 12 + 8 * written);
}

function fits(value: number): boolean {
  return value >= -(2 ** 31) && value < 2 ** 31;
}

/** Indexes by value, equal values by index. */
function sortedOrder(values: Float64Array, count: number): Uint32Array {
  const order = new Uint32Array(count);
  let sorted = true;
  for (let i = 0; i < count; i++) {
    order[i] = i;
    if (i > 0 && values[i]! < values[i - 1]!) sorted = false;
  }
  return sorted ? order : order.sort((a, b) => values[a]! - values[b]! || a - b);
}
