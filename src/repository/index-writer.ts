/** Writing index files: one for a new pack, or one in place of several. */
import type { Backend } from "../backend/index.ts";
import { ByteWriter, compareBytes, fromHex } from "../bytes/index.ts";
import { type Digest, Hasher } from "../digest/index.ts";
import type { AtomPlace, IndexFile } from "./index-file.ts";
import {
  ATOM_VALUE_BYTES,
  encodeIndexEnd,
  encodeSegmentValue,
  indexHeader,
  indexPath,
  SEGMENT_VALUE_BYTES,
} from "./index-format.ts";
import { KEY_BYTES, type Table, TableWriter } from "./index-table.ts";
import type { SegmentPlace } from "./pack.ts";
import type { SegmentId } from "./segment.ts";

/** What a pack holds, keyed as the index finds it: 32 hexadecimal digits of a digest's beginning. */
export interface IndexEntries {
  readonly packs: readonly Digest[];
  readonly segments: ReadonlyMap<SegmentId, SegmentPlace>;
  readonly blobs: ReadonlyMap<string, AtomPlace>;
  readonly chunks: ReadonlyMap<string, AtomPlace>;
}

export interface WrittenIndex {
  readonly name: Digest;
  readonly bytes: number;
}

type Entry = readonly [key: Uint8Array, value: Uint8Array];

interface Content {
  readonly packs: readonly Digest[];
  readonly segments: Iterable<Entry>;
  readonly blobs: Iterable<Entry>;
  readonly chunks: Iterable<Entry>;
}

/** Streams the tables out and returns the file's name. Each iterable is in ascending order of key. */
async function writeIndex(backend: Backend, content: Content): Promise<WrittenIndex> {
  const writer = await backend.createWriter();
  try {
    const hasher = new Hasher();
    let offset = 0;
    let buffered: Uint8Array[] = [];
    const emit = (bytes: Uint8Array) => {
      hasher.update(bytes);
      offset += bytes.length;
      buffered.push(bytes);
    };
    const spill = async () => {
      for (const bytes of buffered.splice(0)) await writer.write(bytes);
    };
    emit(indexHeader());
    const table = async (entries: Iterable<Entry>, valueBytes: number) => {
      const fences = new ByteWriter(1 << 10);
      const begin = offset;
      const out = new TableWriter(valueBytes, fences, emit);
      for (const [key, value] of entries) {
        out.add(key, value);
        if (buffered.length > 64) await spill();
      }
      out.finish();
      return { entries: out.entries, offset: begin, fences: fences.finish() };
    };
    const segments = await table(content.segments, SEGMENT_VALUE_BYTES);
    const blobs = await table(content.blobs, ATOM_VALUE_BYTES);
    const chunks = await table(content.chunks, ATOM_VALUE_BYTES);
    const { packs } = content;
    emit(encodeIndexEnd({ packs, segments, blobs, chunks }, offset));
    await spill();
    buffered = [];
    const name = hasher.digest();
    await writer.commit(indexPath(name));
    return { name, bytes: offset };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Writes the index of one or more new packs. */
export async function writeIndexOf(backend: Backend, entries: IndexEntries): Promise<WrittenIndex> {
  const packs = [...entries.packs].sort();
  const packNumbers = new Map(packs.map((name, i) => [name, i]));
  const ids = [...entries.segments.keys()].sort();
  const numbers = new Map(ids.map((id, i) => [id, i]));
  function* segments(): Generator<Entry> {
    for (const id of ids) {
      const place = entries.segments.get(id)!;
      yield [fromHex(id), encodeSegmentValue(place, packNumbers.get(place.pack)!)];
    }
  }
  function* atoms(places: ReadonlyMap<string, AtomPlace>): Generator<Entry> {
    for (const key of [...places.keys()].sort()) {
      const { segment, atom } = places.get(key)!;
      yield [fromHex(key), atomValue(numbers.get(segment)!, atom)];
    }
  }
  return writeIndex(backend, {
    packs,
    segments: segments(),
    blobs: atoms(entries.blobs),
    chunks: atoms(entries.chunks),
  });
}

function atomValue(segment: number, atom: number): Uint8Array {
  const value = new Uint8Array(ATOM_VALUE_BYTES);
  const view = new DataView(value.buffer);
  view.setUint32(0, segment, true);
  view.setUint32(4, atom, true);
  return value;
}

/**
 * One index file in place of several, without the packs in `drop`. Memory: 4 bytes for each segment and file, one
 * page for each table and file. Of two entries with one key, that of the later file in the list is kept.
 */
export async function mergeIndexes(
  backend: Backend,
  files: readonly IndexFile[],
  drop: ReadonlySet<Digest> = new Set(),
): Promise<WrittenIndex> {
  const packs = [...new Set(files.flatMap((file) => file.footer.packs))].filter((p) => !drop.has(p)).sort();
  const packNumbers = new Map(packs.map((name, i) => [name, i]));
  const absent = 0xffffffff;
  /** Number of a segment in the new file, by its number in the old one. */
  const renumbered = files.map((file) => new Uint32Array(file.segments.entries).fill(absent));
  function* segments(): Generator<Entry> {
    let next = 0;
    for (const { key, sources } of mergeTables(files.map((file) => file.segments))) {
      let kept: Uint8Array | undefined;
      for (const { file, number } of sources) {
        const pack = packOfValue(files[file]!, files[file]!.segments.entry(number).value);
        const packNumber = packNumbers.get(pack);
        if (packNumber === undefined) continue;
        kept = Uint8Array.from(files[file]!.segments.entry(number).value);
        new DataView(kept.buffer).setUint32(0, packNumber, true);
      }
      if (kept === undefined) continue;
      for (const { file, number } of sources) renumbered[file]![number] = next;
      next++;
      yield [key, kept];
    }
  }
  function* atoms(tables: readonly Table[]): Generator<Entry> {
    for (const { key, sources } of mergeTables(tables)) {
      let kept: Uint8Array | undefined;
      for (const { file, number } of sources) {
        const value = Uint8Array.from(tables[file]!.entry(number).value);
        const view = new DataView(value.buffer);
        const segment = renumbered[file]![view.getUint32(0, true)];
        if (segment === undefined || segment === absent) continue;
        view.setUint32(0, segment, true);
        kept = value;
      }
      if (kept !== undefined) yield [key, kept];
    }
  }
  return writeIndex(backend, {
    packs,
    segments: segments(),
    blobs: atoms(files.map((file) => file.blobs)),
    chunks: atoms(files.map((file) => file.chunks)),
  });
}

function packOfValue(file: IndexFile, value: Uint8Array): Digest {
  return file.footer.packs[new DataView(value.buffer, value.byteOffset).getUint32(0, true)]!;
}

/** Walks sorted tables together: each distinct key once, with everywhere it stands, in the order of the tables. */
function* mergeTables(
  tables: readonly Table[],
): Generator<{ readonly key: Uint8Array; readonly sources: readonly { file: number; number: number }[] }> {
  const at = tables.map(() => 0);
  const heads = tables.map((table) => (table.entries > 0 ? Uint8Array.from(table.entry(0).key) : undefined));
  for (;;) {
    let least: Uint8Array | undefined;
    for (const head of heads) {
      if (head !== undefined && (least === undefined || compareBytes(head, least) < 0)) least = head;
    }
    if (least === undefined) return;
    const key = Uint8Array.from(least).subarray(0, KEY_BYTES);
    const sources: { file: number; number: number }[] = [];
    for (const [file, table] of tables.entries()) {
      const head = heads[file];
      if (head === undefined || compareBytes(head, key) !== 0) continue;
      const number = at[file]!;
      sources.push({ file, number });
      at[file] = number + 1;
      heads[file] = number + 1 < table.entries ? Uint8Array.from(table.entry(number + 1).key) : undefined;
    }
    yield { key, sources };
  }
}
