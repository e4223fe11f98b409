/** What every model of an encoder is. */

/** Compresses one deflate stream exactly as a certain program would. Pieces are valid until the next is asked for. */
export interface DeflateEncoder {
  push(bytes: Uint8Array): Iterable<Uint8Array>;
  finish(): Iterable<Uint8Array>;
  /** Gives its memory back; it must not be used afterwards. */
  release(): void;
}
