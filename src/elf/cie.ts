/** CIEs: what the FDEs that point to them have in common. The byte picture is in eh-frame.ts. */
import {
  DW_EH_PE_absptr,
  DW_EH_PE_omit,
  readEncodedPointer,
  readLeb128,
  UNRESOLVED,
} from "./pointer-encoding.ts";
import type { ProblemList } from "./problems.ts";
import type { FileView } from "./view.ts";

export interface Cie {
  readonly offset: number;
  /** Size of the whole record, length field included. */
  readonly sizeBytes: number;
  readonly version: number;
  readonly augmentation: string;
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  readonly returnRegister: number;
  /** Encoding of the addresses in its FDEs (R). */
  readonly fdeEncoding: number;
  /** Encoding of the LSDA pointers in its FDEs (L); DW_EH_PE_omit when they have none. */
  readonly lsdaEncoding: number;
  /** Address of the personality routine, or of its pointer when indirect; 0 for none, or `UNRESOLVED`. */
  readonly personality: number;
  /** File offset of the personality pointer; 0 for none. */
  readonly personalityField: number;
  readonly personalityIndirect: boolean;
  /** S: the frame of a signal handler. */
  readonly isSignalFrame: boolean;
  /** z: its FDEs have augmentation data with a length. */
  readonly hasAugmentationData: boolean;
  /** File offset of the initial instructions. */
  readonly instructionsOffset: number;
  /** False when something in it isn't known, so that its FDEs can't be read. */
  readonly usable: boolean;
}

interface CiePlace {
  readonly offset: number;
  /** Where the version is. */
  readonly bodyOffset: number;
  readonly end: number;
  /** Added to a file offset it gives the virtual address. */
  readonly toAddress: number;
}

type MutableCie = { -readonly [K in keyof Cie]: Cie[K] };

/** Reads one CIE; what can't be read leaves it unusable and a problem. */
export function readCie(
  view: FileView,
  place: CiePlace,
  dataBase: number | undefined,
  problems: ProblemList,
): Cie {
  const { offset, bodyOffset, end } = place;
  const cie: MutableCie = {
    offset,
    sizeBytes: end - offset,
    version: 0,
    augmentation: "",
    codeAlignment: 0,
    dataAlignment: 0,
    returnRegister: 0,
    fdeEncoding: DW_EH_PE_absptr,
    lsdaEncoding: DW_EH_PE_omit,
    personality: 0,
    personalityField: 0,
    personalityIndirect: false,
    isSignalFrame: false,
    hasAugmentationData: false,
    instructionsOffset: end,
    usable: false,
  };
  const why = fillCie(view, place, dataBase, cie);
  if (why === undefined) cie.usable = true;
  else problems.add("CIE", bodyOffset, why);
  return cie;
}

/** The augmentation has a handful of letters; more is garbage. */
const MAX_AUGMENTATION = 16;

/** Fills in what can be read; the reason why it can't be used, or undefined. */
function fillCie(
  view: FileView,
  place: CiePlace,
  dataBase: number | undefined,
  cie: MutableCie,
): string | undefined {
  const { bodyOffset, end } = place;
  if (bodyOffset >= end) return "no version";
  cie.version = view.u8(bodyOffset);
  if (cie.version !== 1 && cie.version !== 3 && cie.version !== 4) return `unknown version ${cie.version}`;
  const length = view.stringLength(bodyOffset + 1, Math.min(end, bodyOffset + 2 + MAX_AUGMENTATION));
  if (length < 0) return "the augmentation string has no end";
  cie.augmentation = view.text(bodyOffset + 1, length);
  let at = bodyOffset + length + 2;
  if (cie.version === 4) {
    if (end - at < 2) return "cut in the address size";
    if (view.u8(at) !== 8 || view.u8(at + 1) !== 0) return "an address size other than 8, or segments";
    at += 2;
  }
  if (cie.augmentation.startsWith("eh")) at += 8;
  const code = readLeb128(view, at, end, false);
  const data = code && readLeb128(view, code.next, end, true);
  if (code === undefined || data === undefined) return "cut in the alignment factors";
  cie.codeAlignment = code.value;
  cie.dataAlignment = data.value;
  const register =
    cie.version === 1 && data.next < end
      ? { value: view.u8(data.next), next: data.next + 1 }
      : readLeb128(view, data.next, end, false);
  if (register === undefined) return "cut in the return register";
  cie.returnRegister = register.value;
  cie.instructionsOffset = register.next;
  if (cie.augmentation === "" || cie.augmentation === "eh") return undefined;
  if (!cie.augmentation.startsWith("z")) return `unknown augmentation ${JSON.stringify(cie.augmentation)}`;
  cie.hasAugmentationData = true;
  const size = readLeb128(view, register.next, end, false);
  if (size === undefined || size.value > end - size.next) return "augmentation data reaches past the record";
  cie.instructionsOffset = size.next + size.value;
  return fillAugmentation(view, place, { at: size.next, end: cie.instructionsOffset }, dataBase, cie);
}

/** The data that belongs to the letters after z, in their order. */
function fillAugmentation(
  view: FileView,
  place: CiePlace,
  data: { at: number; readonly end: number },
  dataBase: number | undefined,
  cie: MutableCie,
): string | undefined {
  for (const letter of cie.augmentation.slice(1)) {
    if (letter === "S") cie.isSignalFrame = true;
    else if (letter === "L" || letter === "R") {
      if (data.at >= data.end) return `no data for ${letter}`;
      if (letter === "L") cie.lsdaEncoding = view.u8(data.at++);
      else cie.fdeEncoding = view.u8(data.at++);
    } else if (letter === "P") {
      if (data.at >= data.end) return "no data for P";
      const encoding = view.u8(data.at++);
      const bases = { address: data.at + place.toAddress, ...(dataBase !== undefined && { dataBase }) };
      const pointer = readEncodedPointer(view, data.at, data.end, encoding, bases);
      if (pointer === undefined) return "the personality pointer is cut or in an unknown encoding";
      cie.personality = pointer.value;
      cie.personalityField = encoding === DW_EH_PE_omit ? 0 : data.at;
      cie.personalityIndirect = pointer.indirect && pointer.value !== UNRESOLVED;
      data.at = pointer.next;
    } else if (letter !== "B" && letter !== "G") {
      return `unknown augmentation ${JSON.stringify(cie.augmentation)}`;
    }
  }
  return undefined;
}
