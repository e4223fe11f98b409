/**
 * digest: SHA-256, the identity of everything.
 *
 * Nouns: a `Digest` is 64 lowercase hexadecimal digits. Invariant: identity is the SHA-256 of the content and
 * of nothing else.
 */
import { createHash, hash } from "node:crypto";

/** 64 lowercase hexadecimal digits of a SHA-256. */
export type Digest = string;

export const DIGEST_BYTES = 32;

/** The SHA-256 of nothing. */
export const EMPTY_DIGEST: Digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** One-shot SHA-256. The string result of `crypto.hash` is its fast path: 2.0 M calls/s against 0.5 M for a buffer. */
export function sha256(bytes: Uint8Array): Digest {
  return hash("sha256", bytes);
}

export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** SHA-256 of a stream of pieces. */
export class Hasher {
  readonly #hash = createHash("sha256");
  #length = 0;

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    this.#length += bytes.length;
    return this;
  }

  /** Bytes hashed so far. */
  get length(): number {
    return this.#length;
  }

  /** Ends the stream. */
  digest(): Digest {
    return this.#hash.digest("hex");
  }
}
