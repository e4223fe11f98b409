/**
 * Which functions of two executables differ. A function is the same when its instructions are, but for the addresses in
 * them, and when what it calls has the same name: one that was only moved is the same.
 */
import { equalBytes } from "../bytes/index.ts";
import { siteBytes } from "./code-library.ts";
import { type Functions, findFunctions } from "./functions.ts";

export interface FunctionChange {
  readonly change: "added" | "removed" | "changed";
  /** As it is in the later file, else in the earlier one; empty for functions without a name. */
  readonly name: string;
  /** Virtual addresses and bytes in the earlier and in the later file. */
  readonly beforeAddress?: number;
  readonly beforeBytes?: number;
  readonly afterAddress?: number;
  readonly afterBytes?: number;
}

export interface FunctionDifferences {
  /** `name` when functions were paired by name as far as they have one, else by content and order alone. */
  readonly pairedBy: "name" | "content";
  readonly same: number;
  readonly changed: number;
  readonly added: number;
  readonly removed: number;
  /** Bytes of the functions of the later file that are the same as before. */
  readonly sameBytes: number;
  /** In the order of the later file; those that were removed at the end. */
  readonly changes: readonly FunctionChange[];
}

/** Files whose shares of named functions differ by more than this are paired without names: one was stripped. */
const MIN_NAMED_SHARE = 0.25;

/** Of two runs of functions without names: longer ones are paired from their beginning. */
const MAX_SIZE_COMPARISONS = 1 << 20;

/** Errors: as `dissect`, of either file. */
export function compareFunctions(before: Uint8Array, after: Uint8Array): FunctionDifferences {
  return new Comparison(findFunctions(before), findFunctions(after)).result();
}

function group(functions: Functions, of: (i: number) => string | number): Map<string | number, number[]> {
  const groups = new Map<string | number, number[]>();
  for (let i = 0; i < functions.count; i++) {
    const key = of(i);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  }
  return groups;
}

/**
 * The function whose beginning a reference leads to; -1 for none. What leads elsewhere may be a number that only looks
 * like an address, in files linked to a fixed place.
 */
function calledFunction({ dissection, ofPiece }: Functions, reference: number): number {
  const { target, targetOffset } = dissection.references;
  return targetOffset[reference] === 0 ? ofPiece[target[reference]!]! : -1;
}

class Comparison {
  readonly #before: Functions;
  readonly #after: Functions;
  readonly #byName: boolean;
  /** For each function of the later file its partner; and the other way round. */
  readonly #partner: Int32Array;
  readonly #back: Int32Array;

  constructor(before: Functions, after: Functions) {
    this.#before = before;
    this.#after = after;
    this.#partner = new Int32Array(after.count).fill(-1);
    this.#back = new Int32Array(before.count).fill(-1);
    const share = ({ name, count }: Functions) =>
      name.filter((text) => text !== "").length / Math.max(count, 1);
    const shares = [share(before), share(after)];
    this.#byName = Math.min(...shares) > MIN_NAMED_SHARE * Math.max(...shares);
    if (this.#byName) this.#pairByName();
    this.#pairByContent();
    this.#pairByOrder();
  }

  #pair(one: number, other: number): void {
    this.#partner[other] = one;
    this.#back[one] = other;
  }

  /** Names may stand for several functions: equal ones are paired first, the others in their order. */
  #pairByName(): void {
    const earlier = group(this.#before, (i) => this.#before.key[i]!);
    for (const [key, others] of group(this.#after, (i) => this.#after.key[i]!)) {
      const ones = key === "" ? undefined : earlier.get(key);
      if (ones === undefined) continue;
      const byHash = new Map<number, number[]>();
      for (const one of ones) {
        const hash = this.#before.hash[one]!;
        byHash.set(hash, [...(byHash.get(hash) ?? []), one]);
      }
      for (const other of others) {
        const one = byHash.get(this.#after.hash[other]!)?.shift();
        if (one !== undefined) this.#pair(one, other);
      }
      const left = ones.filter((one) => this.#back[one] === -1);
      for (const other of others) {
        if (this.#partner[other] !== -1) continue;
        const one = left.shift();
        if (one === undefined) break;
        this.#pair(one, other);
      }
    }
  }

  /** What has no name in one of the files: equal ones, in their order. */
  #pairByContent(): void {
    const isOpen = (functions: Functions, partners: Int32Array, i: number) =>
      partners[i] === -1 && !(this.#byName && functions.key[i] !== "");
    const earlier = group(this.#before, (i) => this.#before.hash[i]!);
    const used = new Map<number, number>();
    for (let i = 0; i < this.#after.count; i++) {
      if (!isOpen(this.#after, this.#partner, i)) continue;
      const hash = this.#after.hash[i]!;
      const ones = earlier.get(hash) ?? [];
      let at = used.get(hash) ?? 0;
      while (at < ones.length && !isOpen(this.#before, this.#back, ones[at]!)) at++;
      used.set(hash, at + 1);
      if (at < ones.length) this.#pair(ones[at]!, i);
    }
  }

  /** Without names: what lies behind a pair on both sides, up to the next pair, is paired by size. */
  #pairByOrder(): void {
    const isOpen = (functions: Functions, partners: Int32Array, i: number) =>
      i < functions.count && partners[i] === -1 && !(this.#byName && functions.key[i] !== "");
    for (let i = 0; i < this.#after.count; i++) {
      const one = i === 0 ? 0 : this.#partner[i - 1]! + 1;
      if (!isOpen(this.#after, this.#partner, i) || (i > 0 && one === 0)) continue;
      let end = i;
      while (isOpen(this.#after, this.#partner, end)) end++;
      let oneEnd = one;
      while (isOpen(this.#before, this.#back, oneEnd)) oneEnd++;
      this.#pairRuns(one, oneEnd - one, i, end - i);
      i = end - 1;
    }
  }

  /** Pairs the shorter of two runs with that part of the longer whose sizes are most alike. */
  #pairRuns(one: number, ones: number, other: number, others: number): void {
    const count = Math.min(ones, others);
    const shifts = Math.max(ones, others) - count;
    let best = 0;
    if (count * shifts <= MAX_SIZE_COMPARISONS) {
      let least = Number.POSITIVE_INFINITY;
      for (let shift = 0; shift <= shifts; shift++) {
        let sum = 0;
        for (let i = 0; i < count; i++) {
          const p = one + i + (ones > others ? shift : 0);
          const q = other + i + (ones > others ? 0 : shift);
          sum += Math.abs(this.#before.wholeBytes[p]! - this.#after.wholeBytes[q]!);
        }
        if (sum < least) {
          least = sum;
          best = shift;
        }
      }
    }
    for (let i = 0; i < count; i++) {
      if (ones > others) this.#pair(one + i + best, other + i);
      else this.#pair(one + i, other + i + best);
    }
  }

  /** Only with symbols on both sides is the fill behind a function known in both. */
  #bytes(functions: Functions): Float64Array {
    return this.#byName ? functions.bytes : functions.wholeBytes;
  }

  #isSame(one: number, other: number): boolean {
    const [before, after] = [this.#before, this.#after];
    const bytes = this.#bytes(before)[one]!;
    if (bytes !== this.#bytes(after)[other]) return false;
    const [p, q] = [before.piece[one]!, after.piece[other]!];
    const content = ({ dissection, offset }: Functions, i: number) =>
      dissection.blanked.subarray(offset[i]!, offset[i]! + bytes);
    return (
      equalBytes(content(before, one), content(after, other)) &&
      equalBytes(siteBytes(before.dissection, p), siteBytes(after.dissection, q)) &&
      this.#callsSame(p, q)
    );
  }

  /** Whether references to functions with names lead to the same names. */
  #callsSame(p: number, q: number): boolean {
    const [one, other] = [this.#before.dissection, this.#after.dissection];
    let r = one.firstReference[p]!;
    let s = other.firstReference[q]!;
    const count = Math.min(one.firstReference[p + 1]! - r, other.firstReference[q + 1]! - s);
    for (let i = 0; i < count; i++, r++, s++) {
      const f = calledFunction(this.#before, r);
      const g = calledFunction(this.#after, s);
      if (f < 0 || g < 0) continue;
      const [from, to] = [this.#before.key[f]!, this.#after.key[g]!];
      if (from !== "" && to !== "" && from !== to) return false;
    }
    return true;
  }

  result(): FunctionDifferences {
    const [before, after] = [this.#before, this.#after];
    const changes: FunctionChange[] = [];
    const counts = { same: 0, changed: 0, added: 0, removed: 0, sameBytes: 0 };
    const [beforeBytes, afterBytes] = [this.#bytes(before), this.#bytes(after)];
    const earlier = (i: number) => ({ beforeAddress: before.address[i]!, beforeBytes: beforeBytes[i]! });
    const later = (i: number) => ({ afterAddress: after.address[i]!, afterBytes: afterBytes[i]! });
    for (let i = 0; i < after.count; i++) {
      const one = this.#partner[i]!;
      if (one >= 0 && this.#isSame(one, i)) {
        counts.same++;
        counts.sameBytes += afterBytes[i]!;
        continue;
      }
      const change = one < 0 ? "added" : "changed";
      counts[change]++;
      changes.push({ change, name: after.name[i]!, ...(one >= 0 && earlier(one)), ...later(i) });
    }
    for (let i = 0; i < before.count; i++) {
      if (this.#back[i] !== -1) continue;
      counts.removed++;
      changes.push({ change: "removed", name: before.name[i]!, ...earlier(i) });
    }
    return { pairedBy: this.#byName ? "name" : "content", ...counts, changes };
  }
}
