/**
 * Who holds a lease, and whether that process still runs. Reads the operating system; everything here can be
 * replaced in tests.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemCode } from "../errors/index.ts";

/** One process on one machine since one start of that machine. */
export interface ProcessIdentity {
  /** Host name: for people, and for machines without a boot id. */
  readonly host: string;
  /** Random number that the kernel makes at each boot; "" where there is none. */
  readonly boot: string;
  /** Namespace in which `pid` counts: containers share a kernel but not their process numbers; "" where there is none. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Start of the process in clock ticks since boot, so that a reused number is noticed; "" where unknown. */
  readonly started: string;
}

export interface ProcessTable {
  readonly self: ProcessIdentity;
  /** Whether the process of that identity, on this machine, still runs. */
  isRunning(identity: ProcessIdentity): boolean;
}

/** What can be known about a process from here. */
export type Liveness =
  | "running"
  /** It ended; no doubt about it. */
  | "ended"
  /** No process of that number is here, but this may not be the machine that it ran on. */
  | "not-seen"
  /** It is of another machine or container. */
  | "elsewhere";

/** The processes of this machine, by /proc where there is one, else by signal 0. */
export const systemProcesses: ProcessTable = {
  get self() {
    return {
      host: hostname(),
      boot: readText("/proc/sys/kernel/random/boot_id"),
      pidNamespace: readLink("/proc/self/ns/pid"),
      pid: process.pid,
      started: processStat(process.pid)?.started ?? "",
    };
  },
  isRunning({ pid, started }) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      // EPERM: it runs, as another user.
      if (systemCode(error) !== "EPERM") return false;
    }
    // /proc may hide the processes of other users: then the number alone counts.
    const stat = processStat(pid);
    if (stat === undefined || started === "") return true;
    return stat.started === started && !stat.ended;
  },
};

/** What this machine knows about a process. */
export function livenessOf(identity: ProcessIdentity, processes: ProcessTable): Liveness {
  const { self } = processes;
  if (identity.boot === "" || self.boot === "") {
    if (identity.boot !== self.boot || identity.host !== self.host) return "elsewhere";
    return processes.isRunning(identity) ? "running" : "not-seen";
  }
  if (identity.boot !== self.boot) return "elsewhere";
  if (identity.pidNamespace !== self.pidNamespace) return "elsewhere";
  return processes.isRunning(identity) ? "running" : "ended";
}

/** Fields 3 and 22 of /proc/PID/stat (proc_pid_stat(5)): the state, and the start time in clock ticks since boot. */
function processStat(pid: number): { started: string; ended: boolean } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = fields[22 - 3];
  if (started === undefined) return undefined;
  return { started, ended: fields[0] === "Z" || fields[0] === "X" };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
