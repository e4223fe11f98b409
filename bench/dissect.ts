/**
 * How well the pieces of one release repeat in the next, by kind of piece:
 *   node bench/dissect.ts OLD NEW [--misses KIND]
 * "equal" are bytes of NEW in pieces whose content OLD has too; "hit" are references that lead to the counterpart of
 * what the equal piece's reference leads to. `--misses` lists the largest pieces of a kind that OLD hasn't.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  type Dissection,
  dissect,
  join,
  joinInput,
  PieceKind,
  ReferenceKind,
} from "../src/executable/index.ts";

const nameOf = (table: Record<string, number>, value: number) =>
  Object.entries(table).find(([, number]) => number === value)?.[0] ?? String(value);

function contentKeys({ pieces, sites, blanked }: Dissection): string[] {
  const keys: string[] = [];
  for (let i = 0; i < pieces.count; i++) {
    const kind = pieces.kind[i]!;
    const offset = pieces.offset[i]!;
    const hash = createHash("md5").update(`${kind} ${pieces.length[i]} `);
    hash.update(sites.bytes.subarray(i === 0 ? 0 : sites.end[i - 1]!, sites.end[i]!));
    hash.update("|");
    if (kind !== PieceKind.memory) hash.update(blanked.subarray(offset, offset + pieces.length[i]!));
    keys.push(hash.digest("latin1"));
  }
  return keys;
}

/** For each piece of `to` the piece of `from` with the same content: the next after the last match, else the first. */
function partners(from: readonly string[], to: readonly string[]): Int32Array {
  const first = new Map<string, number>();
  const nextSame = new Int32Array(from.length).fill(-1);
  for (let i = from.length - 1; i >= 0; i--) {
    nextSame[i] = first.get(from[i]!) ?? -1;
    first.set(from[i]!, i);
  }
  const found = new Int32Array(to.length).fill(-1);
  let last = 0;
  for (let i = 0; i < to.length; i++) {
    if (from[last + 1] === to[i]) {
      found[i] = ++last;
      continue;
    }
    let best = first.get(to[i]!) ?? -1;
    for (let j = best; j >= 0; j = nextSame[j]!) {
      if (Math.abs(j - last) < Math.abs(best - last)) best = j;
      if (j > last) break;
    }
    found[i] = best;
    if (best >= 0) last = best;
    else last++;
  }
  return found;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { misses: { type: "string" } },
});
const [older, newer] = positionals.map((path) => {
  const file = new Uint8Array(readFileSync(path));
  const begin = performance.now();
  const dissection = dissect(file, { prove: false });
  const middle = performance.now();
  const same = Buffer.compare(join(joinInput(dissection)), file) === 0;
  const end = performance.now();
  console.log(
    `${path}: ${file.length} bytes, ${dissection.pieces.count} pieces, ${dissection.references.count} references,`,
    `${dissection.sites.bytes.length} site bytes, dissect ${(middle - begin).toFixed(0)} ms,`,
    `join ${(end - middle).toFixed(0)} ms${same ? "" : ", NOT THE SAME"}`,
  );
  return dissection;
});
if (older === undefined || newer === undefined) throw new Error("two files are needed");
const keys = contentKeys(newer);
const found = partners(contentKeys(older), keys);
const rows = new Map<
  number,
  { pieces: number; bytes: number; equalPieces: number; equalBytes: number; runs: number }
>();
let run = -2;
for (let i = 0; i < newer.pieces.count; i++) {
  const kind = newer.pieces.kind[i]!;
  const row = rows.get(kind) ?? { pieces: 0, bytes: 0, equalPieces: 0, equalBytes: 0, runs: 0 };
  rows.set(kind, row);
  row.pieces++;
  row.bytes += newer.pieces.length[i]!;
  const offset = newer.pieces.offset[i]!;
  const isForetold =
    kind === PieceKind.derived &&
    newer.blanked.subarray(offset, offset + newer.pieces.length[i]!).every((byte) => byte === 0);
  if (found[i]! >= 0 || isForetold) {
    row.equalPieces++;
    row.equalBytes += newer.pieces.length[i]!;
    if (found[i] !== run + 1) row.runs++;
  }
  run = found[i]! >= 0 ? found[i]! : -2;
}
console.table(
  Object.fromEntries(
    [...rows].map(([kind, row]) => [
      nameOf(PieceKind, kind),
      { ...row, newPieces: row.pieces - row.equalPieces, newBytes: row.bytes - row.equalBytes },
    ]),
  ),
);
let equal = 0;
let total = 0;
for (const [kind, row] of rows) {
  if (kind === PieceKind.memory) continue;
  equal += row.equalBytes;
  total += row.bytes;
}
console.log(`new: ${total - equal} of ${total} bytes, ${((100 * (total - equal)) / total).toFixed(2)}%`);

/** First reference of each piece. */
function firstReferences({ pieces, references }: Dissection): Uint32Array {
  const first = new Uint32Array(pieces.count + 1);
  for (let i = 0; i < references.count; i++) first[references.piece[i]! + 1]!++;
  for (let i = 0; i < pieces.count; i++) first[i + 1]! += first[i]!;
  return first;
}

const oldFirst = firstReferences(older);
const newFirst = firstReferences(newer);
const counts = new Map<number, { hit: number; miss: number; newTarget: number; inNewPiece: number }>();
for (let i = 0; i < newer.pieces.count; i++) {
  const partner = found[i]!;
  for (let r = newFirst[i]!; r < newFirst[i + 1]!; r++) {
    const kind = newer.references.kind[r]!;
    const row = counts.get(kind) ?? { hit: 0, miss: 0, newTarget: 0, inNewPiece: 0 };
    counts.set(kind, row);
    if (partner < 0) {
      row.inNewPiece++;
      continue;
    }
    const q = oldFirst[partner]! + r - newFirst[i]!;
    const target = found[newer.references.target[r]!]!;
    if (target < 0) row.newTarget++;
    else if (
      target === older.references.target[q] &&
      newer.references.targetOffset[r] === older.references.targetOffset[q]
    )
      row.hit++;
    else row.miss++;
  }
}
console.table(Object.fromEntries([...counts].map(([kind, row]) => [nameOf(ReferenceKind, kind), row])));

if (values.misses !== undefined) {
  const kind = PieceKind[values.misses as keyof typeof PieceKind];
  const misses = [...found.keys()].filter((i) => found[i]! < 0 && newer.pieces.kind[i] === kind);
  misses.sort((a, b) => newer.pieces.length[b]! - newer.pieces.length[a]!);
  for (const i of misses.slice(0, 40)) {
    console.log(
      `piece ${i} at ${newer.pieces.offset[i]} address ${newer.pieces.address[i]!.toString(16)}`,
      `${newer.pieces.length[i]} bytes, ${newFirst[i + 1]! - newFirst[i]!} references`,
    );
  }
}
