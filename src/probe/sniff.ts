/** What a file is, by its first bytes: in words for people, and whether it is an executable. */

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

export function isElf(head: Uint8Array): boolean {
  return begins(head, ELF_MAGIC);
}

function begins(head: Uint8Array, magic: readonly number[]): boolean {
  return head.length >= magic.length && magic.every((byte, i) => head[i] === byte);
}

const COMPRESSED: readonly (readonly number[])[] = [
  [0x1f, 0x8b], // gzip
  [0x28, 0xb5, 0x2f, 0xfd], // zstd
  [0xfd, 0x37, 0x7a, 0x58, 0x5a], // xz
  [0x42, 0x5a, 0x68], // bzip2
  [0x50, 0x4b, 0x03, 0x04], // zip, jar, apk, whl
  [0x89, 0x50, 0x4e, 0x47], // png
  [0xff, 0xd8, 0xff], // jpeg
  [0x77, 0x4f, 0x46, 0x32], // woff2
  [0x37, 0x7a, 0xbc, 0xaf], // 7z
];

/** ELF e_type at offset 16 and e_machine at 18. */
const TYPES: Readonly<Record<number, string>> = {
  1: "object file",
  2: "executable",
  3: "executable or library",
};
const MACHINES: Readonly<Record<number, string>> = { 62: "x86-64", 183: "AArch64" };

/** Enough for every magic number here. */
export const HEAD_BYTES = 512;

export function whatIs(head: Uint8Array): string {
  if (isElf(head) && head.length >= 20) {
    const type = TYPES[head[16]! | (head[17]! << 8)] ?? "ELF file";
    const machine = MACHINES[head[18]! | (head[19]! << 8)];
    return machine === undefined ? type : `${type}, ${machine}`;
  }
  if (COMPRESSED.some((magic) => begins(head, magic))) return "compressed already";
  if (begins(head, [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e, 0x0a])) return "static library";
  if (begins(head, [0x23, 0x21])) return "script";
  const text = head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
  return text ? "text" : "data";
}
