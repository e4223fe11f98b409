/** A large value that is lent to tasks: moved to another thread and back instead of copied. */
import { TenonError } from "../errors/index.ts";
import { release } from "./packing.ts";

export class Movable<T> {
  /** About what it takes, in bytes. */
  readonly bytes: number;
  #value: T | undefined;
  #state: "here" | "away" | "lost" = "here";

  constructor(value: T, bytes: number) {
    this.#value = value;
    this.bytes = bytes;
  }

  get isHere(): boolean {
    return this.#state === "here";
  }

  /** The thread that had it is gone. */
  get isLost(): boolean {
    return this.#state === "lost";
  }

  /** Errors: `interrupted` when it was lost with the thread that had it. */
  get value(): T {
    if (this.#state === "here") return this.#value!;
    if (this.#state === "lost") throw lost();
    throw new Error("a value was asked for while it was lent");
  }

  /** For who moves it. */
  lend(): T {
    const { value } = this;
    this.#value = undefined;
    this.#state = "away";
    return value;
  }

  giveBack(value: T): void {
    this.#value = value;
    this.#state = "here";
  }

  lose(): void {
    this.#value = undefined;
    this.#state = "lost";
  }

  /** Gives its memory back at once, which garbage collection does much later. Nobody may use it any more. */
  release(): void {
    if (this.#state === "here") release(this.#value);
    this.lose();
  }
}

function lost(): TenonError {
  return new TenonError("interrupted", "what this needs was lost with a thread that was stopped");
}
