/** Bounds how much is under way at once: whoever comes first gets room first. */
export class Slots {
  #free: number;
  readonly #total: number;
  readonly #waiting: { readonly weight: number; readonly begin: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  /** Runs `work` when there is room for its weight; one that is too heavy runs alone. */
  async run<T>(weight: number, work: () => Promise<T>): Promise<T> {
    const taken = Math.min(weight, this.#total);
    if (this.#waiting.length > 0 || taken > this.#free) {
      await new Promise<void>((begin) => this.#waiting.push({ weight: taken, begin }));
    } else this.#free -= taken;
    try {
      return await work();
    } finally {
      this.#free += taken;
      for (let next = this.#waiting[0]; next !== undefined && next.weight <= this.#free; ) {
        this.#waiting.shift();
        this.#free -= next.weight;
        next.begin();
        next = this.#waiting[0];
      }
    }
  }
}
