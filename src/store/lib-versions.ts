/**
 * Versions of static libraries in a repository: `NAME:VERSION` is an ordinary ref to a directory with the files as
 * they were given, and `library.json`, which says in what order they are read (docs/formats/library.md).
 */
import { basename } from "node:path";
import { type Digest, sha256 } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import { type LibraryVersion, readVersion } from "../library/index.ts";
import { formatRef, parseRefName, type RefName } from "../repository/index.ts";
import { add } from "./add.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import { readProgram } from "./fat-programs.ts";
import type { LibAddResult, LibVersionInfo } from "./lib-types.ts";
import { fileToAdd, type ManifestKind, readListed, readManifest } from "./manifest.ts";
import { resolve } from "./resolve.ts";
import type { AddInput, AddOptions } from "./types.ts";

const MANIFEST = "library.json";
const FORMAT = "tenon-library";
const VERSION = 1;
/** 10,000 object files take some 1 MB. */
const MAX_MANIFEST_BYTES = 1 << 24;

interface StoredFile {
  readonly file: string;
  readonly size: number;
  readonly digest: Digest;
}

interface StoredManifest {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly machine: string;
  /** In the order in which they are read. */
  readonly files: readonly StoredFile[];
  /** Counted when it was stored. */
  readonly objects: number;
  readonly functions: number;
  readonly units: number;
  readonly unitBytes: number;
}

const KIND: ManifestKind<StoredManifest> = {
  name: MANIFEST,
  maxBytes: MAX_MANIFEST_BYTES,
  holds: "library",
  storedBy: "tenon lib add",
  is(value): value is StoredManifest {
    const manifest = value as Partial<StoredManifest> | null | undefined;
    const isFile = (one: Partial<StoredFile> | null) =>
      typeof one?.file === "string" &&
      !one.file.includes("/") &&
      Number.isSafeInteger(one.size) &&
      typeof one.digest === "string";
    return (
      manifest?.format === FORMAT &&
      manifest.version === VERSION &&
      typeof manifest.machine === "string" &&
      [manifest.objects, manifest.functions, manifest.units, manifest.unitBytes].every(
        Number.isSafeInteger,
      ) &&
      Array.isArray(manifest.files) &&
      manifest.files.length > 0 &&
      manifest.files.every(isFile)
    );
  },
};

/** `NAME:VERSION`; unlike other refs it has no default. */
function parseVersionName(text: string): RefName {
  const ref = parseRefName(text);
  if (!text.includes(":"))
    throw new TenonError("usage", `${text} names no version; write NAME:VERSION, such as ${text}:1.0`, {
      ref: text,
    });
  return ref;
}

/**
 * Stores a version, after it was read: what can't be handled is refused now. Errors: `usage`, `invalid` and
 * `unsupported` for what is no object file or can't be handled, and those of `add`.
 */
export async function addLibrary(
  context: StoreContext,
  spec: string,
  paths: readonly string[],
  options: AddOptions = {},
): Promise<LibAddResult> {
  const ref = parseVersionName(spec);
  const files = await readFiles(paths, options.signal);
  const version = readVersion(files);
  const { comparedWith, known } = await knownUnits(context, ref, version, options);
  const added = version.units.filter(({ identity }) => !known.has(identity));
  const manifest: StoredManifest = {
    format: FORMAT,
    version: VERSION,
    machine: version.machine,
    files: files.map(({ name, bytes }) => ({ file: name, size: bytes.length, digest: sha256(bytes) })),
    ...countsOf(version),
  };
  const inputs: AddInput[] = files.map(({ name, path }) => ({ name, file: path, mode: 0o644 }));
  const text = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
  const result = await add(context, [fileToAdd(MANIFEST, 0o644, text), ...inputs], { ...options, ref: spec });
  for (const { file, digest } of manifest.files) {
    const { target } = await resolve(context, `${spec}:/${file}`);
    if (target.type !== "file" || target.digest !== digest)
      throw new TenonError("io", `${file} changed while it was stored; store the version again`, {
        ref: spec,
      });
  }
  const { format: _, version: __, ...counts } = manifest;
  const [root] = result.roots;
  return {
    ref: formatRef(ref),
    name: ref.name,
    version: ref.tag,
    ...counts,
    size: sizeOf(manifest),
    ...(root?.sequence !== undefined && { sequence: root.sequence }),
    comparedWith,
    newUnits: added.length,
    newUnitBytes: added.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    storedBytes: result.storedBytes,
  };
}

/** Bytes of the files. */
function sizeOf({ files }: StoredManifest): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function countsOf(version: LibraryVersion) {
  return {
    objects: version.objects.length,
    functions: version.bundles.filter(({ units }) => version.units[units[0]!]!.kind === "code").length,
    units: version.units.length,
    unitBytes: version.units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

interface GivenFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Files under their last names; of several with the same one, the later ones get a number. */
async function readFiles(paths: readonly string[], signal: AbortSignal | undefined): Promise<GivenFile[]> {
  const files: GivenFile[] = [];
  const used = new Set<string>([MANIFEST]);
  for (const path of paths) {
    throwIfAborted(signal);
    const base = basename(path);
    const dot = base.lastIndexOf(".");
    const [stem, ending] = dot > 0 ? [base.slice(0, dot), base.slice(dot)] : [base, ""];
    let name = base;
    for (let i = 2; used.has(name); i++) name = `${stem}.${i}${ending}`;
    used.add(name);
    files.push({ name, path, bytes: (await readProgram(path)).bytes });
  }
  return files;
}

/** Reads a version from files on disk. */
export async function readLibraryFiles(
  paths: readonly string[],
  { signal }: OperationOptions = {},
): Promise<LibraryVersion> {
  return readVersion(await readFiles(paths, signal));
}

/** Identities of all units of the other stored versions of a library, as far as they can be read. */
async function knownUnits(
  context: StoreContext,
  ref: RefName,
  version: LibraryVersion,
  options: OperationOptions,
): Promise<{ readonly comparedWith: string[]; readonly known: ReadonlySet<string> }> {
  const known = new Set<string>();
  const others = (await listLibraries(context, ref.name, options)).filter(
    (other) => other.version !== ref.tag && other.machine === version.machine,
  );
  const totals = { totalBytes: others.reduce((sum, { size }) => sum + size, 0), totalItems: others.length };
  let doneBytes = 0;
  for (const [doneItems, other] of others.entries()) {
    throwIfAborted(options.signal);
    const progress = { doneBytes, doneItems, ...totals };
    options.onEvent?.({ type: "progress", operation: "lib add", phase: "comparing", ...progress });
    for (const { identity } of (await readLibraryVersion(context, other.ref, options)).units)
      known.add(identity);
    doneBytes += other.size;
  }
  const comparedWith = others.map((other) => other.ref);
  return { comparedWith, known };
}

/**
 * The version that a ref (`NAME:VERSION`, or an earlier state of it) holds. Errors: `not-found`, `unsupported` when
 * the ref holds no library, `damaged`.
 */
export async function readLibraryVersion(
  context: StoreContext,
  spec: string,
  { signal }: OperationOptions = {},
): Promise<LibraryVersion> {
  const { files } = await readManifest(context, spec, KIND);
  const read = [];
  for (const listed of files) {
    throwIfAborted(signal);
    read.push({ name: listed.file, bytes: await readListed(context, spec, listed, KIND) });
  }
  return readVersion(read);
}

/** The stored versions of one library or of all, by name, then by version: `1.9` before `1.10`. */
export async function listLibraries(
  context: StoreContext,
  name?: string,
  options: OperationOptions = {},
): Promise<LibVersionInfo[]> {
  const found: LibVersionInfo[] = [];
  const { refs } = await context.refs.list();
  for (const entry of refs) {
    throwIfAborted(options.signal);
    if ("problem" in entry || entry.state.root?.type !== "tree") continue;
    if (name !== undefined && entry.ref.name !== name) continue;
    const ref = formatRef(entry.ref);
    const manifest = await readManifest(context, ref, KIND).catch((error: unknown) => {
      if (!isTenonError(error, "damaged") && !isTenonError(error, "unsupported")) throw error;
      // Other refs are none of this; a damaged one must not hide the whole ones.
      if (error.code === "damaged")
        options.onEvent?.({
          type: "problem",
          operation: "ls",
          code: error.code,
          message: error.message,
          ref,
        });
      return undefined;
    });
    if (manifest === undefined) continue;
    const { format: _, version: __, ...counts } = manifest;
    found.push({
      ref,
      name: entry.ref.name,
      version: entry.ref.tag,
      ...counts,
      size: sizeOf(manifest),
      when: entry.state.when,
    });
  }
  const natural = new Intl.Collator("en", { numeric: true });
  return found.sort((a, b) => natural.compare(a.name, b.name) || natural.compare(a.version, b.version));
}
