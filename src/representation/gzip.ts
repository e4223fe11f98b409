/**
 * gzip: the content of all members is one part; each stream is made again by a model of its encoder
 * (docs/formats/gzip.md).
 *
 *     body   = 1 u8, memberCount varint, members, trailing length varint, trailing bytes
 *     member = header length varint, header, model, content length varint, trailer length varint, trailer
 *
 * The proof comes before anything is stored: the whole file is made again and compared.
 */
import { ByteReader, ByteWriter, equalBytes } from "../bytes/index.ts";
import { Hasher } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import {
  candidates,
  type DeflateModel,
  decodeModel,
  encodeModel,
  encoderOf,
  gzipHeaderBytes,
  isGzip,
  MAX_GZIP_HEADER_BYTES,
  modelName,
} from "../gzip/index.ts";
import { type BlobRecord, RunListBuilder, StoredTally } from "../repository/index.ts";
import { InflateInput } from "./inflate.ts";
import { SourceReader } from "./source.ts";
import type {
  BlobSource,
  Container,
  Declined,
  EncodedBlob,
  PartContext,
  Representation,
  RereadableSource,
} from "./types.ts";

const VERSION = 1;
const TRAILER_BYTES = 8;
/** Content of a member that decides between candidates: some blocks of every encoder. */
const SAMPLE_BYTES = 256 << 10;
/** Compressed bytes that are compared for the sample. */
const COMPARED_BYTES = 128 << 10;
/** Members of one file; a file of very many tiny ones gains nothing. */
const MAX_MEMBERS = 1 << 16;
const USUAL_HEADER_BYTES = 1024;
/** What may follow the last member, e.g. zeros of a tape. */
const MAX_TRAILING_BYTES = 64 << 10;
/** Candidates that a sample can't tell apart are tried one after the other. */
const MAX_ATTEMPTS = 4;

interface Member {
  readonly header: Uint8Array;
  readonly model: DeflateModel;
  readonly contentBytes: number;
  readonly trailer: Uint8Array;
}

export const gzip: Representation = {
  number: 18,
  name: "gzip",

  async *decode(record, _atoms, from, readPart) {
    const { members, trailing } = decodeBody(record.body);
    const [content] = record.children;
    const contentBytes = members.reduce((sum, member) => sum + member.contentBytes, 0);
    if (record.children.length !== (contentBytes > 0 ? 1 : 0)) {
      throw new TenonError("damaged", "a gzip recipe has one part, its content", { digest: record.digest });
    }
    let skip = from;
    const wanted = function* (bytes: Uint8Array): Generator<Uint8Array> {
      const part = bytes.subarray(Math.min(skip, bytes.length));
      skip -= bytes.length - part.length;
      // Pieces are views of a kernel's memory, which the next one overwrites.
      if (part.length > 0) yield part.slice();
    };
    const pieces = content === undefined ? undefined : new PieceReader(readPart(content, 0));
    try {
      for (const { header, model, contentBytes: length, trailer } of members) {
        yield* wanted(header);
        const encoder = encoderOf(model);
        try {
          for (let left = length; left > 0; ) {
            const bytes = await pieces!.take(left);
            left -= bytes.length;
            for (const made of encoder.push(bytes)) yield* wanted(made);
          }
          for (const made of encoder.finish()) yield* wanted(made);
        } finally {
          encoder.release();
        }
        yield* wanted(trailer);
      }
      yield* wanted(trailing);
    } finally {
      await pieces?.close();
    }
  },
};

/** Pieces of any size, taken in amounts. */
class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async take(most: number): Promise<Uint8Array> {
    while (this.#piece.length === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) throw new TenonError("damaged", "the content of a gzip recipe is too short");
      this.#piece = next.value;
    }
    const part = this.#piece.subarray(0, most);
    this.#piece = this.#piece.subarray(part.length);
    return part;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

export const gzipContainer: Container = {
  representation: gzip,
  reads: "again",
  recognise: (start) => isGzip(start),

  async encode({ again }, context) {
    const declined = (reason: string): Declined => ({ representation: gzip.name, reason });
    if (again === undefined) return declined("it can be read only once");
    const excluded = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      let proven: Proven | NotProven;
      try {
        proven = await prove(again, context, excluded);
      } catch (error) {
        if (!isTenonError(error, "invalid")) throw error;
        return declined(error.message);
      }
      if (!("reason" in proven)) return store(proven, again, context);
      if (proven.model === undefined || attempt === MAX_ATTEMPTS) return declined(proven.reason);
      excluded.add(modelName(proven.model));
    }
  },
};

interface Proven {
  readonly members: readonly Member[];
  readonly trailing: Uint8Array;
  readonly size: number;
  readonly digest: string;
  readonly contentBytes: number;
  readonly contentDigest: string;
}

interface NotProven extends Declined {
  /** The model that fitted the sample and not what followed. */
  readonly model?: DeflateModel | undefined;
}

/** Makes every member again and compares it with what is there. */
async function prove(
  again: RereadableSource,
  context: PartContext,
  excluded: ReadonlySet<string>,
): Promise<Proven | NotProven> {
  const failed = (reason: string, model?: DeflateModel): NotProven => ({
    representation: gzip.name,
    reason,
    model,
  });
  const [one, two] = [await again.open(), await again.open()];
  try {
    const input = new InflateInput(one);
    const original = new SourceReader(two, context);
    const hasher = new Hasher();
    const members: Member[] = [];
    const same = async (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) {
        const piece = bytes.subarray(at, at + COMPARED_BYTES);
        if (!equalBytes(await original.peek(piece.length), piece)) return false;
        original.skip(piece.length);
        at += piece.length;
      }
      return true;
    };
    for (;;) {
      const headerBytes =
        gzipHeaderBytes(await input.peek(USUAL_HEADER_BYTES)) ??
        gzipHeaderBytes(await input.peek(MAX_GZIP_HEADER_BYTES));
      if (headerBytes === undefined) break;
      if (members.length === MAX_MEMBERS) return failed(`it has more than ${MAX_MEMBERS} members`);
      const header = (await input.peek(headerBytes)).slice();
      input.skip(headerBytes);
      if (!(await same(header))) return failed("it changed while it was read");
      const content = input.inflate();
      const before = hasher.length;
      const sample: Uint8Array[] = [];
      let sampled = 0;
      let isWhole = true;
      for (;;) {
        const next = await content.next();
        if (next.done === true) break;
        hasher.update(next.value);
        sample.push(next.value);
        sampled += next.value.length;
        if (sampled >= SAMPLE_BYTES) {
          isWhole = false;
          break;
        }
      }
      const seen = await original.peek(COMPARED_BYTES);
      const likely = [...(members.length > 0 ? [members.at(-1)!.model] : []), ...candidates(header)];
      const model = likely.find(
        (known) => !excluded.has(modelName(known)) && fits(known, sample, isWhole, seen),
      );
      if (model === undefined) {
        await content.return(undefined);
        return failed("its encoder is none of those that are known");
      }
      const encoder = encoderOf(model);
      try {
        for (const piece of sample) {
          for (const made of encoder.push(piece)) if (!(await same(made))) return failed("", model);
        }
        for (;;) {
          const next = isWhole ? { done: true as const } : await content.next();
          if (next.done === true) break;
          throwIfAborted(context.signal);
          hasher.update(next.value);
          if (hasher.length > context.budget.expandBytes) {
            return failed(`it expands to more than ${context.budget.expandBytes} bytes`);
          }
          for (const made of encoder.push(next.value)) {
            if (!(await same(made)))
              return failed(`it begins as ${modelName(model)} would make it, and goes on otherwise`, model);
          }
        }
        for (const made of encoder.finish()) {
          if (!(await same(made)))
            return failed(`it does not end as ${modelName(model)} would make it`, model);
        }
      } finally {
        encoder.release();
        await content.return(undefined);
      }
      const trailer = (await input.peek(TRAILER_BYTES)).slice();
      input.skip(trailer.length);
      if (!(await same(trailer))) return failed("it changed while it was read");
      members.push({ header, model, contentBytes: hasher.length - before, trailer });
    }
    if (members.length === 0) return failed("its header is damaged");
    const trailing = (await input.peek(MAX_TRAILING_BYTES + 1)).slice();
    if (trailing.length > MAX_TRAILING_BYTES) return failed("other data follows its last member");
    if (!(await same(trailing)) || (await original.peek(1)).length > 0)
      return failed("it changed while it was read");
    const { hasher: outer } = original;
    const size = outer.length;
    return {
      members,
      trailing,
      size,
      digest: outer.digest(),
      contentBytes: hasher.length,
      contentDigest: hasher.digest(),
    };
  } finally {
    await one.close();
    await two.close();
  }
}

/** True when the model makes the beginning of `seen` from the sample. */
function fits(
  model: DeflateModel,
  sample: readonly Uint8Array[],
  isWhole: boolean,
  seen: Uint8Array,
): boolean {
  const encoder = encoderOf(model);
  let at = 0;
  const same = (made: Uint8Array) => {
    const part = made.subarray(0, seen.length - at);
    const isSame = equalBytes(part, seen.subarray(at, at + part.length));
    at += part.length;
    return isSame && (part.length === made.length || seen.length === COMPARED_BYTES);
  };
  try {
    for (const piece of sample) {
      for (let from = 0; from < piece.length; from += SAMPLE_BYTES / 4) {
        for (const made of encoder.push(piece.subarray(from, from + SAMPLE_BYTES / 4)))
          if (!same(made)) return false;
        if (at === COMPARED_BYTES) return true;
      }
    }
    if (isWhole) for (const made of encoder.finish()) if (!same(made)) return false;
    return true;
  } finally {
    encoder.release();
  }
}

/** Stores the content as a part, and the recipe. */
async function store(proven: Proven, again: RereadableSource, context: PartContext): Promise<EncodedBlob> {
  const { members, trailing, size, digest, contentBytes, contentDigest } = proven;
  const tally = new StoredTally();
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
  const body = encodeBody({ members, trailing });
  return { digest, size, representation: gzip.number, runs: new RunListBuilder(), children, body, tally };
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

function encodeBody({ members, trailing }: { members: readonly Member[]; trailing: Uint8Array }): Uint8Array {
  const out = new ByteWriter(64).u8(VERSION).varint(members.length);
  for (const { header, model, contentBytes, trailer } of members) {
    out.varint(header.length).raw(header);
    encodeModel(out, model);
    out.varint(contentBytes).varint(trailer.length).raw(trailer);
  }
  return out.varint(trailing.length).raw(trailing).finish();
}

function decodeBody(body: Uint8Array): {
  readonly members: readonly Member[];
  readonly trailing: Uint8Array;
} {
  const reader = new ByteReader(body, "recipe of gzip");
  const version = reader.u8("version");
  if (version !== VERSION) {
    throw new TenonError(
      "unsupported",
      `recipes of gzip have version ${version}, which this release doesn't know`,
    );
  }
  const members: Member[] = [];
  for (let left = reader.varint("memberCount", MAX_MEMBERS); left > 0; left--) {
    const header = reader.view(reader.varint("header length", MAX_GZIP_HEADER_BYTES), "header");
    const model = decodeModel(reader);
    const contentBytes = reader.varint("content length");
    members.push({
      header,
      model,
      contentBytes,
      trailer: reader.view(reader.varint("trailer length", TRAILER_BYTES), "trailer"),
    });
  }
  const trailing = reader.view(reader.varint("trailing length", MAX_TRAILING_BYTES), "trailing bytes");
  reader.end();
  return { members, trailing };
}

/** True when the only child of the record, if any, is the content of a gzip file. */
export function isGzipRecipe(record: BlobRecord): boolean {
  return record.representation === gzip.number;
}
