/** The machine code of launchers and restorers, decoded once. */
import type { Machine } from "../../elf/index.ts";
import { COMPACT_IMAGES } from "./compact-images.ts";
import { LAUNCHER_IMAGES } from "./images.ts";
import { RESTORER_IMAGES } from "./restorer-images.ts";

/** Where the code begins; before it the packer writes the file's ELF header and program headers. */
export const LAUNCHER_ENTRY = 256;

const decode = ({ base64 }: { readonly base64: readonly string[] }) =>
  new Uint8Array(Buffer.from(base64.join(""), "base64"));

/** The launcher for a machine, with room for the headers at its beginning. */
export function launcherOf(machine: Machine): Uint8Array {
  return decode(LAUNCHER_IMAGES[machine]);
}

/** The launcher of compact files, with room for the headers at its beginning. */
export function compactLauncherOf(machine: Machine): Uint8Array {
  return decode(COMPACT_IMAGES[machine]);
}

/** What carries out recipes, called at its first byte; whole words. */
export function restorerOf(machine: Machine): Uint8Array {
  return decode(RESTORER_IMAGES[machine]);
}
