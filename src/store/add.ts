/** add: files, directories and streams into the repository, a ref for what was asked. */

import { displayPath, utf8 } from "../bytes/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import { componentwise, openSource, type SourceChange, type WalkEntry, walk } from "../files/index.ts";
import { formatRef, parseRefName, type StoredTally } from "../repository/index.ts";
import type { RereadableSource } from "../representation/index.ts";
import { compareNames, summary, TreeBuilder } from "../tree/index.ts";
import { type AddedBlob, addFile, addStream } from "./add-blob.ts";
import { addImage } from "./add-image.ts";
import { streamSource } from "./add-stream.ts";
import type { StoreContext } from "./context.ts";
import { defaultRefs, inputName } from "./default-ref.ts";
import { openImageSource } from "./image-source.ts";
import { publicState } from "./resolve.ts";
import type { AddedRoot, AddInput, AddOptions, AddResult, Root } from "./types.ts";
import { type Writing, writing } from "./writing.ts";

/** Mode of the directory that is made up around several inputs. */
const GATHERED_MODE = 0o755;
/** A file that changes while it is read is read again this often. */
const MAX_READS = 2;

interface Pending {
  readonly path: string;
  readonly blob: AddedBlob;
  readonly tally: StoredTally | undefined;
}

class Adder {
  readonly #writing: Writing;
  readonly #options: AddOptions;
  /** Reported when their cost is known, which is when their pack is closed. */
  #pending: Pending[] = [];
  #flushes = 0;
  files = 0;
  bytes = 0;
  newFiles = 0;
  problems = 0;
  /** Counted beforehand, when somebody looks at the progress. */
  readonly totals: { bytes?: number; items?: number };

  constructor(writing: Writing, options: AddOptions, totals: { bytes?: number; items?: number }) {
    this.#writing = writing;
    this.#options = options;
    this.totals = totals;
  }

  problem(path: string, error: TenonError): void {
    this.problems++;
    this.#options.onEvent?.({
      type: "problem",
      operation: "add",
      code: error.code,
      message: error.message,
      path,
    });
  }

  readonly onRead = (bytes: number): void => {
    this.bytes += bytes;
    this.progress();
  };

  progress(): void {
    this.#options.onEvent?.({
      type: "progress",
      operation: "add",
      phase: "storing",
      doneBytes: this.bytes,
      ...(this.totals.bytes !== undefined && { totalBytes: this.totals.bytes }),
      doneItems: this.files,
      ...(this.totals.items !== undefined && { totalItems: this.totals.items }),
      storedBytes: this.#writing.session.storedBytes,
    });
  }

  /** Counts a stored blob and reports it when what it cost is known. */
  done(path: string, blob: AddedBlob): void {
    this.files++;
    if (!blob.known) this.newFiles++;
    this.#pending.push({ path, blob, tally: blob.tally });
    if (this.#writing.session.flushes !== this.#flushes) this.report();
    this.progress();
  }

  report(): void {
    this.#flushes = this.#writing.session.flushes;
    for (const { path, blob, tally } of this.#pending) {
      this.#options.onEvent?.({
        type: "item",
        operation: "add",
        path,
        kind: "file",
        digest: blob.digest,
        size: blob.size,
        storedBytes: tally?.storedBytes() ?? 0,
        known: blob.known,
        representation: blob.representation,
        declined: blob.declined,
      });
    }
    this.#pending = [];
  }

  /** Stores what a source gives. */
  async source(shown: string, source: RereadableSource): Promise<AddedBlob> {
    const { signal } = this.#options;
    const before = this.bytes;
    const blob = await addFile(this.#writing, source, { signal, onRead: this.onRead });
    this.bytes = before + blob.size;
    this.done(shown, blob);
    return blob;
  }

  /** Stores the file at `absolute`; undefined when it can't be read, which is reported. */
  async file(absolute: string | Uint8Array, sizeBytes: number): Promise<AddedBlob | undefined> {
    const shown = displayPath(absolute);
    const { signal } = this.#options;
    for (let read = 1; ; read++) {
      const before = this.bytes;
      const source = watchedSource(absolute, sizeBytes);
      try {
        const blob = await addFile(this.#writing, source, { signal, onRead: this.onRead });
        const change = source.change();
        this.bytes = before;
        if (change !== undefined && change !== "replaced") {
          if (read < MAX_READS) continue;
          const what = `${shown} ${changeText[change]} while it was read: stored as it was read, ${blob.size} bytes`;
          this.problem(shown, new TenonError("io", what, { path: shown }));
        }
        this.bytes += blob.size;
        this.done(shown, blob);
        return blob;
      } catch (error) {
        if (!isTenonError(error) || !leavesOthersAlone(error)) throw error;
        this.bytes = before;
        this.problem(shown, error);
        return undefined;
      }
    }
  }
}

const changeText: Record<Exclude<SourceChange, "replaced">, string> = {
  grew: "grew",
  shrank: "shrank",
  modified: "changed",
};

/** Errors of one input, after which the others can still be stored. */
function leavesOthersAlone(error: TenonError): boolean {
  return (
    error.data.path !== undefined &&
    ["io", "not-found", "unsupported"].includes(error.code) &&
    error.data.repository !== true
  );
}

function watchedSource(absolute: string | Uint8Array, sizeBytes: number) {
  let change: SourceChange | undefined;
  const source: RereadableSource & { change(): SourceChange | undefined } = {
    sizeBytes,
    change: () => change,
    async open() {
      const opened = await openSource(absolute);
      return {
        sizeBytes: opened.sizeBytes,
        read: (into) => opened.readSync(into),
        async close() {
          change ??= await opened.changed();
          await opened.close();
        },
      };
    },
  };
  return source;
}

/** Stores what is below `path` under `prefix` in the tree; the entry of the root itself gets the prefix as path. */
async function addBelow(
  adder: Adder,
  builder: TreeBuilder,
  path: string,
  prefix: Uint8Array,
  options: AddOptions,
) {
  const { signal, exclude } = options;
  for await (const item of walk(path, { signal, order: componentwise, exclude })) {
    const at = prefix.length === 0 ? item.path : item.path.length === 0 ? prefix : join(prefix, item.path);
    if (item.kind === "problem") {
      const shown = displayPath(item.absolute);
      adder.problem(shown, new TenonError("io", `${shown}: ${item.reason}`, { path: shown }));
    } else if (item.kind === "directory") {
      await builder.add(at, { type: "directory", mode: item.mode });
    } else if (item.kind === "symlink") {
      await builder.add(at, { type: "symlink", target: item.target! });
    } else {
      const blob = await adder.file(item.absolute, item.sizeBytes);
      if (blob !== undefined) {
        await builder.add(at, { type: "file", mode: item.mode, size: blob.size, digest: blob.digest });
      }
    }
  }
}

function join(prefix: Uint8Array, path: Uint8Array): Uint8Array {
  return Buffer.concat([prefix, utf8("/"), path]);
}

/**
 * How much there is to read: a walk of some 5 us an entry, only for those who show progress. Nothing for streams,
 * whose length nobody knows.
 */
async function countInputs(
  inputs: readonly AddInput[],
  { onEvent, signal, exclude }: AddOptions,
): Promise<{ bytes?: number; items?: number }> {
  if (onEvent === undefined || inputs.some((input) => typeof input !== "string")) return {};
  let bytes = 0;
  let items = 0;
  for (const input of inputs as readonly string[]) {
    for await (const item of walk(input, { signal, exclude })) {
      if (item.kind !== "file") continue;
      bytes += item.sizeBytes;
      items++;
    }
  }
  return { bytes, items };
}

/** What stands at a path that the user named: links are followed, what can't be stored is an error. */
async function rootEntry(path: string): Promise<WalkEntry> {
  for await (const item of walk(path)) {
    if (item.kind !== "problem") return item;
    throw new TenonError("io", `${path}: ${item.reason}`, { path });
  }
  throw new TenonError("not-found", `${path} is not there`, { path });
}

async function addInput(adder: Adder, work: Writing, input: AddInput, options: AddOptions): Promise<Root> {
  if (typeof input !== "string" && "image" in input) {
    const image = await openImageSource(input.image);
    const builder = await addImage(
      work,
      image,
      (shown, source) => adder.source(shown, source),
      options.signal,
    );
    return treeRoot(builder);
  }
  if (typeof input !== "string" && "stream" in input) {
    const { source, close } = streamSource(input.stream);
    try {
      const before = adder.bytes;
      const blob = await addStream(work, source, { signal: options.signal, onRead: adder.onRead });
      // What was put aside may have been read more than once.
      adder.bytes = before + blob.size;
      adder.done(input.name, blob);
      return { type: "file", digest: blob.digest, size: blob.size, files: 1, mode: input.mode ?? 0o644 };
    } finally {
      await close();
    }
  }
  const path = typeof input === "string" ? input : input.file;
  const entry = await rootEntry(path);
  if (entry.kind === "file") {
    const before = adder.problems;
    const blob = await adder.file(entry.absolute, entry.sizeBytes);
    if (blob === undefined) {
      throw new TenonError("io", `${path} could not be read`, {
        path,
        reported: adder.problems > before,
      });
    }
    const mode = typeof input === "string" ? entry.mode : (input.mode ?? entry.mode);
    return { type: "file", digest: blob.digest, size: blob.size, files: 1, mode };
  }
  if (typeof input !== "string") throw new TenonError("usage", `${path} is not a file`, { path });
  const builder = new TreeBuilder(work.nodes);
  await addBelow(adder, builder, path, new Uint8Array(0), options);
  return treeRoot(builder);
}

async function treeRoot(builder: TreeBuilder): Promise<Root> {
  const root = await builder.finish();
  const { files, bytes } = summary(root);
  return { type: "tree", digest: root.digest, size: bytes, files };
}

/** One tree with every input under its name. */
async function gather(
  adder: Adder,
  work: Writing,
  inputs: readonly AddInput[],
  options: AddOptions,
): Promise<Root> {
  const named = inputs.map((input) => ({ input, name: utf8(inputName(input)) }));
  named.sort((a, b) => compareNames(a.name, b.name));
  for (const [i, { name }] of named.entries()) {
    if (i > 0 && compareNames(named[i - 1]!.name, name) === 0) {
      throw new TenonError(
        "usage",
        `two inputs are named ${displayPath(name)}: add them under refs of their own`,
      );
    }
  }
  const builder = new TreeBuilder(work.nodes);
  await builder.add(new Uint8Array(0), { type: "directory", mode: GATHERED_MODE });
  for (const { input, name } of named) {
    if (typeof input === "string" && (await rootEntry(input)).kind === "directory") {
      await addBelow(adder, builder, input, name, options);
    } else if (typeof input !== "string" && "image" in input) {
      throw new TenonError("usage", `${input.image}: an image has a ref of its own; add it alone`);
    } else {
      const { digest, size, mode = 0o644 } = await addInput(adder, work, input, options);
      await builder.add(name, { type: "file", mode, size, digest });
    }
  }
  return treeRoot(builder);
}

/** Adds inputs and moves their refs. What could not be read is reported and left out. */
export async function add(
  context: StoreContext,
  inputs: readonly AddInput[],
  options: AddOptions = {},
): Promise<AddResult> {
  if (inputs.length === 0) throw new TenonError("usage", "nothing to add");
  const targets =
    options.ref !== undefined
      ? [{ inputs, ref: parseRefName(options.ref) }]
      : defaultRefs(inputs, options.noRef === true);
  throwIfAborted(options.signal);
  const { who = "unknown", message: what = "" } = options;
  const before = await context.backend.totalBytes();
  const result = await writing(context, options.compression ?? context.compression, async (work) => {
    const adder = new Adder(work, options, await countInputs(inputs, options));
    const roots: {
      readonly path: string;
      readonly root: Root;
      readonly ref: (typeof targets)[number]["ref"];
    }[] = [];
    for (const { inputs: together, ref } of targets) {
      const root =
        together.length === 1
          ? await addInput(adder, work, together[0]!, options)
          : await gather(adder, work, together, options);
      roots.push({
        path: together.map((i) => (typeof i === "string" ? i : "image" in i ? i.image : i.name)).join(" "),
        root,
        ref,
      });
    }
    throwIfAborted(options.signal);
    await work.settle();
    adder.report();
    const added: AddedRoot[] = [];
    for (const { path, root, ref } of roots) {
      if (ref === undefined) added.push({ path, root });
      else {
        const present = await context.refs.read(ref);
        const same = present?.root?.digest === root.digest && present.root.mode === root.mode;
        const state = same
          ? present!
          : await context.refs.move(ref, { root, who, what, when: new Date().toISOString() });
        added.push({ path, ref: formatRef(ref), sequence: publicState(state).sequence, root });
      }
    }
    await work.settle();
    const { files, bytes, newFiles, problems } = adder;
    return { roots: added, files, bytes, newFiles, problems };
  });
  return { ...result, storedBytes: (await context.backend.totalBytes()) - before };
}
