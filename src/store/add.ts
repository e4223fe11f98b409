/** add: files, directories and streams into the repository, a ref for what was asked. */

import { displayPath, utf8 } from "../bytes/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { componentwise, type WalkEntry, walk } from "../files/index.ts";
import { formatRef, parseRefName } from "../repository/index.ts";
import type { Turn } from "../representation/index.ts";
import { compareNames, summary, TreeBuilder } from "../tree/index.ts";
import { addStream } from "./add-blob.ts";
import { addImage } from "./add-image.ts";
import { streamSource } from "./add-stream.ts";
import { Adder } from "./adder.ts";
import type { StoreContext } from "./context.ts";
import { defaultRefs, inputName } from "./default-ref.ts";
import { openImageSource } from "./image-source.ts";
import { publicState } from "./resolve.ts";
import type { AddedRoot, AddInput, AddOptions, AddResult, Root } from "./types.ts";
import { type Walk, walkBeside } from "./walk-beside.ts";
import { type Writing, writing } from "./writing.ts";

/** Mode of the directory that is made up around several inputs. */
const GATHERED_MODE = 0o755;
/** Stores what is below `path` under `prefix` in the tree; the entry of the root itself gets the prefix as path. */
async function addBelow(
  adder: Adder,
  builder: TreeBuilder,
  path: string,
  prefix: Uint8Array,
  options: AddOptions,
) {
  const { signal, exclude } = options;
  const { turns } = adder;
  for await (const item of adder.walk(path, { signal, order: componentwise, exclude })) {
    const at = prefix.length === 0 ? item.path : item.path.length === 0 ? prefix : join(prefix, item.path);
    await turns.begin(item.kind === "file" ? item.sizeBytes : 0, async (turn) => {
      if (item.kind === "file") {
        const blob = await adder.file(item.absolute, item.sizeBytes, turn);
        if (blob === undefined) return;
        const { size, digest } = blob;
        return builder.add(at, { type: "file", mode: item.mode, size, digest });
      }
      await turn;
      if (item.kind === "problem") {
        const shown = displayPath(item.absolute);
        adder.problem(shown, new TenonError("io", `${shown}: ${item.reason}`, { path: shown }));
      } else if (item.kind === "directory") await builder.add(at, { type: "directory", mode: item.mode });
      else await builder.add(at, { type: "symlink", target: item.target! });
    });
  }
  await turns.finish();
}

function join(prefix: Uint8Array, path: Uint8Array): Uint8Array {
  return Buffer.concat([prefix, utf8("/"), path]);
}

/**
 * How much there is to read: a walk of some 5 us an entry, only for those who show progress. Nothing for streams,
 * whose length nobody knows.
 */
async function countInputs(
  walk: Walk,
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

/** A file that was named; others may be made ready beside it. */
interface NamedFile {
  readonly path: string;
  readonly entry: WalkEntry;
  readonly mode: number;
}

/** The file that an input names, if it is one. */
async function namedFile(input: AddInput): Promise<NamedFile | undefined> {
  if (typeof input !== "string" && !("file" in input)) return undefined;
  const path = typeof input === "string" ? input : input.file;
  const entry = await rootEntry(path);
  const mode = typeof input === "string" ? entry.mode : (input.mode ?? entry.mode);
  if (entry.kind === "file") return { path, entry, mode };
  if (typeof input !== "string") throw new TenonError("usage", `${path} is not a file`, { path });
  return undefined;
}

async function addNamedFile(
  adder: Adder,
  { path, entry, mode }: NamedFile,
  turn: Turn,
  isLast = false,
): Promise<Root> {
  const before = adder.problems;
  const blob = await adder.file(entry.absolute, entry.sizeBytes, turn, isLast);
  if (blob === undefined) {
    throw new TenonError("io", `${path} could not be read`, { path, reported: adder.problems > before });
  }
  return { type: "file", digest: blob.digest, size: blob.size, files: 1, mode };
}

/** Stores an input that is no file, when all that was begun before is stored. */
async function addOther(adder: Adder, work: Writing, input: AddInput, options: AddOptions): Promise<Root> {
  await adder.turns.finish();
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
  const builder = new TreeBuilder(work.nodes);
  await addBelow(adder, builder, input as string, new Uint8Array(0), options);
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
    const file = await namedFile(input);
    const addEntry = ({ digest, size, mode = 0o644 }: Root) =>
      builder.add(name, { type: "file", mode, size, digest });
    if (file !== undefined) {
      await adder.turns.begin(file.entry.sizeBytes, async (turn) =>
        addEntry(await addNamedFile(adder, file, turn)),
      );
    } else if (typeof input === "string") {
      await adder.turns.finish();
      await addBelow(adder, builder, input, name, options);
    } else if ("image" in input) {
      throw new TenonError("usage", `${input.image}: an image has a ref of its own; add it alone`);
    } else await addEntry(await addOther(adder, work, input, options));
  }
  await adder.turns.finish();
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
    const walk = walkBeside(context);
    const adder = new Adder(work, options, { totals: await countInputs(walk, inputs, options), walk });
    const roots: Root[] = [];
    try {
      for (const [i, { inputs: together }] of targets.entries()) {
        const file = together.length === 1 ? await namedFile(together[0]!) : undefined;
        if (file !== undefined) {
          const isLast = i === targets.length - 1;
          await adder.turns.begin(file.entry.sizeBytes, async (turn) => {
            roots[i] = await addNamedFile(adder, file, turn, isLast);
          });
        } else if (together.length === 1) roots[i] = await addOther(adder, work, together[0]!, options);
        else {
          await adder.turns.finish();
          roots[i] = await gather(adder, work, together, options);
        }
      }
      await adder.turns.finish();
    } catch (error) {
      await adder.turns.abandon(error);
      throw error;
    }
    throwIfAborted(options.signal);
    await work.settle();
    adder.report();
    const added: AddedRoot[] = [];
    for (const [i, { inputs: together, ref }] of targets.entries()) {
      const root = roots[i]!;
      const path = together
        .map((input) => (typeof input === "string" ? input : "image" in input ? input.image : input.name))
        .join(" ");
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
