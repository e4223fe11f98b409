/** Who shares what: tenon's chunks of every layer and file are remembered by number, and looked at when all are known. */
import type { Fingerprint } from "./fingerprints.ts";
import { FingerprintTable } from "./fingerprints.ts";
import type { Obstacle, Saving, SharingMatrix } from "./types.ts";

/** Smaller files inside layers are not told apart: there are too many, and none makes a difference. */
const MIN_MEMBER_BYTES = 16 * 1024;
const MATRIX_SIZE = 16;
const LISTED = 10;
const NAMES = 4;

interface Member {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly what: string;
}

interface Tracked {
  readonly name: string;
  readonly groups: readonly number[];
  chunks: Uint32Array<ArrayBuffer>;
  chunkCount: number;
  readonly members: Member[];
  totalBytes: number;
}

export class Attribution {
  readonly #table = new FingerprintTable({ numbered: true });
  #lengths = new Uint32Array(4096);
  #times = new Uint32Array(4096);
  readonly #objects: Tracked[] = [];

  /** A layer or file begins. */
  begin(name: string, groups: readonly number[]): void {
    const chunks = new Uint32Array(16);
    this.#objects.push({ name, groups, chunks, chunkCount: 0, members: [], totalBytes: 0 });
  }

  chunk(lengthBytes: number, print: Fingerprint): void {
    const number = this.#table.number(print);
    if (number >= this.#lengths.length) {
      this.#lengths = doubled(this.#lengths);
      this.#times = doubled(this.#times);
    }
    this.#lengths[number] = lengthBytes;
    this.#times[number]!++;
    const object = this.#objects.at(-1)!;
    if (object.chunkCount === object.chunks.length) object.chunks = doubled(object.chunks);
    object.chunks[object.chunkCount++] = number;
    object.totalBytes += lengthBytes;
  }

  /** A file in the present object: [start, end) of its uncompressed bytes. */
  member(member: Member): void {
    if (member.end - member.start >= MIN_MEMBER_BYTES) this.#objects.at(-1)!.members.push(member);
  }

  /** Bytes in chunks that occur once, for each object. */
  ownBytes(): number[] {
    return this.#objects.map((object) => {
      let own = 0;
      for (const chunk of numbers(object)) if (this.#times[chunk] === 1) own += this.#lengths[chunk]!;
      return own;
    });
  }

  /** Different bytes of each group, and those that no other has. */
  groupBytes(groupCount: number): { readonly totalBytes: number; readonly ownBytes: number }[] {
    const first = new Int32Array(this.#table.count).fill(-1);
    const isShared = new Uint8Array(this.#table.count);
    for (const object of this.#objects) {
      for (const group of object.groups) {
        for (const chunk of numbers(object)) {
          if (first[chunk] === -1) first[chunk] = group;
          else if (first[chunk] !== group) isShared[chunk] = 1;
        }
      }
    }
    const result = Array.from({ length: groupCount }, () => ({ totalBytes: 0, ownBytes: 0 }));
    for (const object of this.#objects) {
      for (const group of object.groups) result[group]!.totalBytes += object.totalBytes;
    }
    for (let chunk = 0; chunk < isShared.length; chunk++) {
      if (first[chunk] !== -1 && !isShared[chunk]) result[first[chunk]!]!.ownBytes += this.#lengths[chunk]!;
    }
    return result;
  }

  /** Between groups, or when there is only one between its objects; undefined when there is only one of those. */
  matrix(groupNames: readonly string[]): SharingMatrix | undefined {
    const ofGroups = groupNames.length > 1;
    const all: { name: string; objects: Tracked[]; bytes: number }[] = ofGroups
      ? groupNames.map((name, i) => {
          const objects = this.#objects.filter(({ groups }) => groups.includes(i));
          return { name, objects, bytes: objects.reduce((sum, object) => sum + object.totalBytes, 0) };
        })
      : this.#objects.map((object) => ({ name: object.name, objects: [object], bytes: object.totalBytes }));
    if (all.length < 2) return undefined;
    const largest = all
      .map((entry, order) => ({ ...entry, order }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, MATRIX_SIZE)
      .sort((a, b) => a.order - b.order);
    const masks = new Uint32Array(this.#table.count);
    for (const [i, { objects }] of largest.entries()) {
      for (const object of objects) for (const chunk of numbers(object)) masks[chunk]! |= 1 << i;
    }
    const bytes = largest.map(() => new Array<number>(largest.length).fill(0));
    for (let chunk = 0; chunk < masks.length; chunk++) {
      const mask = masks[chunk]!;
      for (let i = 0; i < largest.length; i++) {
        if (!(mask & (1 << i))) continue;
        for (let j = 0; j < largest.length; j++) {
          if (mask & (1 << j)) bytes[i]![j]! += this.#lengths[chunk]!;
        }
      }
    }
    return {
      of: ofGroups ? "groups" : "objects",
      names: largest.map(({ name }) => name),
      bytes,
      leftOut: all.length - largest.length,
    };
  }

  /** The files with the largest savings, and those that save nothing with the most bytes. */
  extremes(groupNames: readonly string[]): { readonly savings: Saving[]; readonly obstacles: Obstacle[] } {
    const byName = new Map<string, FileSum>();
    for (const object of this.#objects) {
      let at = 0;
      let next = 0;
      const { members } = object;
      const sums = members.map(() => ({ saved: 0, own: 0 }));
      for (const chunk of numbers(object)) {
        const length = this.#lengths[chunk]!;
        const times = this.#times[chunk]!;
        const end = at + length;
        while (next < members.length && members[next]!.end <= at) next++;
        for (let i = next; i < members.length && members[i]!.start < end; i++) {
          const { start, end: memberEnd } = members[i]!;
          const overlap = Math.min(end, memberEnd) - Math.max(at, start);
          if (times === 1) sums[i]!.own += overlap;
          else sums[i]!.saved += (overlap * (times - 1)) / times;
        }
        at = end;
      }
      for (const [i, { name, start, end, what }] of members.entries()) {
        const sum = byName.get(name) ?? {
          places: 0,
          totalBytes: 0,
          saved: 0,
          own: 0,
          what,
          groups: new Set(),
        };
        byName.set(name, sum);
        sum.places++;
        sum.totalBytes += end - start;
        sum.saved += sums[i]!.saved;
        sum.own += sums[i]!.own;
        for (const group of object.groups) sum.groups.add(group);
      }
    }
    const files = [...byName];
    const savings = files
      .filter(([, { saved }]) => saved >= 1)
      .sort((a, b) => b[1].saved - a[1].saved)
      .slice(0, LISTED)
      .map(([name, { places, totalBytes, saved, groups }]) => ({
        name,
        places,
        totalBytes,
        savedBytes: Math.round(saved),
        groups: [...groups].slice(0, NAMES).map((group) => groupNames[group]!),
      }));
    const obstacles = files
      .filter(([, { own }]) => own > 0)
      .sort((a, b) => b[1].own - a[1].own)
      .slice(0, LISTED)
      .map(([name, { places, totalBytes, own, what }]) => ({
        name,
        places,
        totalBytes,
        ownBytes: own,
        what,
      }));
    return { savings, obstacles };
  }
}

interface FileSum {
  places: number;
  totalBytes: number;
  saved: number;
  own: number;
  readonly what: string;
  readonly groups: Set<number>;
}

function numbers(object: Tracked): Uint32Array {
  return object.chunks.subarray(0, object.chunkCount);
}

function doubled(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
