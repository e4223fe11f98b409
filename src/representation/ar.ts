/** ar: the magic, headers and padding are the frame, each member's data is a part. */
import { AR_HEADER_BYTES, AR_MAGIC, arDataBytes, isAr } from "../ar/index.ts";
import { decodeParts, MAX_FRAME_PART_BYTES, MAX_PARTS, withParts } from "./parts.ts";
import { SourceReader } from "./source.ts";
import type { Container, Representation } from "./types.ts";

export const ar: Representation = { number: 17, name: "ar", decode: decodeParts };

export const arContainer: Container = {
  representation: ar,
  reads: "once",
  recognise: (start) => isAr(start),

  encode({ source, sizeBytes }, context) {
    return withParts(context, async (parts) => {
      const reader = new SourceReader(source, context);
      const frame = async (length: number) => {
        const bytes = await reader.peek(length);
        await parts.frame(bytes);
        reader.skip(bytes.length);
      };
      await frame(AR_MAGIC.length);
      while (parts.parts < MAX_PARTS) {
        const dataBytes = arDataBytes(await reader.peek(AR_HEADER_BYTES));
        if (dataBytes === undefined) break;
        await frame(AR_HEADER_BYTES);
        if (sizeBytes !== undefined && reader.offset + dataBytes > sizeBytes) break;
        if (dataBytes <= MAX_FRAME_PART_BYTES) await frame(dataBytes);
        else await parts.part(reader.part(dataBytes), dataBytes);
        await frame(dataBytes % 2);
        await parts.settle();
      }
      const rest = await reader.peek(1);
      if (rest.length > 0) await parts.part(reader.part(Number.MAX_SAFE_INTEGER), undefined);
      return parts.finish(ar.number, reader.hasher.digest(), reader.hasher.length);
    });
  },
};
