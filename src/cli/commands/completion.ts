/** `tenon completion` */
import { TenonError } from "../../errors/index.ts";
import { completionScript, isShell, SHELLS } from "../completion/index.ts";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";

export const run: Handler<"completion"> = async ({ operands: [shell] }, { output }) => {
  if (!isShell(shell!)) {
    throw new TenonError(
      "usage",
      `no completion for ${JSON.stringify(shell)}; there is one for ${SHELLS.join(", ")}`,
    );
  }
  await output.bytes(Buffer.from(completionScript(shell)));
  return EXIT.ok;
};
