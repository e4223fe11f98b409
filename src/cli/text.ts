/** Text for people: escaped names, sizes, times, aligned columns. Pure. */

/** Control and format characters (direction marks among them), line separators, and lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text with everything that could move the cursor, colour the screen or hide itself made visible. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    if (NAMED[character]) return NAMED[character];
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `512 B`, `1.5 KiB`, `20.0 MiB`: powers of 1024, one decimal. */
export function formatSize(bytes: number): string {
  if (Math.abs(bytes) < 1024) return `${bytes} B`;
  let scaled = bytes / 1024;
  let unit = 0;
  // 1023.95 and more would be shown as 1024.0.
  while (Math.abs(scaled) >= 1023.95 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled.toFixed(1)} ${UNITS[unit]}`;
}

/** `1 file`, `2 files`, `1,234 files`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatNumber(count)} ${count === 1 ? singular : plural}`;
}

/** `1,234,567`. */
export function formatNumber(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `7s`, `3m07s`, `2h05m`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

/** `40.9%`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

/** `-rwxr-xr-x` from a type and mode bits. */
export function formatMode(type: "file" | "directory" | "symlink", mode: number): string {
  const bits = ["r", "w", "x", "r", "w", "x", "r", "w", "x"].map((letter, i) =>
    mode & (0o400 >> i) ? letter : "-",
  );
  const special = (at: number, bit: number, letter: string) => {
    if (mode & bit) bits[at] = bits[at] === "x" ? letter : letter.toUpperCase();
  };
  special(2, 0o4000, "s");
  special(5, 0o2000, "s");
  special(8, 0o1000, "t");
  return (type === "directory" ? "d" : type === "symlink" ? "l" : "-") + bits.join("");
}

const NO_WIDTH = /\p{M}/u;
const TWO_COLUMNS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** Columns that the text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (NO_WIDTH.test(character)) continue;
    width += TWO_COLUMNS.test(character) ? 2 : 1;
  }
  return width;
}

export interface Column {
  readonly header: string;
  readonly align?: "right";
}

/** Lines of aligned columns, two spaces between, no trailing spaces. A header line only if a header has text. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  heading = (text: string) => text,
): string[] {
  const lines = columns.some((column) => column.header !== "")
    ? [columns.map((column) => column.header), ...rows]
    : [...rows];
  const widths = columns.map((_, i) => Math.max(0, ...lines.map((line) => displayWidth(line[i] ?? ""))));
  return lines.map((line, at) => {
    const cells = columns.map((column, i) => {
      const cell = line[i] ?? "";
      const padding = " ".repeat(widths[i]! - displayWidth(cell));
      return column.align === "right" ? padding + cell : cell + padding;
    });
    const joined = cells.join("  ").trimEnd();
    return at === 0 && lines.length > rows.length ? heading(joined) : joined;
  });
}

/** Breaks a paragraph into lines of at most `width` columns at spaces. */
export function wrap(paragraph: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(/\s+/).filter((word) => word !== "")) {
    if (line !== "" && indent.length + displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}

/** More than this of one kind is only counted, unless all are asked for. */
const SHOWN = 10;

/** The first lines and how many more there are; all of them with `all`. */
export function abridge(
  lines: readonly string[],
  { all, indent }: { readonly all: boolean; readonly indent: string },
): string[] {
  if (all || lines.length <= SHOWN) return lines.map((line) => indent + line);
  const more = `and ${formatNumber(lines.length - SHOWN)} more (--verbose shows all)`;
  return [...lines.slice(0, SHOWN), more].map((line) => indent + line);
}
