/** For tests and benchmarks: the executable sections of a 64-bit little-endian ELF file. */
import { readFileSync } from "node:fs";
import { ByteReader } from "../../bytes/index.ts";

export interface CodeSection {
  readonly name: string;
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const SHT_PROGBITS = 1;
const SHF_EXECINSTR = 4;
const EM_X86_64 = 62;
const EM_AARCH64 = 183;

export interface CodeOf {
  readonly machine: "x86-64" | "aarch64" | "other";
  readonly sections: readonly CodeSection[];
}

/** Executable sections in file order; undefined for what is no 64-bit little-endian ELF file with sections. */
export function codeOf(path: string): CodeOf | undefined {
  const file = readFileSync(path);
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    return undefined;
  const machine = file.readUInt16LE(18);
  const headerOffset = Number(file.readBigUInt64LE(40));
  const headerCount = file.readUInt16LE(60);
  if (headerOffset === 0 || headerOffset + headerCount * 64 > file.length) return undefined;
  const headers = Array.from({ length: headerCount }, (_, i) => {
    const reader = new ByteReader(file, "ELF");
    reader.offset = headerOffset + i * 64;
    return {
      nameOffset: reader.u32("sh_name"),
      type: reader.u32("sh_type"),
      flags: reader.u64("sh_flags"),
      address: Number(reader.u64Big("sh_addr")),
      offset: reader.u64("sh_offset"),
      size: reader.u64("sh_size"),
    };
  });
  const names = headers[file.readUInt16LE(62)]?.offset ?? 0;
  const sections: CodeSection[] = [];
  for (const header of headers) {
    if (header.type !== SHT_PROGBITS || (header.flags & SHF_EXECINSTR) === 0) continue;
    const nameAt = names + header.nameOffset;
    sections.push({
      name: file.toString("latin1", nameAt, file.indexOf(0, nameAt)),
      address: header.address,
      bytes: new Uint8Array(file.subarray(header.offset, header.offset + header.size)),
    });
  }
  return {
    machine: machine === EM_X86_64 ? "x86-64" : machine === EM_AARCH64 ? "aarch64" : "other",
    sections,
  };
}
