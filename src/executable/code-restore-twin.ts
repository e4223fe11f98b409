/** Pieces of x86-64 code from their streams, in plain TypeScript: the kernel's twin, and for what is too long for it. */
import { type Delta, DeltaReader } from "../delta/index.ts";
import { Alignment } from "./code-alignment.ts";
import { deltaSources } from "./code-changes.ts";
import { Instructions, LOOKAHEAD_BYTES } from "./code-instructions.ts";
import { OperandReader } from "./code-operands.ts";
import { joinCode, parseSkeleton, parseWhole, splitCode } from "./code-split.ts";
import { Stream, type StreamReaders } from "./code-streams.ts";

export class CodeRestorerTwin {
  readonly #sources: StreamReaders;
  readonly operands: OperandReader;
  /** The stream of code, with zeros behind; made when it is needed first. */
  #skeletons: Uint8Array | undefined;
  readonly #from = new Instructions();
  readonly #to = new Instructions();
  readonly #alignment = new Alignment();

  constructor(sources: StreamReaders) {
    this.#sources = sources;
    this.operands = new OperandReader(sources);
  }

  /** Reads a fresh piece. Errors: `invalid`. */
  fresh(into: Uint8Array): void {
    const stream = this.#sources.of(Stream.code);
    if (this.#skeletons === undefined) {
      this.#skeletons = new Uint8Array(stream.bytes.length + LOOKAHEAD_BYTES);
      this.#skeletons.set(stream.bytes);
    }
    const code = this.#to;
    const from = stream.offset;
    stream.skip(parseSkeleton(this.#skeletons, from, into.length, code), "code");
    this.operands.read(code, this.#skeletons, from);
    joinCode(code, this.#skeletons, from, into);
  }

  /**
   * Reads a piece that is said by another, of `mostBytes` at most; `begin` makes room for it. Returns where the source's
   * bytes are in it. Errors: `invalid`.
   */
  change(source: Uint8Array, mostBytes: number, begin: (lengthBytes: number) => Uint8Array): Delta {
    const from = this.#from;
    const to = this.#to;
    splitCode(source, from);
    const base = from.skeleton.subarray(0, from.skeletonBytes);
    const sources = deltaSources(this.#sources, Stream.code);
    const delta = new DeltaReader(sources, base.length, mostBytes);
    to.growSkeleton(delta.targetBytes);
    delta.apply(base, sources, to.skeleton);
    to.skeleton.fill(0, delta.targetBytes, delta.targetBytes + LOOKAHEAD_BYTES);
    parseWhole(to, delta.targetBytes, this.operands.tailBytes(from, delta.targetBytes), mostBytes);
    this.#alignment.align(from, to, delta);
    this.operands.read(to, to.skeleton, 0, from, this.#alignment);
    joinCode(to, to.skeleton, 0, begin(to.codeBytes));
    return this.#alignment.byteDelta(from, to);
  }
}
