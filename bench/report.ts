/** What a measurement gives: a table, and whether what was aimed at was reached. */

/** An aim of the project, with what was measured. */
export interface Aim {
  readonly what: string;
  readonly measured: number;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly unit: string;
}

export interface Report {
  readonly title: string;
  /** How to get these numbers again. */
  readonly command: string;
  /** What was measured, in a sentence or two. */
  readonly about: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly aims: readonly Aim[];
}

export function isReached({ measured, atLeast, atMost }: Aim): boolean {
  return (atLeast === undefined || measured >= atLeast) && (atMost === undefined || measured <= atMost);
}

function aimLine(aim: Aim): string {
  const { what, measured, atLeast, atMost, unit } = aim;
  const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  const value = Number(measured.toPrecision(3));
  return `- ${isReached(aim) ? "reached" : "**missed**"}: ${what}: ${value} ${unit} (aim: ${bound})`;
}

/** The report as Markdown. */
export function markdown({ title, command, about, columns, rows, aims }: Report): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, i) => (i === 0 ? "---" : "---:"));
  const table = [line(columns), line(rule), ...rows.map(line)].join("\n");
  const parts = [`## ${title}`, `\`${command}\``, about, table];
  if (aims.length > 0) parts.push(aims.map(aimLine).join("\n"));
  return parts.join("\n\n");
}

/** Prints one report, for a measurement that runs by itself. */
export function print(report: Report, json: boolean | undefined): void {
  console.log(json === true ? JSON.stringify(report, null, 2) : markdown(report));
}

/** `12.3 MB`, decimal. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function seconds(value: number): string {
  return `${value.toFixed(value < 1 ? 3 : 2)} s`;
}
