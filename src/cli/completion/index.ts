/** Completion scripts for shells, made from the command table. */
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export type Shell = keyof typeof SCRIPTS;

export const SHELLS = Object.keys(SCRIPTS) as Shell[];

export function isShell(name: string): name is Shell {
  return Object.hasOwn(SCRIPTS, name);
}

export function completionScript(shell: Shell): string {
  return SCRIPTS[shell]();
}

/** File name, as each shell expects it, and text of every script. */
export function completionFiles(): { readonly file: string; readonly text: string }[] {
  const names: Readonly<Record<Shell, string>> = { bash: "tenon.bash", zsh: "_tenon", fish: "tenon.fish" };
  return SHELLS.map((shell) => ({ file: names[shell], text: completionScript(shell) }));
}
