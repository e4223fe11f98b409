/** Inflating streams whose end is not known beforehand. */
import { createInflateRaw, type InflateRaw, inflateRawSync } from "node:zlib";
import { TenonError } from "../errors/index.ts";
import type { BlobSource } from "./types.ts";

/** So little at once, since it may become a thousand times as much. */
const READ_BYTES = 32 << 10;
const OUTPUT_BYTES = 256 << 10;
/** Sources up to this size are inflated at once, if they don't become more than that: an engine takes longer to set up. */
const WHOLE_BYTES = 128 << 10;
const WHOLE_OUTPUT_BYTES = 2 << 20;

/** Compressed bytes, taken as framing and as deflate streams by turns. */
export class InflateInput {
  readonly #source: BlobSource;
  /** What was read and belongs to nobody yet. */
  #ahead: Uint8Array = new Uint8Array(0);
  /** The stream before was short: of very many in one source, each is likely to be. */
  #areShort = false;

  constructor(source: BlobSource) {
    this.#source = source;
  }

  /** The next bytes without taking them, fewer at the end. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.#ahead.length < length) {
      const more = await this.#read();
      if (more.length === 0) break;
      this.#ahead = this.#ahead.length === 0 ? more : Buffer.concat([this.#ahead, more]);
    }
    return this.#ahead.subarray(0, length);
  }

  skip(length: number): void {
    this.#ahead = this.#ahead.subarray(length);
  }

  async #read(): Promise<Uint8Array> {
    const block = new Uint8Array(Math.min(READ_BYTES, this.#source.sizeBytes ?? READ_BYTES));
    return block.subarray(0, await this.#source.read(block));
  }

  /** The content of one deflate stream; afterwards the input stands right behind it. Errors: `invalid`. */
  async *inflate(): AsyncGenerator<Uint8Array> {
    const isAll = (this.#source.sizeBytes ?? Number.POSITIVE_INFINITY) <= WHOLE_BYTES;
    if (isAll || this.#areShort) {
      const whole = inflateWhole(await this.peek(isAll ? WHOLE_BYTES : READ_BYTES), isAll);
      if (whole !== undefined) {
        this.skip(whole.taken);
        if (whole.bytes.length > 0) yield whole.bytes;
        return;
      }
    }
    this.#areShort = false;
    const engine = createInflateRaw({ chunkSize: OUTPUT_BYTES });
    let output: Uint8Array[] = [];
    let isEnded = false;
    let failure: Error | undefined;
    let wake = () => {};
    const stop = () => wake();
    engine
      .on("data", (bytes: Uint8Array) => output.push(bytes))
      .on("end", () => {
        isEnded = true;
        stop();
      })
      .on("error", (error) => {
        failure = error;
        stop();
      });
    try {
      for (let before = 0; !isEnded; ) {
        const bytes = await this.peek(1).then(() => this.#ahead);
        this.#ahead = new Uint8Array(0);
        // The callback comes when all is taken, `end` when the stream ends before that.
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (bytes.length === 0) engine.end();
          else engine.write(bytes, stop);
        });
        // What the engine has in its buffer is handed over in the next tick.
        while (engine.readableLength > 0 && failure === undefined) await null;
        if (failure !== undefined) throw invalidStream(failure);
        const taken = engine.bytesWritten - before;
        before += taken;
        if (taken < bytes.length) {
          this.#ahead = bytes.subarray(taken);
          isEnded = true;
        }
        for (const piece of output) yield piece;
        output = [];
      }
      this.#areShort = engine.bytesWritten < READ_BYTES / 2;
    } finally {
      engine.destroy();
    }
  }
}

/**
 * A stream that these bytes begin with; undefined when it becomes too long, or goes on behind them if they are not all.
 * Errors: `invalid`.
 */
function inflateWhole(
  bytes: Uint8Array,
  isAll: boolean,
): { readonly bytes: Uint8Array; readonly taken: number } | undefined {
  try {
    // With `info` the result is the engine as well, which the types don't tell.
    const { buffer, engine } = inflateRawSync(bytes, {
      info: true,
      maxOutputLength: WHOLE_OUTPUT_BYTES,
    }) as unknown as { buffer: Uint8Array; engine: InflateRaw };
    return { bytes: buffer, taken: engine.bytesWritten };
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ERR_BUFFER_TOO_LARGE" || (code === "Z_BUF_ERROR" && !isAll)) return undefined;
    throw invalidStream(error as Error);
  }
}

function invalidStream(cause: Error): TenonError {
  return new TenonError("invalid", `deflate: ${cause.message}`, { format: "deflate" }, { cause });
}
