/**
 * debug: the file with an executable's debug information, and the executable of such a file.
 *
 * Both have the same GNU build-id, or the executable's .gnu_debuglink names the other with its CRC-32. Handprints of
 * stored executables have a key for each (docs/formats/executable-recipe.md), so the index leads from one to the other
 * without a scan; then the trees of all refs are walked once, for names. Files that have no handprint, since they are
 * kept as chunks, are found by their names, at last by their beginnings. What was found is read and compared.
 */
import { crc32 } from "node:zlib";
import type { Digest } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { buildIdKey, debugLinkKey, type Identity, identify } from "../executable/index.ts";
import { decodeHandprint, handprintDigest } from "../repository/index.ts";
import { isIdentified } from "../representation/index.ts";
import { readBlob } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import type { DebugMatch, DebugReport } from "./debug-types.ts";
import type { OperationOptions } from "./events.ts";
import { get } from "./get.ts";
import { readImageFile } from "./image.ts";
import { allPlaces, type Place } from "./places.ts";
import { resolveInImages } from "./resolve.ts";

export interface DebugOptions extends OperationOptions {
  /** Writes the match there; the first one, when there are several. */
  readonly output?: string | undefined;
  readonly overwrite?: boolean;
  readonly platform?: string | undefined;
}

/** A file, as far as matching needs it. */
interface Known {
  readonly digest: Digest;
  readonly size: number;
  readonly identity: Identity | undefined;
  readonly crc: number;
}

/** Files are read whole for their identity: notes may stand anywhere. Of larger ones, the beginning has to do. */
const MAX_WHOLE_BYTES = 2 ** 30;
/** Program headers and the notes they lead to. */
const START_BYTES = 256 << 10;

/**
 * Finds the counterparts of a stored executable or debug file. Errors: as `resolve`; `not-found` when there is none;
 * `usage` for what is no ELF file, or has nothing to be known by.
 */
export async function debug(
  context: StoreContext,
  spec: string,
  options: DebugOptions = {},
): Promise<DebugReport> {
  const { target, name } = await resolveInImages(context, spec, { platform: options.platform });
  if (target.type !== "file" && target.type !== "image-file")
    throw new TenonError("usage", `${spec} is not a file`, { path: spec });
  const file = target.type === "file" ? target : target.file;
  const content =
    target.type === "file" ? readBlob(context.atoms, file.digest) : readImageFile(context.atoms, target.file);
  const known = await look(file, content, options.signal);
  const { identity } = known;
  if (identity === undefined) {
    throw new TenonError("usage", `${spec} is no ELF file for x86-64 or AArch64`, { path: spec });
  }
  const { role, buildId, debugLink, hasDebugInformation } = identity;
  if (role === "code" && buildId === undefined && debugLink === undefined) {
    throw new TenonError("usage", `${spec} has neither a build-id nor a debug link`, { path: spec });
  }
  const matches = await findMatches(context, { ...known, identity, name }, options);
  const report = {
    version: 1 as const,
    spec,
    name,
    role,
    digest: known.digest,
    size: known.size,
    ...(buildId !== undefined && { buildId }),
    ...(debugLink !== undefined && { debugLink: debugLink.name }),
    hasDebugInformation,
    matches,
  };
  if (options.output === undefined) return report;
  const first = matches[0];
  if (first === undefined) throw notFound(report);
  const { output } = await get(context, first.places[0] ?? first.digest, {
    output: options.output,
    overwrite: options.overwrite === true,
    ...(options.signal && { signal: options.signal }),
  });
  return { ...report, output };
}

/** For whoever needs one. */
export function notFound({ spec, role, buildId, debugLink }: Omit<DebugReport, "matches">): TenonError {
  const wanted = role === "code" ? "debug file" : "executable";
  const by = buildId === undefined ? `debug link ${debugLink}` : `build-id ${buildId}`;
  return new TenonError("not-found", `the repository has no ${wanted} for ${spec}, ${by}`, { path: spec });
}

async function look(
  { digest, size }: { readonly digest: Digest; readonly size: number },
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Known> {
  const pieces: Uint8Array[] = [];
  let crc = 0;
  let kept = 0;
  for await (const bytes of content) {
    throwIfAborted(signal);
    crc = crc32(bytes, crc);
    if (size <= MAX_WHOLE_BYTES || kept < START_BYTES) pieces.push(bytes.slice());
    kept += bytes.length;
    const [first] = pieces;
    if (first !== undefined && !isElf(first)) break;
  }
  return { digest, size, identity: identify(Buffer.concat(pieces)), crc };
}

const isElf = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "\x7fELF";

interface Wanted extends Known {
  readonly identity: Identity;
  readonly name: string;
}

type Reason = DebugMatch["by"];

/** How the other file is known by its content; undefined when it is another program's. */
function reason(wanted: Wanted, other: Known): Reason | undefined {
  const { identity } = other;
  if (identity === undefined || identity.role === wanted.identity.role || other.digest === wanted.digest)
    return undefined;
  if (identity.buildId !== undefined && identity.buildId === wanted.identity.buildId) return "build-id";
  const [code, debugFile] = wanted.identity.role === "code" ? [wanted, other] : [other, wanted];
  return code.identity?.debugLink?.crc32 === debugFile.crc ? "debug-link" : undefined;
}

/** Digests that the index leads to. */
async function fromIndex(context: StoreContext, { identity, crc }: Wanted): Promise<Set<Digest>> {
  const other = identity.role === "code" ? "debug" : "code";
  const keys = identity.buildId === undefined ? [] : [buildIdKey(other, identity.buildId)];
  if (identity.role === "debug") keys.push(debugLinkKey(crc));
  const found = new Set<Digest>();
  for (const key of keys) {
    const place = context.index.findChunk(handprintDigest(key));
    if (place !== undefined)
      found.add(decodeHandprint(await context.atoms.atom(place.segment, place.atom)).digest);
  }
  return found;
}

/** Names that the other file is likely to have. */
function nameTest({ identity, name }: Wanted): (place: Place) => boolean {
  const { role, buildId, debugLink } = identity;
  const plain = name.replace(/\.debug$/, "");
  const path = buildId && `.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}`;
  if (role === "debug") return (place) => place.name === plain || (!!path && place.path.endsWith(path));
  const names = new Set([`${plain}.debug`, ...(debugLink === undefined ? [] : [debugLink.name])]);
  return (place) => names.has(place.name) || (!!path && place.path.endsWith(`${path}.debug`));
}

/** Files that may be executables or have debug information, by mode and name. */
const mayBeElf = ({ mode, name }: Place) =>
  (mode & 0o111) !== 0 || /\.(debug|dbg|dwp|elf|ko|o|so(\.[0-9.]+)?)$/.test(name);

async function findMatches(
  context: StoreContext,
  wanted: Wanted,
  options: OperationOptions,
): Promise<DebugMatch[]> {
  const { signal } = options;
  const indexed = await fromIndex(context, wanted);
  const isNamed = nameTest(wanted);
  const places = new Map<Digest, Place[]>();
  const suspects = new Map<Digest, Place>();
  for await (const place of allPlaces(context, options)) {
    if (place.digest === wanted.digest) continue;
    if (indexed.has(place.digest) || places.has(place.digest) || isNamed(place)) {
      places.set(place.digest, [...(places.get(place.digest) ?? []), place]);
    } else if (mayBeElf(place) && place.size >= 64 && !suspects.has(place.digest)) {
      suspects.set(place.digest, place);
    }
  }
  for (const digest of indexed) if (!places.has(digest)) places.set(digest, []);
  const matches: DebugMatch[] = [];
  for (const [digest, at] of places) {
    const size = at[0]?.size ?? (await context.atoms.needRecord(digest)).size;
    const by = reason(
      wanted,
      await look({ digest, size }, at[0]?.read() ?? readBlob(context.atoms, digest), signal),
    );
    if (by !== undefined) matches.push({ digest, size, by, places: at.map(({ spec }) => spec) });
  }
  if (matches.length === 0) matches.push(...(await bySuspicion(context, wanted, suspects.values(), signal)));
  const rank = ({ by }: DebugMatch) => (by === "build-id" ? 0 : 1);
  return matches.sort((a, b) => rank(a) - rank(b));
}

/** Looks at the files that no key leads to. */
async function bySuspicion(
  context: StoreContext,
  wanted: Wanted,
  suspects: Iterable<Place>,
  signal: AbortSignal | undefined,
): Promise<DebugMatch[]> {
  const matches: DebugMatch[] = [];
  for (const place of suspects) {
    throwIfAborted(signal);
    const { digest, size, spec } = place;
    if (context.index.findBlob(digest) !== undefined) {
      const record = await context.atoms.needRecord(digest);
      if (await isIdentified(record, context.atoms)) continue;
    }
    const by = reason(wanted, await look({ digest, size }, place.read(), signal));
    if (by !== undefined) matches.push({ digest, size, by, places: [spec] });
  }
  return matches;
}
