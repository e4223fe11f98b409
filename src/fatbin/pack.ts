/**
 * Several flavours of one program become one file.
 *
 *   0             ELF header, three program headers (launcher, payload, stack), zeros up to 256
 *   256           the launcher's code
 *   payload       manifest; then for each image the program's bytes and copies of the pages that two of its
 *                 segments share, all on page boundaries
 *   end - 16      bytes of the file, "TENONEND"
 */
import { ByteWriter } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import {
  EM_AARCH64,
  EM_X86_64,
  type Machine,
  PF_R,
  PF_W,
  PF_X,
  PT_GNU_STACK,
  PT_LOAD,
} from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { checksum64 } from "./checksum.ts";
import { type Candidate, compareCandidates } from "./choice.ts";
import { labelOf } from "./labels.ts";
import { LAUNCHER_ENTRY, launcherOf } from "./launcher/index.ts";
import {
  encodeManifest,
  type Group,
  MAX_FLAVOURS,
  type Manifest,
  type ManifestFlavour,
  type NamedRule,
} from "./manifest.ts";
import { type Plan, planProgram } from "./plan.ts";
import { FeatureSet, featuresOfSet, parseFeatures, vocabularyOf } from "./vocabulary.ts";

/** Stands last, after the file's length: beyond the end of a cut file a page is zeros, and these are none. */
const TRAILER_MAGIC = "TENONEND";
const TRAILER_BYTES = 16;

export interface FlavourInput {
  /** For messages: a path or a ref. */
  readonly source: string;
  /** The program's file, whole. It must not change before the pieces are written. */
  readonly bytes: Uint8Array;
  /** Features, levels and CPUs separated by `,` or `+`; nothing for a flavour that runs everywhere. */
  readonly features: string;
  /** Outweighs the rank of features; higher is better. 0 if not given. */
  readonly rank?: number;
}

export interface FatFile {
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  /** Flavours that were left out because another one has the same bytes and needs no more. */
  readonly merged: readonly { readonly source: string; readonly same: string }[];
  /** The file from the beginning to the end. */
  pieces(): Generator<Uint8Array>;
}

interface Flavour extends Candidate {
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly plan: Plan;
}

/**
 * Packs flavours. Errors: `usage` for features that are unknown or can't be detected, machines that differ, two
 * different flavours with the same needs; `invalid` and `unsupported` for what isn't a program that can be packed.
 */
export function packFat(inputs: readonly FlavourInput[]): FatFile {
  if (inputs.length === 0) throw new TenonError("usage", "a fat file needs at least one flavour");
  if (inputs.length > MAX_FLAVOURS)
    throw new TenonError(
      "limit",
      `${inputs.length} flavours were given, at most ${MAX_FLAVOURS} are possible`,
    );
  const flavours = readFlavours(inputs);
  const { kept, merged } = mergeEqual(flavours);
  kept.sort(compareCandidates);
  for (const [i, flavour] of kept.entries()) {
    const next = kept[i + 1];
    if (next && next.needs.bits === flavour.needs.bits && next.rank === flavour.rank)
      throw new TenonError(
        "usage",
        `${flavour.source} and ${next.source} need the same (${labelOf(flavour.needs)}) and differ: give one of them features or a rank`,
      );
  }
  const { machine } = kept[0]!.plan;
  const stackIsExecutable = kept[0]!.plan.needsExecutableStack;
  const other = kept.find(({ plan }) => plan.needsExecutableStack !== stackIsExecutable);
  if (other) {
    throw new TenonError(
      "unsupported",
      `${other.source} and ${kept[0]!.source} differ in whether the stack is executable, and a file has one stack`,
    );
  }
  const { rules, groups } = rulesFor(machine, kept);
  return layOut({
    launcher: launcherOf(machine),
    machine,
    rules,
    groups,
    stackIsExecutable,
    flavours: kept,
    merged,
  });
}

function readFlavours(inputs: readonly FlavourInput[]): Flavour[] {
  const flavours: Flavour[] = [];
  for (const { source, bytes, features, rank = 0 } of inputs) {
    if (!Number.isInteger(rank) || Math.abs(rank) >= 2 ** 31)
      throw new TenonError("usage", `the rank of ${source} must be a whole number of 32 bits`);
    try {
      const plan = planProgram(bytes);
      const first = flavours[0];
      if (first && first.plan.machine !== plan.machine)
        throw new TenonError(
          "usage",
          `it is for ${plan.machine}, and ${first.source} is for ${first.plan.machine}`,
        );
      flavours.push({
        source,
        bytes,
        plan,
        rank,
        needs: parseFeatures(plan.machine, features),
        digest: sha256(bytes),
      });
    } catch (error) {
      if (!(error instanceof TenonError)) throw error;
      throw new TenonError(
        error.code,
        `${source}: ${error.message}`,
        { ...error.data, path: source },
        { cause: error },
      );
    }
  }
  return flavours;
}

/** Of flavours with the same bytes, only those that need least stay. */
function mergeEqual(flavours: readonly Flavour[]): {
  kept: Flavour[];
  merged: { source: string; same: string }[];
} {
  const kept: Flavour[] = [];
  const merged: { source: string; same: string }[] = [];
  for (const flavour of flavours) {
    const same = flavours.find(
      (other) =>
        other !== flavour &&
        other.digest === flavour.digest &&
        other.needs.isWithin(flavour.needs) &&
        (other.needs.bits !== flavour.needs.bits || flavours.indexOf(other) < flavours.indexOf(flavour)),
    );
    if (same) merged.push({ source: flavour.source, same: same.source });
    else kept.push(flavour);
  }
  return { kept, merged };
}

/** The features that the flavours need, in the order in which a launcher asks, and the levels in terms of these. */
function rulesFor(machine: Machine, flavours: readonly Flavour[]): { rules: NamedRule[]; groups: Group[] } {
  const { features, levels } = vocabularyOf(machine);
  let needed = 0n;
  for (const { needs } of flavours) needed |= needs.bits;
  const used = features
    .map((feature, place) => ({ ...feature, place }))
    .filter(({ place }) => ((needed >> BigInt(place)) & 1n) === 1n)
    .sort((a, b) => a.rule.source - b.rule.source || a.rule.subleaf - b.rule.subleaf || a.place - b.place);
  const bitsOf = (set: FeatureSet) => translate(set, used);
  let below = new FeatureSet(machine, []);
  const groups = levels.map(({ name }) => {
    const all = featuresOfSet(machine, name)!;
    const own = new FeatureSet(
      machine,
      features.flatMap((_, place) => (all.hasPlace(place) && !below.hasPlace(place) ? [place] : [])),
    );
    below = all;
    return { name, all: bitsOf(all), own: bitsOf(own) };
  });
  return { rules: used.map(({ name, rule }) => ({ name, ...rule })), groups };
}

/** From ranks of the vocabulary to the bits of one file's rules. */
function translate(set: FeatureSet, rules: readonly { readonly name: string }[]): bigint {
  const { places } = vocabularyOf(set.machine);
  let bits = 0n;
  for (const [i, { name }] of rules.entries()) if (set.hasPlace(places.get(name)!)) bits |= 1n << BigInt(i);
  return bits;
}

interface LayoutInput {
  readonly launcher: Uint8Array;
  readonly machine: Machine;
  readonly rules: readonly NamedRule[];
  readonly groups: readonly Group[];
  readonly stackIsExecutable: boolean;
  readonly flavours: readonly Flavour[];
  readonly merged: FatFile["merged"];
}

/** An image's place: its bytes, then the copies of shared pages. */
interface Image {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly duplicatesAt: number;
  readonly plan: Plan;
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

/** Everything in the file stands on boundaries of the largest page that a kernel of the machine may have. */
function boundaryOf(machine: Machine): number {
  return machine === "aarch64" ? 65_536 : 4096;
}

function layOut(input: LayoutInput): FatFile {
  const { launcher, machine, flavours, merged } = input;
  const boundary = boundaryOf(machine);
  const payloadOffset = roundUp(launcher.length, boundary);
  // The manifest's length doesn't depend on where images are, so a first draft tells it.
  const draft = describe(input, new Map(flavours.map((flavour) => [flavour.digest, noImage(flavour)])), 0);
  const images = new Map<Digest, Image>();
  let at = payloadOffset + roundUp(encodeManifest(draft).length, boundary);
  for (const { digest, bytes, plan } of flavours) {
    if (images.has(digest)) continue;
    const duplicatesAt = at + roundUp(bytes.length, boundary);
    images.set(digest, { offset: at, bytes, duplicatesAt, plan });
    at = duplicatesAt + roundUp(plan.duplicates.length * plan.pageBytes, boundary);
  }
  const sizeBytes = at + TRAILER_BYTES;
  const manifest = describe(input, images, sizeBytes);
  const head = composeHead(input, payloadOffset, sizeBytes);
  return {
    manifest,
    sizeBytes,
    merged,
    *pieces() {
      yield head;
      yield padding(payloadOffset - head.length);
      const encoded = encodeManifest(manifest);
      yield encoded;
      yield padding(roundUp(encoded.length, boundary) - encoded.length);
      for (const { bytes, plan } of images.values()) {
        yield bytes;
        yield padding(roundUp(bytes.length, boundary) - bytes.length);
        for (const page of plan.duplicates) {
          const copy = bytes.subarray(page, page + plan.pageBytes);
          yield copy;
          yield padding(plan.pageBytes - copy.length);
        }
        const duplicated = plan.duplicates.length * plan.pageBytes;
        yield padding(roundUp(duplicated, boundary) - duplicated);
      }
      yield new ByteWriter(TRAILER_BYTES).u64(sizeBytes).raw(Buffer.from(TRAILER_MAGIC)).finish();
    },
  };
}

const noImage = ({ bytes, plan }: Flavour): Image => ({ offset: 0, bytes, duplicatesAt: 0, plan });

function padding(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}

function describe(
  { machine, rules, groups, flavours }: LayoutInput,
  images: ReadonlyMap<Digest, Image>,
  fileBytes: number,
): Manifest {
  return {
    machine,
    fileBytes,
    rules,
    groups,
    flavours: flavours.map((flavour) => describeFlavour(flavour, rules, images.get(flavour.digest)!)),
  };
}

function describeFlavour(
  { needs, rank, digest, bytes, plan }: Flavour,
  rules: readonly NamedRule[],
  { offset, duplicatesAt }: Image,
): ManifestFlavour {
  const { interpreter, isFixed, low, high, align, entry, headers, headerCount, pageBytes, headBytes } = plan;
  return {
    ...{
      interpreter,
      isFixed,
      low,
      high,
      align,
      entry,
      headers,
      headerCount,
      pageBytes,
      headBytes,
      rank,
      digest,
    },
    needs: translate(needs, rules),
    name: labelOf(needs),
    steps: plan.steps.map((step) => {
      const { kind, to, bytes: length, protection } = step;
      if (kind !== "move") return { kind, from: 0, to, bytes: length, protection };
      const { imageOffset, duplicate } = step;
      const from = duplicate === undefined ? offset + imageOffset : duplicatesAt + duplicate * pageBytes;
      return { kind, from, to, bytes: length, protection };
    }),
    imageOffset: offset,
    imageBytes: bytes.length,
    headChecksum: checksum64(bytes.subarray(0, headBytes)),
  };
}

/** The launcher with the headers of the file before it. */
function composeHead(
  { launcher, machine, stackIsExecutable }: LayoutInput,
  payloadOffset: number,
  sizeBytes: number,
): Uint8Array {
  const boundary = boundaryOf(machine);
  const writer = new ByteWriter(launcher.length);
  // ELF64, little-endian, version 1, System V.
  writer.raw(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  // ET_DYN without interpreter: the kernel chooses the address and starts the code itself.
  writer
    .u16(3)
    .u16(machine === "aarch64" ? EM_AARCH64 : EM_X86_64)
    .u32(1);
  writer.u64(LAUNCHER_ENTRY).u64(64).u64(0);
  writer.u32(0).u16(64).u16(56).u16(3).u16(64).u16(0).u16(0);
  const segment = (type: number, flags: number, offset: number, bytes: number, align: number) =>
    writer.u32(type).u32(flags).u64(offset).u64(offset).u64(offset).u64(bytes).u64(bytes).u64(align);
  segment(PT_LOAD, PF_R | PF_X, 0, launcher.length, boundary);
  segment(PT_LOAD, PF_R, payloadOffset, sizeBytes - payloadOffset, boundary);
  segment(PT_GNU_STACK, PF_R | PF_W | (stackIsExecutable ? PF_X : 0), 0, 0, 16);
  writer.raw(launcher.subarray(writer.length));
  return writer.finish();
}
