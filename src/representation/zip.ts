/**
 * zip: headers, descriptors, the directory, a preamble and whatever else stands between are the frame; the data of
 * each member is a part, that of a deflated one a `deflate` stream.
 *
 * The directory is believed only where local headers agree with it; frame and parts one behind the other are the
 * archive, whatever it holds.
 */
import { invalid, isTenonError } from "../errors/index.ts";
import {
  centralDirectory,
  END_TAIL_BYTES,
  findEnd,
  LOCAL_HEADER_BYTES,
  localHeaderBytes,
  MAX_DIRECTORY_BYTES,
  METHOD_DEFLATE,
  type ZipEntry,
} from "../zip/index.ts";
import { deflateContainer } from "./gzip.ts";
import { decodeParts, MAX_FRAME_PART_BYTES, MAX_PARTS, type PartsEncoder, withParts } from "./parts.ts";
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

export const zip: Representation = { number: 19, name: "zip", decode: decodeParts };

const STEP_BYTES = 64 << 10;
/** Frame between members of this size and more is a part of its own: a preamble may be a program. */
const MAX_FRAME_BYTES = 256 << 10;

export const zipContainer: Container = {
  representation: zip,
  reads: "again",
  recognise: isZip,

  async encode({ again }, context) {
    const declined = (reason: string): Declined => ({ representation: zip.name, reason });
    if (again === undefined) return declined("it can be read only once");
    let members: Members;
    try {
      members = await membersOf(again);
    } catch (error) {
      if (!isTenonError(error, "invalid")) throw error;
      return declined(error.message);
    }
    if (members.entries.length === 0) return declined("it has no members");
    const opened = await again.open();
    try {
      return await withParts(context, (parts) => takeApart(opened, members, context, parts));
    } finally {
      await opened.close();
    }
  },
};

/** A local header at the beginning, or behind a line that names an interpreter. */
function isZip(start: Uint8Array): boolean {
  if (localHeaderBytes(start) !== undefined) return true;
  if (start[0] !== 0x23 || start[1] !== 0x21) return false;
  const at = Buffer.from(start.buffer, start.byteOffset, start.length).indexOf("PK\x03\x04", 0, "latin1");
  return at > 0 && localHeaderBytes(start.subarray(at)) !== undefined;
}

interface Members {
  readonly entries: readonly ZipEntry[];
  readonly directoryOffset: number;
  readonly sizeBytes: number;
}

async function membersOf(again: RereadableSource): Promise<Members> {
  const { sizeBytes } = again;
  const tailBytes = Math.min(sizeBytes, END_TAIL_BYTES);
  const end = findEnd(await range(again, sizeBytes - tailBytes, tailBytes), sizeBytes);
  const { directoryOffset, directoryBytes } = end;
  if (directoryBytes > MAX_DIRECTORY_BYTES) {
    throw invalid("zip", "directory size", directoryOffset, `more than ${MAX_DIRECTORY_BYTES} bytes`);
  }
  const entries = centralDirectory(await range(again, directoryOffset, directoryBytes), end);
  return { entries, directoryOffset, sizeBytes };
}

/** Bytes of a source that can be read from its beginning only; fewer at its end. */
async function range(again: RereadableSource, offset: number, length: number): Promise<Uint8Array> {
  const opened = await again.open();
  try {
    const dropped = new Uint8Array(Math.min(offset, STEP_BYTES * 8));
    for (let left = offset; left > 0; ) {
      const got = await opened.read(dropped.subarray(0, Math.min(left, dropped.length)));
      if (got === 0) break;
      left -= got;
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const got = await opened.read(bytes.subarray(filled));
      if (got === 0) break;
      filled += got;
    }
    return bytes.subarray(0, filled);
  } finally {
    await opened.close();
  }
}

async function takeApart(
  source: BlobSource,
  { entries, directoryOffset, sizeBytes }: Members,
  context: PartContext,
  parts: PartsEncoder,
): Promise<EncodedBlob> {
  const reader = new SourceReader(source, context);
  const frame = async (length: number) => {
    if (length > MAX_FRAME_BYTES) {
      await parts.part(reader.part(length), length);
      return;
    }
    for (let left = length; left > 0; ) {
      const bytes = await reader.peek(Math.min(left, STEP_BYTES));
      if (bytes.length === 0) return;
      await parts.frame(bytes);
      reader.skip(bytes.length);
      left -= bytes.length;
    }
  };
  for (const [i, { offset, compressedBytes, method, isEncrypted }] of entries.entries()) {
    if (parts.parts >= MAX_PARTS - 2) break;
    const limit = entries[i + 1]?.offset ?? directoryOffset;
    if (compressedBytes <= MAX_FRAME_PART_BYTES) continue;
    await frame(offset - reader.offset);
    const headerBytes = localHeaderBytes(await reader.peek(LOCAL_HEADER_BYTES));
    // A local header with other lengths than the directory reckons with: it stays in the frame.
    if (headerBytes === undefined || offset + headerBytes + compressedBytes > limit) continue;
    await frame(headerBytes);
    const as = method === METHOD_DEFLATE && !isEncrypted ? deflateContainer : undefined;
    await parts.part(reader.part(compressedBytes), compressedBytes, as);
    await parts.settle();
  }
  await frame(sizeBytes - reader.offset);
  return parts.finish(zip.number, reader.hasher.digest(), reader.hasher.length);
}
