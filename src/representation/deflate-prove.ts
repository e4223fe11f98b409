/** How the streams of a file can be made again, and the proof: all of it is made again and compared. */
import { equalBytes } from "../bytes/index.ts";
import { Hasher } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import {
  candidates,
  type DeflateModel,
  encoderOf,
  MAX_GZIP_HEADER_BYTES,
  modelName,
  type StreamHint,
} from "../gzip/index.ts";
import { analyseStream, provesStream } from "./deflate-corrections.ts";
import { Experience } from "./deflate-experience.ts";
import { MAX_MEMBERS, MAX_TRAILING_BYTES, type Member, type StreamRecipe } from "./deflate-recipe.ts";
import { InflateInput } from "./inflate.ts";
import { SourceReader } from "./source.ts";
import type { PartContext, RereadableSource } from "./types.ts";

/** Content of a member that decides between candidates: some blocks of every encoder. */
const SAMPLE_BYTES = 256 << 10;
/** Compressed bytes that are compared for the sample. */
const COMPARED_BYTES = 128 << 10;
const USUAL_HEADER_BYTES = 1024;

/** What stands around deflate streams. */
export interface Framing {
  readonly name: string;
  /** Length of the header that these bytes begin with, undefined when it is none or has no end there. */
  headerBytes(start: Uint8Array): number | undefined;
  hint(header: Uint8Array): StreamHint;
  readonly trailerBytes: number;
  /** Further members may follow. */
  readonly isRepeated: boolean;
}

export interface Proven extends StreamRecipe {
  readonly size: number;
  readonly digest: string;
  readonly contentBytes: number;
  readonly contentDigest: string;
  /** Of all members, in order. */
  readonly corrections: readonly Uint8Array[];
}

export interface NotProven {
  readonly reason: string;
  /** The model that fitted the sample and not what followed, and the member that it was for. */
  readonly wrong?: { readonly member: number; readonly model: DeflateModel };
}

/** What was found wrong in earlier attempts. */
export interface Excluded {
  /** Names of models. */
  readonly models: ReadonlySet<string>;
  /** Members for which none is tried any more. */
  readonly members: ReadonlySet<number>;
}

/** Errors: `invalid` when a stream is damaged. */
export async function prove(
  framing: Framing,
  again: RereadableSource,
  context: PartContext,
  excluded: Excluded,
): Promise<Proven | NotProven> {
  const [one, two] = [await again.open(), await again.open()];
  try {
    return await new Attempt(
      framing,
      context,
      excluded,
      new InflateInput(one),
      new SourceReader(two, context),
    ).run();
  } finally {
    await one.close();
    await two.close();
  }
}

/** Two readers of the same file: `input` is inflated, `original` is what must come out again. */
class Attempt {
  readonly #framing: Framing;
  readonly #context: PartContext;
  readonly #excluded: Excluded;
  readonly #input: InflateInput;
  readonly #original: SourceReader;
  /** Of the content. */
  readonly #hasher = new Hasher();
  readonly #members: Member[] = [];
  readonly #corrections: Uint8Array[] = [];
  readonly #experience: Experience;

  constructor(
    framing: Framing,
    context: PartContext,
    excluded: Excluded,
    input: InflateInput,
    original: SourceReader,
  ) {
    this.#framing = framing;
    this.#context = context;
    this.#excluded = excluded;
    this.#input = input;
    this.#original = original;
    this.#experience = Experience.of(context);
  }

  async run(): Promise<Proven | NotProven> {
    const { trailerBytes, isRepeated } = this.#framing;
    const input = this.#input;
    do {
      const header = await this.#header();
      if (header === undefined) break;
      if (this.#members.length === MAX_MEMBERS) return { reason: `it has more than ${MAX_MEMBERS} members` };
      if (!(await this.#isSame(header))) return changed;
      const before = this.#hasher.length;
      const model = await this.#stream(header);
      if ("reason" in model) return model;
      const trailer = (await input.peek(trailerBytes)).slice();
      input.skip(trailer.length);
      if (!(await this.#isSame(trailer))) return changed;
      this.#members.push({ header, model, contentBytes: this.#hasher.length - before, trailer });
    } while (isRepeated);
    if (this.#members.length === 0) return { reason: "its header is damaged" };
    const trailing = (await input.peek(MAX_TRAILING_BYTES + 1)).slice();
    if (trailing.length > MAX_TRAILING_BYTES) return { reason: "other data follows its last member" };
    if (!(await this.#isSame(trailing)) || (await this.#original.peek(1)).length > 0) return changed;
    const { hasher } = this.#original;
    return {
      members: this.#members,
      trailing,
      size: hasher.length,
      digest: hasher.digest(),
      contentBytes: this.#hasher.length,
      contentDigest: this.#hasher.digest(),
      corrections: this.#corrections,
    };
  }

  async #header(): Promise<Uint8Array | undefined> {
    const input = this.#input;
    const length =
      this.#framing.headerBytes(await input.peek(USUAL_HEADER_BYTES)) ??
      this.#framing.headerBytes(await input.peek(MAX_GZIP_HEADER_BYTES));
    if (length === undefined) return undefined;
    const header = (await input.peek(length)).slice();
    input.skip(length);
    return header;
  }

  async #isSame(bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + COMPARED_BYTES);
      if (!equalBytes(await this.#original.peek(piece.length), piece)) return false;
      this.#original.skip(piece.length);
      at += piece.length;
    }
    return true;
  }

  /** One stream, from its content: by an encoder that is known, or with corrections. */
  async #stream(header: Uint8Array): Promise<Member["model"] | NotProven> {
    const content = this.#content();
    try {
      const sample: Uint8Array[] = [];
      let sampled = 0;
      let isWhole = false;
      while (sampled < SAMPLE_BYTES && !isWhole) {
        const next = await content.next();
        if (next.done === true) isWhole = true;
        else {
          sample.push(next.value);
          sampled += next.value.length;
        }
      }
      const all = async function* () {
        yield* sample;
        if (!isWhole) yield* content;
      };
      const model = await this.#likely(header, sample, isWhole);
      return model === undefined ? await this.#corrected(all()) : await this.#exact(model, all());
    } finally {
      await content.return(undefined);
    }
  }

  /** The content of the next stream, counted and hashed. */
  async *#content(): AsyncGenerator<Uint8Array> {
    const { signal, budget } = this.#context;
    for await (const bytes of this.#input.inflate()) {
      throwIfAborted(signal);
      this.#hasher.update(bytes);
      if (this.#hasher.length > budget.expandBytes) {
        throw new TenonError("invalid", `it expands to more than ${budget.expandBytes} bytes`);
      }
      yield bytes;
    }
  }

  async #likely(
    header: Uint8Array,
    sample: readonly Uint8Array[],
    isWhole: boolean,
  ): Promise<DeflateModel | undefined> {
    if (this.#excluded.members.has(this.#members.length)) return undefined;
    const seen = await this.#original.peek(COMPARED_BYTES);
    const model = this.#experience
      .likely(candidates(this.#framing.hint(header)))
      .find((known) => !this.#excluded.models.has(modelName(known)) && fits(known, sample, isWhole, seen));
    this.#experience.note(model);
    return model;
  }

  async #exact(model: DeflateModel, content: AsyncIterable<Uint8Array>): Promise<DeflateModel | NotProven> {
    const encoder = encoderOf(model);
    const failed = (reason: string): NotProven => ({
      reason,
      wrong: { member: this.#members.length, model },
    });
    try {
      for await (const bytes of content) {
        for (const made of encoder.push(bytes)) {
          if (!(await this.#isSame(made)))
            return failed(`it begins as ${modelName(model)} would make it, and goes on otherwise`);
        }
      }
      for (const made of encoder.finish()) {
        if (!(await this.#isSame(made)))
          return failed(`it does not end as ${modelName(model)} would make it`);
      }
      return model;
    } finally {
      encoder.release();
    }
  }

  async #corrected(content: AsyncIterable<Uint8Array>): Promise<Member["model"] | NotProven> {
    const corrections = await analyseStream(this.#original, this.#experience, this.#context.signal);
    if (typeof corrections === "string") return { reason: corrections };
    if (!(await provesStream(corrections, content))) return { reason: "its corrections don't make it again" };
    this.#corrections.push(...corrections.pieces);
    return corrections.model;
  }
}

const changed: NotProven = { reason: "it changed while it was read" };

/** True when the model makes the beginning of `seen` from the sample. */
function fits(
  model: DeflateModel,
  sample: readonly Uint8Array[],
  isWhole: boolean,
  seen: Uint8Array,
): boolean {
  const encoder = encoderOf(model);
  let at = 0;
  const same = (made: Uint8Array) => {
    const part = made.subarray(0, seen.length - at);
    const isSame = equalBytes(part, seen.subarray(at, at + part.length));
    at += part.length;
    return isSame && (part.length === made.length || seen.length === COMPARED_BYTES);
  };
  try {
    for (const piece of sample) {
      for (let from = 0; from < piece.length; from += SAMPLE_BYTES / 4) {
        for (const made of encoder.push(piece.subarray(from, from + SAMPLE_BYTES / 4)))
          if (!same(made)) return false;
        if (at === COMPARED_BYTES) return true;
      }
    }
    if (isWhole) for (const made of encoder.finish()) if (!same(made)) return false;
    return true;
  } finally {
    encoder.release();
  }
}
