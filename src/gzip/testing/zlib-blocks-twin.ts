/**
 * Blocks of deflate as zlib writes them, in plain TypeScript: the twin of the kernels' `shared/trees`. Source: RFC 1951,
 * and zlib for what the RFC leaves open: how equal frequencies are ordered, how codes are kept short, which block is cheapest.
 */
import {
  BitWriter,
  type BlockSymbol,
  type Code,
  codeFrom,
  codeOf,
  cost,
  DISTANCE_EXTRA,
  FIXED_DISTANCES,
  FIXED_LITERALS,
  frequenciesOf,
  LEAST_DISTANCE,
  LENGTH_ORDER,
  MAX_BITS,
  MAX_LENGTH_BITS,
  RUN_EXTRA,
  type RunSymbol,
  runFrequenciesOf,
  sentOf,
} from "./deflate-format.ts";

/** Huffman's method with zlib's heap: of equal frequencies the shallower tree goes first. */
function huffman(frequencies: readonly number[], most: number): Code {
  const frequency = frequencies.slice();
  const heap = frequency.flatMap((of, symbol) => (of > 0 ? [symbol] : []));
  // Two codes at least, the others being unused.
  for (let largest = heap.at(-1) ?? -1; heap.length < 2; ) {
    const symbol = largest < 2 ? ++largest : 0;
    heap.push(symbol);
    frequency[symbol] = 1;
  }
  const leaves = frequency.length;
  const depth = frequency.map(() => 0);
  const parent: number[] = [];
  const isBefore = (a: number, b: number) =>
    frequency[a]! < frequency[b]! || (frequency[a] === frequency[b] && depth[a]! <= depth[b]!);
  const sink = (from: number) => {
    const node = heap[from]!;
    let at = from;
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(node, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = node;
  };
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(at);
  /** Nodes as they were taken, the rarest first. */
  const order: number[] = [];
  while (heap.length > 1) {
    const rarest = heap[0]!;
    heap[0] = heap.pop()!;
    sink(0);
    const second = heap[0]!;
    order.push(rarest, second);
    const node = frequency.push(frequency[rarest]! + frequency[second]!) - 1;
    depth.push(Math.max(depth[rarest]!, depth[second]!) + 1);
    parent[rarest] = node;
    parent[second] = node;
    heap[0] = node;
    sink(0);
  }
  order.push(heap[0]!);
  return codeFrom(limited(order.reverse(), parent, leaves, most));
}

/** Lengths of the leaves from where their parents are, none above `most`: `order` begins with the root. */
function limited(
  order: readonly number[],
  parent: readonly number[],
  leaves: number,
  most: number,
): number[] {
  const level = Array<number>(leaves).fill(0);
  const counts = Array<number>(most + 1).fill(0);
  let overflow = 0;
  for (const node of order) {
    const wanted = node === order[0] ? 0 : level[parent[node]!]! + 1;
    if (wanted > most) overflow++;
    level[node] = Math.min(wanted, most);
    if (node < leaves) counts[level[node]]!++;
  }
  if (overflow === 0) return level.slice(0, leaves);
  for (; overflow > 0; overflow -= 2) {
    let length = most - 1;
    while (counts[length] === 0) length--;
    counts[length]!--;
    counts[length + 1]! += 2;
    counts[most]!--;
  }
  const lengths = Array<number>(leaves).fill(0);
  const rarestFirst = order.filter((node) => node < leaves).reverse();
  for (let length = most, at = 0; length > 0; length--) {
    for (let left = counts[length]!; left > 0; left--) lengths[rarestFirst[at++]!] = length;
  }
  return lengths;
}

/** RFC 1951, 3.2.7: lengths of one code, runs shortened. */
function shortened(lengths: readonly number[]): RunSymbol[] {
  const symbols: RunSymbol[] = [];
  const plain = (length: number, times: number) => {
    for (let i = 0; i < times; i++) symbols.push({ symbol: length, extra: 0 });
  };
  for (let at = 0; at < lengths.length; ) {
    const length = lengths[at]!;
    const isRepeated = at > 0 && lengths[at - 1] === length;
    const most = length === 0 ? 138 : isRepeated ? 6 : 7;
    let run = 1;
    while (run < most && lengths[at + run] === length) run++;
    at += run;
    if (length === 0 && run >= 11) symbols.push({ symbol: 18, extra: run - 11 });
    else if (length === 0 && run >= 3) symbols.push({ symbol: 17, extra: run - 3 });
    else if (length > 0 && run - (isRepeated ? 0 : 1) >= 3) {
      plain(length, isRepeated ? 0 : 1);
      symbols.push({ symbol: 16, extra: run - (isRepeated ? 0 : 1) - 3 });
    } else plain(length, run);
  }
  return symbols;
}

export class ZlibBlocksTwin extends BitWriter {
  readonly #symbolLimit: number;
  readonly #isGuessing: boolean;
  #symbols: BlockSymbol[] = [];

  /** `isGuessing`: GNU gzip's rule for where a block should end. */
  constructor(symbolLimit: number, isGuessing: boolean) {
    super();
    this.#symbolLimit = symbolLimit;
    this.#isGuessing = isGuessing;
  }

  /** True when the block is full, with `blockBytes` bytes of input before this symbol. */
  add(symbol: BlockSymbol, blockBytes: number): boolean {
    const symbols = this.#symbols;
    symbols.push(symbol);
    if (this.#isGuessing && symbols.length % 4096 === 0) {
      const matches = symbols.filter(({ distance }) => distance > 0);
      let bits = symbols.length * 8;
      for (const { distance } of matches) bits += 5 + DISTANCE_EXTRA[codeOf(LEAST_DISTANCE, distance)]!;
      const isSmall = Math.floor(bits / 8) < Math.floor(blockBytes / 2);
      if (matches.length < Math.floor(symbols.length / 2) && isSmall) return true;
    }
    return symbols.length === this.#symbolLimit;
  }

  /** The cheapest block of the symbols. `raw`: their input, where the encoder still has it. */
  flush(raw: Uint8Array | undefined, isLast: boolean): void {
    const { literals, distances, extra } = frequenciesOf(this.#symbols);
    const literalCode = huffman(literals, MAX_BITS);
    const distanceCode = huffman(distances, MAX_BITS);
    const sentLiterals = sentOf(literalCode.lengths);
    const sentDistances = sentOf(distanceCode.lengths);
    const runs = [
      ...shortened(literalCode.lengths.slice(0, sentLiterals)),
      ...shortened(distanceCode.lengths.slice(0, sentDistances)),
    ];
    const runFrequencies = runFrequenciesOf(runs);
    const runCode = huffman(runFrequencies, MAX_LENGTH_BITS);
    const sentRuns = Math.max(4, LENGTH_ORDER.findLastIndex((symbol) => runCode.lengths[symbol]! > 0) + 1);
    const runBits = runs.reduce((sum, { symbol }) => sum + RUN_EXTRA[symbol]!, cost(runFrequencies, runCode));
    const dynamic =
      14 + 3 * sentRuns + runBits + cost(literals, literalCode) + cost(distances, distanceCode) + extra;
    const fixed = cost(literals, FIXED_LITERALS) + cost(distances, FIXED_DISTANCES) + extra;
    const dynamicBytes = Math.floor((dynamic + 10) / 8);
    const fixedBytes = Math.floor((fixed + 10) / 8);
    const least = Math.min(dynamicBytes, fixedBytes);
    if (raw !== undefined && raw.length + 4 <= least) this.sendStored(raw, isLast);
    else if (fixedBytes === least) {
      this.send(2 + (isLast ? 1 : 0), 3);
      this.sendSymbols(this.#symbols, FIXED_LITERALS, FIXED_DISTANCES);
    } else {
      this.send(4 + (isLast ? 1 : 0), 3);
      this.sendCodes(runs, runCode, { sentLiterals, sentDistances, sentRuns });
      this.sendSymbols(this.#symbols, literalCode, distanceCode);
    }
    this.#symbols = [];
    if (isLast) this.align();
  }
}
