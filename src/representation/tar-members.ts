/** What a stored tar archive holds, from its frame alone: the members' bytes are not read. */
import { sha256 } from "../digest/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { BLOCK_BYTES, type TarMember, TarWalk } from "../tar/index.ts";
import { FrameReader, layoutOf, MAX_FRAME_PART_BYTES } from "./parts.ts";
import { SourceReader } from "./source.ts";
import { tar } from "./tar.ts";
import type { BlobSource } from "./types.ts";

export interface StoredMember {
  readonly member: TarMember;
  /** Of its data in the archive. */
  readonly offset: number;
  readonly digest: string;
}

/** Members of an archive that is kept as `tar`; undefined for others, and for archives that break off oddly. */
export async function storedMembers(
  record: BlobRecord,
  atoms: AtomReader,
): Promise<StoredMember[] | undefined> {
  if (record.representation !== tar.number) return undefined;
  const { frames, parts, last } = layoutOf(record);
  const frame = new FrameReader(record, atoms, 0);
  const walk = new TarWalk();
  const members: StoredMember[] = [];
  let item = 0;
  let left = frames[0] ?? last;
  let offset = 0;
  const take = async (length: number): Promise<Uint8Array> => {
    const bytes = Buffer.alloc(length);
    let filled = 0;
    for await (const piece of frame.take(length)) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    left -= length;
    offset += length;
    return bytes;
  };
  try {
    while (left >= BLOCK_BYTES) {
      const step = walk.step(await take(BLOCK_BYTES));
      if (step.kind === "unknown") return undefined;
      if (step.kind !== "member") continue;
      const { member } = step;
      const { dataBytes } = member;
      const at = offset;
      let digest: string;
      if (dataBytes <= MAX_FRAME_PART_BYTES) {
        if (left < dataBytes) return undefined;
        digest = sha256(await take(dataBytes));
      } else {
        if (left !== 0 || parts[item] !== dataBytes) return undefined;
        digest = record.children[item]!;
        offset += dataBytes;
        item++;
        left = frames[item] ?? last;
      }
      members.push({ member, offset: at, digest });
      const padding = (BLOCK_BYTES - (dataBytes % BLOCK_BYTES)) % BLOCK_BYTES;
      if (left < padding) return undefined;
      await take(padding);
    }
    return item === parts.length ? members : undefined;
  } finally {
    await frame.close();
  }
}

/** The same from the bytes of any archive, up to where it is none any more. */
export async function streamedMembers(source: BlobSource): Promise<StoredMember[]> {
  const reader = new SourceReader(source);
  const walk = new TarWalk();
  const members: StoredMember[] = [];
  for (;;) {
    const block = await reader.peek(BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) return members;
    const step = walk.step(block);
    reader.skip(BLOCK_BYTES);
    if (step.kind === "unknown") return members;
    if (step.kind !== "member") continue;
    const { member } = step;
    const offset = reader.offset;
    const data = new SourceReader(reader.part(member.dataBytes));
    while ((await data.peek(1)).length > 0) data.skip((await data.peek(BLOCK_BYTES * 128)).length);
    if (data.hasher.length < member.dataBytes) return members;
    members.push({ member, offset, digest: data.hasher.digest() });
    reader.skip((await reader.peek((BLOCK_BYTES - (member.dataBytes % BLOCK_BYTES)) % BLOCK_BYTES)).length);
  }
}
