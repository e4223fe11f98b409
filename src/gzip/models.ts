/**
 * Models: which encoders there are, how a recipe names them, which are likely for a stream.
 *
 *     model = family u8 (1 zlib, 2 GNU gzip, 3 pigz, 4 Go, 5 klauspost, 7 Chromium), level u8 as two's complement, then
 *             memLevel u8, blockBytes varint                        families 1 to 3, and 7
 *             blockBytes varint                                     family 5
 *           | family u8 6, how symbols are guessed (token-model.ts), bytes of corrections varint
 */
import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { type GoParameters, goEncoder } from "./go-model.ts";
import { type KlauspostParameters, klauspostEncoder } from "./klauspost-model.ts";
import { decodeTokenParameters, encodeTokenParameters, type TokenParameters } from "./token-model.ts";
import type { DeflateEncoder } from "./types.ts";
import { checkZlibParameters, type ZlibParameters, zlibEncoder } from "./zlib-model.ts";

/** An encoder that is known exactly. */
export type DeflateModel = ZlibParameters | GoParameters | KlauspostParameters;

/** A stream whose symbols are guessed, and the size of what corrects them. */
export interface CorrectedModel extends TokenParameters {
  readonly correctionBytes: number;
}

/** How the stream of a member is made again. */
export type StreamModel = DeflateModel | CorrectedModel;

const TOKENS_FAMILY = 6;
const FAMILIES = [undefined, "zlib", "gnu", "pigz", "go", "klauspost", undefined, "chromium"] as const;
const PIGZ_BLOCK_BYTES = 128 << 10;
const MAX_BLOCK_BYTES = 1 << 27;

export function encodeModel(out: ByteWriter, model: StreamModel): void {
  if (model.variant === "tokens") {
    encodeTokenParameters(out.u8(TOKENS_FAMILY), model);
    out.varint(model.correctionBytes);
    return;
  }
  out.u8(FAMILIES.indexOf(model.variant)).u8(model.level & 0xff);
  if (model.variant === "go") return;
  if (model.variant !== "klauspost") out.u8(model.memLevel);
  out.varint(model.blockBytes);
}

/** Errors: `unsupported` for a family or parameters that this release doesn't have. */
export function decodeModel(reader: ByteReader): StreamModel {
  const family = reader.u8("family");
  if (family === TOKENS_FAMILY) {
    return { ...decodeTokenParameters(reader), correctionBytes: reader.varint("correctionBytes") };
  }
  const level = (reader.u8("level") << 24) >> 24;
  const variant = FAMILIES[family];
  if (variant === undefined) {
    throw new TenonError(
      "unsupported",
      `the recipe needs deflate encoder ${family}, which this release doesn't have`,
    );
  }
  if (variant === "go") return { variant, level };
  if (variant === "klauspost")
    return { variant, level, blockBytes: reader.varint("blockBytes", MAX_BLOCK_BYTES) };
  const memLevel = reader.u8("memLevel");
  const model = { variant, level, memLevel, blockBytes: reader.varint("blockBytes", MAX_BLOCK_BYTES) };
  checkZlibParameters(model);
  return model;
}

export function encoderOf(model: DeflateModel): DeflateEncoder {
  if (model.variant === "go") return goEncoder(model);
  return model.variant === "klauspost" ? klauspostEncoder(model) : zlibEncoder(model);
}

export function modelName(model: DeflateModel): string {
  const { variant, level } = model;
  if (variant === "klauspost") return `klauspost ${level} in blocks of ${model.blockBytes}`;
  return `${variant} ${level}${variant === "zlib" && model.memLevel !== 8 ? ` memLevel ${model.memLevel}` : ""}`;
}

const UNIX = 3;
const SLOWEST = 2;
const FASTEST = 4;
/** Go has a level that only codes; it is the last one thought of. */
const CODES_ONLY = -2;
/** The year 1 as seconds since 1970, cut off: what klauspost's gzip writes when no time is set. */
const NO_TIME = [0, 0x09, 0x6e, 0x88];
/** Blocks of skopeo and buildah, of umoci, and none. */
const KLAUSPOST_BLOCKS = [1 << 20, 256 << 10, 0];

/** What the framing of a stream says about its encoder. */
export interface StreamHint {
  readonly speed?: "fastest" | "slowest" | undefined;
  /** Which families are the most likely. */
  readonly writer: "unix" | "other" | "klauspost" | "zlib";
}

/** The hint in the header of a gzip member. */
export function gzipHint(header: Uint8Array): StreamHint {
  const speed = header[8] === SLOWEST ? "slowest" : header[8] === FASTEST ? "fastest" : undefined;
  const writer = NO_TIME.every((byte, i) => header[4 + i] === byte)
    ? "klauspost"
    : header[9] === UNIX
      ? "unix"
      : "other";
  return { speed, writer };
}

/** The hint in the header of a zlib stream (RFC 1950). */
export function zlibHint(header: Uint8Array): StreamHint {
  const level = header[1]! >> 6;
  return { speed: level === 3 ? "slowest" : level === 0 ? "fastest" : undefined, writer: "zlib" };
}

/** All models in the order in which they are likely. */
export function candidates({ speed, writer }: StreamHint): DeflateModel[] {
  // The slow ones come last, since they are slow to try as well.
  const first = speed === "slowest" ? [9] : speed === "fastest" ? [1] : [];
  const levels = [...new Set([...first, 6, 5, 4, 3, 2, 1, 7, 8, 9])];
  const zlib = (level: number) =>
    ({ variant: "zlib", level, memLevel: 8, blockBytes: PIGZ_BLOCK_BYTES }) as const;
  const gnu = (level: number) => ({ ...zlib(level), variant: "gnu", memLevel: 9 }) as const;
  const pigz = (level: number) => ({ ...zlib(level), variant: "pigz" }) as const;
  const chromium = (level: number) => ({ ...zlib(level), variant: "chromium" }) as const;
  const large = (level: number) => ({ ...zlib(level), memLevel: 9 });
  const go = (level: number) => ({ variant: "go", level }) as const;
  const kinds =
    writer === "unix"
      ? [gnu, pigz, zlib, chromium, large, go]
      : writer === "zlib"
        ? [zlib, chromium, gnu, large, go, pigz]
        : [go, zlib, chromium, large, pigz, gnu];
  const klauspost = KLAUSPOST_BLOCKS.map(
    (blockBytes) => ({ variant: "klauspost", level: 5, blockBytes }) as const,
  );
  const others = [
    ...levels.flatMap((level): DeflateModel[] => kinds.map((kind) => kind(level))),
    go(CODES_ONLY),
  ];
  return writer === "klauspost" ? [...klauspost, ...others] : [...others, ...klauspost];
}
