/** For isa-oracle.ts: comparing the AArch64 rules with GNU objdump's reading of the same file. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH19,
  AARCH64_BRANCH26,
  AARCH64_LITERAL19,
  type Aarch64Scan,
  aarch64Distance,
  scanAarch64,
} from "../src/isa/index.ts";
import type { CodeSection } from "../src/isa/testing/code-sections.ts";

export interface ObjdumpReport {
  /** Instructions that objdump names; what it doesn't is data to it, and not compared. */
  compared: number;
  fields: number;
  pairs: number;
  /** Kind of difference, with the number of cases and the first of them. */
  readonly classes: Map<string, { count: number; example: string }>;
}

const PAGE_BYTES = 4096;

/** Kind of field by objdump's mnemonic and operands. */
function expectedKind(mnemonic: string, operands: string): number {
  if (mnemonic === "b" || mnemonic === "bl") return AARCH64_BRANCH26;
  if (/^bc?\./.test(mnemonic) || mnemonic === "cbz" || mnemonic === "cbnz") return AARCH64_BRANCH19;
  if (mnemonic === "tbz" || mnemonic === "tbnz") return AARCH64_BRANCH14;
  if (mnemonic === "adr") return AARCH64_ADR21;
  if (mnemonic === "adrp") return AARCH64_ADRP21;
  const literal = /^(ldr|ldrsw|prfm)$/.test(mnemonic) && !operands.includes("[");
  return literal ? AARCH64_LITERAL19 : 0;
}

/** What a pair's user must look like to objdump. */
function isUser(line: string, base: number, low12: number): boolean {
  const offset = low12 === 0 ? "" : `, #${low12}`;
  if (/\t(ldr|str|prfm)\w*\t/.test(line)) return line.includes(`[x${base}${offset}]`);
  return new RegExp(`\\tadd\\tx?\\w+, x${base}, #0x${low12.toString(16)}(\\s|$)`).test(line);
}

/** Runs objdump over one section of an AArch64 file and compares every instruction that it names. */
export async function compareWithObjdump(
  path: string,
  section: CodeSection,
  report: ObjdumpReport,
): Promise<void> {
  const scan: Aarch64Scan = scanAarch64(section.bytes);
  const view = new DataView(section.bytes.buffer, section.bytes.byteOffset);
  const differ = (name: string, example: string) => {
    const entry = report.classes.get(name) ?? { count: 0, example };
    entry.count++;
    report.classes.set(name, entry);
  };
  const args = ["-d", "-z", "-M", "no-aliases", "-j", section.name, path];
  const child = spawn("aarch64-linux-gnu-objdump", args, { stdio: ["ignore", "pipe", "inherit"] });
  const failed = new Promise<never>((_, reject) => child.on("error", reject));
  failed.catch(() => {});
  let field = 0;
  let pair = 0;
  const read = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const parts = /^\s*([0-9a-f]+):\t([0-9a-f]{8}) \t(\S+)\s*(.*)$/.exec(line);
      if (parts === null) continue;
      const [, addressText, , mnemonic, operands] = parts as unknown as string[];
      const address = Number.parseInt(addressText!, 16);
      const offset = address - section.address;
      while (scan.fieldOffsets[field]! < offset) field++;
      while (scan.pairUserOffsets[pair]! < offset) pair++;
      if (mnemonic === ".word" || mnemonic === ".inst" || mnemonic === "udf") continue;
      report.compared++;
      const kind = scan.fieldOffsets[field] === offset ? scan.fieldKinds[field]! : 0;
      const expected = expectedKind(mnemonic!, operands!);
      if (kind !== expected) differ(`${mnemonic}: kind ${expected} by objdump, ${kind} here`, line);
      const word = view.getInt32(offset, true);
      if (kind !== 0 && kind === expected) {
        report.fields++;
        const from = kind === AARCH64_ADRP21 ? address - (address % PAGE_BYTES) : address;
        const target = BigInt.asUintN(64, BigInt(from + aarch64Distance(kind, word))).toString(16);
        const found = /(?:^|[ ,])(?:0x)?([0-9a-f]+)(?: <.*)?(?:\s+\/\/.*)?$/.exec(operands!)?.[1];
        if (found !== target) differ(`${mnemonic}: target`, `${line} here ${target}`);
      }
      if (scan.pairUserOffsets[pair] === offset) {
        report.pairs++;
        const adrp = view.getInt32(scan.pairAdrpOffsets[pair]!, true);
        const low12 = ((word >>> 10) & 0xfff) << scan.pairScales[pair]!;
        if (!isUser(`\t${mnemonic}\t${operands}`, adrp & 31, low12))
          differ(`${mnemonic}: no user of its page`, line);
      }
    }
  };
  await Promise.race([read(), failed]);
}
