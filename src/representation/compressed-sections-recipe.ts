/**
 * The recipe of an ELF file with compressed sections (docs/formats/compressed-sections.md).
 *
 *     body    = version u8, handprint length varint, count varint, sections
 *     section = form u8, header offset varint, stream offset varint, stream length varint,
 *               recipe length varint, recipe of a zlib stream
 *
 * The only child is the *inflated file*: the file with zeros in place of the streams, then their contents, to which
 * the section headers lead. The runs are a handprint, then corrections of all streams.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { SHF_COMPRESSED } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { MAX_EXECUTABLE_BYTES } from "../executable/index.ts";
import type { BlobRecord } from "../repository/index.ts";
import {
  type CorrectionSource,
  decodeStreamRecipe,
  encodeStreamRecipe,
  makeStreams,
  type StreamRecipe,
} from "./deflate-recipe.ts";

const VERSION = 1;
/** A file of many object files' groups has some thousands; more is no program. */
export const MAX_SECTIONS = 4096;
/** The inflated file is in memory, as executables are. */
export const MAX_INFLATED_BYTES = MAX_EXECUTABLE_BYTES;

/** How a section says that it is compressed, and how many bytes stand before its zlib stream. */
export const FORMS = [
  { name: "SHF_COMPRESSED", prefixBytes: 24 },
  { name: ".zdebug", prefixBytes: 12 },
] as const;
export type Form = 0 | 1;

/** Fields of Elf64_Shdr. */
export const SHDR = { flags: 8, offset: 24, size: 32, bytes: 64 } as const;
export const COMPRESSED_FLAG = BigInt(SHF_COMPRESSED);

export interface InflatedSection {
  readonly form: Form;
  /** Of its section header. */
  readonly headerOffset: number;
  /** Of its zlib stream, which goes to the section's end. */
  readonly streamOffset: number;
  readonly streamBytes: number;
  readonly recipe: StreamRecipe;
}

export interface SectionsRecipe {
  readonly handprintBytes: number;
  /** By offset. */
  readonly sections: readonly InflatedSection[];
}

export function encodeSectionsRecipe({ handprintBytes, sections }: SectionsRecipe): Uint8Array {
  const out = new ByteWriter(64 * (sections.length + 1));
  out.u8(VERSION).varint(handprintBytes).varint(sections.length);
  for (const { form, headerOffset, streamOffset, streamBytes, recipe } of sections) {
    const body = encodeStreamRecipe(recipe);
    out.u8(form).varint(headerOffset).varint(streamOffset).varint(streamBytes);
    out.varint(body.length).raw(body);
  }
  return out.finish();
}

/** Errors: `invalid` for what can't be of a file with this size; `unsupported` for another version. */
export function decodeSectionsRecipe(body: Uint8Array, sizeBytes: number): SectionsRecipe {
  const reader = new ByteReader(body, "recipe of compressed sections");
  const version = reader.u8("version");
  if (version !== VERSION) {
    throw new TenonError(
      "unsupported",
      `recipes of compressed sections have version ${version}, which this release doesn't know`,
    );
  }
  if (sizeBytes > MAX_INFLATED_BYTES) throw reader.error("size", `more than ${MAX_INFLATED_BYTES} bytes`);
  const handprintBytes = reader.varint("handprint length");
  const sections: InflatedSection[] = [];
  let end = 0;
  let inflatedBytes = sizeBytes;
  for (let left = reader.varint("count", MAX_SECTIONS); left > 0; left--) {
    const form = reader.u8("form");
    if (form !== 0 && form !== 1) throw reader.error("form", `${form}`);
    const headerOffset = reader.varint("header offset", Math.max(0, sizeBytes - SHDR.bytes));
    const streamOffset = reader.varint("stream offset", sizeBytes);
    if (streamOffset < end) throw reader.error("stream offset", "before the end of the one before");
    const streamBytes = reader.varint("stream length", sizeBytes - streamOffset);
    end = streamOffset + streamBytes;
    const recipe = decodeStreamRecipe(reader.view(reader.varint("recipe length"), "recipe"));
    inflatedBytes += contentBytesOf(recipe);
    if (inflatedBytes > MAX_INFLATED_BYTES)
      throw reader.error("content", `more than ${MAX_INFLATED_BYTES} bytes`);
    sections.push({ form, headerOffset, streamOffset, streamBytes, recipe });
  }
  reader.end();
  if (sizeBytes < SHDR.bytes) throw reader.error("size", "less than a section header");
  return { handprintBytes, sections };
}

export function contentBytesOf({ members }: StreamRecipe): number {
  return members.reduce((sum, { contentBytes }) => sum + contentBytes, 0);
}

/** Of the child. */
export function inflatedBytesOf({ sections }: SectionsRecipe, sizeBytes: number): number {
  return sections.reduce((sum, { recipe }) => sum + contentBytesOf(recipe), sizeBytes);
}

/**
 * The file's bytes from `from` on. `inflated` is the child, whose headers are put back in place. Errors: `damaged` for
 * a stream that gets another length.
 */
export async function* compressSections(
  { sections }: SectionsRecipe,
  inflated: Uint8Array,
  sizeBytes: number,
  from: number,
  corrections: CorrectionSource,
): AsyncGenerator<Uint8Array> {
  const file = inflated.subarray(0, sizeBytes);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (const { form, headerOffset, streamOffset, streamBytes } of sections) {
    const { prefixBytes } = FORMS[form];
    if (form === 0) {
      const flags = view.getBigUint64(headerOffset + SHDR.flags, true);
      view.setBigUint64(headerOffset + SHDR.flags, flags | COMPRESSED_FLAG, true);
    }
    view.setBigUint64(headerOffset + SHDR.offset, BigInt(Math.max(0, streamOffset - prefixBytes)), true);
    view.setBigUint64(headerOffset + SHDR.size, BigInt(prefixBytes + streamBytes), true);
  }
  let at = 0;
  let contentAt = sizeBytes;
  for (const { streamOffset, streamBytes, recipe } of sections) {
    if (streamOffset > from) yield file.slice(Math.max(at, from), streamOffset);
    const contentEnd = contentAt + contentBytesOf(recipe);
    const content = pieces(inflated.subarray(contentAt, contentEnd));
    // Streams before `from` are made as well: where the next one's corrections begin may depend on it.
    let made = streamOffset;
    for await (const bytes of makeStreams(recipe, content, corrections)) {
      const part = bytes.subarray(Math.min(bytes.length, Math.max(0, from - made)));
      made += bytes.length;
      if (made > streamOffset + streamBytes) break;
      // Pieces are views of a kernel's memory, which the next one overwrites.
      if (part.length > 0) yield part.slice();
    }
    at = streamOffset + streamBytes;
    if (made !== at) throw new TenonError("damaged", "a compressed section gets another length");
    contentAt = contentEnd;
  }
  if (sizeBytes > Math.max(at, from)) yield file.slice(Math.max(at, from));
}

/** So much goes to an encoder at once. */
const STEP_BYTES = 64 << 10;

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += STEP_BYTES) yield bytes.subarray(at, at + STEP_BYTES);
}

/** The recipe in a record; only what the child and the runs hold isn't checked. Errors: `damaged`. */
export function sectionsRecipeOf({ digest, body, size, children }: BlobRecord): SectionsRecipe {
  if (children.length !== 1) {
    throw new TenonError("damaged", "a recipe of compressed sections has one part", { digest });
  }
  return decodeSectionsRecipe(body, size);
}
