/**
 * The two output streams. Results go to standard output, waited for; everything else goes to standard error. A
 * progress line lives at the bottom of standard error and is cleared before anything else is written.
 */
import { TenonError } from "../errors/index.ts";

/** One of the two streams, as the program or a test provides it. */
export interface Sink {
  readonly isTerminal: boolean;
  /** Columns of the terminal now. */
  readonly columns: () => number;
  /** Resolves when all bytes are taken; rejects with the system's error. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Writes now or not at all: for messages. */
  readonly writeNow: (text: string) => void;
}

/** The reader of standard output went away (EPIPE): the work stops quietly. */
export class OutputClosed extends Error {}

/** Bytes of text gathered before they are written, when nobody watches line by line. */
const BUFFER_BYTES = 32 * 1024;

export interface OutputOptions {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: NodeJS.ProcessEnv;
}

/** Whether to colour: FORCE_COLOR (not 0) says yes, NO_COLOR says no, else a terminal that isn't dumb. */
export function wantsColour(sink: Pick<Sink, "isTerminal">, env: NodeJS.ProcessEnv): boolean {
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  if (env.NO_COLOR) return false;
  return sink.isTerminal && env.TERM !== "dumb";
}

/** Paints text, or leaves it when colours are off. */
export class Paint {
  readonly #on: boolean;

  constructor(on: boolean) {
    this.#on = on;
  }

  #wrap(code: number, text: string): string {
    return this.#on ? `\u001b[${code}m${text}\u001b[0m` : text;
  }

  readonly bold = (text: string) => this.#wrap(1, text);
  readonly dim = (text: string) => this.#wrap(2, text);
  readonly red = (text: string) => this.#wrap(31, text);
  readonly yellow = (text: string) => this.#wrap(33, text);
}

export class Output {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Colours for results, and for messages. */
  readonly paint: Paint;
  readonly notePaint: Paint;
  #pending = "";
  #statusShown = false;
  #closed = false;

  constructor(options: OutputOptions) {
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.paint = new Paint(wantsColour(options.stdout, options.env));
    this.notePaint = new Paint(wantsColour(options.stderr, options.env));
  }

  /** A line of the result. Names in it must be escaped already. */
  async line(text: string): Promise<void> {
    this.#pending += `${text}\n`;
    if (this.stdout.isTerminal || this.#pending.length >= BUFFER_BYTES) await this.flush();
  }

  /** A value as one line of JSON. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }

  /** Content, as it is. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#write(bytes);
  }

  /** Writes what `line` gathered. */
  async flush(): Promise<void> {
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    await this.#write(Buffer.from(text));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) throw new OutputClosed();
    this.status(undefined);
    try {
      await this.stdout.write(bytes);
    } catch (error) {
      this.#closed = true;
      if ((error as NodeJS.ErrnoException).code === "EPIPE") throw new OutputClosed();
      const why = error instanceof Error ? error.message : String(error);
      throw new TenonError("io", `cannot write to standard output: ${why}`, {}, { cause: error });
    }
  }

  /** A line on standard error. */
  note(text: string): void {
    this.status(undefined);
    this.stderr.writeNow(`${text}\n`);
  }

  /** Shows or clears the progress line. The text is cut to the terminal's width by the caller. */
  status(text: string | undefined): void {
    if (text === undefined && !this.#statusShown) return;
    // Back to the first column, new text, clear what is left of the old one.
    this.stderr.writeNow(`\r${text ?? ""}\u001b[K`);
    this.#statusShown = text !== undefined;
  }
}
