/** The launchers' machine code, decoded once. */
import type { Machine } from "../../elf/index.ts";
import { LAUNCHER_IMAGES } from "./images.ts";

/** Where the code begins; before it the packer writes the file's ELF header and program headers. */
export const LAUNCHER_ENTRY = 256;

/** The launcher for a machine, with room for the headers at its beginning. */
export function launcherOf(machine: Machine): Uint8Array {
  return new Uint8Array(Buffer.from(LAUNCHER_IMAGES[machine].base64.join(""), "base64"));
}

/** SHA-256 of the launcher with that room zeroed. */
export function launcherDigest(machine: Machine): string {
  return LAUNCHER_IMAGES[machine].sha256;
}
