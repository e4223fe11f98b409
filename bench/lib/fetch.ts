/** Sources of a library's versions, each in a folder of its own below the corpora's folder; what is there stays. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { unpackNpm } from "../size/sources.ts";
import type { Library, LibraryRelease } from "./corpora.ts";

/** A version with its sources. */
export interface FetchedRelease extends LibraryRelease {
  /** What is made of it goes beside `tree`. */
  readonly place: string;
  readonly tree: string;
  /** Paths from `tree`, sorted. */
  readonly sources: readonly string[];
}

export function fetchLibrary(
  library: Library,
  corpora: string,
  progress: (what: string) => void,
): readonly FetchedRelease[] {
  return library.releases.map((release) => {
    const place = join(corpora, "lib", library.name, release.version);
    const tree = join(place, "tree");
    if (!existsSync(tree)) {
      progress(`${library.name}: fetching ${release.version}`);
      mkdirSync(place, { recursive: true });
      const draft = mkdtempSync(join(place, "draft-"));
      try {
        unpackNpm(library.package, release.packageVersion, draft);
        const wanted = join(draft, "wanted");
        cpSync(join(draft, "package", library.folder), wanted, { recursive: true });
        renameSync(wanted, tree);
      } finally {
        rmSync(draft, { recursive: true });
      }
    }
    const sources = readdirSync(tree, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(tree, join(entry.parentPath, entry.name)))
      .filter(library.sources)
      .sort();
    if (sources.length === 0) throw new Error(`${tree} has none of the sources: remove it`);
    return { ...release, place, tree, sources };
  });
}
