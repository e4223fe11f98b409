/** Files, and parts of archives, that are made ready beside each other and stored one after the other. */

/** Of inputs under way: small ones, and those that are read twice or taken apart. */
const MAX_UNDER_WAY = 32;
const LARGE_BYTES = 4 << 20;
/** One is being coded, others are being taken apart. */
const MAX_LARGE_BEYOND_JOBS = 1;
/** Inputs under way together; a larger one has to be the only one. In memory they take several times as much. */
const MAX_BYTES_UNDER_WAY = 144 << 20;

/**
 * Resolves when all that stands before is stored: what is done until then neither changes the repository nor depends
 * on what is new there. Rejects when something before failed.
 */
export type Turn = Promise<void>;

interface UnderWay {
  readonly bytes: number;
  readonly done: Promise<void>;
}

export class Turns {
  readonly #maxCount: number;
  readonly #maxLarge: number;
  readonly #underWay: UnderWay[] = [];
  #last: Turn = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  /** `jobs`: how many can be made ready at once; with 1 each is stored before the next begins. */
  constructor(jobs: number) {
    this.#maxCount = jobs < 2 ? 1 : MAX_UNDER_WAY;
    this.#maxLarge = jobs < 2 ? 1 : jobs + MAX_LARGE_BEYOND_JOBS;
  }

  /**
   * Begins `work` when there is room, and doesn't wait for its end. `work` awaits its turn before it stores anything.
   * Errors: what failed before.
   */
  async begin(bytes: number, work: (turn: Turn) => Promise<void>): Promise<void> {
    while (!this.#hasRoom(bytes)) await this.#underWay[0]!.done;
    this.#check();
    const before = this.#last;
    const turn = before.then(() => this.#check());
    turn.catch(() => {}); // thrown where it is awaited
    const stored = (async () => {
      try {
        await work(turn);
        await turn;
      } catch (error) {
        this.#failure ??= { error };
      }
    })();
    const done = before.then(() => stored);
    this.#last = done;
    const one = { bytes, done };
    this.#underWay.push(one);
    void done.then(() => this.#underWay.splice(this.#underWay.indexOf(one), 1));
  }

  #hasRoom(bytes: number): boolean {
    const underWay = this.#underWay;
    if (underWay.length === 0) return true;
    if (underWay.length >= this.#maxCount) return false;
    const large = underWay.filter((other) => other.bytes > LARGE_BYTES).length;
    if (bytes > LARGE_BYTES && large >= this.#maxLarge) return false;
    return underWay.reduce((sum, other) => sum + other.bytes, bytes) <= MAX_BYTES_UNDER_WAY;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits until everything that was begun is stored. Errors: the first failure. */
  async finish(): Promise<void> {
    await this.#last;
    this.#check();
  }

  /** Nothing more gets its turn; waits until nothing is under way. */
  async abandon(error: unknown): Promise<void> {
    this.#failure ??= { error };
    await this.#last;
  }
}
