/** The house rules that a program can check: the table of rooms in ARCHITECTURE.md, headers, lengths, pages. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
/** Longer files say why in their header. */
const MAX_LINES = 400;
/** Tests are lists of cases, which nobody reads from end to end. */
const MAX_TEST_LINES = 600;
const EFFECTS = ["none", "await", "I/O"] as const;

interface Room {
  readonly floor: number;
  readonly effects: (typeof EFFECTS)[number];
  readonly mayImport: readonly string[];
}

interface Import {
  readonly from: string;
  /** Path in the project, or the package's name. */
  readonly to: string;
  readonly isPackage: boolean;
}

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** Files that belong to the project: all but what .gitignore names, which is folders and endings. */
function listFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (
      entry.name === ".git" ||
      ignored.some((end) => (entry.isDirectory() ? `/${path}/` : path).endsWith(end))
    )
      return [];
    return entry.isDirectory() ? listFiles(path) : entry.isFile() ? [path] : [];
  });
}

const ignored = read(".gitignore")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => (line.endsWith("/") ? `/${line.replace(/^\//, "")}` : line.replace(/^\*/, "")));
const projectFiles = listFiles("");
/** AssemblyScript looks like TypeScript, and is another language. */
const sources = projectFiles.filter(
  (path) => path.endsWith(".ts") && !path.startsWith("src/kernels/assembly/"),
);
const isTest = (path: string) => path.endsWith(".test.ts") || path.includes("/testing/");

function roomsOf(text: string): Map<string, Room> {
  const rooms = new Map<string, Room>();
  for (const line of text.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    const name = /^`([a-z-]+)`$/.exec(cells[1] ?? "")?.[1];
    if (name === undefined) continue;
    const effects = EFFECTS.find((known) => known === cells[3]);
    assert.ok(effects, `${name}: effects are one of ${EFFECTS.join(", ")}`);
    assert.ok(!rooms.has(name), `${name} has two rows`);
    const mayImport = [...cells[4]!.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]!);
    rooms.set(name, { floor: Number(cells[2]), effects, mayImport });
  }
  return rooms;
}

/** Comments and texts blanked out, so that words in them are not taken for code. */
function codeOf(source: string): string {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
    ([quote]) => `${quote}${quote}`,
  );
}

/** Static, type-only and dynamic imports. */
function importsOf(path: string): Import[] {
  const withoutComments = read(path).replace(/^\s*(\/?\*|\/\/).*$/gm, "");
  return [...withoutComments.matchAll(/\b(?:from\s|import\s|import\s*\()\s*"([^"\n]+)"/g)].map(
    ([, target]) =>
      target!.startsWith(".")
        ? { from: path, to: relative(ROOT, join(ROOT, dirname(path), target!)), isPackage: false }
        : { from: path, to: target!, isPackage: true },
  );
}

const rooms = roomsOf(read("ARCHITECTURE.md"));
const imports = new Map(sources.map((path) => [path, importsOf(path)]));
const roomOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1];

/** What a room gives to others: every file that its index, or a program, leads to inside the room. */
const shipped = new Set<string>();
for (const start of [
  "src/index.ts",
  "src/cli/main.ts",
  "src/workers/entry.ts",
  ...[...rooms.keys()].map((name) => `src/${name}/index.ts`),
]) {
  const open = [start];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (shipped.has(path) || !imports.has(path)) continue;
    shipped.add(path);
    for (const { to } of imports.get(path)!) if (roomOf(to) === roomOf(path)) open.push(to);
  }
}

const none: string[] = [];

test("every room has a row, and every row a room", () => {
  const folders = new Set(projectFiles.map(roomOf).filter((room) => room !== undefined));
  assert.deepEqual([...rooms.keys()].sort(), [...folders].sort());
});

test("every room's index opens with its purpose, its nouns and its invariant", () => {
  for (const name of rooms.keys()) {
    const header = /^\/\*\*[\s\S]*?\*\//.exec(read(`src/${name}/index.ts`))?.[0] ?? "";
    assert.match(
      header,
      new RegExp(`^/\\*\\*\\n \\* ${name}: `),
      `src/${name}/index.ts: opens with "${name}: "`,
    );
    assert.match(header, /Nouns?\b/, `src/${name}/index.ts: says its nouns`);
    assert.match(header, /Invariants?\b/, `src/${name}/index.ts: says its invariant`);
  }
});

test("rows name rooms of lower floors only", () => {
  for (const [name, { floor, mayImport }] of rooms) {
    for (const other of mayImport) {
      const below = rooms.get(other);
      assert.ok(below, `${name} may import ${other}, which has no row`);
      assert.ok(
        below.floor < floor,
        `${name} (floor ${floor}) may not import ${other} (floor ${below.floor})`,
      );
    }
  }
});

test("nobody imports a file of another room but its index.ts", () => {
  const wrong: string[] = [];
  // Support for tests may be shared; tests of the whole run the store's operations on backends that fail.
  const mayLookInside = (from: string, to: string) =>
    !shipped.has(from) && (isTest(to) || (from.startsWith("test/") && to.startsWith("src/store/")));
  for (const { from, to, isPackage } of [...imports.values()].flat()) {
    if (isPackage || roomOf(to) === undefined || roomOf(to) === roomOf(from)) continue;
    if (to !== `src/${roomOf(to)}/index.ts` && !mayLookInside(from, to)) wrong.push(`${from} imports ${to}`);
  }
  assert.deepEqual(wrong, none);
});

test("rooms import what their row names, and rows name what is imported", () => {
  const used = new Map([...rooms.keys()].map((name) => [name, new Set<string>()]));
  const wrong: string[] = [];
  for (const path of shipped) {
    const room = roomOf(path);
    if (room === undefined) continue;
    for (const { to, isPackage } of imports.get(path)!) {
      const other = roomOf(to);
      if (isPackage || other === room) continue;
      if (other === undefined) wrong.push(`${path} imports ${to}, which is in no room`);
      else if (!rooms.get(room)!.mayImport.includes(other))
        wrong.push(`${path} imports ${other}: not in its row`);
      else used.get(room)!.add(other);
    }
  }
  for (const [name, { mayImport }] of rooms) {
    for (const other of mayImport) {
      if (!used.get(name)!.has(other))
        wrong.push(`the row of ${name} names ${other}, which it doesn't import`);
    }
  }
  assert.deepEqual(wrong, none);
});

test("what is shipped needs Node alone, and test support stays out of it", () => {
  const wrong: string[] = [];
  for (const path of shipped) {
    for (const { to, isPackage } of imports.get(path)!) {
      if (isPackage ? !/^node:(?!test$|assert)/.test(to) : isTest(to)) wrong.push(`${path} imports ${to}`);
    }
  }
  assert.deepEqual(wrong, none);
});

test("what only tests need stands in testing/", () => {
  const wrong = sources.filter((path) => path.startsWith("src/") && !shipped.has(path) && !isTest(path));
  assert.deepEqual(wrong, none);
  // So that these two patterns keep it out of the package.
  const { exclude } = JSON.parse(read("tsconfig.build.json"));
  for (const pattern of ["src/**/*.test.ts", "src/**/testing"]) assert.ok(exclude.includes(pattern), pattern);
});

test("each source is shipped or serves a test", () => {
  const needed = new Set([...imports.values()].flat().map(({ to }) => to));
  const dead = sources.filter((path) => {
    return path.startsWith("src/") && !shipped.has(path) && !path.endsWith(".test.ts") && !needed.has(path);
  });
  assert.deepEqual(dead, none);
});

/** Modules that only compute. */
const COMPUTING = new Set(["node:buffer", "node:crypto", "node:util", "node:zlib"]);
const OUTSIDE = /\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bMath\.random\b|\bconsole\./;

test("rooms have no effects beyond those of their row", () => {
  const wrong: string[] = [];
  for (const path of shipped) {
    const { effects } = rooms.get(roomOf(path) ?? "") ?? { effects: "I/O" };
    if (effects === "I/O") continue;
    for (const { to, isPackage } of imports.get(path)!) {
      if (isPackage && !COMPUTING.has(to)) wrong.push(`${path} imports ${to}`);
    }
    const code = codeOf(read(path));
    if (OUTSIDE.test(code)) wrong.push(`${path}: ${OUTSIDE.exec(code)![0]}`);
    if (effects === "none" && /\bawait\b|\basync\b/.test(code)) wrong.push(`${path} awaits`);
  }
  assert.deepEqual(wrong, none);
});

test("files are short, or say in their header why not", () => {
  const wrong: string[] = [];
  for (const path of sources) {
    const text = read(path);
    const lines = text.split("\n").length - 1;
    const reason = /^\/\*\*[\s\S]*?\b(long|lines)\b[\s\S]*?\*\//i.test(text);
    if (lines > (isTest(path) ? MAX_TEST_LINES : MAX_LINES) && !reason) wrong.push(`${path}: ${lines} lines`);
  }
  assert.deepEqual(wrong, none);
});

test("every page that is mentioned exists, and every format has one", () => {
  const wrong: string[] = [];
  const pages = projectFiles
    .filter((path) => path.startsWith("docs/formats/"))
    .map(read)
    .join("\n");
  for (const path of projectFiles.filter((name) => /\.(ts|md|c)$/.test(name))) {
    const text = read(path);
    for (const [page] of text.matchAll(/\bdocs\/[\w/-]+\.md\b/g)) {
      if (!existsSync(join(ROOT, page))) wrong.push(`${path} mentions ${page}`);
    }
    for (const [, page] of path.endsWith(".md") ? text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g) : []) {
      if (!existsSync(join(ROOT, dirname(path), page!))) wrong.push(`${path} links to ${page}`);
    }
    if (!shipped.has(path)) continue;
    // What our own files begin and end with.
    for (const [, magic] of text.matchAll(/"(TENON[A-Z]{3})"/g)) {
      if (!pages.includes(magic!)) wrong.push(`${path}: no page of docs/formats/ describes ${magic}`);
    }
  }
  assert.deepEqual([...new Set(wrong)], none);
});

test("project files don't tell of the machine or the trackers that they were written on", () => {
  const text = (path: string) => readFileSync(join(ROOT, path), "utf8");
  const secrets = [
    ROOT,
    ...(homedir().length > 5 ? [homedir()] : []),
    ...(hostname().length > 5 ? [hostname()] : []),
  ];
  const wrong: string[] = [];
  for (const path of projectFiles) {
    const content = text(path);
    for (const secret of secrets) if (content.includes(secret)) wrong.push(`${path} holds ${secret}`);
    const told = /\bhttps?:\/\/registry\.|\b(?:issue|PR|pull request) #?\d+/i.exec(content);
    if (told !== null) wrong.push(`${path}: ${told[0]}`);
    if (path.endsWith(".json") && /"resolved":/.test(content)) wrong.push(`${path} names a registry`);
  }
  assert.deepEqual(wrong, none);
});
