/** The layout, by the command line: versions are stored in a repository, laid out, and linked as its manual says. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM } from "../size/tenon.ts";
import { type BuiltRelease, command, compilerOf } from "./build.ts";
import type { Library } from "./corpora.ts";

/** When functions are called through slots. */
export type SlotPolicy = "all" | "varying" | "none";

/** What `tenon lib layout --json` says, as far as it is read here. */
interface LayoutOutput {
  /** Names of files in the layout's folder; versions that it had before are not among them. */
  readonly written: readonly { readonly label: string; readonly object: string; readonly script: string }[];
}

export function tenon(repository: string, ...args: string[]): string {
  return command(process.execPath, [PROGRAM, "-r", repository, ...args]);
}

export function addVersions(library: Library, releases: readonly BuiltRelease[], repository: string): void {
  tenon(repository, "init");
  for (const { version, archive } of releases) {
    tenon(repository, "lib", "add", "-q", `${library.name}:${version}`, archive);
  }
}

export interface LayoutOptions {
  readonly repository: string;
  /** The layout's folder: what was laid out there before keeps its addresses. */
  readonly place: string;
  readonly slots: SlotPolicy;
}

/** Lays out `releases`, which the repository has, and links each with its workload. Gives images in their order. */
export function layOut(
  library: Library,
  releases: readonly BuiltRelease[],
  { repository, place, slots }: LayoutOptions,
): readonly string[] {
  mkdirSync(place, { recursive: true });
  const versions = releases.map(({ version }) => version).join(",");
  const settings = existsSync(join(place, "layout.json")) ? [] : ["--slots", slots];
  const text = tenon(
    repository,
    ...[
      "lib",
      "layout",
      "--json",
      "--no-progress",
      library.name,
      "--versions",
      versions,
      ...settings,
      "-o",
      place,
    ],
  );
  const { written } = JSON.parse(text) as LayoutOutput;
  return releases.map((release) => {
    const made = written.find(({ label }) => label === release.version);
    if (made === undefined) throw new Error(`the layout has no version ${release.version}`);
    const image = join(place, `image-${release.version}`);
    command(compilerOf(library), [
      ...["-static", "-no-pie", "-o", image, "-T", join(place, made.script), release.workload],
      ...[join(place, made.object), ...library.linkFlags],
    ]);
    return image;
  });
}
