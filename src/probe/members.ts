/** The files inside a stream: of a tar archive its members, of anything else the stream itself. */
import { displayPath } from "../bytes/index.ts";
import { BLOCK_BYTES, TarWalk } from "../tar/index.ts";

export interface MemberListener {
  /** A file begins: `offset` in the stream. */
  begin(name: string, lengthBytes: number, offset: number): void;
  data(bytes: Uint8Array): void;
  end(): void;
  /** Headers, padding, whatever is no file. */
  frame(bytes: Uint8Array): void;
}

/** Takes a tar stream in blocks of any length. What is not understood from some place on is frame. */
export class TarMembers {
  readonly #listener: MemberListener;
  readonly #walk = new TarWalk();
  readonly #header = new Uint8Array(BLOCK_BYTES);
  #filled = 0;
  /** Bytes of the present member that are to come, and of the padding behind it. */
  #data = 0;
  #padding = 0;
  #inMember = false;
  #isTar = true;
  #offset = 0;

  constructor(listener: MemberListener) {
    this.#listener = listener;
  }

  /** False once a place was met where no header is although one should be. */
  get isTar(): boolean {
    return this.#isTar;
  }

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const rest = bytes.subarray(at);
      let used: number;
      if (!this.#isTar) {
        this.#listener.frame(rest);
        used = rest.length;
      } else if (this.#data > 0) {
        used = Math.min(this.#data, rest.length);
        this.#listener.data(rest.subarray(0, used));
        this.#data -= used;
        if (this.#data === 0) this.#endMember();
      } else if (this.#padding > 0) {
        used = Math.min(this.#padding, rest.length);
        this.#listener.frame(rest.subarray(0, used));
        this.#padding -= used;
      } else {
        used = Math.min(BLOCK_BYTES - this.#filled, rest.length);
        this.#header.set(rest.subarray(0, used), this.#filled);
        this.#filled += used;
      }
      at += used;
      this.#offset += used;
      if (this.#filled === BLOCK_BYTES) this.#step();
    }
  }

  /** After the last block. False when the archive stopped within a file or a header. */
  finish(): boolean {
    const whole = !this.#inMember && this.#filled === 0;
    if (this.#inMember) this.#endMember();
    if (this.#filled > 0) this.#listener.frame(this.#header.subarray(0, this.#filled));
    return whole;
  }

  #endMember(): void {
    this.#inMember = false;
    this.#listener.end();
  }

  #step(): void {
    this.#filled = 0;
    const step = this.#walk.step(this.#header);
    this.#listener.frame(this.#header);
    if (step.kind === "unknown") this.#isTar = false;
    if (step.kind !== "member" || step.member.dataBytes === 0) return;
    this.#data = step.member.dataBytes;
    this.#padding = (BLOCK_BYTES - (this.#data % BLOCK_BYTES)) % BLOCK_BYTES;
    this.#inMember = true;
    this.#listener.begin(displayPath(step.member.path), this.#data, this.#offset);
  }
}
