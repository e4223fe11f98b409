/** The report of `add`: a line per operand, with what was newly stored for it, as what, and why not better. */
import type { AddedRoot, AddResult, StoreEvent } from "../store/index.ts";
import { stateName } from "./state.ts";
import { type Column, escapeControls, formatCount, formatNumber, formatSize, formatTable } from "./text.ts";

type ItemEvent = Extract<StoreEvent, { type: "item" }>;

interface Counted {
  readonly name: string;
  readonly reason?: string;
  files: number;
}

/** What the items of one operand add up to; its size doesn't grow with the number of files. */
interface Tally {
  storedBytes: number;
  newFiles: number;
  readonly kept: Map<string, Counted>;
  readonly declined: Map<string, Counted>;
}

/** More kinds of reasons than this are counted together: reasons may name what they saw. */
const REASONS_SHOWN = 8;

const COLUMNS: readonly Column[] = [
  { header: "REF" },
  { header: "DIGEST" },
  { header: "SIZE", align: "right" },
  { header: "FILES", align: "right" },
  { header: "NEW", align: "right" },
  { header: "KEPT AS" },
  { header: "PATH" },
];

export interface ReportStyle {
  readonly digest: (digest: string) => string;
  readonly heading: (text: string) => string;
}

function countIn(map: Map<string, Counted>, name: string, reason?: string): void {
  const key = reason === undefined ? name : `${name}\0${reason}`;
  const counted = map.get(key) ?? { name, files: 0, ...(reason === undefined ? {} : { reason }) };
  counted.files++;
  map.set(key, counted);
}

function emptyTally(): Tally {
  return { storedBytes: 0, newFiles: 0, kept: new Map(), declined: new Map() };
}

/** What one operand stands for. */
export interface ReportedOperand {
  /** As it was given, which is how its root is named. */
  readonly given: string;
  /** Where it is in the file system, links resolved, which is how its items are named. */
  readonly absolute: string;
}

export interface AddReportOptions {
  /** All operands become one root. */
  readonly together: boolean;
}

export class AddReport {
  readonly #byGiven: ReadonlyMap<string, Tally>;
  /** The longest that is a beginning of an item's path owns the item, so the longest come first. */
  readonly #byPlace: readonly { readonly path: string; readonly below: string; readonly tally: Tally }[];
  readonly #whole: Tally | undefined;

  constructor(operands: readonly ReportedOperand[], { together }: AddReportOptions) {
    this.#whole = together ? emptyTally() : undefined;
    const tallies = operands.map(({ given, absolute }) => ({ given, absolute, tally: emptyTally() }));
    this.#byGiven = new Map(tallies.map(({ given, tally }) => [given, tally]));
    this.#byPlace = tallies
      .map(({ absolute: path, tally }) => ({ path, below: path.endsWith("/") ? path : `${path}/`, tally }))
      .sort((a, b) => b.path.length - a.path.length);
  }

  #ownerOf(item: string): Tally | undefined {
    if (this.#whole) return this.#whole;
    const owner = this.#byPlace.find(({ path, below }) => item === path || item.startsWith(below));
    return owner?.tally ?? this.#byGiven.get(item);
  }

  #tallyOf(root: AddedRoot): Tally {
    return this.#whole ?? this.#byGiven.get(root.path) ?? emptyTally();
  }

  /** Takes an event of the operation; anything but a file's item is of no concern. */
  observe(event: StoreEvent): void {
    if (event.type !== "item" || event.kind !== "file") return;
    const tally = this.#ownerOf(event.path);
    if (tally) this.#count(tally, event);
  }

  #count(tally: Tally, item: ItemEvent): void {
    tally.storedBytes += item.storedBytes ?? 0;
    if (!item.known) tally.newFiles++;
    if (item.representation !== undefined) countIn(tally.kept, item.representation);
    for (const { representation, reason } of item.declined ?? []) {
      const key = `${representation}\0${reason}`;
      const room = tally.declined.has(key) || tally.declined.size < REASONS_SHOWN;
      countIn(tally.declined, room ? representation : "others", room ? reason : "various reasons");
    }
  }

  #row(root: AddedRoot, digest: ReportStyle["digest"]): string[] {
    const { kept: counts, storedBytes } = this.#tallyOf(root);
    const kept = [...counts.values()];
    const keptAs =
      kept.length === 1
        ? kept[0]!.name
        : kept.map(({ name, files }) => `${name} ${formatNumber(files)}`).join(", ");
    return [
      root.ref === undefined ? "-" : stateName({ ref: root.ref, sequence: root.sequence ?? 0 }),
      digest(root.root.digest),
      formatSize(root.root.size),
      formatNumber(root.root.files),
      formatSize(storedBytes),
      escapeControls(keptAs || "-"),
      escapeControls(root.path),
    ];
  }

  /** The report for people. */
  lines(result: AddResult, { digest, heading }: ReportStyle): string[] {
    const rows = result.roots.map((root) => this.#row(root, digest));
    const [header, ...table] = formatTable(COLUMNS, rows, heading);
    const lines = rows.length > 0 ? [header!] : [];
    for (const [i, root] of result.roots.entries()) {
      lines.push(table[i]!);
      for (const { name, reason, files } of this.#tallyOf(root).declined.values()) {
        const many = root.root.type === "tree" ? ` (${formatCount(files, "file")})` : "";
        lines.push(escapeControls(`  not ${name}: ${reason}${many}`));
      }
    }
    const added = `${formatCount(result.files, "file")}, ${formatSize(result.bytes)}, ${formatNumber(result.newFiles)} new`;
    const left = result.problems > 0 ? `; ${formatCount(result.problems, "problem")}` : "";
    lines.push(`${added}; the repository grew by ${formatSize(result.storedBytes)}${left}`);
    return lines;
  }

  /** The result for programs: the store's, with the facts of each operand added to its root. */
  json(result: AddResult): unknown {
    const roots = result.roots.map((root) => {
      const { storedBytes, newFiles, kept, declined } = this.#tallyOf(root);
      return {
        ...root,
        storedBytes,
        newFiles,
        representations: [...kept.values()].map(({ name, files }) => ({ name, files })),
        declined: [...declined.values()].map(({ name, reason, files }) => ({
          representation: name,
          reason,
          files,
        })),
      };
    });
    return { ...result, roots };
  }
}
