/**
 * tar: headers, extensions, padding and whatever is not understood are the frame, each member's data is a part.
 *
 * The walk only decides where to cut: frame and parts one behind the other are the archive, whatever it holds.
 */
import { BLOCK_BYTES, isTarHeader, TarWalk } from "../tar/index.ts";
import { decodeParts, MAX_FRAME_PART_BYTES, MAX_PARTS, withParts } from "./parts.ts";
import { SourceReader } from "./source.ts";
import type { Container, Representation } from "./types.ts";

export const tar: Representation = { number: 16, name: "tar", decode: decodeParts };

/** Blocks that are no header, one behind the other, before the rest is given up as something else. */
const MAX_UNKNOWN_BLOCKS = 64;

export const tarContainer: Container = {
  representation: tar,
  reads: "once",
  recognise: (start) => isTarHeader(start.subarray(0, BLOCK_BYTES)),

  encode({ source, sizeBytes }, context) {
    return withParts(context, async (parts) => {
      const reader = new SourceReader(source, context);
      const walk = new TarWalk();
      let unknown = 0;
      for (;;) {
        const block = await reader.peek(BLOCK_BYTES);
        if (block.length < BLOCK_BYTES || unknown > MAX_UNKNOWN_BLOCKS || parts.parts >= MAX_PARTS) break;
        await parts.frame(block);
        const step = walk.step(block);
        reader.skip(BLOCK_BYTES);
        unknown = step.kind === "unknown" ? unknown + 1 : 0;
        if (step.kind !== "member") continue;
        const { dataBytes } = step.member;
        // A size that the archive can't hold: what follows is looked at block by block.
        if (dataBytes === 0 || (sizeBytes !== undefined && reader.offset + dataBytes > sizeBytes)) continue;
        if (dataBytes <= MAX_FRAME_PART_BYTES) {
          const data = await reader.peek(dataBytes);
          await parts.frame(data);
          reader.skip(data.length);
        } else {
          await parts.part(reader.part(dataBytes), dataBytes);
        }
        const padding = await reader.peek((BLOCK_BYTES - (dataBytes % BLOCK_BYTES)) % BLOCK_BYTES);
        await parts.frame(padding);
        reader.skip(padding.length);
        await parts.settle();
      }
      const rest = await reader.peek(BLOCK_BYTES);
      if (rest.length < BLOCK_BYTES) {
        await parts.frame(rest);
        reader.skip(rest.length);
      } else await parts.part(reader.part(Number.MAX_SAFE_INTEGER), undefined);
      return parts.finish(tar.number, reader.hasher.digest(), reader.hasher.length);
    });
  },
};
