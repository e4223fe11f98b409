/** What is recognised and not looked into, with the reason. */
import type { Container, Declined } from "./types.ts";

/** Beginnings of formats whose encoders can't be run again to the same bytes for ever. */
const FORMATS: readonly (readonly [name: string, magic: readonly number[], reason: string])[] = [
  [
    "zstd",
    [0x28, 0xb5, 0x2f, 0xfd],
    "what a zstd encoder makes changes with its version and threads, so that its frames are kept as they are",
  ],
  [
    "xz",
    [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    "what an xz encoder makes changes with its version and threads, so that it is kept as it is",
  ],
  ["bzip2", [0x42, 0x5a, 0x68], "bzip2 is kept as it is"],
  ["lz4", [0x04, 0x22, 0x4d, 0x18], "lz4 is kept as it is"],
  ["7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "7z archives are kept as they are"],
];

/** bzip2's magic is three letters: the block's, digits of pi, or those of the end follow behind the level. */
function begins(start: Uint8Array, name: string, magic: readonly number[]): boolean {
  if (!magic.every((byte, i) => start[i] === byte)) return false;
  return (
    name !== "bzip2" || (start[4] === 0x31 && start[5] === 0x41) || (start[4] === 0x17 && start[5] === 0x72)
  );
}

export const opaqueContainers: readonly Container[] = FORMATS.map(([name, magic, reason]) => {
  const declined: Declined = { representation: name, reason };
  return {
    // Never in a recipe: 0 is what has none.
    representation: { number: 0, name, decode: () => nothing() },
    reads: "never",
    recognise: (start) => begins(start, name, magic),
    encode: async () => declined,
  };
});

async function* nothing(): AsyncGenerator<Uint8Array> {}
