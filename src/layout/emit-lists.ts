/** The two plain lists beside an object: which sections are reached through slots, which static names have one. */
import type { EmittedVersion } from "./emit-object.ts";
import type { Layout } from "./layout.ts";

export interface EmittedLists {
  /** Lines of section and version: code that others reach through a slot. */
  readonly patched: string;
  /** Lines of static function and the name of its slot. */
  readonly globalized: string;
}

export function emitLists({ references }: Layout, v: number, { slots }: EmittedVersion): EmittedLists {
  const { label, version, places } = references.versions[v]!;
  const keys = new Set(slots);
  const patched: string[] = [];
  const globalized: string[] = [];
  for (const unit of version.units) {
    if (places[unit.index] !== "code") continue;
    const own = unit.symbols.filter(({ name, offset, binding }) => {
      const key = references.functionKey(v, unit, offset, name, binding === "local");
      return key !== undefined && keys.has(key);
    });
    if (own.length === 0) continue;
    patched.push(`${unit.sectionName}\t${label}\n`);
    for (const { name, offset, binding } of own)
      if (binding === "local")
        globalized.push(`${name}\t${references.functionKey(v, unit, offset, name, true)}\n`);
  }
  return { patched: patched.join(""), globalized: globalized.join("") };
}
