/** What a check has found: damages with the blobs and refs that they touch, and notes. */
import type { Digest } from "../digest/index.ts";
import type { TenonError } from "../errors/index.ts";
import type { SegmentId } from "../repository/index.ts";
import type { Damage } from "./types.ts";

/** Paths that are named for one damage; the others are counted. */
const SHOWN_PATHS = 5;

export interface Finding {
  readonly file?: string | undefined;
  readonly what: string;
  readonly blobs: Set<Digest>;
  readonly refs: Set<string>;
  /** `name:tag:path` */
  readonly paths: Set<string>;
}

export interface NewFinding {
  readonly file?: string | undefined;
  readonly what: string;
  readonly refs?: readonly string[];
  /** Segments that can't be relied on: blobs that need them are added to the finding. */
  readonly segments?: Iterable<SegmentId>;
}

export class Findings {
  #found: Finding[] = [];
  readonly #bySegment = new Map<SegmentId, Finding>();
  /** Findings about blobs by what they have in common. */
  readonly #groups = new Map<string, Finding>();
  readonly notes: string[] = [];
  /** An error after which nothing may be taken for lost: what is newer than this release, or could not be read just now. */
  undecided: TenonError | undefined;

  get all(): readonly Finding[] {
    return this.#found;
  }

  add({ file, what, refs = [], segments = [] }: NewFinding): Finding {
    const finding: Finding = { file, what, blobs: new Set(), refs: new Set(refs), paths: new Set() };
    this.#found.push(finding);
    for (const segment of segments) this.#bySegment.set(segment, finding);
    return finding;
  }

  /** Looks at every error on its way into a finding. */
  read(error: TenonError): string {
    if (error.code === "unsupported" || error.code === "io") this.undecided ??= error;
    return error.message;
  }

  /** A damaged file, once: what is found about it later is a consequence. */
  file(path: string, problem: string | TenonError): void {
    if (this.#found.some(({ file }) => file === path)) return;
    this.add({ file: path, what: typeof problem === "string" ? problem : this.read(problem) });
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** Notes that a blob needs a segment; true when that segment is damaged. */
  needs(blob: Digest, segment: SegmentId): boolean {
    const finding = this.#bySegment.get(segment);
    finding?.blobs.add(blob);
    return finding !== undefined;
  }

  /** A blob that can't be read: goes to the finding that explains it, else to others with the same file or sort. */
  blob(blob: Digest, error: TenonError, sort?: string): void {
    const what = this.read(error);
    const { segment, path } = error.data;
    if (typeof segment === "string" && this.needs(blob, segment)) return;
    const key = sort ?? path ?? blob;
    const known =
      this.#groups.get(key) ?? this.#found.find(({ file }) => file !== undefined && file === path);
    const finding = known ?? this.add({ file: path, what });
    this.#groups.set(key, finding);
    finding.blobs.add(blob);
  }

  /** Forgets what is about blobs alone and touches no ref. */
  dropUntouched(): void {
    this.#found = this.#found.filter(
      ({ file, blobs, refs }) => file !== undefined || blobs.size === 0 || refs.size > 0,
    );
  }

  /** All blobs that some finding touches. */
  damagedBlobs(): Map<Digest, Finding[]> {
    const blobs = new Map<Digest, Finding[]>();
    for (const finding of this.#found) {
      for (const blob of finding.blobs) {
        const others = blobs.get(blob);
        if (others === undefined) blobs.set(blob, [finding]);
        else others.push(finding);
      }
    }
    return blobs;
  }

  damages(): Damage[] {
    return this.#found.map(({ file, what, blobs, refs, paths }) => ({
      ...(file !== undefined && { file }),
      what: what + sentence(blobs.size, paths),
      refs: [...refs].sort(),
      blobs: [...blobs],
    }));
  }
}

function sentence(blobs: number, paths: ReadonlySet<string>): string {
  if (blobs === 0) return "";
  const shown = [...paths].slice(0, SHOWN_PATHS).join(", ");
  const more = paths.size > SHOWN_PATHS ? ` and ${paths.size - SHOWN_PATHS} more` : "";
  const where = paths.size === 0 ? "" : `: ${shown}${more}`;
  return `; it touches ${blobs} blob${blobs === 1 ? "" : "s"}${where}`;
}
