/** Which units have a home: one address per name, with room for the largest version. */
import type { Unit } from "../library/index.ts";
import type { Home, RegionName } from "./model.ts";

export class Homes {
  /** The newest generation of each key. */
  readonly #newest = new Map<string, Home>();
  readonly all: Home[];
  /** By version, then by unit. */
  readonly of: readonly Map<number, Home>[];

  constructor(versionCount: number, frozen: readonly Home[]) {
    this.all = frozen.map((home) => ({ ...home }));
    for (const home of this.all) this.#newest.set(home.key, home);
    this.of = Array.from({ length: versionCount }, () => new Map<number, Home>());
  }

  has(key: string): boolean {
    return this.#newest.has(key);
  }

  /** A home that has its address already. */
  add(home: Home): void {
    this.all.push(home);
    this.#newest.set(home.key, home);
  }

  /** Gives a unit its home; one that is not placed yet grows, one that is placed and too small gets a successor. */
  claim(v: number, unit: Unit, region: RegionName, key = unit.name): void {
    const newest = this.#newest.get(key);
    let home = newest;
    if (home === undefined || (home.placement !== undefined && !fits(home, unit, region))) {
      home = {
        ...{ key, generation: newest === undefined ? 0 : newest.generation + 1 },
        ...{ alignment: unit.alignment, sizeBytes: unit.sizeBytes, region, placement: undefined },
        standsFor: undefined,
      };
      this.#newest.set(key, home);
      this.all.push(home);
    } else if (home.placement === undefined) {
      home.alignment = Math.max(home.alignment, unit.alignment);
      home.sizeBytes = Math.max(home.sizeBytes, unit.sizeBytes);
      // What one version sets to zero and another to something has bytes in both.
      if (home.region === "bss") home.region = region;
    }
    this.of[v]!.set(unit.index, home);
  }
}

function fits(home: Home, unit: Unit, region: RegionName): boolean {
  if (unit.sizeBytes > home.sizeBytes || home.alignment % unit.alignment !== 0) return false;
  return home.region === region || (home.region === "data" && region === "bss");
}
