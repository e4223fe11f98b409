/** Which language and tools made a file: a hint for choosing a model, never a fact to rely on. */
import { areasNamed } from "./areas.ts";
import type { Elf } from "./elf.ts";
import { readGoFunctions } from "./go-functions.ts";
import { hasGoBuildId, readComments, readNotes } from "./notes.ts";
import { readSymbolTables } from "./symbols.ts";

export type Language = "go" | "c++" | "rust" | "zig" | "c";

export interface ToolchainHint {
  /** The likeliest first; empty when nothing speaks for any. */
  readonly languages: readonly Language[];
  /** What spoke for them, one line each. */
  readonly evidence: readonly string[];
  /** The lines of .comment. */
  readonly comments: readonly string[];
}

/** Personality routines that only one language's compiler refers to. */
const PERSONALITIES: readonly (readonly [name: string, language: Language])[] = [
  ["__gxx_personality_v0", "c++"],
  ["rust_eh_personality", "rust"],
];

/** Guesses the languages of a file from its tables of Go, its libraries, .comment and two symbols. */
export function toolchainHint(elf: Elf): ToolchainHint {
  const evidence: string[] = [];
  const languages: Language[] = [];
  const comments = readComments(elf);
  const vote = (language: Language, why: string) => {
    evidence.push(`${language}: ${why}`);
    if (!languages.includes(language)) languages.push(language);
  };
  if (hasGoBuildId(readNotes(elf).notes)) vote("go", "Go build ID");
  if (areasNamed(elf, ".gopclntab").length > 0) vote("go", ".gopclntab");
  else if (elf.sections.length === 0 && readGoFunctions(elf) !== undefined)
    vote("go", "table of Go functions");
  for (const library of elf.dynamic?.needed ?? []) {
    if (/^lib(stdc\+\+|c\+\+)\.so/.test(library)) vote("c++", `needs ${library}`);
  }
  for (const comment of comments) {
    if (comment.startsWith("rustc version")) vote("rust", comment);
    else if (/^zig\b/i.test(comment)) vote("zig", comment);
  }
  const { symtab, dynsym } = readSymbolTables(elf);
  for (const [name, language] of PERSONALITIES) {
    for (const table of [symtab, dynsym]) {
      for (let i = 0; i < (table?.count ?? 0); i++) {
        if (!table!.isNamed(i, name)) continue;
        vote(language, `symbol ${name}`);
        break;
      }
    }
  }
  if (languages.length === 0) {
    const compiler = comments.find((comment) => /^(GCC:|clang|.*clang version)/.test(comment));
    if (compiler !== undefined) vote("c", compiler);
  }
  return { languages, evidence, comments };
}
