import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { equalBytes } from "../bytes/index.ts";
import {
  type Dissection,
  dissect,
  findSkeleton,
  join,
  joinInput,
  PieceKind,
  ReferenceKind,
} from "./index.ts";
import { buildPrograms, goPrograms, installedPrograms } from "./testing/programs.ts";

/** Content of each piece: what decides whether two pieces are the same. */
function contents({ pieces, sites, blanked }: Dissection): { key: string; kind: number; bytes: number }[] {
  const found: { key: string; kind: number; bytes: number }[] = [];
  for (let i = 0; i < pieces.count; i++) {
    const [kind, offset, bytes] = [pieces.kind[i]!, pieces.offset[i]!, pieces.length[i]!];
    const hash = createHash("sha1").update(`${kind} ${bytes} `);
    hash.update(sites.bytes.subarray(i === 0 ? 0 : sites.end[i - 1]!, sites.end[i]!)).update(" ");
    if (kind !== PieceKind.memory) hash.update(blanked.subarray(offset, offset + bytes));
    found.push({ key: hash.digest("hex"), kind, bytes });
  }
  return found;
}

/** Bytes of pieces of a kind in `b` that `a` has too, and all of them. */
function repeated(a: Dissection, b: Dissection, kind: number): { equal: number; all: number } {
  const keys = new Set(contents(a).map(({ key }) => key));
  const counted = { equal: 0, all: 0 };
  for (const piece of contents(b)) {
    if (piece.kind !== kind) continue;
    counted.all += piece.bytes;
    if (keys.has(piece.key)) counted.equal += piece.bytes;
  }
  return counted;
}

function countReferences({ references }: Dissection, kind: number): number {
  return references.kind.reduce((sum, found) => sum + (found === kind ? 1 : 0), 0);
}

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

function derivedBytes({ pieces, blanked }: Dissection): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < pieces.count; i++) {
    if (pieces.kind[i] !== PieceKind.derived) continue;
    parts.push(blanked.subarray(pieces.offset[i]!, pieces.offset[i]! + pieces.length[i]!));
  }
  return new Uint8Array(Buffer.concat(parts));
}

const built = buildPrograms();
const program = (name: string) => built.find((found) => found.name === name)?.bytes;

test("every flavour comes back, and pieces tile the file", { skip: built.length === 0 }, () => {
  for (const { name, bytes } of built) {
    const dissection = dissect(bytes, { prove: false });
    const { pieces, references } = dissection;
    assert.ok(equalBytes(join(joinInput(dissection)), bytes), name);
    let at = 0;
    for (let i = 0; i < pieces.count; i++) {
      assert.equal(pieces.offset[i], at, `${name} piece ${i}`);
      if (pieces.kind[i] !== PieceKind.memory) at += pieces.length[i]!;
    }
    assert.equal(at, bytes.length, name);
    for (let i = 1; i < references.count; i++) assert.ok(references.site[i]! > references.site[i - 1]!, name);
  }
});

test("references are found again without targets", { skip: built.length === 0 }, () => {
  for (const { name, bytes } of built) {
    const dissection = dissect(bytes, { prove: false });
    const { pieces, references } = findSkeleton(joinInput(dissection));
    assert.deepEqual(Array.from(references.site), Array.from(dissection.references.site), name);
    assert.deepEqual(references.kind, dissection.references.kind, name);
    assert.deepEqual(pieces.address, dissection.pieces.address, name);
  }
});

test("tables that follow from the rest leave nothing", { skip: built.length === 0 }, () => {
  for (const { name, bytes } of built) {
    const derived = derivedBytes(dissect(bytes, { prove: false }));
    if (name.includes("pie") && name !== "no-pie") assert.ok(derived.length > 0, name);
    assert.ok(isZero(derived), name);
  }
});

test("kinds of references by flavour", { skip: built.length === 0 }, () => {
  const expected: readonly (readonly [name: string, kind: number])[] = [
    ["pie", ReferenceKind.pc32],
    ["pie", ReferenceKind.table32],
    ["pie", ReferenceKind.field32],
    ["pie", ReferenceKind.back32],
    ["pie", ReferenceKind.relative64],
    ["pie", ReferenceKind.symbolName],
    ["relr", ReferenceKind.relr64],
    ["no-pie", ReferenceKind.abs32],
    ["no-pie", ReferenceKind.abs64],
    ["aarch64-pie", ReferenceKind.page21],
    ["aarch64-pie", ReferenceKind.low12],
    ["aarch64-pie", ReferenceKind.branch26],
  ];
  for (const [name, kind] of expected) {
    const bytes = program(name);
    if (bytes !== undefined) assert.ok(countReferences(dissect(bytes), kind) > 0, `${name} ${kind}`);
  }
});

test("code that moved is the same code", { skip: built.length === 0 }, () => {
  const names = ["stripped", "static", "static-pie", "no-pie", "aarch64-pie"];
  for (const { name, bytes } of buildPrograms(names, true)) {
    const before = program(name)!;
    const { equal, all } = repeated(dissect(before), dissect(bytes), PieceKind.code);
    // New are `first`, `main`, which calls it, and in the small programs the start files' little pieces.
    assert.ok(all - equal < 2048, `${name}: ${all - equal} of ${all} bytes of code are new`);
  }
});

test("programs of the machine come back", () => {
  for (const { name, bytes } of installedPrograms()) {
    const dissection = dissect(bytes, { prove: false });
    assert.ok(equalBytes(join(joinInput(dissection)), bytes), name);
  }
});

const go = goPrograms();

test("Go: tables are taken apart and derived", { skip: go.length === 0 }, () => {
  for (const { name, bytes } of go) {
    const dissection = dissect(bytes);
    for (const kind of ["goText", "goName", "goFile", "goPcValue", "goType", "goFuncdata"] as const) {
      assert.ok(
        countReferences(dissection, ReferenceKind[kind]) > 1000 || kind === "goFile",
        `${name} ${kind}`,
      );
    }
    const derived = derivedBytes(dissection);
    assert.ok(derived.length > 8 * 1000, name);
    assert.ok(isZero(derived), name);
  }
});

test("Go: two programs share the runtime", { skip: go.length < 2 }, () => {
  const [a, b] = go.map(({ bytes }) => dissect(bytes));
  for (const kind of [PieceKind.code, PieceKind.go]) {
    const { equal, all } = repeated(a!, b!, kind);
    assert.ok(equal > all / 4, `${equal} of ${all} bytes of kind ${kind}`);
  }
});
