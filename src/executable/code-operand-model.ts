/** What is foretold for the operands of one piece of x86-64 code: writer and reader go through it alike. */
import { Immediate, partsDisplacementBytes, partsImmediate, partsIsRip } from "../isa/index.ts";
import type { Alignment } from "./code-alignment.ts";
import { BLANK_BRANCH, type Instructions, isBranch } from "./code-instructions.ts";

/** Nothing is foretold. No operand has this value: they are 32-bit, instruction numbers below 2^31. */
export const NOTHING = 2 ** 40;

/** As many as have symbols; the farthest are forgotten. */
export const MAX_OPEN_LABELS = 64;
/** More than have symbols: one that is led to again comes back. */
const MAX_LAST_LABELS = 64;

/** Instructions that were last led to, wherever they are. */
class LastLabels {
  readonly #labels = new Int32Array(MAX_LAST_LABELS);

  clear(): void {
    this.#labels.fill(-1);
  }

  /** Place of a label, the last one's 0; -1 when it isn't there. */
  find(instruction: number): number {
    return this.#labels.indexOf(instruction);
  }

  /** The label in a place, or -1. */
  get(place: number): number {
    return this.#labels[place]!;
  }

  add(instruction: number): void {
    const labels = this.#labels;
    // All before its old place, or all, move back by one; the list is short, and mostly its beginning is.
    let moving = instruction;
    for (let place = 0; place < MAX_LAST_LABELS; place++) {
      const label = labels[place]!;
      labels[place] = moving;
      if (label === instruction) break;
      moving = label;
    }
  }
}

/** Instructions that were led to and lie ahead, in ascending order. */
class OpenLabels {
  /** With room for as many that were passed. */
  readonly #labels = new Int32Array(2 * MAX_OPEN_LABELS);
  #first = 0;
  #end = 0;

  clear(): void {
    this.#first = 0;
    this.#end = 0;
  }

  /** Forgets what lies before an instruction. */
  pass(instruction: number): void {
    while (this.#first < this.#end && this.#labels[this.#first]! < instruction) this.#first++;
  }

  /** Place of a label, nearest 0; -1 when it isn't there. */
  find(instruction: number): number {
    const place = this.#place(instruction);
    return place < this.#end && this.#labels[place] === instruction ? place - this.#first : -1;
  }

  /** The label in a place, or -1. */
  get(place: number): number {
    return this.#first + place < this.#end ? this.#labels[this.#first + place]! : -1;
  }

  add(instruction: number): void {
    if (this.#end === this.#labels.length) {
      this.#labels.copyWithin(0, this.#first, this.#end);
      this.#end -= this.#first;
      this.#first = 0;
    }
    const place = this.#place(instruction);
    if (place < this.#end && this.#labels[place] === instruction) return;
    for (let i = this.#end; i > place; i--) this.#labels[i] = this.#labels[i - 1]!;
    this.#labels[place] = instruction;
    if (++this.#end - this.#first > MAX_OPEN_LABELS) this.#end--;
  }

  #place(instruction: number): number {
    let low = this.#first;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#labels[middle]! < instruction) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Places in the table of displacements: more than a function has stack slots, mostly. */
const PLACES = 1024;
const BASES = 16;
/** Immediates are learned beside displacements: as of one more base. */
const IMMEDIATE_BASE = 16;

/** What the source's displacements became. */
class Learned {
  readonly #key = new Int32Array(PLACES);
  readonly #base = new Uint8Array(PLACES);
  readonly #value = new Int32Array(PLACES);
  readonly #shift = new Int32Array(BASES + 1);

  clear(): void {
    this.#base.fill(0xff);
    this.#shift.fill(0);
  }

  foretell(base: number, value: number): number {
    const place = (value + 61 * base) & (PLACES - 1);
    if (this.#base[place] === base && this.#key[place] === value) return this.#value[place]!;
    return (value + this.#shift[base]!) | 0;
  }

  learn(base: number, value: number, became: number): void {
    const place = (value + 61 * base) & (PLACES - 1);
    this.#base[place] = base;
    this.#key[place] = value;
    this.#value[place] = became;
    if (base !== IMMEDIATE_BASE) this.#shift[base] = became - value;
  }
}

export class OperandModel {
  readonly open = new OpenLabels();
  readonly last = new LastLabels();
  readonly #learned = new Learned();
  #source: Instructions | undefined;
  #alignment: Alignment | undefined;

  begin(source?: Instructions, alignment?: Alignment): void {
    this.open.clear();
    this.last.clear();
    this.#source = source;
    this.#alignment = alignment;
    if (source !== undefined) this.#learned.clear();
  }

  /** The source's instruction, or -1. */
  partner(instruction: number): number {
    return this.#source === undefined ? -1 : this.#alignment!.source[instruction]!;
  }

  displacement(parts: number, base: number, partner: number): number {
    const isRip = partsIsRip(parts);
    if (partner >= 0) {
      const from = this.#source!;
      const fromParts = from.parts[partner]!;
      if (partsDisplacementBytes(fromParts) !== 0 && partsIsRip(fromParts) === isRip) {
        const value = from.displacement[partner]!;
        if (isRip) return value;
        return this.#learned.foretell(base, value);
      }
    }
    return isRip ? 0 : NOTHING;
  }

  learnDisplacement(parts: number, base: number, partner: number, value: number): void {
    if (partner < 0 || partsIsRip(parts)) return;
    const from = this.#source!;
    if (partsDisplacementBytes(from.parts[partner]!) !== 0 && !partsIsRip(from.parts[partner]!))
      this.#learned.learn(base, from.displacement[partner]!, value);
  }

  immediate(partner: number): number {
    if (partner < 0) return NOTHING;
    const from = this.#source!;
    const kind = partsImmediate(from.parts[partner]!);
    if (kind !== Immediate.byte && kind !== Immediate.word) return NOTHING;
    return this.#learned.foretell(IMMEDIATE_BASE, from.immediate[partner]!);
  }

  learnImmediate(partner: number, value: number): void {
    if (partner < 0) return;
    const from = this.#source!;
    const kind = partsImmediate(from.parts[partner]!);
    if (kind === Immediate.byte || kind === Immediate.word)
      this.#learned.learn(IMMEDIATE_BASE, from.immediate[partner]!, value);
  }

  /** To be called for every branch. */
  led(instruction: number, target: number): void {
    if (target < 0) return;
    if (target > instruction) this.open.add(target);
    this.last.add(target);
  }

  branch(parts: number, isCall: boolean, partner: number): number {
    if (partner >= 0) {
      const from = this.#source!;
      if (isBranch(partsImmediate(from.parts[partner]!))) {
        const target = from.target[partner]!;
        if (target >= 0) return this.#alignment!.target[target]!;
        // A short branch is never blank.
        if (target === BLANK_BRANCH && partsImmediate(parts) === Immediate.branch) return BLANK_BRANCH;
      }
    }
    return isCall ? BLANK_BRANCH : NOTHING;
  }
}
