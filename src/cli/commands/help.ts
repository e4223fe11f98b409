/** `tenon help` */
import { TenonError } from "../../errors/index.ts";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { commandHelp, familyHelp, overview } from "../manual/help.ts";
import { manPage } from "../manual/roff.ts";
import { nearest } from "../suggest.ts";
import { type CommandName, commandNames, familyMembers } from "../table.ts";

export const run: Handler<"help"> = async ({ operands, options }, { output }) => {
  const names: readonly string[] = commandNames();
  const name = operands.length === 0 ? undefined : operands.join(" ");
  if (name !== undefined && familyMembers(name).length > 0) {
    for (const line of familyHelp(name, output.stdout.columns())) await output.line(line);
    return EXIT.ok;
  }
  if (name !== undefined && !names.includes(name)) {
    const near = nearest(name, names);
    throw new TenonError("usage", `unknown command '${name}'${near ? `; did you mean '${near}'?` : ""}`);
  }
  const command = name as CommandName | undefined;
  if (options.man) await output.bytes(Buffer.from(manPage(command)));
  else {
    const columns = output.stdout.columns();
    for (const line of command ? commandHelp(command, columns) : overview(columns)) await output.line(line);
  }
  return EXIT.ok;
};
