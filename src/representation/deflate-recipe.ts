/**
 * The recipe of streams that deflate made, as gzip, zlib or raw (docs/formats/gzip.md).
 *
 *     body   = version u8, memberCount varint, members, trailing length varint, trailing bytes
 *     member = header length varint, header, model, content length varint, trailer length varint, trailer
 *
 * Version 2 has members whose streams are made with corrections; they are in the runs, one behind the other.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  type DeflateModel,
  decodeModel,
  encodeModel,
  encoderOf,
  MAX_GZIP_HEADER_BYTES,
  type StreamModel,
  type TokenParameters,
  TokenSynthesis,
} from "../gzip/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { FrameReader } from "./parts.ts";
import type { ReadPart } from "./types.ts";

const VERSION = 1;
const CORRECTED_VERSION = 2;
/** The longest trailer, that of gzip. */
export const MAX_TRAILER_BYTES = 8;
/** Members of one file; a file of very many tiny ones gains nothing. */
export const MAX_MEMBERS = 1 << 16;
/** What may follow the last member, e.g. zeros of a tape. */
export const MAX_TRAILING_BYTES = 64 << 10;

export interface Member {
  readonly header: Uint8Array;
  readonly model: StreamModel;
  readonly contentBytes: number;
  readonly trailer: Uint8Array;
}

export interface StreamRecipe {
  readonly members: readonly Member[];
  readonly trailing: Uint8Array;
}

export function encodeStreamRecipe({ members, trailing }: StreamRecipe): Uint8Array {
  const isCorrected = members.some(({ model }) => model.variant === "tokens");
  const out = new ByteWriter(64).u8(isCorrected ? CORRECTED_VERSION : VERSION).varint(members.length);
  for (const { header, model, contentBytes, trailer } of members) {
    out.varint(header.length).raw(header);
    encodeModel(out, model);
    out.varint(contentBytes).varint(trailer.length).raw(trailer);
  }
  return out.varint(trailing.length).raw(trailing).finish();
}

/** Errors: `invalid`; `unsupported` for another version or encoder. */
export function decodeStreamRecipe(body: Uint8Array): StreamRecipe {
  const reader = new ByteReader(body, "recipe of deflate streams");
  const version = reader.u8("version");
  if (version !== VERSION && version !== CORRECTED_VERSION) {
    throw new TenonError(
      "unsupported",
      `recipes of deflate streams have version ${version}, which this release doesn't know`,
    );
  }
  const members: Member[] = [];
  for (let left = reader.varint("memberCount", MAX_MEMBERS); left > 0; left--) {
    const header = reader.view(reader.varint("header length", MAX_GZIP_HEADER_BYTES), "header");
    const model = decodeModel(reader);
    if (model.variant === "tokens" && version === VERSION)
      throw reader.error("family", "corrections in version 1");
    const contentBytes = reader.varint("content length");
    members.push({
      header,
      model,
      contentBytes,
      trailer: reader.view(reader.varint("trailer length", MAX_TRAILER_BYTES), "trailer"),
    });
  }
  const trailing = reader.view(reader.varint("trailing length", MAX_TRAILING_BYTES), "trailing bytes");
  reader.end();
  return { members, trailing };
}

/** The blob's bytes from `from` on: everything before is made as well, and dropped. */
export async function* decodeStreams(
  record: BlobRecord,
  atoms: AtomReader,
  from: number,
  readPart: ReadPart,
): AsyncGenerator<Uint8Array> {
  const { members, trailing } = decodeStreamRecipe(record.body);
  const [content] = record.children;
  const contentBytes = members.reduce((sum, member) => sum + member.contentBytes, 0);
  if (record.children.length !== (contentBytes > 0 ? 1 : 0)) {
    throw new TenonError("damaged", "a recipe of deflate streams has one part, their content", {
      digest: record.digest,
    });
  }
  let skip = from;
  const wanted = function* (bytes: Uint8Array): Generator<Uint8Array> {
    const part = bytes.subarray(Math.min(skip, bytes.length));
    skip -= bytes.length - part.length;
    // Pieces are views of a kernel's memory, which the next one overwrites.
    if (part.length > 0) yield part.slice();
  };
  const frame = members.some(({ model }) => model.variant === "tokens")
    ? new FrameReader(record, atoms, 0)
    : undefined;
  try {
    const bytes = content === undefined ? undefined : readPart(content, 0);
    for await (const piece of makeStreams({ members, trailing }, bytes, frame)) yield* wanted(piece);
  } finally {
    await frame?.close();
  }
}

/** Where corrections are read from, one behind the other. */
export interface CorrectionSource {
  take(length: number): AsyncIterable<Uint8Array>;
}

/** All of what a recipe describes. Pieces are valid until the next is asked for. Errors: `damaged`. */
export async function* makeStreams(
  { members, trailing }: StreamRecipe,
  content: AsyncIterable<Uint8Array> | undefined,
  corrections: CorrectionSource | undefined,
): AsyncGenerator<Uint8Array> {
  const pieces = content === undefined ? undefined : new PieceReader(content);
  try {
    for (const { header, model, contentBytes: length, trailer } of members) {
      yield header;
      const bytes = takeAll(pieces, length);
      yield* model.variant === "tokens"
        ? corrected(model, bytes, corrections!.take(model.correctionBytes))
        : encoded(model, bytes);
      yield trailer;
    }
    yield trailing;
  } finally {
    await pieces?.close();
  }
}

async function* takeAll(pieces: PieceReader | undefined, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; ) {
    const bytes = await pieces!.take(left);
    left -= bytes.length;
    yield bytes;
  }
}

async function* encoded(model: DeflateModel, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const encoder = encoderOf(model);
  try {
    for await (const bytes of content) yield* encoder.push(bytes);
    yield* encoder.finish();
  } finally {
    encoder.release();
  }
}

/** A stream from content and corrections. Pieces are valid until the next is asked for. Errors: `damaged`. */
export async function* corrected(
  parameters: TokenParameters,
  content: AsyncIterable<Uint8Array>,
  corrections: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const contentPieces = content[Symbol.asyncIterator]();
  const correctionPieces = corrections[Symbol.asyncIterator]();
  let waiting: Uint8Array = new Uint8Array(0);
  const synthesis = new TokenSynthesis(parameters);
  try {
    for (;;) {
      const next = synthesis.next();
      if (next === "done") return;
      if (next === "content") {
        const piece = await contentPieces.next();
        if (piece.done === true) synthesis.end();
        else synthesis.add(piece.value);
      } else if (next === "corrections") {
        while (waiting.length === 0) {
          const piece = await correctionPieces.next();
          if (piece.done === true) break;
          waiting = piece.value;
        }
        const part = waiting.subarray(0, synthesis.correctionRoom);
        waiting = waiting.subarray(part.length);
        synthesis.addCorrections(part);
      } else yield next;
    }
  } finally {
    synthesis.release();
    await contentPieces.return?.();
    await correctionPieces.return?.();
  }
}

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
      if (next.done === true) throw new TenonError("damaged", "the content of a deflate recipe is too short");
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
