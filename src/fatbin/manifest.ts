/**
 * The manifest of a fat file: bytes to structure and back.
 *
 *    0  magic "TENONFAT", checksum u64 of the bytes from 16 on
 *   16  version u32, manifest bytes u32, file bytes u64
 *   32  machine u16, rules u16, groups u16, flavours u16
 *   40  offset of rules u32, of groups u32, of flavours u32, 0 u32
 *   56  rules of 24 bytes, groups of 40, flavours of 152, steps of 32, NUL-terminated texts, zeros up to 8
 *
 * Version 2 is that of compact files: behind the header stand offset, bytes and checksum of the restorer, and each
 * flavour has 24 bytes more about its recipe.
 *
 * All offsets of texts and tables count from the manifest's beginning; docs/formats/fat.md has every field.
 */
import { ByteReader, ByteWriter, fromHex, toHex } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { EM_AARCH64, EM_X86_64, type Machine } from "../elf/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import { checksum64 } from "./checksum.ts";
import type { DetectionRule } from "./vocabulary.ts";

export const FORMAT = "fat file";
const VERSION_MAPPED = 1;
const VERSION_COMPACT = 2;
const HEADER_BYTES = 56;
const COMPACT_HEADER_BYTES = 80;
/** A manifest of 64 flavours with long paths stays below this; the launcher refuses more. */
export const MAX_MANIFEST_BYTES = 1 << 20;
/** Bits of a set of features. */
export const MAX_RULES = 128;
export const MAX_FLAVOURS = 64;

const RULE_BYTES = 24;
const GROUP_BYTES = 40;
const FLAVOUR_BYTES = 152;
const COMPACT_FLAVOUR_BYTES = 176;
const NO_PARENT = 0xffff_ffff;
const STEP_BYTES = 32;
const FLAVOUR_FIXED = 1;

const MACHINES: Readonly<Record<Machine, number>> = { "x86-64": EM_X86_64, aarch64: EM_AARCH64 };

/** "TENONFAT" as a number. */
const MAGIC = 0x5441464e4f4e4554n;

export interface NamedRule extends DetectionRule {
  readonly name: string;
}

/** A level: its features as bits of the file's rules, and those that the level below hasn't. */
export interface Group {
  readonly name: string;
  readonly all: bigint;
  readonly own: bigint;
}

export interface ManifestStep {
  readonly kind: "move" | "allow" | "clear";
  /** Offset in the fat file; 0 for `allow` and `clear`. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly protection: number;
}

/** How a flavour's image is made, where it isn't in the file itself. */
export interface ManifestRecipe {
  readonly offset: number;
  readonly bytes: number;
  /** Number of the flavour whose image the recipe begins with. */
  readonly parent: number | undefined;
}

/** Code that carries out recipes. */
export interface ManifestRestorer {
  readonly offset: number;
  readonly bytes: number;
  readonly checksum: bigint;
}

export interface ManifestFlavour {
  /** Bit n: the file's rule n. */
  readonly needs: bigint;
  readonly name: string;
  readonly rank: number;
  readonly interpreter: string | undefined;
  readonly steps: readonly ManifestStep[];
  /** Where the program's own bytes are in the fat file. */
  readonly imageOffset: number;
  readonly imageBytes: number;
  readonly digest: Digest;
  readonly isFixed: boolean;
  readonly low: number;
  readonly high: number;
  readonly align: number;
  readonly entry: number;
  readonly headers: number;
  readonly headerCount: number;
  readonly pageBytes: number;
  readonly headBytes: number;
  readonly headChecksum: bigint;
  /** Its steps count from the beginning of the image, which is nowhere in the file. Compact files only. */
  readonly recipe?: ManifestRecipe | undefined;
}

export interface Manifest {
  readonly machine: Machine;
  readonly fileBytes: number;
  readonly rules: readonly NamedRule[];
  readonly groups: readonly Group[];
  /** From best to worst. */
  readonly flavours: readonly ManifestFlavour[];
  /** In compact files. */
  readonly restorer?: ManifestRestorer | undefined;
}

/** Texts behind the tables, each once. */
class Texts {
  readonly #start: number;
  readonly #places = new Map<string, number>();
  readonly #writer = new ByteWriter();

  constructor(start: number) {
    this.#start = start;
  }

  place(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    const place = this.#start + this.#writer.length;
    // latin1 keeps the bytes of a path, whatever its encoding is.
    this.#writer.raw(Buffer.from(text, "latin1")).u8(0);
    this.#places.set(text, place);
    return place;
  }

  finish(): Uint8Array {
    while (this.#writer.length % 8 !== 0) this.#writer.u8(0);
    return this.#writer.finish();
  }
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { machine, fileBytes, rules, groups, flavours, restorer } = manifest;
  if (rules.length > MAX_RULES || flavours.length > MAX_FLAVOURS) {
    throw new TenonError("limit", `at most ${MAX_FLAVOURS} flavours and ${MAX_RULES} features are possible`);
  }
  const rulesAt = restorer ? COMPACT_HEADER_BYTES : HEADER_BYTES;
  const groupsAt = rulesAt + rules.length * RULE_BYTES;
  const flavoursAt = groupsAt + groups.length * GROUP_BYTES;
  let stepsAt = flavoursAt + flavours.length * (restorer ? COMPACT_FLAVOUR_BYTES : FLAVOUR_BYTES);
  const stepCount = flavours.reduce((sum, { steps }) => sum + steps.length, 0);
  const texts = new Texts(stepsAt + stepCount * STEP_BYTES);
  const writer = new ByteWriter(4096);
  const u64 = (value: bigint) => writer.u32(Number(value & 0xffff_ffffn)).u32(Number(value >> 32n));
  const set = (bits: bigint) => {
    u64(bits & 0xffff_ffff_ffff_ffffn);
    u64(bits >> 64n);
  };

  u64(MAGIC);
  u64(0n);
  writer
    .u32(restorer ? VERSION_COMPACT : VERSION_MAPPED)
    .u32(0)
    .u64(fileBytes);
  writer.u16(MACHINES[machine]).u16(rules.length).u16(groups.length).u16(flavours.length);
  writer.u32(rulesAt).u32(groupsAt).u32(flavoursAt).u32(0);
  if (restorer) {
    writer.u64(restorer.offset).u64(restorer.bytes);
    u64(restorer.checksum);
  }
  for (const { source, subleaf, part, state, mask, name } of rules) {
    writer.u32(source).u8(subleaf).u8(part).u16(state);
    u64(mask);
    writer.u32(texts.place(name)).u32(0);
  }
  for (const { name, all, own } of groups) {
    set(all);
    set(own);
    writer.u32(texts.place(name)).u32(0);
  }
  for (const flavour of flavours) {
    set(flavour.needs);
    writer.u32(texts.place(flavour.name));
    writer.u32(flavour.interpreter === undefined ? 0 : texts.place(flavour.interpreter));
    writer.u32(stepsAt).u32(flavour.steps.length);
    stepsAt += flavour.steps.length * STEP_BYTES;
    writer.u64(flavour.imageOffset).u64(flavour.imageBytes).raw(fromHex(flavour.digest));
    writer.u64(flavour.low).u64(flavour.high).u64(flavour.align);
    writer.u64(flavour.entry).u64(flavour.headers);
    writer.u32(flavour.headerCount).u32(flavour.isFixed ? FLAVOUR_FIXED : 0);
    writer
      .u32(flavour.pageBytes)
      .u32(flavour.rank >>> 0)
      .u64(flavour.headBytes);
    u64(flavour.headChecksum);
    if (restorer) {
      const { offset = 0, bytes = 0, parent } = flavour.recipe ?? {};
      writer.u64(offset).u64(bytes);
      writer.u32(parent ?? NO_PARENT).u32(0);
    }
  }
  for (const { steps } of flavours) {
    for (const { kind, from, to, bytes, protection } of steps) {
      writer.u64(from).u64(to).u64(bytes).u32(protection).u32(STEP_KINDS.indexOf(kind));
    }
  }
  writer.raw(texts.finish());
  if (writer.length > MAX_MANIFEST_BYTES) {
    throw new TenonError(
      "limit",
      `the manifest has ${writer.length} bytes, at most ${MAX_MANIFEST_BYTES} fit`,
    );
  }
  const bytes = writer.patchU32(20, writer.length).finish();
  new DataView(bytes.buffer).setBigUint64(8, checksum64(bytes.subarray(16)), true);
  return bytes;
}

const STEP_KINDS = ["move", "allow", "clear"] as const;

/** One text of the manifest. */
function textAt(bytes: Uint8Array, at: number, field: string): string {
  const end = at < HEADER_BYTES ? -1 : bytes.indexOf(0, at);
  if (end < 0) throw invalid(FORMAT, field, at, "not a text in the manifest");
  return Buffer.from(bytes.subarray(at, end)).toString("latin1");
}

/** A table's reader, if the table lies in the manifest. */
function tableAt(bytes: Uint8Array, at: number, size: number, field: string): ByteReader {
  if (at < HEADER_BYTES || at + size > bytes.length)
    throw invalid(FORMAT, field, at, `${size} bytes reach outside the manifest`);
  return new ByteReader(bytes.subarray(at, at + size), FORMAT, at);
}

/** How long the manifest is, from its first 24 bytes. Errors: `invalid`, `unsupported`. */
export function manifestLength(head: Uint8Array): number {
  const reader = new ByteReader(head, FORMAT);
  if (reader.u64Big("magic") !== MAGIC) throw reader.error("magic", "not a manifest of a fat file", 0);
  reader.u64Big("checksum");
  const version = reader.u32("version");
  if (version !== VERSION_MAPPED && version !== VERSION_COMPACT) {
    throw new TenonError("unsupported", `fat file: version ${version} is not supported`, { format: FORMAT });
  }
  const length = reader.u32("manifest bytes");
  if (length < HEADER_BYTES || length > MAX_MANIFEST_BYTES || length % 8 !== 0)
    throw reader.error("manifest bytes", `${length} is not possible`, 20);
  return length;
}

/** Reads a whole manifest. Errors: `invalid` with field and offset within the manifest, `unsupported`. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const length = manifestLength(bytes);
  if (length !== bytes.length) throw invalid(FORMAT, "manifest bytes", 20, `${bytes.length} are here`);
  const reader = new ByteReader(bytes, FORMAT);
  reader.skip(8, "magic");
  if (reader.u64Big("checksum") !== checksum64(bytes.subarray(16)))
    throw reader.error("checksum", "the manifest was changed", 8);
  const isCompact = reader.u32("version") === VERSION_COMPACT;
  reader.skip(4, "manifest bytes");
  const fileBytes = reader.u64("file bytes");
  const machineNumber = reader.u16("machine");
  const machine = (["x86-64", "aarch64"] as const).find((name) => MACHINES[name] === machineNumber);
  if (machine === undefined) throw reader.error("machine", `${machineNumber} is unknown`, 32);
  const [ruleCount, groupCount, flavourCount] = [
    reader.u16("rules"),
    reader.u16("groups"),
    reader.u16("flavours"),
  ];
  if (ruleCount > MAX_RULES || flavourCount > MAX_FLAVOURS || groupCount > MAX_RULES)
    throw reader.error("counts", "too many rules, groups or flavours", 34);
  const rulesAt = reader.u32("offset of rules");
  const groupsAt = reader.u32("offset of groups");
  const flavoursAt = reader.u32("offset of flavours");
  reader.skip(4, "reserved");
  const restorer = isCompact ? readRestorer(reader) : undefined;
  const flavourBytes = isCompact ? COMPACT_FLAVOUR_BYTES : FLAVOUR_BYTES;
  return {
    ...(restorer && { restorer }),
    machine,
    fileBytes,
    rules: readTable(tableAt(bytes, rulesAt, ruleCount * RULE_BYTES, "rules"), ruleCount, (row) =>
      readRule(bytes, row),
    ),
    groups: readTable(tableAt(bytes, groupsAt, groupCount * GROUP_BYTES, "groups"), groupCount, (row) =>
      readGroup(bytes, row),
    ),
    flavours: readTable(
      tableAt(bytes, flavoursAt, flavourCount * flavourBytes, "flavours"),
      flavourCount,
      (row) => readFlavour(bytes, row, isCompact),
    ),
  };
}

function readTable<T>(reader: ByteReader, count: number, row: (reader: ByteReader) => T): T[] {
  return Array.from({ length: count }, () => row(reader));
}

function readSet(reader: ByteReader, field: string): bigint {
  const low = reader.u64Big(field);
  return low | (reader.u64Big(field) << 64n);
}

function readRule(bytes: Uint8Array, reader: ByteReader): NamedRule {
  const source = reader.u32("rule source");
  const subleaf = reader.u8("rule subleaf");
  const part = reader.u8("rule part");
  const state = reader.u16("rule state");
  const mask = reader.u64Big("rule mask");
  const name = textAt(bytes, reader.u32("rule name"), "rule name");
  reader.skip(4, "reserved");
  return { source, subleaf, part, state, mask, name };
}

function readGroup(bytes: Uint8Array, reader: ByteReader): Group {
  const all = readSet(reader, "group features");
  const own = readSet(reader, "group features");
  const name = textAt(bytes, reader.u32("group name"), "group name");
  reader.skip(4, "reserved");
  return { name, all, own };
}

function readRestorer(reader: ByteReader): ManifestRestorer {
  const offset = reader.u64("restorer offset");
  const bytes = reader.u64("restorer bytes");
  return { offset, bytes, checksum: reader.u64Big("restorer checksum") };
}

function readRecipe(reader: ByteReader): ManifestRecipe | undefined {
  const offset = reader.u64("recipe offset");
  const bytes = reader.u64("recipe bytes");
  const parent = reader.u32("recipe parent");
  reader.skip(4, "reserved");
  if (bytes === 0) return undefined;
  return { offset, bytes, parent: parent === NO_PARENT ? undefined : parent };
}

function readFlavour(bytes: Uint8Array, reader: ByteReader, isCompact: boolean): ManifestFlavour {
  const needs = readSet(reader, "needs");
  const name = textAt(bytes, reader.u32("flavour name"), "flavour name");
  const interpreterAt = reader.u32("interpreter");
  const stepsAt = reader.u32("steps");
  const stepCount = reader.u32("step count");
  const steps = tableAt(bytes, stepsAt, stepCount * STEP_BYTES, "steps");
  const imageOffset = reader.u64("image offset");
  const imageBytes = reader.u64("image bytes");
  const digest = toHex(reader.view(32, "digest"));
  const [low, high, align] = [reader.u64("low"), reader.u64("high"), reader.u64("align")];
  const [entry, headers] = [reader.u64("entry"), reader.u64("headers")];
  const headerCount = reader.u32("header count");
  const isFixed = (reader.u32("flags") & FLAVOUR_FIXED) !== 0;
  const pageBytes = reader.u32("page bytes");
  const rank = reader.i32("rank");
  return {
    needs,
    name,
    rank,
    interpreter: interpreterAt === 0 ? undefined : textAt(bytes, interpreterAt, "interpreter"),
    steps: readTable(steps, stepCount, readStep),
    imageOffset,
    imageBytes,
    digest,
    isFixed,
    low,
    high,
    align,
    entry,
    headers,
    headerCount,
    pageBytes,
    headBytes: reader.u64("head bytes"),
    headChecksum: reader.u64Big("head checksum"),
    ...(isCompact && { recipe: readRecipe(reader) }),
  };
}

function readStep(reader: ByteReader): ManifestStep {
  const [from, to, bytes] = [reader.u64("step from"), reader.u64("step to"), reader.u64("step bytes")];
  const protection = reader.u32("step protection");
  const at = reader.offset;
  const kind = STEP_KINDS[reader.u32("step kind")];
  if (kind === undefined) throw reader.error("step kind", "unknown", at);
  return { kind, from, to, bytes, protection };
}
