/**
 * chunks: a blob is the atoms of its runs, one behind the other. Takes any bytes, so it is the last resort.
 *
 * The proof that the recipe gives the bytes back: new atoms are decompressed and compared before their pack is
 * committed, atoms that were there are named by 128 bits of their SHA-256, and the recipe is decoded and its
 * length compared when it is written.
 */
import { Hasher, sha256 } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { Kind, RunListBuilder, StoredTally } from "../repository/index.ts";
import type { BlobSource, EncodeContext, EncodedBlob, Representation } from "./types.ts";

export const chunks: Representation = {
  number: 1,
  name: "chunks",

  async *decode(record, atoms, from) {
    if (record.children.length > 0 || record.body.length > 0) {
      throw new TenonError("damaged", `the recipe of ${record.digest} has parts that chunks don't have`);
    }
    let skip = from;
    for await (const { offset, bytes } of atoms.read(record, from)) {
      yield offset < skip ? bytes.subarray(skip - offset) : bytes;
      skip = Math.max(skip, offset + bytes.length);
    }
  },
};

/** Cuts the whole source into chunks, stores those that are new, and hashes it. */
export async function encodeChunks(source: BlobSource, context: EncodeContext): Promise<EncodedBlob> {
  const { session, chunker, signal, onRead } = context;
  const hasher = new Hasher();
  const runs = new RunListBuilder();
  const tally = new StoredTally();
  const store = (chunk: Uint8Array) => {
    const { ref, fresh } = session.chunk(Kind.chunk, chunk, sha256(chunk));
    runs.add(ref);
    if (fresh) tally.add(ref);
  };
  chunker.reset();
  for (;;) {
    throwIfAborted(signal);
    const block = chunker.reserve();
    const length = await source.read(block);
    if (length === 0) break;
    hasher.update(block.subarray(0, length));
    for (const chunk of chunker.advance(length)) store(chunk);
    onRead?.(length);
    await session.settle();
  }
  for (const chunk of chunker.finish()) store(chunk);
  if (runs.bytes !== hasher.length) {
    throw new TenonError("damaged", `chunks of ${runs.bytes} bytes were cut from ${hasher.length} bytes`);
  }
  return {
    digest: hasher.digest(),
    size: hasher.length,
    representation: chunks.number,
    runs,
    children: [],
    body: new Uint8Array(0),
    tally,
  };
}
