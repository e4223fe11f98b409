/**
 * An object file said by another: a delta of their level forms (object-form.ts), for which the base's relocations get
 * the target's symbol numbers.
 *
 *     head  = runCount varint, then for each run of symbols of the base: count varint, zigzag of the distance to their
 *             numbers in the target, less that of the run before
 *
 * The head stands before the numbers of the delta (docs/formats/delta.md).
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { DeltaReader, Differ, unzigzag, writeDelta, zigzag } from "../delta/index.ts";
import {
  levelledTables,
  levelObject,
  type ObjectHeaders,
  readObjectHeaders,
  renumberSymbols,
  unlevelObject,
} from "./object-form.ts";
import { matchSymbols } from "./object-symbols.ts";

/** Streams in the order in which a recipe has them: head and numbers, heads, copies, values, literals. */
export const OBJECT_STREAMS = 5;

const FORMAT = "object recipe";
const SYM_BYTES = 24;

const differ = new Differ();

/** The streams from which `decodeObject` makes the target. Errors: `invalid` when one of both is no object file. */
export function encodeObject(base: Uint8Array, target: Uint8Array): Uint8Array[] {
  const numbers = matchSymbols(base, target);
  const head = encodeNumbers(numbers);
  const renumbered = levelBase(base, decodeNumbers(new ByteReader(head, FORMAT), base.length));
  const level = levelObject(target);
  const delta = differ.diff(renumbered, level);
  const streams = {
    numbers: new ByteWriter(1024).raw(head),
    heads: new ByteWriter(delta.count + 16),
    copies: new ByteWriter(delta.count + 16),
    values: new ByteWriter(1024),
    literals: new ByteWriter(1024),
  };
  writeDelta(renumbered, level, delta, streams);
  const { numbers: all, heads, copies, values, literals } = streams;
  return [all, heads, copies, values, literals].map((stream) => stream.finish());
}

/** Errors: `invalid` for what no writer made; at most `targetBytes` bytes are allocated for the target. */
export function decodeObject(
  base: Uint8Array,
  streams: readonly Uint8Array[],
  targetBytes: number,
): Uint8Array {
  const [numbers, heads, copies, values, literals] = streams.map((bytes) => new ByteReader(bytes, FORMAT));
  const renumbered = levelBase(base, decodeNumbers(numbers!, base.length));
  const delta = new DeltaReader(
    { numbers: numbers!, heads: heads!, copies: copies! },
    renumbered.length,
    targetBytes,
  );
  if (delta.targetBytes !== targetBytes)
    throw numbers!.error("copy", `${delta.targetBytes} bytes instead of ${targetBytes}`);
  const target = new Uint8Array(targetBytes);
  delta.apply(renumbered, { literals: literals!, values: values! }, target);
  for (const stream of [numbers, heads, copies, values, literals]) stream!.end();
  unlevelObject(target);
  return target;
}

function levelBase(base: Uint8Array, numbers: Uint32Array): Uint8Array {
  const headers: ObjectHeaders = readObjectHeaders(base);
  const level = levelObject(base);
  renumberSymbols(level, levelledTables(base, headers), headers, numbers);
  return level;
}

/** Symbols without a counterpart (-1) go with the run that they are in. */
function encodeNumbers(numbers: Int32Array): Uint8Array {
  const runs: { count: number; shift: number }[] = [];
  for (const [symbol, number] of numbers.entries()) {
    const last = runs.at(-1);
    const shift = number === -1 ? (last?.shift ?? 0) : number - symbol;
    if (last?.shift === shift) last.count++;
    else runs.push({ count: 1, shift });
  }
  const out = new ByteWriter(64).varint(runs.length);
  let before = 0;
  for (const { count, shift } of runs) {
    out.varint(count).varint(zigzag(shift - before));
    before = shift;
  }
  return out.finish();
}

/** The target's number of each symbol of the base. Errors: `invalid`. */
function decodeNumbers(reader: ByteReader, baseBytes: number): Uint32Array {
  const runs = reader.varint("runCount", reader.remaining >> 1);
  const most = Math.floor(baseBytes / SYM_BYTES);
  const numbers = new Uint32Array(most);
  let symbols = 0;
  let shift = 0;
  for (let run = 0; run < runs; run++) {
    const count = reader.varint("count", most - symbols);
    shift += unzigzag(reader.varint("shift", 2 ** 33));
    if (Math.abs(shift) > 2 ** 32) throw reader.error("shift", "not a distance of symbols");
    for (let i = 0; i < count; i++, symbols++) numbers[symbols] = symbols + shift;
  }
  return numbers.subarray(0, symbols);
}
