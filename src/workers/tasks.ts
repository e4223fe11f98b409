/**
 * Everything that workers can be asked for. A task is a pure function: of an input, which it may keep, and of values
 * that are lent to it, which it leaves as they are but for what their types say.
 */
import { type Digest, sha256 } from "../digest/index.ts";
import {
  type CodedDissection,
  type CodedStreams,
  type DecodedDissection,
  type Dissection,
  decodeDissection,
  dissect,
  encodeDissection,
  handprint,
  identityKeys,
  joinConsumed,
  joinDecoded,
  pieceHashes,
} from "../executable/index.ts";

/** A dissection that others are coded by. The first who needs the hashes of its pieces leaves them there. */
export interface HashedExecutable {
  readonly dissection: Dissection;
  hashes?: Float64Array;
}

/** What the encoder wants to know of a file. */
export interface TakenApart {
  readonly executable: Required<HashedExecutable>;
  /** Keys by which relatives are found. */
  readonly keys: readonly string[];
  /** Keys by which debug files are. */
  readonly identity: readonly string[];
}

/** A recipe's own part. */
export interface CodedExecutable {
  readonly head: Uint8Array;
  readonly streams: CodedStreams;
  /** Of the streams; the newest when absent. */
  readonly version?: number;
}

function hashed(executable: HashedExecutable): Required<HashedExecutable> {
  executable.hashes ??= pieceHashes(executable.dissection);
  return executable as Required<HashedExecutable>;
}

/** The same bytes without the room that a writer left behind them; the writer can't be used any more. */
function fitted(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = bytes;
  return buffer instanceof ArrayBuffer && byteOffset === 0 && length < buffer.byteLength
    ? new Uint8Array(buffer.transfer(length))
    : bytes;
}

function decoded(
  { head, streams, version }: CodedExecutable,
  bases: readonly HashedExecutable[],
): DecodedDissection {
  return decodeDissection(
    head,
    streams,
    bases.map(({ dissection }) => dissection),
    version,
  );
}

export const tasks = {
  /** Takes a file apart. Errors as `dissect`; the proof is `proveExecutable`. */
  takeApart(_: undefined, file: Uint8Array): TakenApart {
    const dissection = dissect(file, { prove: false });
    const hashes = pieceHashes(dissection);
    return {
      executable: { dissection, hashes },
      keys: handprint(dissection, hashes),
      identity: identityKeys(file),
    };
  },

  /** Codes an executable by others, the likeliest relative first. */
  encodeExecutable(
    _: undefined,
    own: HashedExecutable,
    ...bases: HashedExecutable[]
  ): Pick<CodedDissection, "head" | "streams"> {
    const { dissection, hashes } = hashed(own);
    const { head, streams } = encodeDissection(dissection, hashes, bases.map(hashed));
    return { head, streams: new Map([...streams].map(([number, bytes]) => [number, fitted(bytes)])) };
  },

  /** Whether what was coded gives the file with this digest. Errors as `decodeDissection`. */
  proveExecutable(digest: Digest, coded: CodedExecutable, ...bases: HashedExecutable[]): boolean {
    const again = joinConsumed(decoded(coded, bases));
    const isSame = sha256(again) === digest;
    // As much memory as the file has, given back at once.
    if (again.buffer instanceof ArrayBuffer) again.buffer.transfer(0);
    return isSame;
  },

  /** An executable that others are coded by. Errors as `decodeDissection`. */
  decodeExecutable(coded: CodedExecutable, ...bases: HashedExecutable[]): DecodedDissection {
    return decoded(coded, bases);
  },

  /** The bytes of an executable. Errors as `decodeDissection` and `join`. */
  restoreExecutable(coded: CodedExecutable, ...bases: HashedExecutable[]): Uint8Array {
    return joinConsumed(decoded(coded, bases));
  },

  /** The bytes of an executable that was decoded before, and stays so. Errors as `join`. */
  joinExecutable(_: undefined, { dissection }: HashedExecutable): Uint8Array {
    return joinDecoded(dissection as DecodedDissection);
  },
} as const;

export type Tasks = typeof tasks;
export type TaskName = keyof Tasks;

/** Any of them, as the threads see it. */
export type Task = (input: unknown, ...lent: unknown[]) => unknown;

/** The task of this name. */
export function taskOf(name: string): Task {
  if (!Object.hasOwn(tasks, name)) throw new Error(`there is no task ${name}`);
  return tasks[name as TaskName] as unknown as Task;
}
