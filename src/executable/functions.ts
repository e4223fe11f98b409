/** The functions of an executable, by name where it says names, with content that doesn't depend on where they are. */
import {
  type Elf,
  goFunctionName,
  parseElf,
  readGoFunctions,
  readSymbolTables,
  STT_FUNC,
  STT_GNU_IFUNC,
  type SymbolTable,
} from "../elf/index.ts";
import { type Located, located } from "./code-library.ts";
import { dissect } from "./dissect.ts";
import { pieceHashes } from "./match-identity.ts";
import { PieceKind } from "./types.ts";

/** Functions as columns, in file order: one for each piece of code; in object files one for each symbol. */
export interface Functions {
  readonly count: number;
  readonly dissection: Located;
  /** The piece in which each begins. */
  readonly piece: Uint32Array;
  /** Where each begins in the file. */
  readonly offset: Float64Array;
  /** The number of the function that is a piece, -1 for pieces of other kinds. */
  readonly ofPiece: Int32Array;
  /** Bytes with the fill behind them, and without it where a symbol says how long the function is. */
  readonly wholeBytes: Float64Array;
  readonly bytes: Float64Array;
  /** Virtual address; -1 in object files. */
  readonly address: Float64Array;
  /** Names as they are in the file; empty for functions without one. */
  readonly name: readonly string[];
  /** What stays the same of a name from one build to the next. */
  readonly key: readonly string[];
  readonly hash: Float64Array;
}

interface Named {
  name: string;
  bytes: number;
}

/** Takes a file apart into its functions. Errors: as `dissect`. Memory: about ten times the file. */
export function findFunctions(file: Uint8Array): Functions {
  const dissection = located(dissect(file, { prove: false }));
  const elf = parseElf(file);
  const names = namesByOffset(elf);
  const { pieces, blanked } = dissection;
  const isObject = elf.kind === "object";
  const found: number[] = [];
  for (let i = 0; i < pieces.count; i++) {
    // Object files are cut at their functions, but nothing in them is taken for code.
    const isFunction = isObject ? names.has(pieces.offset[i]!) : pieces.kind[i] === PieceKind.code;
    if (isFunction && pieces.length[i]! > 0) found.push(i);
  }
  const ofPiece = new Int32Array(pieces.count).fill(-1);
  const wholeBytes = new Float64Array(found.length);
  const bytes = new Float64Array(found.length);
  const name: string[] = [];
  const hashes = pieceHashes(dissection);
  const hash = new Float64Array(found.length);
  for (const [i, piece] of found.entries()) {
    ofPiece[piece] = i;
    const offset = pieces.offset[piece]!;
    const symbol = names.get(offset);
    const stated = symbol?.bytes ?? 0;
    const length = isObject ? Math.min(stated, file.length - offset) : pieces.length[piece]!;
    wholeBytes[i] = length;
    bytes[i] = stated > 0 && stated < length ? stated : length;
    hash[i] = isObject ? hashBytes(blanked.subarray(offset, offset + length)) : hashes[piece]!;
    name.push(symbol?.name ?? "");
  }
  return {
    count: found.length,
    dissection,
    piece: Uint32Array.from(found),
    offset: Float64Array.from(found, (piece) => pieces.offset[piece]!),
    ofPiece,
    wholeBytes,
    bytes,
    address: Float64Array.from(found, (piece) => pieces.address[piece]!),
    name,
    key: name.map(stableName),
    hash,
  };
}

/** FNV-1a over 32 bits: only to find candidates, whose bytes are compared. */
function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * A mangled name without what compilers make from versions and from the whole program: the hash at the end of Rust's
 * older names, the crate's disambiguator in its newer ones, the number that LLVM gives promoted local functions.
 */
export function stableName(name: string): string {
  if (name.startsWith("_ZN")) return name.replace(/17h[0-9a-f]{16}E/, "E").replace(/\.llvm\.\d+$/, "");
  if (name.startsWith("_R")) return name.replace(/Cs[0-9A-Za-z]+_/g, "C").replace(/\.llvm\.\d+$/, "");
  return name.replace(/\.llvm\.\d+$/, "");
}

/** Names by where in the file the function begins. Of several names the shortest, then the first by code units. */
function namesByOffset(elf: Elf): Map<number, Named> {
  const names = new Map<number, Named>();
  const put = (offset: number | undefined, name: string, bytes: number) => {
    if (offset === undefined || name === "") return;
    const known = names.get(offset);
    const isBetter =
      known === undefined ||
      name.length < known.name.length ||
      (name.length === known.name.length && name < known.name);
    if (isBetter) names.set(offset, { name, bytes: Math.max(bytes, known?.bytes ?? 0) });
    else known.bytes = Math.max(known.bytes, bytes);
  };
  const { symtab, dynsym } = readSymbolTables(elf);
  const table = symtab ?? dynsym;
  if (table !== undefined) {
    for (let i = 0; i < table.count; i++) {
      const type = table.type(i);
      if ((type !== STT_FUNC && type !== STT_GNU_IFUNC) || table.st_shndx(i) === 0) continue;
      put(fileOffset(elf, table, i), table.name(i), table.st_size(i));
    }
  }
  const go = readGoFunctions(elf);
  if (go === undefined || go.textStartSource === "none") return names;
  for (let i = 0; i < go.count; i++) {
    put(elf.addresses.offsetOf(go.addresses[i]!), goFunctionName(elf, go, i), 0);
  }
  return names;
}

function fileOffset(elf: Elf, table: SymbolTable, index: number): number | undefined {
  const value = table.st_value(index);
  if (elf.kind !== "object") return elf.addresses.offsetOf(value);
  const section = elf.sections[table.sectionIndex(index)];
  return section === undefined ? undefined : section.header.sh_offset + value;
}
