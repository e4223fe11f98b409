/** For the tests of this room: packs and indexes made of plain bytes. */
import type { Backend } from "../../backend/index.ts";
import { sha256 } from "../../digest/index.ts";
import type { AtomPlace } from "../index-file.ts";
import { type IndexEntries, writeIndexOf } from "../index-writer.ts";
import { Kind } from "../kinds.ts";
import { type PackName, PackWriter, placesOfPack } from "../pack.ts";
import { Segment, SegmentBuilder, segmentId } from "../segment.ts";
import { keysOfSegment } from "../segment-keys.ts";

export function segmentOf(kind: number, atoms: readonly Uint8Array[]) {
  const builder = new SegmentBuilder(kind);
  for (const atom of atoms) builder.append(atom);
  const body = builder.take();
  return { id: segmentId(kind, body), atoms: atoms.length, body };
}

/** One frame of a pack: its kind and the atoms of each of its segments. */
export interface FrameContent {
  readonly kind: number;
  readonly segments: readonly (readonly Uint8Array[])[];
}

export async function writePack(
  backend: Backend,
  frames: readonly FrameContent[],
  epoch = 0,
): Promise<PackName> {
  const writer = new PackWriter(backend, epoch);
  for (const { kind, segments } of frames) {
    writer.add(
      kind,
      segments.map((atoms) => segmentOf(kind, atoms)),
      "default",
    );
  }
  return (await writer.commit()).name;
}

/** A pack with one frame of chunks, and what an index says of it. */
export async function chunkPack(
  backend: Backend,
  chunks: readonly Uint8Array[],
  epoch = 0,
): Promise<IndexEntries> {
  const writer = new PackWriter(backend, epoch);
  const segment = segmentOf(Kind.chunk, chunks);
  writer.add(Kind.chunk, [segment], "default");
  const { name, directory } = await writer.commit();
  const places = new Map<string, AtomPlace>();
  for (const { key, atom } of keysOfSegment(new Segment(Kind.chunk, segment.body))) {
    places.set(key, { segment: segment.id, atom, pack: name });
  }
  return { packs: [name], segments: placesOfPack(name, directory), blobs: new Map(), chunks: places };
}

export async function indexedChunks(backend: Backend, chunks: readonly Uint8Array[]): Promise<IndexEntries> {
  const entries = await chunkPack(backend, chunks);
  await writeIndexOf(backend, entries);
  return entries;
}

export function keyOf(bytes: Uint8Array): string {
  return sha256(bytes).slice(0, 32);
}
