/**
 * Builds `build/tenon`, one executable that needs no installed Node: the command line in one bundle, with the
 * kernels and the program of worker threads as assets, inside a copy of the Node that runs this script. Another path may be given as argument.
 *
 * Node's single executable applications: https://nodejs.org/api/single-executable-applications.html
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { WORKER_ASSET } from "../src/workers/index.ts";

const root = join(import.meta.dirname, "..");

/** Why this Node can't build one; undefined when it can. */
export function seaObstacle(): string | undefined {
  if (!process.allowedNodeEnvironmentFlags.has("--build-sea") && !hasBuildFlag()) {
    return `Node ${process.versions.node} has no --build-sea`;
  }
  return undefined;
}

function hasBuildFlag(): boolean {
  return execFileSync(process.execPath, ["--help"], { encoding: "utf8" }).includes("--build-sea");
}

/** Files that the program asks for by name: the kernels, its threads' program, and package.json for its version. */
function assets(worker: string): Record<string, string> {
  const kernels = join(root, "src", "kernels");
  const names = readdirSync(kernels).filter((name) => name.endsWith(".wasm"));
  return {
    "package.json": join(root, "package.json"),
    [WORKER_ASSET]: worker,
    ...Object.fromEntries(names.map((name) => [name, join(kernels, name)])),
  };
}

/** Builds the executable at `output`. The kernels must be built. */
export async function buildSea(output: string): Promise<void> {
  const draft = mkdtempSync(join(tmpdir(), "tenon-sea-"));
  try {
    const main = join(draft, "main.mjs");
    await build({
      entryPoints: [join(root, "src", "cli", "main.ts")],
      outfile: main,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
      logLevel: "warning",
    });
    // A thread takes its program as the text of a CommonJS module.
    const worker = join(draft, WORKER_ASSET);
    await build({
      entryPoints: [join(root, "src", "workers", "entry.ts")],
      outfile: worker,
      bundle: true,
      platform: "node",
      format: "cjs",
      target: "node24",
      // Kernels are assets there, and their places are not looked at.
      define: { "import.meta.url": "undefined" },
      logLevel: "warning",
    });
    mkdirSync(dirname(output), { recursive: true });
    const configuration = join(draft, "sea.json");
    writeFileSync(
      configuration,
      JSON.stringify({
        main,
        mainFormat: "module",
        output,
        disableExperimentalSEAWarning: true,
        // Options of tenon are tenon's alone, also when NODE_OPTIONS is set.
        execArgvExtension: "none",
        assets: assets(worker),
      }),
    );
    execFileSync(process.execPath, ["--build-sea", configuration], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (!existsSync(output))
      throw new Error(`${basename(process.execPath)} --build-sea wrote nothing to ${output}`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const obstacle = seaObstacle();
  if (obstacle !== undefined) throw new Error(obstacle);
  const output = resolve(process.argv[2] ?? join(root, "build", "tenon"));
  execFileSync(process.execPath, [join(root, "scripts", "build-kernels.ts")], {
    cwd: root,
    stdio: "inherit",
  });
  await buildSea(output);
  process.stdout.write(`built ${output}\n`);
}
