/**
 * compressed-sections: an ELF file whose debug sections zlib compressed, kept as the file with them inflated.
 *
 * Contents of sections alone would share little between releases: what the linker moved differs everywhere. In a file
 * whose section headers lead to them they are pieces as those of any executable. So that nothing else moves, they
 * stand behind the file, and zeros where their streams were.
 *
 * The proof comes before anything is stored: the whole file is made again and its SHA-256 compared.
 */
import { inflateRawSync } from "node:zlib";
import { type Digest, Hasher, sha256 } from "../digest/index.ts";
import {
  compressionHeader,
  ELFCOMPRESS_ZLIB,
  ELFCOMPRESS_ZSTD,
  type Elf,
  parseElf,
  type Section,
  SHF_ALLOC,
} from "../elf/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import { identityKeys } from "../executable/index.ts";
import { ZLIB_HEADER_BYTES } from "../gzip/index.ts";
import { type BlobRecord, encodeHandprint, Kind, RunListBuilder, StoredTally } from "../repository/index.ts";
import {
  COMPRESSED_FLAG,
  compressSections,
  encodeSectionsRecipe,
  FORMS,
  type Form,
  type InflatedSection,
  inflatedBytesOf,
  MAX_INFLATED_BYTES,
  MAX_SECTIONS,
  type SectionsRecipe,
  SHDR,
  sectionsRecipeOf,
} from "./compressed-sections-recipe.ts";
import type { CorrectionSource } from "./deflate-recipe.ts";
import { proveZlib } from "./gzip.ts";
import { FrameReader } from "./parts.ts";
import { rereadableBytes } from "./source.ts";
import type { Declined, EncodedBlob, PartContext, Representation } from "./types.ts";

export const compressedSections: Representation = {
  number: 22,
  name: "compressed-sections",

  async *decode(record, atoms, from, readPart) {
    const recipe = sectionsRecipeOf(record);
    const [child] = record.children;
    const inflated = new Uint8Array(inflatedBytesOf(recipe, record.size));
    let filled = 0;
    for await (const bytes of readPart(child!, 0)) {
      if (bytes.length > inflated.length - filled) throw otherSize(record);
      inflated.set(bytes, filled);
      filled += bytes.length;
    }
    if (filled !== inflated.length) throw otherSize(record);
    const corrections = new FrameReader(record, atoms, recipe.handprintBytes);
    try {
      yield* compressSections(recipe, inflated, record.size, from, corrections);
    } finally {
      await corrections.close();
    }
  },
};

function otherSize({ digest }: BlobRecord): TenonError {
  return new TenonError("damaged", `the part of ${digest} has another size than its recipe says`, { digest });
}

/** Below this a section's stream stays: its lines in the recipe would cost about what they save. */
const MIN_STREAM_BYTES = 64;
/** The same for all sections of a file together: a second recipe and handprint take about a tenth of this. */
const MIN_TOTAL_BYTES = 4096;
/** Corrections in one atom: about what a chunk has. */
const CORRECTION_ATOM_BYTES = 64 << 10;

interface Candidate {
  readonly form: Form;
  readonly section: Section;
  readonly streamOffset: number;
  readonly streamBytes: number;
}

/** Sections of an ELF file that say they are compressed by zlib, and why the others are left; in file order. */
function candidatesOf(elf: Elf): { readonly zlib: readonly Candidate[]; readonly left: readonly string[] } {
  const found: Candidate[] = [];
  const left: string[] = [];
  for (const section of elf.sections) {
    const { sh_offset, sh_flags } = section.header;
    if (sh_flags & SHF_ALLOC || section.fileSizeBytes === 0) continue;
    let form: Form;
    const header = compressionHeader(elf, section);
    if (header !== undefined) {
      const { ch_type } = header;
      if (ch_type === ELFCOMPRESS_ZSTD) {
        left.push(`${section.name} is compressed by zstd, whose output changes with its version`);
      } else if (ch_type !== ELFCOMPRESS_ZLIB) left.push(`${section.name} has compression type ${ch_type}`);
      if (ch_type !== ELFCOMPRESS_ZLIB) continue;
      form = 0;
    } else if (section.startsWith(".zdebug_") && isZlibMarked(section.bytes)) form = 1;
    else continue;
    const { prefixBytes } = FORMS[form];
    const streamBytes = section.fileSizeBytes - prefixBytes;
    if (streamBytes < MIN_STREAM_BYTES) continue;
    found.push({ form, section, streamOffset: sh_offset + prefixBytes, streamBytes });
  }
  found.sort((a, b) => a.streamOffset - b.streamOffset);
  let end = 0;
  const zlib: Candidate[] = [];
  for (const candidate of found) {
    const { section, streamOffset, streamBytes } = candidate;
    if (zlib.length === MAX_SECTIONS) left.push(`there are more than ${MAX_SECTIONS} compressed sections`);
    else if (streamOffset < end) left.push(`${section.name} overlaps another section`);
    else {
      zlib.push(candidate);
      end = streamOffset + streamBytes;
      continue;
    }
    break;
  }
  return { zlib, left };
}

/** "ZLIB", then the size as 64 bits, big-endian. */
function isZlibMarked(bytes: Uint8Array): boolean {
  return bytes[0] === 0x5a && bytes[1] === 0x4c && bytes[2] === 0x49 && bytes[3] === 0x42;
}

const declined = (reason: string): Declined => ({ representation: compressedSections.name, reason });

/** Sections that may be stored inflated. */
export interface CompressedSections {
  readonly zlib: readonly Candidate[];
}

/**
 * The compressed sections of an ELF file. Undefined when it has none; a file that is declined is for whoever takes
 * those without.
 */
export function findCompressedSections(bytes: Uint8Array): CompressedSections | Declined | undefined {
  let found: ReturnType<typeof candidatesOf>;
  try {
    found = candidatesOf(parseElf(bytes));
  } catch (error) {
    // Whoever takes executables says so.
    if (isTenonError(error, "invalid") || isTenonError(error, "unsupported")) return undefined;
    throw error;
  }
  const { zlib, left } = found;
  if (zlib.length === 0) return left.length === 0 ? undefined : declined(left[0]!);
  const totalBytes = zlib.reduce((sum, { streamBytes }) => sum + streamBytes, 0);
  if (totalBytes < MIN_TOTAL_BYTES) return declined(`its compressed sections have only ${totalBytes} bytes`);
  return { zlib };
}

/** Stores an ELF file with its compressed sections inflated. A file that is declined is as one without. */
export async function encodeCompressedSections(
  bytes: Uint8Array,
  digest: Digest,
  { zlib }: CompressedSections,
  context: PartContext,
): Promise<EncodedBlob | Declined> {
  const taken = await inflateSections(bytes, zlib, context);
  if (taken.sections.length === 0) return declined(taken.reason ?? "none of its sections can be made again");
  const { sections, inflated, corrections } = taken;
  const handprint = encodeHandprint({ digest, keys: identityKeys(bytes) });
  const recipe = { handprintBytes: handprint.length, sections };
  if (!(await proves(recipe, inflated, corrections, digest, bytes.length))) {
    return declined("making it again gave other bytes");
  }
  const tally = new StoredTally();
  const runs = new RunListBuilder();
  const part = await context.partAgain({ ...rereadableBytes(inflated), digest: sha256(inflated) });
  if (part.tally !== undefined) tally.addAll(part.tally);
  // Behind that of its part, so that a build-id leads to the file itself.
  const mark = context.session.append(Kind.handprint, handprint);
  runs.add(mark);
  tally.add(mark);
  for (const piece of corrections) {
    for (let at = 0; at < piece.length; at += CORRECTION_ATOM_BYTES) {
      const ref = context.session.append(Kind.archiveFrame, piece.subarray(at, at + CORRECTION_ATOM_BYTES));
      runs.add(ref);
      tally.add(ref);
      await context.session.settle();
    }
  }
  return {
    digest,
    size: bytes.length,
    representation: compressedSections.number,
    runs,
    children: [part.digest],
    body: encodeSectionsRecipe(recipe),
    tally,
  };
}

interface Inflated {
  readonly sections: readonly InflatedSection[];
  /** The child. */
  readonly inflated: Uint8Array;
  readonly corrections: readonly Uint8Array[];
  /** Why the first section that was left was left. */
  readonly reason: string | undefined;
}

async function inflateSections(
  bytes: Uint8Array,
  candidates: readonly Candidate[],
  context: PartContext,
): Promise<Inflated> {
  const { budget } = context;
  const quiet: PartContext = { ...context, onRead: undefined };
  const sections: InflatedSection[] = [];
  const corrections: Uint8Array[] = [];
  const contents: Uint8Array[] = [];
  let size = bytes.length;
  let reason: string | undefined;
  const headers: { readonly offset: number; readonly contentAt: number; readonly length: number }[] = [];
  for (const { form, section, streamOffset, streamBytes } of candidates) {
    throwIfAborted(context.signal);
    const stream = bytes.subarray(streamOffset, streamOffset + streamBytes);
    const proven = await proveZlib(rereadableBytes(stream), quiet);
    if ("reason" in proven) {
      reason ??= `${section.name}: ${proven.reason}`;
      continue;
    }
    if (proven.contentBytes > MAX_INFLATED_BYTES - size) {
      reason ??= `${section.name}: the inflated file would have more than ${MAX_INFLATED_BYTES} bytes`;
      continue;
    }
    const content = contentOf(stream, proven.contentBytes);
    budget.expandBytes -= content.length;
    contents.push(content);
    corrections.push(...proven.corrections);
    headers.push({ offset: section.headerOffset, contentAt: size, length: content.length });
    size += content.length;
    const { members, trailing } = proven;
    const recipe = { members, trailing };
    sections.push({ form, headerOffset: section.headerOffset, streamOffset, streamBytes, recipe });
  }
  const inflated = new Uint8Array(size);
  inflated.set(bytes);
  for (const { streamOffset, streamBytes } of sections) {
    inflated.fill(0, streamOffset, streamOffset + streamBytes);
  }
  const view = new DataView(inflated.buffer);
  for (const [i, { offset, contentAt, length }] of headers.entries()) {
    inflated.set(contents[i]!, contentAt);
    const flags = view.getBigUint64(offset + SHDR.flags, true);
    view.setBigUint64(offset + SHDR.flags, flags & ~COMPRESSED_FLAG, true);
    view.setBigUint64(offset + SHDR.offset, BigInt(contentAt), true);
    view.setBigUint64(offset + SHDR.size, BigInt(length), true);
  }
  return { sections, inflated, corrections, reason };
}

/** What a stream that was proven holds; whatever its checksum is. */
function contentOf(stream: Uint8Array, contentBytes: number): Uint8Array {
  // At least 1, which is the least that can be asked for.
  return inflateRawSync(stream.subarray(ZLIB_HEADER_BYTES), { maxOutputLength: Math.max(1, contentBytes) });
}

/** Runs the decoder over what would be stored. */
async function proves(
  recipe: SectionsRecipe,
  inflated: Uint8Array,
  corrections: readonly Uint8Array[],
  digest: Digest,
  sizeBytes: number,
): Promise<boolean> {
  const hasher = new Hasher();
  for await (const made of compressSections(recipe, inflated.slice(), sizeBytes, 0, inMemory(corrections)))
    hasher.update(made);
  return hasher.digest() === digest;
}

function inMemory(pieces: readonly Uint8Array[]): CorrectionSource {
  let i = 0;
  let at = 0;
  return {
    async *take(length) {
      for (let left = length; left > 0; ) {
        const piece = pieces[i];
        if (piece === undefined) return;
        const part = piece.subarray(at, at + left);
        left -= part.length;
        at += part.length;
        if (at === piece.length) {
          i++;
          at = 0;
        }
        yield part;
      }
    },
  };
}
