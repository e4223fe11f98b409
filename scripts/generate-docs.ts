/**
 * Writes what is made from the command table: `docs/manual/commands.md`, which is committed so that it can be
 * read where the project is hosted, and `man/` and `completions/`, which are built.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandsPage, completionFiles, manPages } from "../src/cli/index.ts";

function writeFolder(
  folder: string,
  files: readonly { readonly file: string; readonly text: string }[],
): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { file, text } of files) writeFileSync(join(folder, file), text);
}

/** Writes the manual's reference page. */
export function writeManual(root: string): void {
  writeFileSync(join(root, "docs", "manual", "commands.md"), commandsPage());
}

/** Writes man pages and completion scripts. */
export function writeReference(root: string): void {
  writeFolder(join(root, "man"), manPages());
  writeFolder(join(root, "completions"), completionFiles());
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  writeManual(root);
  writeReference(root);
}
