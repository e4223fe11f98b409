/** Fields of references that were found while their code was made. */

/** Columns of fields, as in `CodeFields`. */
export interface FieldColumns {
  readonly count: number;
  readonly offset: Uint32Array;
  readonly kind: Uint8Array;
  readonly shape: Uint8Array;
  readonly context: Uint8Array;
}

export class KnownFields implements FieldColumns {
  /** A 1 for each piece whose fields are here. */
  readonly isKnown: Uint8Array;
  count = 0;
  /** With room behind `count`. */
  offset = new Uint32Array(4096);
  kind = new Uint8Array(4096);
  shape = new Uint8Array(4096);
  context = new Uint8Array(4096);

  constructor(pieces: number) {
    this.isKnown = new Uint8Array(pieces);
  }

  /** Appends the first `count` of some columns; offsets ascend. */
  append({ count, offset, kind, shape, context }: FieldColumns): void {
    if (this.count + count > this.offset.length) {
      const size = 2 * (this.count + count);
      this.offset = moved(this.offset, new Uint32Array(size));
      this.kind = moved(this.kind, new Uint8Array(size));
      this.shape = moved(this.shape, new Uint8Array(size));
      this.context = moved(this.context, new Uint8Array(size));
    }
    this.offset.set(offset.subarray(0, count), this.count);
    this.kind.set(kind.subarray(0, count), this.count);
    this.shape.set(shape.subarray(0, count), this.count);
    this.context.set(context.subarray(0, count), this.count);
    this.count += count;
  }
}

function moved<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
