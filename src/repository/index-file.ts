/** One index file, open for look-ups. */
import { fromHex, toHex } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import {
  ATOM_VALUE_BYTES,
  decodeIndexFooter,
  decodeSegmentValue,
  INDEX_HEADER_BYTES,
  type IndexFooter,
  SEGMENT_VALUE_BYTES,
} from "./index-format.ts";
import { KEY_BYTES, type RandomBytes, Table } from "./index-table.ts";
import type { SegmentPlace } from "./pack.ts";
import type { SegmentId } from "./segment.ts";

/** An atom by its segment and its number there. */
export interface AtomPlace {
  readonly segment: SegmentId;
  readonly atom: number;
  /** Pack of the segment, as this index file knows it. */
  readonly pack: Digest;
}

/** First 16 bytes of a digest: the key under which blobs and chunks are found. */
export function digestKey(digest: Digest): Uint8Array {
  return fromHex(digest.slice(0, 2 * KEY_BYTES));
}

export class IndexFile {
  readonly name: Digest;
  readonly footer: IndexFooter;
  readonly segments: Table;
  readonly blobs: Table;
  readonly chunks: Table;

  /** Throws `damaged` or `unsupported`, naming the file. */
  constructor(name: Digest, file: RandomBytes) {
    const path = `index/${name}.idx`;
    this.name = name;
    try {
      const footer = decodeIndexFooter(file);
      this.footer = footer;
      this.segments = new Table(file, path, SEGMENT_VALUE_BYTES, footer.segments);
      this.blobs = new Table(file, path, ATOM_VALUE_BYTES, footer.blobs);
      this.chunks = new Table(file, path, ATOM_VALUE_BYTES, footer.chunks);
      this.#checkTiling(footer);
    } catch (error) {
      if (!isTenonError(error) || error.data.path !== undefined) throw error;
      const code = error.code === "invalid" ? "damaged" : error.code;
      throw new TenonError(code, `${path}: ${error.message}`, { ...error.data, path }, { cause: error });
    }
  }

  /** No byte of the file stands outside a page, the footer or the trailer. */
  #checkTiling({ segments, blobs, chunks }: IndexFooter): void {
    let at = INDEX_HEADER_BYTES;
    for (const [head, width] of [
      [segments, SEGMENT_VALUE_BYTES],
      [blobs, ATOM_VALUE_BYTES],
      [chunks, ATOM_VALUE_BYTES],
    ] as const) {
      if (head.offset !== at)
        throw new TenonError("invalid", `a table begins at ${head.offset}, not at ${at}`);
      at += Table.bytes(head.entries, width);
    }
  }

  /** Where a segment is, or undefined. */
  findSegment(id: SegmentId): SegmentPlace | undefined {
    const value = this.segments.find(fromHex(id));
    return value && decodeSegmentValue(value, this.footer.packs);
  }

  findBlob(digest: Digest): AtomPlace | undefined {
    return this.#findAtom(this.blobs, digest);
  }

  findChunk(digest: Digest): AtomPlace | undefined {
    return this.#findAtom(this.chunks, digest);
  }

  #findAtom(table: Table, digest: Digest): AtomPlace | undefined {
    const value = table.find(digestKey(digest));
    return value && this.decodeAtom(value);
  }

  decodeAtom(value: Uint8Array): AtomPlace {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const atom = view.getUint32(4, true);
    const entry = this.segments.entry(view.getUint32(0, true));
    const segment = toHex(entry.key);
    return { segment, atom, pack: decodeSegmentValue(entry.value, this.footer.packs).pack };
  }

  /** Keys of blobs (32 hexadecimal digits) that begin with the given hexadecimal digits, at most `limit`. */
  *blobKeys(prefix: string, limit: number): Generator<string> {
    const key = fromHex(prefix.slice(0, 2 * KEY_BYTES).padEnd(2 * KEY_BYTES, "0"));
    let number = this.blobs.lowerBound(key);
    for (let found = 0; found < limit && number < this.blobs.entries; found++, number++) {
      const hex = toHex(this.blobs.entry(number).key);
      if (!hex.startsWith(prefix.slice(0, 2 * KEY_BYTES))) return;
      yield hex;
    }
  }

  /** Every segment with its place, in order of id. */
  *allSegments(): Generator<readonly [SegmentId, SegmentPlace]> {
    for (let i = 0; i < this.segments.entries; i++) {
      const entry = this.segments.entry(i);
      yield [toHex(entry.key), decodeSegmentValue(entry.value, this.footer.packs)];
    }
  }
  /** Reads every page: `damaged` unless keys ascend, segments are in packs and atoms in segments. */
  verify(): void {
    const damaged = (why: string) =>
      new TenonError("damaged", `index/${this.name}.idx: ${why}`, { path: `index/${this.name}.idx` });
    const atoms = new Uint32Array(this.segments.entries);
    let number = 0;
    let last = "";
    for (const [id, place] of this.allSegments()) {
      if (id <= last) throw damaged("its segments are not in order");
      last = id;
      atoms[number++] = place.atoms;
    }
    for (const table of [this.blobs, this.chunks]) {
      let before: Uint8Array | undefined;
      for (let i = 0; i < table.entries; i++) {
        const { key, value } = table.entry(i);
        if (before !== undefined && Buffer.compare(before, key) >= 0)
          throw damaged("its keys are not in order");
        before = Uint8Array.from(key);
        const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
        const count = atoms[view.getUint32(0, true)];
        if (count === undefined || view.getUint32(4, true) >= count)
          throw damaged("an entry leads to no atom");
      }
    }
  }
}
