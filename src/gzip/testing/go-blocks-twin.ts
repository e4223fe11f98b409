/** Blocks of deflate as Go's compress/flate writes them, in plain TypeScript: the twin of the kernels' `shared/go-blocks`. */
import {
  BitWriter,
  type BlockSymbol,
  type Code,
  codeFrom,
  cost,
  FIXED_DISTANCES,
  FIXED_LITERALS,
  frequenciesOf,
  LENGTH_ORDER,
  MAX_BITS,
  MAX_LENGTH_BITS,
  RUN_EXTRA,
  type RunSymbol,
  runFrequenciesOf,
  sentOf,
} from "./deflate-format.ts";

const MAX_STORED = 65535;
/** Type, three counts. */
const HEADER_BITS = 17;

interface Item {
  readonly frequency: number;
  readonly symbols: readonly number[];
}

/** Larmore and Hirschberg's package-merge; of equal items packages come first. */
function packageMerge(frequencies: readonly number[], most: number): Code {
  const lengths = Array<number>(frequencies.length).fill(0);
  const leaves: Item[] = frequencies
    .flatMap((frequency, symbol) => (frequency > 0 ? [{ frequency, symbols: [symbol] }] : []))
    .sort((a, b) => a.frequency - b.frequency);
  if (leaves.length <= 2) for (const { symbols } of leaves) lengths[symbols[0]!] = 1;
  else {
    let items = leaves;
    for (let level = Math.min(most, leaves.length - 1); level > 1; level--) {
      const packages: Item[] = [];
      for (let i = 0; i + 1 < items.length; i += 2) {
        const [a, b] = [items[i]!, items[i + 1]!];
        packages.push({ frequency: a.frequency + b.frequency, symbols: [...a.symbols, ...b.symbols] });
      }
      items = [...packages, ...leaves].sort((a, b) => a.frequency - b.frequency);
    }
    for (const { symbols } of items.slice(0, 2 * leaves.length - 2)) {
      for (const symbol of symbols) lengths[symbol]!++;
    }
  }
  return codeFrom(lengths);
}

/** Lengths of both codes, runs shortened across them. */
function shortened(lengths: readonly number[]): RunSymbol[] {
  const symbols: RunSymbol[] = [];
  const say = (symbol: number, extra = 0) => symbols.push({ symbol, extra });
  for (let at = 0; at < lengths.length; ) {
    const length = lengths[at]!;
    let run = 1;
    while (lengths[at + run] === length) run++;
    at += run;
    if (length > 0) {
      say(length);
      for (run--; run >= 3; run -= Math.min(run, 6)) say(16, Math.min(run, 6) - 3);
    } else {
      for (; run >= 11; run -= Math.min(run, 138)) say(18, Math.min(run, 138) - 11);
      if (run >= 3) {
        say(17, run - 3);
        run = 0;
      }
    }
    for (; run > 0; run--) say(length);
  }
  return symbols;
}

export class GoBlocksTwin extends BitWriter {
  /** `raw`: the input, where it is still there. `isFastest`: level 1's rule, and that of literals alone. */
  writeBlock(symbols: readonly BlockSymbol[], raw: Uint8Array | undefined, isFastest: boolean): void {
    const { literals, distances, extra: bits } = frequenciesOf(symbols);
    if (sentOf(distances) === 0) distances[0] = 1;
    const isStorable = raw !== undefined && raw.length <= MAX_STORED;
    const extra = isStorable && !isFastest ? bits : 0;
    const literalCode = packageMerge(literals, MAX_BITS);
    const distanceCode = packageMerge(distances, MAX_BITS);
    const sentLiterals = sentOf(literalCode.lengths);
    const sentDistances = sentOf(distanceCode.lengths);
    const runs = shortened([
      ...literalCode.lengths.slice(0, sentLiterals),
      ...distanceCode.lengths.slice(0, sentDistances),
    ]);
    const frequencies = runFrequenciesOf(runs);
    const runCode = packageMerge(frequencies, MAX_LENGTH_BITS);
    const sentRuns = Math.max(4, LENGTH_ORDER.findLastIndex((symbol) => frequencies[symbol]! > 0) + 1);
    const header = runs.reduce(
      (sum, { symbol }) => sum + RUN_EXTRA[symbol]!,
      HEADER_BITS + 3 * sentRuns + cost(frequencies, runCode),
    );
    const dynamic = header + cost(literals, literalCode) + cost(distances, distanceCode) + extra;
    const fixed = 3 + cost(literals, FIXED_LITERALS) + cost(distances, FIXED_DISTANCES) + extra;
    const isFixed = !isFastest && fixed <= dynamic;
    const coded = isFastest ? dynamic + Math.floor(dynamic / 16) : Math.min(fixed, dynamic);
    if (isStorable && (raw.length + 5) * 8 < coded) this.sendStored(raw, false);
    else if (isFixed) {
      this.send(2, 3);
      this.sendSymbols(symbols, FIXED_LITERALS, FIXED_DISTANCES);
    } else {
      this.send(4, 3);
      this.sendCodes(runs, runCode, { sentLiterals, sentDistances, sentRuns });
      this.sendSymbols(symbols, literalCode, distanceCode);
    }
  }

  writeLiterals(raw: Uint8Array): void {
    const symbols = Array.from(raw, (value) => ({ distance: 0, value }));
    this.writeBlock(symbols, raw, true);
  }
}
