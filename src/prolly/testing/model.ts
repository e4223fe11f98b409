/** For the tests of this room: maps beside a plain model, and entries drawn from a seed. */

import { compareBytes, toHex, utf8 } from "../../bytes/index.ts";
import { drawer } from "../../bytes/testing/random.ts";
import { buildMap } from "../index.ts";
import type { MapEntry, MapKind, MapSpace, ProllyRoot } from "../types.ts";
import { MemoryNodeStore } from "./memory.ts";

/** Two sums, so that more than one is tested: entries with a non-empty value, and bytes of values. */
export const SUMMED: MapKind = {
  format: "summed map",
  sums: 2,
  measure: (_key, value) => [value.length > 0 ? 1 : 0, value.length],
};

export interface TestSpace extends MapSpace {
  readonly store: MemoryNodeStore;
}

export function testSpace(kind: MapKind = SUMMED): TestSpace {
  return { store: new MemoryNodeStore(), kind };
}

/** A sorted map of plain values: what every operation is compared with. */
export class Model {
  readonly entries = new Map<string, MapEntry>();

  set(key: Uint8Array, value: Uint8Array | undefined): this {
    if (value === undefined) this.entries.delete(toHex(key));
    else this.entries.set(toHex(key), { key, value });
    return this;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.entries.get(toHex(key))?.value;
  }

  sorted(): MapEntry[] {
    return [...this.entries.values()].sort((a, b) => compareBytes(a.key, b.key));
  }

  copy(): Model {
    const copy = new Model();
    for (const { key, value } of this.entries.values()) copy.set(key, value);
    return copy;
  }

  build(space: MapSpace): Promise<ProllyRoot> {
    return buildMap(space, this.sorted());
  }
}

/** `count` entries under `path/to/NNNNNN`, values of 0 to 79 bytes. */
export function numbered(count: number, draw = drawer(7)): Model {
  const model = new Model();
  for (let i = 0; i < count; i++) {
    const value = new Uint8Array(draw(80)).fill(draw(256));
    model.set(utf8(`path/to/${String(i).padStart(6, "0")}`), value);
  }
  return model;
}
