/** FDEs: one for each function, as columns. The byte picture is in eh-frame.ts. */
import type { Cie } from "./cie.ts";
import {
  DW_EH_PE_indirect,
  DW_EH_PE_omit,
  DW_EH_PE_pcrel,
  DW_EH_PE_sdata4,
  readEncodedNumber,
  readEncodedPointer,
  readLeb128,
  UNRESOLVED,
} from "./pointer-encoding.ts";
import type { ProblemList } from "./problems.ts";
import { type FileView, TOO_LARGE } from "./view.ts";

/** FDEs as columns, one entry each, in file order. */
export interface FdeColumns {
  readonly count: number;
  /** Where the record begins, with its length field. */
  readonly offset: Float64Array;
  /** Size of the whole record, length field included. */
  readonly sizeBytes: Float64Array;
  /** Index into `cies`, or -1 when its CIE pointer leads to none; the next five columns are then empty. */
  readonly cie: Int32Array;
  /** Address of the function, or `UNRESOLVED`. In object files the raw field, before relocation. */
  readonly address: Float64Array;
  /** Bytes of code that it covers. */
  readonly rangeBytes: Float64Array;
  /** Address of the language-specific data, 0 for none, or `UNRESOLVED`. */
  readonly lsda: Float64Array;
  /** Where the LSDA pointer is, counted from the beginning of the record; 0 for none. */
  readonly lsdaField: Uint32Array;
  /** Where the instructions begin, counted from the beginning of the record. */
  readonly instructions: Uint32Array;
}

/** Columns for a number of FDEs, all 0. */
export function makeColumns(count: number): FdeColumns {
  return {
    count,
    offset: new Float64Array(count),
    sizeBytes: new Float64Array(count),
    cie: new Int32Array(count),
    address: new Float64Array(count),
    rangeBytes: new Float64Array(count),
    lsda: new Float64Array(count),
    lsdaField: new Uint32Array(count),
    instructions: new Uint32Array(count),
  };
}

interface FdePlace {
  readonly at: number;
  readonly bodyAt: number;
  readonly end: number;
  readonly toAddress: number;
}

/** Fills in one entry of the columns; what can't be read stays 0 and is a problem. */
export function readFde(
  view: FileView,
  fdes: FdeColumns,
  i: number,
  place: FdePlace,
  cie: Cie,
  dataBase: number | undefined,
  problems: ProblemList,
): void {
  const { at, bodyAt, end, toAddress } = place;
  let next: number;
  if (cie.fdeEncoding === (DW_EH_PE_pcrel | DW_EH_PE_sdata4) && end - bodyAt >= 8) {
    // What nearly every compiler writes.
    const delta = view.i32(bodyAt);
    const address = bodyAt + toAddress + delta;
    fdes.address[i] = delta === 0 ? 0 : address >= 0 && address < TOO_LARGE ? address : UNRESOLVED;
    fdes.rangeBytes[i] = view.u32(bodyAt + 4);
    next = bodyAt + 8;
  } else {
    const bases = { address: bodyAt + toAddress, ...(dataBase !== undefined && { dataBase }) };
    const pointer = readEncodedPointer(view, bodyAt, end, cie.fdeEncoding, bases);
    const range = pointer && readEncodedNumber(view, pointer.next, end, cie.fdeEncoding);
    if (pointer === undefined || range === undefined) {
      fdes.address[i] = UNRESOLVED;
      problems.add("initial_location", bodyAt, "cut, or in an encoding that doesn't exist");
      return;
    }
    fdes.address[i] = pointer.indirect ? UNRESOLVED : pointer.value;
    fdes.rangeBytes[i] = range.value;
    next = range.next;
  }
  if (cie.hasAugmentationData) {
    const length = readLeb128(view, next, end, false);
    if (length === undefined || length.value > end - length.next) {
      problems.add("augmentation_length", next, "reaches past the end of the record");
      return;
    }
    next = length.next;
    const dataEnd = next + length.value;
    if (cie.lsdaEncoding !== DW_EH_PE_omit && length.value > 0) {
      const bases = { address: next + toAddress, ...(dataBase !== undefined && { dataBase }) };
      const lsda = readEncodedPointer(view, next, dataEnd, cie.lsdaEncoding & ~DW_EH_PE_indirect, bases);
      if (lsda === undefined) problems.add("LSDA", next, "cut, or in an encoding that doesn't exist");
      else {
        fdes.lsda[i] = lsda.value;
        fdes.lsdaField[i] = next - at;
      }
    }
    next = dataEnd;
  }
  fdes.instructions[i] = next - at;
}
