/** What the kernel says about this machine's CPU in /proc/cpuinfo. */
import type { Machine } from "../elf/index.ts";
import { type FeatureSet, featuresFromKernel } from "./vocabulary.ts";

/**
 * Features that every CPU of the machine has, from the text of /proc/cpuinfo: a program may be moved from one CPU
 * to another at any time. The kernel lists only what it has enabled. Nothing is found in a text of another machine.
 */
export function featuresOfCpuinfo(machine: Machine, text: string): FeatureSet {
  const word = machine === "x86-64" ? "flags" : "Features";
  let common: readonly string[] | undefined;
  for (const line of text.split("\n")) {
    const [key, values] = line.split(":", 2);
    if (key?.trim() !== word || values === undefined) continue;
    const flags = new Set(values.trim().split(/\s+/));
    common = common === undefined ? [...flags] : common.filter((flag) => flags.has(flag));
  }
  return featuresFromKernel(machine, common ?? []);
}
