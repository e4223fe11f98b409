/**
 * A segment: an immutable run of atoms of one kind.
 *
 *     body  = atomCount varint, length varint x atomCount, the atoms' bytes
 *     id    = first 16 bytes of SHA-256(kind u8, body), 32 hexadecimal digits in memory
 *
 * 128 bits suffice for a name, since every blob is checked against its whole SHA-256 when it is read.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { Hasher } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { MAX_ATOM_BYTES, MAX_ATOMS_PER_SEGMENT, SEGMENT_TARGET_BYTES } from "./limits.ts";

/** 32 hexadecimal digits. */
export type SegmentId = string;
export const SEGMENT_ID_BYTES = 16;

export function segmentId(kind: number, body: Uint8Array): SegmentId {
  return new Hasher()
    .update(Uint8Array.of(kind))
    .update(body)
    .digest()
    .slice(0, 2 * SEGMENT_ID_BYTES);
}

/** Collects atoms until the segment is full; keeps its memory for the next one. */
export class SegmentBuilder {
  readonly kind: number;
  readonly #lengths = new ByteWriter(512);
  readonly #payload = new ByteWriter(64 << 10);
  #atoms = 0;

  constructor(kind: number) {
    this.kind = kind;
  }

  get atoms(): number {
    return this.#atoms;
  }

  get payloadBytes(): number {
    return this.#payload.length;
  }

  get full(): boolean {
    return this.#payload.length >= SEGMENT_TARGET_BYTES || this.#atoms >= MAX_ATOMS_PER_SEGMENT;
  }

  /** Appends one atom and returns its number. */
  append(bytes: Uint8Array): number {
    if (bytes.length > MAX_ATOM_BYTES) {
      throw new TenonError("limit", `an atom of ${bytes.length} bytes is larger than ${MAX_ATOM_BYTES}`);
    }
    this.#lengths.varint(bytes.length);
    this.#payload.raw(bytes);
    return this.#atoms++;
  }

  /** The body as a copy; the builder is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const count = new ByteWriter(8).varint(this.#atoms).view();
    const parts = [count, this.#lengths.view(), this.#payload.view()];
    const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      body.set(part, at);
      at += part.length;
    }
    this.#atoms = 0;
    this.#lengths.reset();
    this.#payload.reset();
    return body;
  }
}

/** A decoded segment: atoms by number, without copying. */
export class Segment {
  readonly kind: number;
  /** Start of each atom in `payload`, and its end as last element. */
  readonly offsets: Uint32Array;
  readonly payload: Uint8Array;

  constructor(kind: number, body: Uint8Array) {
    const reader = new ByteReader(body, "segment");
    const atoms = reader.varint("atomCount", Math.min(MAX_ATOMS_PER_SEGMENT, body.length));
    const offsets = new Uint32Array(atoms + 1);
    let at = 0;
    for (let i = 0; i < atoms; i++) {
      at += reader.varint("length", MAX_ATOM_BYTES);
      if (at > body.length) throw reader.error("length", "atoms reach past the end of the segment");
      offsets[i + 1] = at;
    }
    this.kind = kind;
    this.offsets = offsets;
    this.payload = reader.view(at, "payload");
    reader.end();
  }

  get atoms(): number {
    return this.offsets.length - 1;
  }

  /** The bytes of `count` atoms from `first`, as one view. */
  run(first: number, count: number): Uint8Array {
    if (first + count > this.atoms) {
      throw new TenonError(
        "damaged",
        `a run of ${count} atoms from ${first} is not in a segment of ${this.atoms}`,
      );
    }
    return this.payload.subarray(this.offsets[first], this.offsets[first + count]);
  }

  atom(number: number): Uint8Array {
    return this.run(number, 1);
  }
}
