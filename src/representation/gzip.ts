/**
 * gzip, zlib and raw deflate: the content of all members is one part; each stream is made again by a model of its
 * encoder, or from what is guessed and corrected (docs/formats/gzip.md).
 *
 * The proof comes before anything is stored: the whole file is made again and compared.
 */
import { inflateRawSync, constants as zlib } from "node:zlib";
import { isTenonError, TenonError } from "../errors/index.ts";
import {
  gzipHeaderBytes,
  gzipHint,
  isGzip,
  isZlib,
  modelName,
  ZLIB_HEADER_BYTES,
  ZLIB_TRAILER_BYTES,
  zlibHint,
} from "../gzip/index.ts";
import { type BlobRecord, Kind, RunListBuilder, StoredTally } from "../repository/index.ts";
import { type Framing, type NotProven, type Proven, prove } from "./deflate-prove.ts";
import { decodeStreams, encodeStreamRecipe, MAX_TRAILER_BYTES, type Member } from "./deflate-recipe.ts";
import { InflateInput } from "./inflate.ts";
import type {
  BlobSource,
  Container,
  Declined,
  EncodedBlob,
  PartContext,
  Representation,
  RereadableSource,
} from "./types.ts";

/** Candidates that a sample can't tell apart are tried one after the other, then there are corrections. */
const MAX_ATTEMPTS = 4;
/** Corrections in one atom: about what a chunk has. */
const CORRECTION_ATOM_BYTES = 64 << 10;

const gzipFraming: Framing = {
  name: "gzip",
  headerBytes: gzipHeaderBytes,
  hint: gzipHint,
  trailerBytes: MAX_TRAILER_BYTES,
  isRepeated: true,
};

const zlibFraming: Framing = {
  name: "zlib",
  headerBytes: (start) => (isZlib(start) ? ZLIB_HEADER_BYTES : undefined),
  hint: zlibHint,
  trailerBytes: ZLIB_TRAILER_BYTES,
  isRepeated: false,
};

const deflateFraming: Framing = {
  name: "deflate",
  headerBytes: () => 0,
  hint: () => ({ writer: "zlib" }),
  trailerBytes: 0,
  isRepeated: false,
};

export const gzip: Representation = { number: 18, name: "gzip", decode: decodeStreams };
export const zlibStream: Representation = { number: 20, name: "zlib", decode: decodeStreams };
export const deflate: Representation = { number: 21, name: "deflate", decode: decodeStreams };

export const gzipContainer = streamContainer(gzip, gzipFraming, isGzip);
/** Two bytes prove little, so the beginning must be inflatable as well. */
export const zlibContainer = streamContainer(
  zlibStream,
  zlibFraming,
  (start) => isZlib(start) && inflates(start),
);
/** A stream without framing, which only whoever knows where it is can recognise. */
export const deflateContainer = streamContainer(deflate, deflateFraming, () => true);

function inflates(start: Uint8Array): boolean {
  try {
    inflateRawSync(start.subarray(ZLIB_HEADER_BYTES), { finishFlush: zlib.Z_SYNC_FLUSH });
    return true;
  } catch {
    return false;
  }
}

function streamContainer(
  representation: Representation,
  framing: Framing,
  recognise: (start: Uint8Array) => boolean,
): Container {
  return {
    representation,
    reads: "again",
    recognise,

    async encode({ again }, context) {
      const declined = (reason: string): Declined => ({ representation: representation.name, reason });
      if (again === undefined) return declined("it can be read only once");
      const proven = await proveAll(framing, again, context);
      return "reason" in proven ? declined(proven.reason) : store(representation, proven, again, context);
    },
  };
}

/** How the one stream of a zlib file, from its header to its checksum, is made again, or why it isn't. */
export function proveZlib(again: RereadableSource, context: PartContext): Promise<Proven | NotProven> {
  return proveAll(zlibFraming, again, context);
}

/** Excludes what turned out wrong, until the whole file is proven. */
async function proveAll(
  framing: Framing,
  again: RereadableSource,
  context: PartContext,
): Promise<Proven | NotProven> {
  const models = new Set<string>();
  const members = new Set<number>();
  for (let attempt = 1; ; attempt++) {
    let proven: Proven | NotProven;
    try {
      proven = await prove(framing, again, context, { models, members });
    } catch (error) {
      if (!isTenonError(error, "invalid")) throw error;
      return { reason: error.message };
    }
    if (!("reason" in proven)) return proven;
    const { wrong } = proven;
    if (wrong === undefined || members.has(wrong.member)) return proven;
    models.add(modelName(wrong.model));
    if (attempt >= MAX_ATTEMPTS) members.add(wrong.member);
  }
}

/** Stores the content as a part, the corrections, and the recipe. */
async function store(
  representation: Representation,
  proven: Proven,
  again: RereadableSource,
  context: PartContext,
): Promise<EncodedBlob> {
  const { members, size, digest, contentBytes, contentDigest, corrections } = proven;
  const tally = new StoredTally();
  const runs = new RunListBuilder();
  context.budget.expandBytes -= contentBytes;
  const children: string[] = [];
  if (contentBytes > 0) {
    const open = async () => {
      const opened = await again.open();
      return { ...contentSource(opened, members), close: () => opened.close() };
    };
    const part = await context.partAgain({ sizeBytes: contentBytes, digest: contentDigest, open });
    if (part.digest !== contentDigest || part.size !== contentBytes) {
      throw new TenonError("io", "a file changed while it was read; add it again");
    }
    children.push(part.digest);
    if (part.tally !== undefined) tally.addAll(part.tally);
  }
  for (const piece of corrections) {
    for (let at = 0; at < piece.length; at += CORRECTION_ATOM_BYTES) {
      const ref = context.session.append(Kind.archiveFrame, piece.subarray(at, at + CORRECTION_ATOM_BYTES));
      runs.add(ref);
      tally.add(ref);
      await context.session.settle();
    }
  }
  const body = encodeStreamRecipe(proven);
  return { digest, size, representation: representation.number, runs, children, body, tally };
}

/** The content of all members, one behind the other. */
function contentSource(source: BlobSource, members: readonly Member[]): BlobSource {
  const input = new InflateInput(source);
  const pieces = (async function* () {
    for (const { header, trailer } of members) {
      await input.peek(header.length);
      input.skip(header.length);
      yield* input.inflate();
      await input.peek(trailer.length);
      input.skip(trailer.length);
    }
  })();
  let piece: Uint8Array = new Uint8Array(0);
  return {
    async read(into) {
      while (piece.length === 0) {
        const next = await pieces.next();
        if (next.done === true) return 0;
        piece = next.value;
      }
      const part = piece.subarray(0, into.length);
      into.set(part);
      piece = piece.subarray(part.length);
      return part.length;
    },
  };
}

/** True when the only child of the record, if any, is the content of a gzip file. */
export function isGzipRecipe(record: BlobRecord): boolean {
  return record.representation === gzip.number;
}
