/**
 * Handprints: the least hashes of a blob's parts, under which blobs that are alike find one another without a scan.
 *
 *     handprint = digest of the blob 32 bytes, then keys of 8 bytes
 *
 * An atom of kind handprint stands in the runs of its blob's recipe, so it lives as long as the blob. The index leads
 * from each key to the newest atom that has it.
 */
import { ByteReader, ByteWriter, fromHex, toHex } from "../bytes/index.ts";
import { DIGEST_BYTES, type Digest, sha256 } from "../digest/index.ts";

const KEY_BYTES = 8;
/** Each key costs an entry of some 26 bytes in the index. */
export const MAX_HANDPRINT_KEYS = 64;

export interface Handprint {
  readonly digest: Digest;
  /** 16 hexadecimal digits each. */
  readonly keys: readonly string[];
}

export function encodeHandprint({ digest, keys }: Handprint): Uint8Array {
  const out = new ByteWriter(DIGEST_BYTES + keys.length * KEY_BYTES).raw(fromHex(digest));
  for (const key of keys) out.raw(fromHex(key));
  return out.finish();
}

/** Errors: `invalid`. */
export function decodeHandprint(atom: Uint8Array): Handprint {
  const reader = new ByteReader(atom, "handprint");
  const digest = toHex(reader.view(DIGEST_BYTES, "digest"));
  const count = reader.remaining / KEY_BYTES;
  if (!Number.isInteger(count) || count > MAX_HANDPRINT_KEYS) throw reader.error("keys", `${count} keys`);
  const keys: string[] = [];
  for (let i = 0; i < count; i++) keys.push(toHex(reader.view(KEY_BYTES, "key")));
  return { digest, keys };
}

/** Under which digest the index has a key: hashed, so that no handprint can pass for a chunk. */
export function handprintDigest(key: string): Digest {
  return sha256(fromHex(`04${key}`));
}
