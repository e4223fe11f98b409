#!/usr/bin/env node
// biome-ignore-all lint/style/useNodejsImportProtocol: Node 14.0 doesn't know it
// The launcher: finds a Node that can run tenon. Written so that every Node from 14 on can read it.
import { spawn } from "child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "fs";
import { createRequire } from "module";
import { dirname, join } from "path";
import { fileURLToPath, pathToFileURL } from "url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const built = join(root, "dist", "cli", "main.js");
const source = join(root, "src", "cli", "main.ts");

// Whether something that goes into dist/ was changed after a time.
function isNewer(folder, time) {
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name !== "testing" && isNewer(path, time);
    return /(?<!\.test)\.ts$|\.wasm$/.test(entry.name) && statSync(path).mtimeMs > time;
  });
}

// In a checkout, which the package is not: what was built, if it is of these sources, else the sources themselves.
function findProgram() {
  if (!existsSync(source)) return built;
  const isBuilt = existsSync(built) && !isNewer(join(root, "src"), statSync(built).mtimeMs);
  return isBuilt ? built : source;
}

const program = findProgram();

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

if (!existsSync(program)) fail("dist/ is missing from this package: install it again");
else if (isEnough(process.versions.node)) import(pathToFileURL(program).href);
else {
  const node = packagedNode();
  if (node !== undefined) runWith(node);
  else fail(`needs Node ${needed} or newer; this is ${process.version} (${process.execPath})`);
}
