/**
 * Blob records: how one blob is made again (docs/formats/recipe.md).
 *
 *     record = 1 u8, representation varint, digest 32 bytes, size varint, then
 *              the blob's bytes                                                  representation 0, inline
 *              run list, childCount varint, digests 32 bytes each, body          all others
 *
 * What belongs to the representation alone is `body`. Runs and children stand apart from it, so that a walk of
 * everything that a blob needs, and the moving of atoms, know no representation. Only the sequence of atoms means
 * something: when atoms move, runs are split and joined.
 */
import { ByteReader, ByteWriter, fromHex, toHex } from "../bytes/index.ts";
import { DIGEST_BYTES, type Digest } from "../digest/index.ts";
import { MAX_CHILDREN } from "./limits.ts";
import { BLOB_RECORD, decodeRunNode, encodeRunNode, type RunNode } from "./run-list.ts";

export const INLINE = 0;

export interface BlobRecord {
  readonly digest: Digest;
  readonly size: number;
  /** Number of the representation; 0 is inline. */
  readonly representation: number;
  /** The blob itself, when the representation is inline. */
  readonly inline?: Uint8Array;
  readonly runs: RunNode;
  /** Blobs that this one is made of. */
  readonly children: readonly Digest[];
  readonly body: Uint8Array;
}

const noRuns: RunNode = { level: 0, entries: [] };
const nothing = new Uint8Array(0);

export function encodeInlineRecord(digest: Digest, bytes: Uint8Array): Uint8Array {
  return head(digest, bytes.length, INLINE).raw(bytes).finish();
}

export function encodeBlobRecord(record: Omit<BlobRecord, "inline">): Uint8Array {
  const out = head(record.digest, record.size, record.representation);
  encodeRunNode(out, record.runs);
  out.varint(record.children.length);
  for (const child of record.children) out.raw(fromHex(child));
  return out.raw(record.body).finish();
}

function head(digest: Digest, size: number, representation: number): ByteWriter {
  return new ByteWriter(128).u8(BLOB_RECORD).varint(representation).raw(fromHex(digest)).varint(size);
}

/** Views into `atom` are kept: it must not be changed afterwards. */
export function decodeBlobRecord(atom: Uint8Array): BlobRecord {
  const reader = new ByteReader(atom, "recipe");
  if (reader.u8("record type") !== BLOB_RECORD) throw reader.error("record type", "not a blob record", 0);
  const representation = reader.varint("representation", 0xffff);
  const digest = toHex(reader.view(DIGEST_BYTES, "digest"));
  const size = reader.varint("size");
  if (representation === INLINE) {
    if (reader.remaining !== size)
      throw reader.error("size", `${size}, but ${reader.remaining} bytes follow`);
    const inline = reader.view(size, "bytes");
    return { digest, size, representation, inline, runs: noRuns, children: [], body: nothing };
  }
  const runs = decodeRunNode(reader);
  const childCount = reader.varint("childCount", Math.min(MAX_CHILDREN, reader.remaining / DIGEST_BYTES));
  const children: Digest[] = [];
  for (let i = 0; i < childCount; i++) children.push(toHex(reader.view(DIGEST_BYTES, "child")));
  const body = reader.view(reader.remaining, "body");
  return { digest, size, representation, runs, children, body };
}

/** True when an atom of kind recipe or node is a blob record (else it is a run-list node). */
export function isBlobRecord(atom: Uint8Array): boolean {
  return atom[0] === BLOB_RECORD;
}
