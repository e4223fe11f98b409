/** Where Go's function addresses count from, when the table of functions doesn't say. See go-functions.ts. */
import { segmentsToSearch } from "./areas.ts";
import { PF_W } from "./constants.ts";
import { type Elf, sectionNamed } from "./elf.ts";
import { relocationClass } from "./relocation-types.ts";
import { readRelocationTables } from "./relocations.ts";
import { readSymbolTables } from "./symbols.ts";

export type TextStartSource = "header" | "relocation" | "moduledata" | "symbol" | "section" | "none";

/** Position of `text` in moduledata, in words of 8 bytes: one pointer, six slices, findfunctab, minpc, maxpc. */
const MODULEDATA_TEXT_WORD = 22;

/** Finds the beginning of the Go code for a function table at a place; address 0 and "none" without an answer. */
export function findTextStart(
  elf: Elf,
  table: { readonly offset: number; readonly address: number; readonly namesAddress: number },
): { readonly address: number; readonly source: TextStartSource } {
  const stated = elf.view.u64(table.offset + 24);
  if (stated !== 0) return { address: stated, source: "header" };
  const relocated = relativeAddends(elf, (address) => address === table.address + 24).get(table.address + 24);
  if (relocated !== undefined) return { address: relocated, source: "relocation" };
  const inData = throughModuledata(elf, table);
  if (inData !== undefined) return { address: inData, source: "moduledata" };
  const symbol = symbolValue(elf, "runtime.text");
  if (symbol !== undefined) return { address: symbol, source: "symbol" };
  const text = sectionNamed(elf, ".text");
  if (text !== undefined && text.header.sh_addr !== 0)
    return { address: text.header.sh_addr, source: "section" };
  return { address: 0, source: "none" };
}

/** Addends of the RELATIVE relocations of the addresses that are wanted. */
function relativeAddends(
  elf: Elf,
  wanted: (address: number, addend: number) => boolean,
): Map<number, number> {
  const found = new Map<number, number>();
  for (const table of readRelocationTables(elf)) {
    if (table.kind !== "rela" || table.target !== 0) continue;
    for (let i = 0; i < table.count; i++) {
      if (!wanted(table.r_offset(i), table.r_addend(i))) continue;
      if (relocationClass(elf.machine, table.type(i)) === "relative")
        found.set(table.r_offset(i), table.r_addend(i));
    }
    if (found.size > 0) break;
  }
  return found;
}

/** moduledata points to the table and to its names; its pointers are in the file or in relocations. */
function throughModuledata(
  elf: Elf,
  table: { readonly address: number; readonly namesAddress: number },
): number | undefined {
  const { view } = elf;
  const accept = (text: number | undefined) => text !== undefined && elf.addresses.isExecutable(text);
  for (const { header } of segmentsToSearch(elf, PF_W)) {
    const end = header.p_offset + header.p_filesz - 8 * (MODULEDATA_TEXT_WORD + 1);
    const low = table.address >>> 0;
    for (let at = header.p_offset + ((8 - (header.p_vaddr % 8)) % 8); at <= end; at += 8) {
      if (view.u32(at) !== low || view.u64(at) !== table.address) continue;
      if (view.u64(at + 8) !== table.namesAddress) continue;
      const text = view.u64(at + 8 * MODULEDATA_TEXT_WORD);
      if (accept(text)) return text;
    }
  }
  const pointers = relativeAddends(elf, (_, addend) => addend === table.address);
  for (const moduledata of [...pointers.keys()].slice(0, MAX_CANDIDATES)) {
    const field = moduledata + 8 * MODULEDATA_TEXT_WORD;
    const text = relativeAddends(elf, (address) => address === field).get(field);
    if (accept(text)) return text;
  }
  return undefined;
}

/** Pointers to the table that may be moduledata's: each costs one pass over the relocations, real files have 2. */
const MAX_CANDIDATES = 8;

function symbolValue(elf: Elf, name: string): number | undefined {
  const { symtab } = readSymbolTables(elf);
  if (symtab === undefined) return undefined;
  for (let i = 0; i < symtab.count; i++) if (symtab.isNamed(i, name)) return symtab.st_value(i);
  return undefined;
}
