/** Programs, and the worker threads that they have while they run. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Why threads can't be counted here. */
export const noThreadNames = process.platform !== "linux" && "threads are counted in /proc";

/** Worker threads that a process has now. */
export function workersOf({ pid }: ChildProcess): number {
  const tasks = `/proc/${pid}/task`;
  try {
    const names = readdirSync(tasks).map((id) => readFileSync(join(tasks, id, "comm"), "utf8").trim());
    return names.filter((name) => name === "tenon-worker").length;
  } catch {
    return 0;
  }
}

/** Runs a program; how it ended, what it said on standard error, and how many workers it had at most. */
export async function runCounting(program: string, args: readonly string[], options: SpawnOptions) {
  const child = spawn(program, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr!.on("data", (bytes) => {
    said += bytes;
  });
  let workers = 0;
  const timer = setInterval(() => {
    workers = Math.max(workers, workersOf(child));
  }, 5);
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(timer);
  return { code, said, workers };
}
