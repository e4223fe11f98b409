/**
 * Branches within a function, when it is coded by another: where code grew, all distances across it changed, though
 * they lead to the same instructions. So deltas are made of *relaxed* code, in which these distances are fixed
 * values, and each distance is foretold by the branch in the same place of the source.
 *
 * x86-64 only: the frozen decoder gives the instructions. On AArch64 such distances stay in the code.
 */

import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { CopyMap, type Delta, unzigzag, zigzag } from "../delta/index.ts";
import { EM_X86_64 } from "../elf/index.ts";
import { INSTRUCTION_LENGTH, scanX86_64, X86_64_REL32, x86_64Kind } from "../isa/index.ts";

/** Stands for a 32-bit distance: not zero, which a reference has, and not a distance within a function. */
const FAR_MARK = 0x7f7f7f7f;
const SHORT_BYTES = 2;

/** Relaxed code and the places of the distances in it. */
export interface Relaxed {
  readonly bytes: Uint8Array;
  /** Offset of each distance's field. */
  readonly site: Uint32Array;
  /** 1 or 4 bytes. */
  readonly width: Uint8Array;
}

const none = { site: new Uint32Array(0), width: new Uint8Array(0) };

/** Fields of distances: all short ones, and the 32-bit ones for which `isFar` holds. */
function distances(code: Uint8Array, isFar: (word: number) => boolean): Omit<Relaxed, "bytes"> {
  const { fieldOffsets, fieldShapes, instructions } = scanX86_64(code, { instructions: true });
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const site: number[] = [];
  const width: number[] = [];
  let field = 0;
  let at = 0;
  for (const packed of instructions) {
    const next = at + (packed & INSTRUCTION_LENGTH);
    if (packed === SHORT_BYTES && isShortBranch(code[at]!)) {
      site.push(at + 1);
      width.push(1);
    }
    for (; field < fieldOffsets.length && fieldOffsets[field]! < next; field++) {
      if (x86_64Kind(fieldShapes[field]!) !== X86_64_REL32) continue;
      if (!isFar(view.getInt32(fieldOffsets[field]!, true))) continue;
      site.push(fieldOffsets[field]!);
      width.push(4);
    }
    at = next;
  }
  return { site: Uint32Array.from(site), width: Uint8Array.from(width) };
}

/** JMP, Jcc, LOOP and JRCXZ with 8 bits of distance, without prefixes. */
function isShortBranch(opcode: number): boolean {
  return (opcode & 0xf0) === 0x70 || opcode === 0xeb || (opcode & 0xfc) === 0xe0;
}

/** A piece of code with its distances relaxed. `code` is not changed. */
export function relax(machine: number, code: Uint8Array): Relaxed {
  if (machine !== EM_X86_64) return { bytes: code, ...none };
  const found = distances(code, (word) => word !== 0);
  const bytes = code.slice();
  const view = new DataView(bytes.buffer);
  for (const [i, site] of found.site.entries()) {
    if (found.width[i] === 1) bytes[site] = 0;
    else view.setInt32(site, FAR_MARK, true);
  }
  return { bytes, ...found };
}

/** What is foretold for one place of the target; NaN when nothing is. */
class Foretold {
  readonly #source: Uint8Array;
  readonly #view: DataView;
  readonly #relaxed: Relaxed;
  readonly #delta: Delta;
  readonly #map: CopyMap;
  #step = 0;
  #copyStart: number;
  #branch = 0;

  constructor(source: Uint8Array, relaxed: Relaxed, delta: Delta) {
    this.#source = source;
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    this.#relaxed = relaxed;
    this.#delta = delta;
    this.#map = new CopyMap(delta);
    this.#copyStart = delta.count > 0 ? delta.literal[0]! : 0;
  }

  /** Sites must ascend. */
  at(site: number, width: number): number {
    const delta = this.#delta;
    while (this.#step < delta.count && this.#copyStart + delta.copy[this.#step]! <= site) {
      this.#copyStart += delta.copy[this.#step]!;
      if (++this.#step < delta.count) this.#copyStart += delta.literal[this.#step]!;
    }
    if (this.#step >= delta.count || site < this.#copyStart) return Number.NaN;
    const from = delta.from[this.#step]! + site - this.#copyStart;
    const branch = this.#branchAt(from);
    if (branch < 0 || this.#relaxed.width[branch] !== width) return Number.NaN;
    const distance = width === 1 ? (this.#source[from]! << 24) >> 24 : this.#view.getInt32(from, true);
    const wanted = this.#map.through(from + width + distance) - site - width;
    return width === 1 && wanted !== (wanted << 24) >> 24 ? Number.NaN : wanted | 0;
  }

  #branchAt(from: number): number {
    const { site } = this.#relaxed;
    // Mostly the next one.
    if (site[this.#branch] !== from) {
      let low = 0;
      let high = site.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (site[middle]! < from) low = middle + 1;
        else high = middle;
      }
      if (low >= site.length || site[low] !== from) return -1;
      this.#branch = low;
    }
    return this.#branch++;
  }
}

/** Streams of distances: runs of those that were foretold rightly, and the others. */
export interface BranchStreams {
  readonly runs: ByteWriter;
  readonly values: ByteWriter;
}

export interface BranchSources {
  readonly runs: ByteReader;
  readonly values: ByteReader;
}

/** Writes the distances of a changed piece. */
export function writeBranches(
  source: Uint8Array,
  relaxedSource: Relaxed,
  delta: Delta,
  target: Uint8Array,
  { site, width }: Omit<Relaxed, "bytes">,
  out: BranchStreams,
): void {
  if (site.length === 0) return;
  const foretold = new Foretold(source, relaxedSource, delta);
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  let run = 0;
  for (let i = 0; i < site.length; i++) {
    const short = width[i] === 1;
    const distance = short ? view.getInt8(site[i]!) : view.getInt32(site[i]!, true);
    const wanted = foretold.at(site[i]!, width[i]!);
    if (wanted === distance) {
      run++;
      continue;
    }
    if (!Number.isNaN(wanted)) {
      out.runs.varint(run);
      run = 0;
    }
    // One that was foretold wrongly is mostly wrong by little.
    const told = distance - (Number.isNaN(wanted) ? 0 : wanted);
    if (short) out.values.u8(told & 0xff);
    else out.values.varint(zigzag(told));
  }
  out.runs.varint(run);
}

/** Fills the distances into relaxed code that a delta gave. Errors: `invalid`. */
export function readBranches(
  machine: number,
  source: Uint8Array,
  relaxedSource: Relaxed,
  delta: Delta,
  target: Uint8Array,
  { runs, values }: BranchSources,
): void {
  if (machine !== EM_X86_64) return;
  const { site, width } = distances(target, (word) => word === FAR_MARK);
  if (site.length === 0) return;
  const foretold = new Foretold(source, relaxedSource, delta);
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  let run = runs.varint("branches");
  for (let i = 0; i < site.length; i++) {
    const short = width[i] === 1;
    const wanted = foretold.at(site[i]!, width[i]!);
    let distance = wanted;
    if (!Number.isNaN(wanted) && run > 0) run--;
    else {
      if (!Number.isNaN(wanted)) run = runs.varint("branches");
      const told = short ? values.u8("distance") : unzigzag(values.varint("distance"));
      distance = told + (Number.isNaN(wanted) ? 0 : wanted);
    }
    if (short) view.setInt8(site[i]!, distance);
    else view.setInt32(site[i]!, distance, true);
  }
  if (run !== 0) throw runs.error("branches", "more than the piece has");
}
