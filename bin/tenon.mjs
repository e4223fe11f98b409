#!/usr/bin/env node
// biome-ignore-all lint/style/useNodejsImportProtocol: Node 14.0 doesn't know it
// The launcher: finds a Node that can run tenon. Written so that every Node from 14 on can read it.
import { spawn } from "child_process";
import { existsSync, readFileSync } from "fs";
import { createRequire } from "module";
import { dirname, join } from "path";
import { fileURLToPath, pathToFileURL } from "url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const program = join(root, "dist", "cli", "main.js");

function fail(message) {
  process.stderr.write(`tenon: ${message}\n`);
  process.exitCode = 1;
}

// "24.12" of ">=24.12": package.json says which Node is needed.
const needed = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node.replace(/^\D*/, "");

function isEnough(version) {
  const [major, minor] = version.split(".").map(Number);
  const [neededMajor, neededMinor] = needed.split(".").map(Number);
  return major > neededMajor || (major === neededMajor && minor >= (neededMinor || 0));
}

// A Node that came with the package, as `npm ci` brings it for development.
function packagedNode() {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const node = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(node) && isEnough(require(manifest).version) ? node : undefined;
  } catch {
    return undefined;
  }
}

function runWith(node) {
  const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal signals the whole group, and the child decides; what is sent to this process alone is passed on.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exitCode = code;
    else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

if (!existsSync(program)) fail("this checkout is not built: run 'npm run build' in it");
else if (isEnough(process.versions.node)) import(pathToFileURL(program).href);
else {
  const node = packagedNode();
  if (node !== undefined) runWith(node);
  else fail(`needs Node ${needed} or newer; this is ${process.version} (${process.execPath})`);
}
