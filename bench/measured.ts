/** Running a command and knowing what it took: wall time, CPU time and memory, those of its children included. */
import { spawnSync } from "node:child_process";

export interface Taken {
  readonly wallSeconds: number;
  /** User and system time of the command and of every process that it waited for. */
  readonly cpuSeconds: number;
  /** The largest resident set of any of them. */
  readonly peakBytes: number;
  readonly output: string;
}

// Node tells only its own usage; Python's standard library has what the kernel counts for children.
const WRAPPER = `
import json, resource, subprocess, sys, time
start = time.monotonic()
status = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL).returncode
wall = time.monotonic() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write("\\n" + json.dumps([status, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
`;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure. */
  readonly accept?: readonly number[];
}

export function run(command: readonly string[], { cwd, env, accept = [0] }: RunOptions = {}): Taken {
  const child = spawnSync("python3", ["-c", WRAPPER, ...command], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  });
  const lines = child.stderr.split("\n");
  const last = lines.pop() ?? "";
  if (child.status !== 0 || !last.startsWith("[")) {
    throw new Error(`cannot measure ${command[0]}: ${child.error?.message ?? child.stderr}`);
  }
  const [status, wallSeconds, cpuSeconds, peakKib] = JSON.parse(last) as [number, number, number, number];
  if (!accept.includes(status)) {
    throw new Error(`${command.join(" ")} ended with ${status}:\n${lines.join("\n")}${child.stdout}`);
  }
  return { wallSeconds, cpuSeconds, peakBytes: peakKib * 1024, output: child.stdout };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
