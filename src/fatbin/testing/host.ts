/** The restorer's decoder and recipes, run by a program of this machine that checks its memory. */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

const SOURCE = join(import.meta.dirname, "restorer-host.c");
/** Unaligned words are read through memcpy, so all checks of arithmetic may stay on. */
const CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const FLAGS = ["-std=c11", "-O1", "-g", "-Wno-unused-function", "-Wno-builtin-declaration-mismatch"];

function numbers(...values: readonly number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, BigInt).buffer);
}

export interface Decoding {
  readonly source: Uint8Array;
  readonly bytes: number;
  readonly prefix?: Uint8Array;
}

export interface Making {
  readonly file: Uint8Array;
  readonly payloadOffset: number;
  readonly flavour: number;
}

/** Builds the program in a folder; it says what it found wrong with its memory by an exception here. */
export class RestorerHost {
  readonly #program: string;

  constructor(folder: string) {
    this.#program = join(folder, "restorer-host");
    execFileSync("gcc", [...FLAGS, ...CHECKS, "-o", this.#program, SOURCE], { stdio: "pipe" });
  }

  #run(input: readonly Uint8Array[]): Buffer {
    const { status, stdout, stderr, signal } = spawnSync(this.#program, {
      input: Buffer.concat(input),
      maxBuffer: 2 ** 30,
      env: { ASAN_OPTIONS: "detect_leaks=1:allocator_may_return_null=1" },
    });
    if (status !== 0) throw new Error(`the restorer ended with ${signal ?? status}: ${stderr.toString()}`);
    return stdout;
  }

  /** What each frame decodes to; undefined for those that are refused. */
  decode(requests: readonly Decoding[]): (Uint8Array | undefined)[] {
    const none = new Uint8Array(0);
    const output = this.#run(
      requests.flatMap(({ source, bytes, prefix = none }) => [
        numbers(1, source.length, bytes, prefix.length),
        source,
        prefix,
      ]),
    );
    let at = 0;
    return requests.map(({ bytes }) => {
      const isGood = output.readUInt32LE(at) === 1;
      at += 8;
      if (!isGood) return undefined;
      at += bytes;
      return new Uint8Array(output.subarray(at - bytes, at));
    });
  }

  /** The images that the recipes of flavours make, digest and all; undefined for those that are refused. */
  make(requests: readonly Making[]): (Uint8Array | undefined)[] {
    const output = this.#run(
      requests.flatMap(({ file, payloadOffset, flavour }) => [
        numbers(2, flavour, payloadOffset, file.length - payloadOffset),
        file.subarray(payloadOffset),
      ]),
    );
    let at = 0;
    return requests.map(() => {
      const isGood = output.readUInt32LE(at) === 1;
      at += 8;
      if (!isGood) return undefined;
      const bytes = Number(output.readBigUInt64LE(at));
      at += 8 + bytes;
      return new Uint8Array(output.subarray(at - bytes, at));
    });
  }
}
