/** One library: linked plainly and with the layout, run, compared, counted, timed. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { median, run } from "../measured.ts";
import { makePlace } from "../place.ts";
import { type BuiltRelease, buildRelease, linkPlain } from "./build.ts";
import type { Compilation, Library } from "./corpora.ts";
import type { FetchedRelease } from "./fetch.ts";
import { ksmObstacle, type MergedPages, mergePages } from "./ksm.ts";
import { addVersions, layOut, tenon } from "./layout.ts";

/** Pages of 4 KiB of a set of images, one of each version. */
export interface SharedPages {
  readonly pages: number;
  readonly zero: number;
  /** Different contents that aren't zero: what is left when each is kept once. */
  readonly distinct: number;
  readonly distinctAtAddress: number;
  readonly poolBytes: number;
  readonly poolZstdBytes: number;
  /** From each version to the next: pages of the later one that aren't zero, and those that the earlier one has. */
  readonly neighbours: readonly {
    readonly filled: number;
    readonly sameAddress: number;
    readonly sameContent: number;
  }[];
}

/** One way of linking all versions. */
export interface Variant {
  readonly name: string;
  readonly shared: SharedPages;
  readonly merged: MergedPages | undefined;
}

/** CPU time of a variant over that of the plain link, of one version. */
export interface Cost {
  readonly variant: string;
  readonly version: string;
  /** Median of pairs. */
  readonly ratio: number;
  readonly plainSeconds: number;
}

export interface LibraryResult {
  readonly library: string;
  readonly title: string;
  readonly versions: readonly string[];
  readonly variants: readonly Variant[];
  readonly costs: readonly Cost[];
  readonly rounds: number;
  /** What each version's workload printed, in all variants. */
  readonly outputs: readonly string[];
  readonly withoutKsm: string | undefined;
  readonly date: string;
}

export interface MeasureOptions {
  readonly corpora: string;
  readonly rounds: number;
  readonly progress: (what: string) => void;
}

/** As many as the prototype of this layout was tried with. */
const KSM_INSTANCES = 10;
/** Images of seven versions of SQLite in six variants take 100 MB. */
const PLACE_BYTES = 1 << 30;

interface ShareOutput {
  readonly pageSizes: readonly {
    readonly pageBytes: number;
    readonly total: Pick<SharedPages, "pages" | "zero" | "distinct" | "distinctAtAddress">;
    readonly neighbours: readonly {
      readonly pages: number;
      readonly zero: number;
      readonly sameAddress: number;
      readonly sameContent: number;
    }[];
  }[];
  readonly pool: { readonly bytes: number; readonly zstdBytes: number };
}

function shareOf(images: readonly string[]): SharedPages {
  const { pageSizes, pool } = JSON.parse(
    tenon("", "lib", "share", "--json", "--no-progress", ...images),
  ) as ShareOutput;
  const { total, neighbours } = pageSizes.find(({ pageBytes }) => pageBytes === 4096)!;
  const { pages, zero, distinct, distinctAtAddress } = total;
  return {
    ...{ pages, zero, distinct, distinctAtAddress, poolBytes: pool.bytes, poolZstdBytes: pool.zstdBytes },
    neighbours: neighbours.map(({ pages, zero, sameAddress, sameContent }) => ({
      ...{ filled: pages - zero, sameAddress, sameContent },
    })),
  };
}

/** Runs the images of one version in turn, each the first as often, and gives the CPU times of each. */
function interleaved(images: readonly string[], argument: string, rounds: number): number[][] {
  const times: number[][] = images.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < images.length; i++) {
      const which = (i + round) % images.length;
      times[which]!.push(run([images[which]!, argument]).cpuSeconds);
    }
  }
  return times;
}

export function measureLibrary(
  library: Library,
  releases: readonly FetchedRelease[],
  { rounds, progress }: MeasureOptions,
): LibraryResult {
  const place = makePlace(PLACE_BYTES);
  try {
    const imagesOf = new Map<string, readonly string[]>();
    const variants: Variant[] = [];
    const obstacle = ksmObstacle();
    const add = (name: string, images: readonly string[]) => {
      progress(`${library.name}: ${name}`);
      imagesOf.set(name, images);
      const merged = obstacle === undefined ? mergePages(images, KSM_INSTANCES, place) : undefined;
      variants.push({ name, shared: shareOf(images), merged });
    };
    const newPlace = (name: string) => mkdtempSync(join(place, `${name}-`));
    const builtWith = (compilation: Compilation) =>
      releases.map((release) => buildRelease(library, release, compilation, progress));
    const plain = (built: readonly BuiltRelease[]) => {
      const folder = newPlace("plain");
      return built.map((release) => {
        const image = join(folder, `image-${release.version}`);
        linkPlain(library, release, image);
        return image;
      });
    };

    const built = builtWith("neutral");
    add("plain", plain(built));
    const repository = join(newPlace("repository"), "repo");
    addVersions(library, built, repository);
    for (const slots of ["varying", "all"] as const) {
      const images = layOut(library, built, { repository, place: newPlace(slots), slots });
      add(slots === "varying" ? "layout" : "layout, slots for all", images);
    }
    // Each version is added when it comes out; what is placed stays where it is.
    const grown = newPlace("grown");
    add(
      "layout, grown",
      built.map((release) => layOut(library, [release], { repository, place: grown, slots: "all" })[0]!),
    );
    add(
      "layout of one version",
      built.map(
        (release) =>
          layOut(library, [release], { repository, place: newPlace("alone"), slots: "varying" })[0]!,
      ),
    );
    for (const compilation of library.alsoCompiled) {
      const others = builtWith(compilation);
      add(`plain, ${compilation}`, plain(others));
      const repository = join(newPlace("repository"), "repo");
      addVersions(library, others, repository);
      const images = layOut(library, others, { repository, place: newPlace("others"), slots: "varying" });
      add(`layout, ${compilation}`, images);
    }

    const argument = String(library.rounds);
    const outputs = built.map(({ version }, i) => {
      const [first, ...others] = [...imagesOf].map(([name, images]) => {
        progress(`${library.name} ${version}: running ${name}`);
        return { name, output: run([images[i]!, argument]).output };
      });
      for (const { name, output } of others) {
        if (output !== first!.output) {
          throw new Error(
            `${library.name} ${version}: ${name} printed ${output} instead of ${first!.output}`,
          );
        }
      }
      return first!.output.trim();
    });

    const timed = ["plain", "layout", "layout, slots for all", "layout of one version"];
    const costs = (rounds === 0 ? [] : built).flatMap(({ version }, i): Cost[] => {
      progress(`${library.name} ${version}: timing`);
      const times = interleaved(
        timed.map((name) => imagesOf.get(name)![i]!),
        argument,
        rounds,
      );
      const plainTimes = times[0]!;
      return timed.slice(1).map((variant, n) => ({
        variant,
        version,
        ratio: median(times[n + 1]!.map((seconds, round) => seconds / plainTimes[round]!)),
        plainSeconds: median(plainTimes),
      }));
    });
    return {
      ...{ library: library.name, title: library.title, versions: built.map(({ version }) => version) },
      ...{
        variants,
        costs,
        rounds,
        outputs,
        withoutKsm: obstacle,
        date: new Date().toISOString().slice(0, 10),
      },
    };
  } finally {
    rmSync(place, { recursive: true });
  }
}
