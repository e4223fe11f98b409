/** One case of the fuzzer: a damaged executable through the whole repository, or a damaged repository. */
import assert from "node:assert/strict";
import { MemoryBackend } from "../../src/backend/index.ts";
import { concatBytes, equalBytes } from "../../src/bytes/index.ts";
import { applyDamage, type Change, generator, planDamage } from "../../src/elf/testing/mutator.ts";
import { isTenonError } from "../../src/errors/index.ts";
import {
  compareFunctions,
  type Dissection,
  decodeDissection,
  dissect,
  encodeDissection,
  identify,
  joinDecoded,
  pieceHashes,
} from "../../src/executable/index.ts";
import type { Program } from "../../src/executable/testing/programs.ts";
import { add } from "../../src/store/add.ts";
import { openBase, openContext, type StoreContext } from "../../src/store/context.ts";
import { cat } from "../../src/store/get.ts";
import { inspectStored } from "../../src/store/inspect.ts";
import { copyOf, newRepository } from "../../src/store/testing/small-repository.ts";

/** `canary` must fail, or the others prove nothing; no seed leads to it. */
export type CaseKind = "executable" | "recipe" | "packs" | "looks" | "canary";

/** What a seed stands for, given the programs. */
export interface FuzzCase {
  readonly seed: number;
  readonly kind: CaseKind;
  readonly program: Program;
  readonly changes: readonly Change[];
}

/** Most cases are about files, which anybody may give; the others about what only a bad disk changes. */
const KINDS: readonly CaseKind[] = [
  "executable",
  "executable",
  "executable",
  "executable",
  "looks",
  "recipe",
  "packs",
];

export function caseOf(seed: number, programs: readonly Program[]): FuzzCase {
  const random = generator(seed);
  const kind = KINDS[random(KINDS.length)]!;
  const program = programs[random(programs.length)]!;
  return { seed, kind, program, changes: planDamage(program.bytes, random) };
}

/** What became of a case: for counting. */
export type Outcome = "executable" | "chunks" | "declined" | "refused" | "whole";

/** Runs cases one after the other, in repositories that are thrown away before they grow large. */
export class FuzzRun {
  #context: StoreContext | undefined;
  #stored = new Set<string>();
  #bytes = 0;

  /** The repository, with the undamaged program in it: the damaged one shall find a relative. */
  async #repository(program: Program): Promise<StoreContext> {
    if (this.#context === undefined || this.#bytes > REPOSITORY_BYTES) {
      this.#context = await newRepository(new MemoryBackend());
      this.#stored = new Set();
      this.#bytes = 0;
    }
    if (!this.#stored.has(program.name)) {
      await addBytes(this.#context, "whole:1", program.bytes);
      this.#stored.add(program.name);
      this.#bytes += program.bytes.length;
    }
    return this.#context;
  }

  /** Errors: whatever must not happen. */
  async run(fuzzed: FuzzCase): Promise<Outcome> {
    const { kind, program, changes, seed } = fuzzed;
    const damaged = applyDamage(program.bytes, changes);
    if (kind === "executable") {
      const context = await this.#repository(program);
      this.#bytes += damaged.length;
      return throughRepository(context, damaged, damaged);
    }
    if (kind === "canary") {
      const other = damaged.slice();
      other[other.length >> 1]! ^= 1;
      return throughRepository(await this.#repository(program), damaged, other);
    }
    if (kind === "looks") return lookAt(program.bytes, damaged);
    return kind === "recipe"
      ? damagedRecipe(program.bytes, damaged, seed)
      : damagedPacks(program.bytes, damaged, seed);
  }
}

const REPOSITORY_BYTES = 16 << 20;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function addBytes(context: StoreContext, ref: string, bytes: Uint8Array): Promise<string> {
  let representation = "";
  await add(context, [{ name: "program", stream: once(bytes) }], {
    ref,
    onEvent(event) {
      if (event.type === "item") representation = event.representation ?? "";
      assert.notEqual(event.type, "problem", JSON.stringify(event));
      if (event.type !== "item") return;
      // The encoder's own faults are caught and told as a reason: they are faults all the same.
      for (const { reason } of event.declined ?? []) assert.ok(!/the encoder failed/.test(reason), reason);
    },
  });
  return representation;
}

async function read(context: StoreContext, spec: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of cat(context, spec)) pieces.push(piece.slice());
  return concatBytes(pieces);
}

/** What was added comes back as expected, from a repository that was opened anew. */
async function throughRepository(
  context: StoreContext,
  bytes: Uint8Array,
  expected: Uint8Array,
): Promise<Outcome> {
  const representation = await addBytes(context, "damaged:1", bytes);
  const again = await openContext(await openBase(context.backend));
  assert.ok(equalBytes(await read(again, "damaged:1"), expected), "other bytes came back");
  await inspectStored(again, "damaged:1");
  return representation === "executable" ? "executable" : "chunks";
}

/** What only looks gives something or a typed error. */
function lookAt(whole: Uint8Array, damaged: Uint8Array): Outcome {
  identify(damaged);
  try {
    const { same, changed, added } = compareFunctions(whole, damaged);
    assert.ok(same + changed + added >= 0);
    compareFunctions(damaged, whole);
    return "whole";
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return "declined";
  }
}

/**
 * Streams of a recipe with some bytes changed decode to something, or to a typed error. The recipe is by itself, or says
 * the damaged file by the whole one.
 */
function damagedRecipe(whole: Uint8Array, damaged: Uint8Array, seed: number): Outcome {
  const random = generator(seed);
  const base = dissect(whole);
  const hashed = { dissection: base, hashes: pieceHashes(base) };
  const changed = random(3) === 0 ? undefined : dissected(damaged);
  const bases = changed === undefined ? [] : [hashed];
  const dissection = changed ?? base;
  const coded = encodeDissection(dissection, pieceHashes(dissection), bases);
  const head = coded.head.slice();
  const streams = new Map([...coded.streams].map(([number, stream]) => [number, stream.slice()]));
  for (let i = 1 + random(3); i > 0; i--) {
    const numbers = [...streams.keys()];
    const number = numbers[random(numbers.length)]!;
    const stream = random(8) === 0 ? head : streams.get(number)!;
    if (stream.length === 0) continue;
    const what = random(6);
    if (what < 4) stream[random(stream.length)] = random(256);
    else if (what === 4) stream.copyWithin(random(stream.length), random(stream.length));
    else if (stream !== head) streams.set(number, stream.slice(0, random(stream.length)));
  }
  try {
    const dissections = bases.map((one) => one.dissection);
    joinDecoded(decodeDissection(head, streams, dissections));
    return "whole";
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return "refused";
  }
}

function dissected(bytes: Uint8Array): Dissection | undefined {
  try {
    return dissect(bytes);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return undefined;
  }
}

/** A repository in which a bit is wrong gives the right bytes or a typed error. */
async function damagedPacks(first: Uint8Array, second: Uint8Array, seed: number): Promise<Outcome> {
  const random = generator(seed);
  const backend = new MemoryBackend();
  const context = await newRepository(backend);
  await addBytes(context, "program:1", first);
  await addBytes(context, "program:2", second);
  const damaged = await copyOf(backend);
  const names = (await damaged.listNames("")).filter((name) => /^(packs|index)\//.test(name));
  for (let i = 1 + random(3); i > 0; i--) {
    const name = names[random(names.length)]!;
    const file = Uint8Array.from(await damaged.read(name));
    const at = random(3) === 0 ? file.length - 1 - random(Math.min(file.length, 300)) : random(file.length);
    file[at]! ^= 1 << random(8);
    await damaged.replace(name, random(10) === 0 ? file.subarray(0, at) : file);
  }
  let outcome: Outcome = "whole";
  for (const [spec, bytes] of [
    ["program:1", first],
    ["program:2", second],
  ] as const) {
    try {
      const opened = await openContext(await openBase(damaged));
      assert.ok(equalBytes(await read(opened, spec), bytes), `other bytes of ${spec}`);
    } catch (error) {
      if (!isTenonError(error)) throw error;
      outcome = "refused";
    }
  }
  return outcome;
}
