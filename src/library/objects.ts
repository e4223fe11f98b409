/** From the files of a version to its object files: archives are opened, every object gets a name of its own. */
import { isAr, isThinAr, readArMembers } from "../ar/index.ts";
import { TenonError } from "../errors/index.ts";
import type { LibraryObject } from "./model.ts";

/** A file as it was given: an object file or an archive of them. */
export interface LibraryFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A version is read into memory as a whole; the largest static libraries have some 10,000 objects. */
const MAX_OBJECTS = 100_000;

/** The object files, in order. Errors: `unsupported` for thin archives, `invalid`, `limit`. */
export function openFiles(files: readonly LibraryFile[]): LibraryObject[] {
  const found: { archive: string | undefined; name: string; bytes: Uint8Array }[] = [];
  for (const { name, bytes } of files) {
    if (isThinAr(bytes)) {
      throw new TenonError(
        "unsupported",
        `${name} is a thin archive, which only names its objects; give the objects themselves`,
        { path: name },
      );
    }
    if (!isAr(bytes)) found.push({ archive: undefined, name, bytes });
    else {
      for (const member of readArMembers(bytes)) {
        const { offset, sizeBytes } = member;
        if (found.length > MAX_OBJECTS) break;
        found.push({ archive: name, name: member.name, bytes: bytes.subarray(offset, offset + sizeBytes) });
      }
    }
    if (found.length > MAX_OBJECTS)
      throw new TenonError("limit", `${name}: more than ${MAX_OBJECTS} objects in a version`, { path: name });
  }
  if (found.length === 0) throw new TenonError("invalid", "there is no object file in what was given");
  const names = distinct(
    found,
    ({ name }) => name,
    ({ archive, name }) => (archive === undefined ? name : `${archive}(${name})`),
  );
  const labels = distinct(
    names,
    (name) => withoutRelease(name),
    (name) => name,
  );
  return found.map(({ bytes }, i) => ({ name: names[i]!, label: labels[i]!, bytes }));
}

/** The short name of each where it is the only one, else the long one, else that with a number. */
function distinct<T>(items: readonly T[], short: (item: T) => string, long: (item: T) => string): string[] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(short(item), (counts.get(short(item)) ?? 0) + 1);
  const used = new Set<string>();
  return items.map((item) => {
    const base = counts.get(short(item)) === 1 ? short(item) : long(item);
    let name = base;
    for (let i = 2; used.has(name); i++) name = `${base}#${i}`;
    used.add(name);
    return name;
  });
}

/** `sqlite3-3.49.1.o` and `sqlite3-3.50.4.o` are the same file of two releases. */
function withoutRelease(name: string): string {
  return name.replace(/(^|[-_.])(v?\d+(\.\d+)+|v\d+)(?=[-_.]|$)/g, "");
}
