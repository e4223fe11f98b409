/** ELF files with nothing but program headers and the bytes of their segments. */

export interface ElfSegment {
  readonly address: bigint;
  readonly fileSizeBytes: number;
  readonly sizeBytes: bigint;
}

interface ElfFileOptions {
  readonly bits: 32 | 64;
  readonly isLittleEndian: boolean;
  readonly segments: readonly ElfSegment[];
  /** Moves all segments in the file, so that they can't be mapped. */
  readonly shiftBytes?: number;
}

const PAGE = 4096;
/** Room for headers. */
const FIRST_OFFSET = 4096;

/** A file in which each segment has its bytes at an offset that can be mapped, and no byte is zero behind the headers. */
export function elfFile({ bits, isLittleEndian, segments, shiftBytes = 0 }: ElfFileOptions): Uint8Array {
  const offsets = elfFile.offsets(segments).map((offset) => offset + shiftBytes);
  const end = Math.max(FIRST_OFFSET, ...segments.map(({ fileSizeBytes }, i) => offsets[i]! + fileSizeBytes));
  const bytes = new Uint8Array(end + 3 * PAGE);
  for (let i = FIRST_OFFSET; i < bytes.length; i++) bytes[i] = 1 + ((i * 7 + (i >> 12) * 13) % 255);
  const view = new DataView(bytes.buffer);
  const is64 = bits === 64;
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, isLittleEndian ? 1 : 2, 1]);
  const u16 = (at: number, value: number) => view.setUint16(at, value, isLittleEndian);
  const u32 = (at: number, value: number) => view.setUint32(at, value, isLittleEndian);
  const word = (at: number, value: bigint) =>
    is64 ? view.setBigUint64(at, value, isLittleEndian) : u32(at, Number(value));
  u16(16, 2);
  u16(18, is64 ? 62 : 3);
  word(is64 ? 32 : 28, is64 ? 64n : 52n);
  u16(is64 ? 54 : 42, is64 ? 56 : 32);
  u16(is64 ? 56 : 44, segments.length);
  for (const [i, { address, fileSizeBytes, sizeBytes }] of segments.entries()) {
    const at = is64 ? 64 + i * 56 : 52 + i * 32;
    u32(at, 1);
    u32(is64 ? at + 4 : at + 24, 5);
    const first = at + bits / 8;
    const fields = [BigInt(offsets[i]!), address, address, BigInt(fileSizeBytes), sizeBytes];
    for (const [n, value] of fields.entries()) word(first + (n * bits) / 8, value);
  }
  return bytes;
}

/** Where the bytes of each segment are. */
elfFile.offsets = (segments: readonly ElfSegment[]): number[] => {
  let next = FIRST_OFFSET;
  return segments.map(({ address, fileSizeBytes }) => {
    const offset = next + Number(address % BigInt(PAGE));
    next = Math.ceil((offset + fileSizeBytes) / PAGE) * PAGE;
    return offset;
  });
};
