/** Files to a version: objects, units, references, unwind entries, bundles, identities. */
import { bundleUnits } from "./bundles.ts";
import { cutUnits } from "./cut.ts";
import { identify } from "./identity.ts";
import type { Bundle, LibraryVersion } from "./model.ts";
import { nameUnits } from "./names.ts";
import { readObject, refuse } from "./object-file.ts";
import { type LibraryFile, openFiles } from "./objects.ts";
import { chooseNames, placeRelocations, placeSymbols, Resolver } from "./references.ts";
import { readUnwind } from "./unwind.ts";

/**
 * Reads a version of a static library from object files and archives, as a linker does that is given all of them.
 *
 * Time and memory are bounded by a multiple of the size of the files. Errors: `invalid` for what breaks the format,
 * `unsupported` for what can't be handled (with the object and the section or symbol), `limit`.
 */
export function readVersion(files: readonly LibraryFile[]): LibraryVersion {
  const opened = openFiles(files);
  const objects = opened.map((object, i) => readObject(object, i));
  const { machine } = objects[0]!.elf;
  for (const object of objects)
    if (object.elf.machine !== machine)
      throw refuse(object, `for ${object.elf.machine}, but ${objects[0]!.name} is for ${machine}`);
  const cut = cutUnits(objects);
  const { units, fates } = cut;
  const chosen = chooseNames(objects, cut);
  placeSymbols(objects, cut);
  const resolver = new Resolver(objects, cut, chosen);
  placeRelocations(objects, cut, resolver);
  const unwind = readUnwind(objects, cut, resolver);
  const names = nameUnits(
    units,
    opened.map(({ label }) => label),
    (unit, { name }) => chosen.defined.get(name)?.object === unit.object,
  );
  const members = bundleUnits(units, unwind, objects, fates);
  for (const [bundle, list] of members.entries()) for (const unit of list) units[unit]!.bundle = bundle;
  const identities = identify({ machine, units, bundles: members, unwind, names });
  const bundles = members.map(
    (list, index): Bundle => ({
      index,
      units: list,
      name: units[list[0]!]!.name,
      identity: identities[index]!,
    }),
  );
  return {
    machine,
    objects: opened,
    units,
    bundles,
    unwind: unwind.map(({ lsda: _, ...entry }) => entry),
    commons: chosen.commons,
  };
}
