/** Which instructions of a changed piece stand in the place of which of its source, by the delta of their skeletons. */
import type { Delta } from "../delta/index.ts";
import { INSTRUCTION_LENGTH } from "../isa/index.ts";
import type { Instructions } from "./code-instructions.ts";

export class Alignment {
  /** For each instruction of the target the one of the source, or -1. */
  source = new Int32Array(256);
  /** For each instruction of the source (and its end) the one of the target; what has none follows the one before. */
  target = new Int32Array(256);

  align(from: Instructions, to: Instructions, { count, literal, from: copyFrom, copy }: Delta): void {
    if (this.source.length < to.count) this.source = new Int32Array(to.count * 2);
    if (this.target.length < from.count + 1) this.target = new Int32Array(from.count * 2 + 2);
    const { source, target } = this;
    source.fill(-1, 0, to.count);
    target.fill(-1, 0, from.count + 1);
    let instruction = 0;
    let at = 0;
    let expected = 0;
    for (let step = 0; step < count; step++) {
      const copied = copy[step]!;
      const begin = copied === 0 ? expected + literal[step]! : copyFrom[step]!;
      // New bytes that replace as many are in the source's place as well.
      const isReplacement = begin === expected + literal[step]!;
      const start = isReplacement ? at : at + literal[step]!;
      const shift = begin - at - literal[step]!;
      at += literal[step]! + copied;
      expected = begin + copied;
      while (instruction < to.count && to.head[instruction]! < start) {
        // An instruction of which only the end was copied.
        if (to.head[instruction + 1]! > start) this.#pair(from, instruction, start + shift);
        instruction++;
      }
      for (; instruction < to.count && to.head[instruction]! < at; instruction++)
        this.#pair(from, instruction, to.head[instruction]! + shift);
    }
    let last = -1;
    for (let i = 0; i < to.count; i++)
      if (source[i]! >= 0 && target[source[i]!] === -1) target[source[i]!] = i;
    for (let j = 0; j <= from.count; j++) {
      if (target[j] === -1) target[j] = last = Math.min(to.count, last + 1);
      else last = target[j]!;
    }
  }

  /** Takes the instruction of the source that has a byte of the skeleton. */
  #pair({ head, count }: Instructions, instruction: number, byte: number): void {
    if (byte < 0 || byte >= head[count]!) return;
    // Mostly the one behind the last.
    let low = instruction > 0 ? this.source[instruction - 1]! + 1 : 0;
    if (!(low < count && head[low]! <= byte && byte < head[low + 1]!)) {
      low = 0;
      let high = count;
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        if (head[middle]! <= byte) low = middle;
        else high = middle;
      }
    }
    this.source[instruction] = low;
  }

  /**
   * The same as a delta of the code's bytes, for finding places of one in the other. Two instructions have their ends
   * in common, where fields are.
   */
  byteDelta(from: Instructions, to: Instructions): Delta {
    const literal: number[] = [];
    const begin: number[] = [];
    const copy: number[] = [];
    let at = 0;
    let next = -1;
    for (let i = 0; i < to.count; i++) {
      const j = this.source[i]!;
      if (j < 0) continue;
      const toBytes = to.parts[i]! & INSTRUCTION_LENGTH;
      const fromBytes = from.parts[j]! & INSTRUCTION_LENGTH;
      const bytes = Math.min(toBytes, fromBytes);
      const place = to.start[i]! + toBytes - bytes;
      const source = from.start[j]! + fromBytes - bytes;
      if (place === at && source === next) copy[copy.length - 1]! += bytes;
      else {
        literal.push(place - at);
        begin.push(source);
        copy.push(bytes);
      }
      at = place + bytes;
      next = source + bytes;
    }
    return {
      count: copy.length,
      literal: Uint32Array.from(literal),
      from: Uint32Array.from(begin),
      copy: Uint32Array.from(copy),
    };
  }
}
