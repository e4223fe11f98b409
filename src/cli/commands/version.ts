/** `tenon version` */
import { readFileSync } from "node:fs";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";

/** The package's version: from package.json, which the single executable carries as an asset. */
function packageVersion(): string {
  const sea = process.getBuiltinModule("node:sea");
  const text = sea.isSea()
    ? sea.getAsset("package.json", "utf8")
    : readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

export const run: Handler<"version"> = async ({ globals }, { output }) => {
  const facts = {
    version: packageVersion(),
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
  };
  if (globals.json) await output.json(facts);
  else await output.line(`tenon ${facts.version} (Node ${facts.node}, ${facts.platform} ${facts.arch})`);
  return EXIT.ok;
};
