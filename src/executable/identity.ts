/** By what an executable and the file with its debug information know each other. */
import { buildId, type Elf, parseElf, readDebugLink, readNotes } from "../elf/index.ts";
import { isTenonError } from "../errors/index.ts";

export interface Identity {
  /** `debug`: a file whose code was taken out; `code`: everything else. */
  readonly role: "code" | "debug";
  /** GNU build-id, in lowercase hexadecimal. */
  readonly buildId?: string;
  /** .gnu_debuglink: name and CRC-32 of the file with the debug information. */
  readonly debugLink?: { readonly name: string; readonly crc32: number };
  readonly hasDebugInformation: boolean;
}

/** Undefined for what is no ELF file that can be read. Works on a file's beginning as far as its segments tell. */
export function identify(bytes: Uint8Array): Identity | undefined {
  let elf: Elf;
  try {
    elf = parseElf(bytes);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return undefined;
  }
  const id = buildId(elf, readNotes(elf).notes);
  const debugLink = readDebugLink(elf);
  return {
    role: elf.debugOnly ? "debug" : "code",
    ...(id !== undefined && { buildId: id }),
    ...(debugLink !== undefined && { debugLink }),
    hasDebugInformation: elf.sections.some(
      ({ kind, fileSizeBytes }) => kind === "debug" && fileSizeBytes > 0,
    ),
  };
}

/**
 * Keys of a handprint that say who a file is, not what it is like: a mark, then 7 bytes. Marks are above the 53 bits
 * of the keys of likeness, so neither passes for the other. A key only leads to files: who finds one looks at it.
 */
const MARK = { code: "b1", debug: "d1", link: "c1", none: "a0" } as const;
const DIGITS = 14;

/** The key under which files with this build-id are found. */
export function buildIdKey(role: Identity["role"], id: string): string {
  return MARK[role] + id.slice(0, DIGITS).padEnd(DIGITS, "0");
}

/** The key of files whose .gnu_debuglink asks for a file with this CRC-32. */
export function debugLinkKey(crc32: number): string {
  return MARK.link + (crc32 >>> 0).toString(16).padStart(8, "0").padEnd(DIGITS, "0");
}

/** All keys of a file; one of its own for files that have nothing to be known by. */
export function identityKeys(bytes: Uint8Array): string[] {
  const identity = identify(bytes);
  const keys: string[] = [];
  if (identity?.buildId !== undefined) keys.push(buildIdKey(identity.role, identity.buildId));
  if (identity?.debugLink !== undefined) keys.push(debugLinkKey(identity.debugLink.crc32));
  return keys.length > 0 ? keys : [MARK.none.padEnd(DIGITS + 2, "0")];
}

/** True for keys that `identityKeys` makes. */
export function isIdentityKey(key: string): boolean {
  return !key.startsWith("00");
}
