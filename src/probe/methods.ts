/** Every way to cut that the probe compares: one meter for each, fed together. */
import {
  bupSplitter,
  type Chunker,
  createChunker,
  defaultChunkerParameters,
  NOMS_FIRST,
  NOMS_LAST,
  nomsSplitter,
  probeGearSplitter,
  type Splitter,
} from "../chunking/index.ts";
import { type MeterResult, type PieceListener, PieceMeter } from "./meter.ts";
import type { CompressionPool } from "./recompress.ts";
import type { MethodResult } from "./types.ts";

/** The numbers of bits that the first ancestor compared. It knew no longest piece. */
const BUP_RULES = [15, 13, 11, 7].map((bits) => ({ bits, maxBytes: 0 }));

const LABELS: Readonly<Record<string, string>> = {
  exact: "each layer or file as a whole",
  "exact-file": "each file inside layers as a whole, headers between them apart",
  "bup(15)": "rolling checksum of 64 bytes, mean 32 KiB",
  "bup(13)": "rolling checksum of 64 bytes, mean 8 KiB",
  "bup(11)": "rolling checksum of 64 bytes, mean 2 KiB",
  "bup(7)": "rolling checksum of 64 bytes, mean 128 bytes",
  elf: "executables at sections and symbols, other files whole",
  "elf+dislocate": "the same with relocations undone, relocation info counted",
  "elf+dislocate-info": "the same, relocation info and symbols NOT counted: can't be restored",
  "gear(14)": "the layer probe's chunker, 2 to 64 KiB",
  "noms(64/13)": "buzhash of 64 bytes, mean 8 KiB",
  "noms(67/12)": "buzhash of 67 bytes, mean 4 KiB",
  "tenon-chunks": "tenon's chunks, 10 to 22 KiB",
  "tenon-executables": "executables up to 32 MiB taken apart as tenon stores them, other files whole",
};

/** In the order of the report. */
const ORDER = Object.keys(LABELS);

/** The meters of everything that cuts a stream, whatever the stream is. */
export class StreamMethods {
  readonly #splitters: readonly Splitter[];
  readonly #chunker: Chunker;
  readonly #meters = new Map<string, PieceMeter>();
  /** Meters of each splitter's rules. */
  readonly #ruled: readonly (readonly PieceMeter[])[];
  readonly #tenon: PieceMeter;

  constructor(
    pool: CompressionPool | undefined,
    listeners: { readonly onGear?: PieceListener; readonly onTenon?: PieceListener },
  ) {
    this.#splitters = [bupSplitter(BUP_RULES), probeGearSplitter(), nomsSplitter([NOMS_FIRST, NOMS_LAST])];
    this.#ruled = this.#splitters.map(({ rules }) =>
      rules.map((name) => this.#add(name, pool, name === "gear(14)" ? listeners.onGear : undefined)),
    );
    this.#chunker = createChunker(defaultChunkerParameters);
    this.#tenon = this.#add("tenon-chunks", pool, listeners.onTenon);
  }

  #add(name: string, pool: CompressionPool | undefined, onPiece: PieceListener | undefined): PieceMeter {
    const meter = new PieceMeter(pool, onPiece);
    this.#meters.set(name, meter);
    return meter;
  }

  /** The next bytes of a stream, at most 256 KiB. */
  take(block: Uint8Array): void {
    for (const [i, splitter] of this.#splitters.entries()) {
      const ends = splitter.advance(block);
      for (const [rule, meter] of this.#ruled[i]!.entries()) meter.take(block, ends[rule]!);
    }
    this.#chunker.reserve().set(block);
    for (const chunk of this.#chunker.advance(block.length)) this.#tenon.piece(chunk);
  }

  endStream(): void {
    for (const meters of this.#ruled) for (const meter of meters) meter.endStream();
    for (const splitter of this.#splitters) splitter.reset();
    for (const chunk of this.#chunker.finish()) this.#tenon.piece(chunk);
  }

  meters(): ReadonlyMap<string, PieceMeter> {
    return this.#meters;
  }
}

/** The rows of the report, in its order. */
export function methodResults(results: ReadonlyMap<string, MeterResult>): MethodResult[] {
  return ORDER.filter((name) => results.has(name)).map((name) => ({
    name,
    label: LABELS[name]!,
    ...results.get(name)!,
    isRestorable: name !== "elf+dislocate-info",
  }));
}
