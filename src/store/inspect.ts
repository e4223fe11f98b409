/**
 * inspect: how a file is kept, or would be: what it is taken apart into, and where the bytes are.
 *
 * A file that isn't stored is added to a repository that lasts as long as the look at it: an overlay of the given one,
 * which finds its relatives there and changes nothing, or an empty one.
 */
import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { type Backend, ScratchBackend } from "../backend/index.ts";
import { defaultChunkerParameters } from "../chunking/index.ts";
import type { Digest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { MAX_EXECUTABLE_BYTES } from "../executable/index.ts";
import { createConfig, formatRef, newRepositoryId } from "../repository/index.ts";
import { isExecutable, RECOGNISE_BYTES } from "../representation/index.ts";
import { add } from "./add.ts";
import { readBlob } from "./blobs.ts";
import { closeContext, openBase, openContext, type StoreContext } from "./context.ts";
import type { Declined, OperationOptions, StoreEvent } from "./events.ts";
import { readImageFile } from "./image.ts";
import { elfReport } from "./inspect-elf.ts";
import { storedReport } from "./inspect-stored.ts";
import type { InspectReport } from "./inspect-types.ts";
import { OverlayBackend } from "./overlay.ts";
import { resolveInImages } from "./resolve.ts";
import type { OpenOptions } from "./types.ts";

export interface InspectOptions extends OpenOptions {
  /** `os/architecture[/variant]`, for a path within an image. */
  readonly platform?: string | undefined;
}

/** Files above this are told apart by their first bytes alone. */
const MAX_ELF_BYTES = 2 ** 31 - 1;

/** A repository that is gone when the work is done. */
async function withScratch<T>(
  { backend: lower, jobs }: { readonly backend?: Backend; readonly jobs?: number | undefined },
  work: (scratch: StoreContext) => Promise<T>,
): Promise<T> {
  const upper = new ScratchBackend();
  try {
    if (lower === undefined) {
      await createConfig(upper, {
        format: 1,
        id: newRepositoryId(),
        created: new Date().toISOString(),
        chunker: { ...defaultChunkerParameters },
        compression: "default",
      });
    }
    const backend = lower === undefined ? upper : new OverlayBackend(upper, lower);
    const scratch = await openContext(await openBase(backend, jobs));
    try {
      return await work(scratch);
    } finally {
      await closeContext(scratch);
    }
  } finally {
    upper.close();
  }
}

type Item = Extract<StoreEvent, { type: "item" }>;

/** Adds a file to a scratch repository; what was said of it. */
async function tryAdd(
  scratch: StoreContext,
  input: Parameters<typeof add>[1][number],
  { signal, onEvent }: OperationOptions,
): Promise<Item> {
  let item: Item | undefined;
  await add(scratch, [input], {
    noRef: true,
    ...(signal && { signal }),
    onEvent(event) {
      if (event.type === "item") item = event;
      else onEvent?.({ ...event, operation: "inspect" });
    },
  });
  if (item?.digest === undefined) throw new TenonError("usage", "inspect looks at one file at a time");
  return item;
}

/**
 * How a file on disk would be kept: by itself, or beside what a repository holds. Errors: `not-found`, `usage` for a
 * directory, `io`.
 */
export async function inspectFile(
  path: string,
  context: StoreContext | undefined,
  options: InspectOptions = {},
): Promise<InspectReport> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new TenonError("not-found", `${path} is not there`, { path }, { cause });
  });
  if (!found.isFile()) throw new TenonError("usage", `${path} is not a file`, { path });
  return withScratch(context ?? { jobs: options.jobs }, async (scratch) => {
    const item = await tryAdd(scratch, path, options);
    const elf = elfReport(await readStart(path, found.size));
    const report = await storedReport(scratch, item.digest!, {
      name: basename(path),
      isStored: item.known === true,
      declined: item.declined ?? [],
      elf,
      refsOf: refNames(context),
    });
    return withSizeReason(report);
  });
}

/** The same without a repository. */
export function inspectAlone(path: string, options: InspectOptions = {}): Promise<InspectReport> {
  return inspectFile(path, undefined, options);
}

/** An executable that isn't even tried says so. */
function withSizeReason(report: InspectReport): InspectReport {
  const { elf, size, declined, representation } = report;
  const isTakenApart = ["executable", "object", "compressed-sections"].includes(representation);
  if (elf === undefined || declined.length > 0 || isTakenApart) return report;
  const reason = `${size} bytes: executables are taken apart from 4 KiB to ${MAX_EXECUTABLE_BYTES >> 20} MiB`;
  return { ...report, declined: [{ representation: "executable", reason }] };
}

/** All of an ELF file, else its beginning. */
async function readStart(path: string, size: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const start = Buffer.alloc(Math.min(size, RECOGNISE_BYTES));
    await file.read(start, 0, start.length, 0);
    if (!isExecutable(start, size) && !isElf(start)) return start;
    if (size > MAX_ELF_BYTES) return start;
    const whole = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(whole, at, size - at, at);
      if (bytesRead === 0) return whole.subarray(0, at);
      at += bytesRead;
    }
    return whole;
  } finally {
    await file.close();
  }
}

const isElf = (start: Uint8Array) =>
  start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46;

/** How a stored file is kept. Errors: as `resolve`; `usage` for directories. */
export async function inspectStored(
  context: StoreContext,
  spec: string,
  options: InspectOptions = {},
): Promise<InspectReport> {
  const { target, name } = await resolveInImages(context, spec, { platform: options.platform });
  if (target.type !== "file" && target.type !== "image-file")
    throw new TenonError("usage", `${spec} is not a file`, { path: spec });
  const { digest, size } = target.type === "file" ? target : target.file;
  const content =
    target.type === "file" ? readBlob(context.atoms, digest) : readImageFile(context.atoms, target.file);
  const bytes = await startOf(content, size);
  const elf = elfReport(bytes);
  // A member that stays within its archive's frame is no blob of its own.
  const isBlob = target.type === "file" || context.index.findBlob(digest) !== undefined;
  const facts = { name, isStored: true, declined: [] as readonly Declined[], elf, refsOf: refNames(context) };
  if (isBlob) {
    const report = await storedReport(context, digest, facts);
    if (report.representation !== "chunks" || elf === undefined) return withSizeReason(report);
    return withSizeReason({
      ...report,
      declined: await whyDeclined(bytes, name, { ...options, jobs: context.jobs }),
    });
  }
  return withScratch({ jobs: context.jobs }, async (scratch) => {
    const item = await tryAdd(scratch, { name, stream: once(bytes) }, options);
    return storedReport(scratch, item.digest!, { ...facts, isStored: false, declined: item.declined ?? [] });
  });
}

/** Why an executable is kept as chunks, by trying again: reasons are not stored. */
async function whyDeclined(
  bytes: Uint8Array,
  name: string,
  options: OpenOptions,
): Promise<readonly Declined[]> {
  return withScratch({ jobs: options.jobs }, async (scratch) => {
    const item = await tryAdd(scratch, { name, stream: once(bytes) }, options);
    return item.declined ?? [];
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** All of an ELF file, else its first piece. */
async function startOf(content: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    pieces.push(piece.slice());
    bytes += piece.length;
    const isWanted = isElf(pieces[0]!) && size <= MAX_ELF_BYTES;
    if (!isWanted && bytes >= RECOGNISE_BYTES) break;
  }
  return Buffer.concat(pieces);
}

/** Names of refs whose present root is the blob itself: free of any walk. */
function refNames(context: StoreContext | undefined) {
  let known: Promise<Map<Digest, string[]>> | undefined;
  return async (digest: Digest): Promise<readonly string[]> => {
    known ??= rootNames(context);
    return (await known).get(digest) ?? [];
  };
}

async function rootNames(context: StoreContext | undefined): Promise<Map<Digest, string[]>> {
  const names = new Map<Digest, string[]>();
  for (const entry of (await context?.refs.list())?.refs ?? []) {
    if (!("state" in entry) || entry.state.root === null) continue;
    const { digest } = entry.state.root;
    names.set(digest, [...(names.get(digest) ?? []), formatRef(entry.ref)]);
  }
  return names;
}
