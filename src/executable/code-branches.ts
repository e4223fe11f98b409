/**
 * Branches within a function, when it is coded by another: where code grew, all distances across it changed, though
 * they lead to the same instructions. So deltas are made of *relaxed* code, in which these distances are fixed
 * values, and each distance is foretold by the branch in the same place of the source.
 *
 * x86-64 only: the frozen decoder gives the instructions. On AArch64 such distances stay in the code.
 */

import type { ByteReader } from "../bytes/index.ts";
import { CopyMap, type Delta, unzigzag } from "../delta/index.ts";
import { EM_X86_64 } from "../elf/index.ts";
import { scanX86_64Branches } from "../isa/index.ts";

/** Stands for a 32-bit distance: not zero, which a reference has, and not a distance within a function. */
const FAR_MARK = 0x7f7f7f7f;
/** Of 32-bit distances all but 0, which references have. */
const ANY_DISTANCE = 0;

/** Relaxed code and the places of the distances in it. */
export interface Relaxed {
  readonly bytes: Uint8Array;
  /** Offset of each distance's field. */
  readonly site: Uint32Array;
  /** 1 or 4 bytes. */
  readonly width: Uint8Array;
}

const none = { site: new Uint32Array(0), width: new Uint8Array(0) };

/** A piece of code with its distances relaxed. `code` is not changed. */
export function relax(machine: number, code: Uint8Array): Relaxed {
  if (machine !== EM_X86_64) return { bytes: code, ...none };
  const found = scanX86_64Branches(code, ANY_DISTANCE);
  const bytes = code.slice();
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < found.site.length; i++) {
    const site = found.site[i]!;
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
export interface BranchSources {
  readonly runs: ByteReader;
  readonly values: ByteReader;
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
  const { site, width } = scanX86_64Branches(target, FAR_MARK);
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
