/** Finds the executables that a folder holds, and what they were made with. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parseElf, toolchainHint } from "../src/elf/index.ts";
import { isTenonError } from "../src/errors/index.ts";

export interface Executable {
  readonly path: string;
  /** A short, unique name that a ref can have. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Likeliest language, or "" when the file doesn't tell. */
  readonly language: string;
}

const MAGIC = Buffer.from("\x7fELF", "latin1");

function isElf(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(MAGIC.length);
    return readSync(file, head) === MAGIC.length && head.equals(MAGIC);
  } finally {
    closeSync(file);
  }
}

/** "Go", "Rust" ...: what the file itself gives away. */
function languageOf(path: string): string {
  try {
    const [language = ""] = toolchainHint(parseElf(readFileSync(path))).languages;
    return language === "" ? "" : language[0]!.toUpperCase() + language.slice(1);
  } catch (error) {
    if (isTenonError(error)) return "";
    throw error;
  }
}

/** ELF files below `folder` of at least `minBytes`, the largest first; of hard links only one. */
export function findExecutables(folder: string, minBytes: number): Executable[] {
  const seen = new Set<number>();
  const names = new Set<string>();
  const found: Executable[] = [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.sort()) {
    const { size: sizeBytes, ino } = statSync(path);
    if (sizeBytes < minBytes || seen.has(ino) || !isElf(path)) continue;
    seen.add(ino);
    // "@esbuild/linux-x64/bin/esbuild" is "esbuild"; a second one of that name has its whole path.
    const parts = relative(folder, path).split("/");
    const short = parts.at(-1)!;
    const name = names.has(short) ? parts.join("-").replace(/^@/, "") : short;
    names.add(name);
    found.push({ path, name, sizeBytes, language: languageOf(path) });
  }
  return found.sort((a, b) => b.sizeBytes - a.sizeBytes);
}
