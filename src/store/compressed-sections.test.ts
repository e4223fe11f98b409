/** ELF files whose debug sections are compressed: two releases of a library, as each linker and objcopy make them. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { constants, deflateSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { MemoryBackend } from "../backend/index.ts";
import { concatBytes, equalBytes } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { compressionHeader, parseElf } from "../elf/index.ts";
import { decodeHandprint } from "../repository/index.ts";
import { representationName } from "../representation/index.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { compact } from "./compact.ts";
import { openBase, type StoreContext } from "./context.ts";
import { gc } from "./gc.ts";
import { cat } from "./get.ts";
import { remove } from "./refs.ts";
import { newRepository } from "./testing/small-repository.ts";

const has = (program: string) => spawnSync(program, ["--version"]).status === 0;

interface Maker {
  readonly name: string;
  readonly needs: readonly string[];
  /** From object.o to out. */
  readonly commands: readonly (readonly string[])[];
  readonly isArm?: boolean;
  /** Debug files are executables only where that costs about as little as chunks: small ones may not be. */
  readonly functions?: number;
}

const link = ["gcc", "-shared", "-nostdlib", "-Wl,--build-id", "object.o", "-o"];
const arm = "aarch64-linux-gnu-gcc";

const makers: readonly Maker[] = [
  { name: "gcc -gz", needs: ["gcc"], commands: [[...link, "out", "-gz=zlib"]] },
  {
    name: "AArch64",
    needs: [arm],
    isArm: true,
    commands: [[arm, ...link.slice(1), "out", "-gz=zlib"]],
  },
  {
    name: "objcopy, debug file",
    functions: 600,
    needs: ["gcc", "objcopy"],
    commands: [
      [...link, "whole"],
      ["objcopy", "--only-keep-debug", "--compress-debug-sections=zlib", "whole", "out"],
    ],
  },
  {
    name: "objcopy, .zdebug",
    needs: ["gcc", "objcopy"],
    commands: [
      [...link, "whole"],
      ["objcopy", "--compress-debug-sections=zlib-gnu", "whole", "out"],
    ],
  },
  {
    name: "lld",
    needs: ["gcc", "ld.lld"],
    commands: [["ld.lld", "-shared", "--compress-debug-sections=zlib", "object.o", "-o", "out"]],
  },
  {
    name: "object file",
    needs: ["gcc", "objcopy"],
    commands: [["objcopy", "--compress-debug-sections=zlib", "object.o", "out"]],
  },
];

/** The second release has a function more, and another constant here and there. */
function source(version: number, functions: number): string {
  const lines = ["struct item { int size, used; struct item *next; char name[16]; };", "int other(int);"];
  for (let i = 0; i < functions; i++) {
    const constant = i % 50 === 9 ? i + version : i;
    const call = i > 0 ? `f${Math.floor(i / 2)}(one, x - 1)` : "x";
    const names = i === 200 && version > 0 ? [`f${i}`, "added"] : [`f${i}`];
    for (const name of names) {
      lines.push(
        `int ${name}(struct item *one, int x) {`,
        `  struct item *field_${i} = one->next; int local_${i % 70} = x * ${Math.imul(constant + 1, 0x9e37) >>> 3};`,
        `  for (int j = 0; j < x; j++) { int inner = other(j + local_${i % 70}); one->used += inner; }`,
        `  return field_${i} ? other(field_${i}->size) : ${call}; }`,
      );
    }
  }
  return lines.join("\n");
}

const objects = new Map<string, Uint8Array>();

function compile(compiler: string, version: number, functions: number, cwd: string): Uint8Array {
  const name = `${compiler} ${version} ${functions}`;
  const known = objects.get(name);
  if (known !== undefined) return known;
  writeFileSync(join(cwd, "unit.c"), source(version, functions));
  // Nothing of this machine gets into the debug information.
  const flags = ["-O1", "-g", "-fPIC", `-fdebug-prefix-map=${cwd}=/unit`, "-c", "unit.c"];
  execFileSync(compiler, [...flags, "-o", "object.o"], { cwd });
  const object = new Uint8Array(readFileSync(join(cwd, "object.o")));
  objects.set(name, object);
  return object;
}

/** Both releases. */
function build(
  { commands, isArm = false }: Pick<Maker, "commands" | "isArm">,
  functions = 300,
): Uint8Array[] {
  const cwd = mkdtempSync(join(tmpdir(), "tenon-sections-"));
  try {
    return [0, 1].map((version) => {
      writeFileSync(join(cwd, "object.o"), compile(isArm ? arm : "gcc", version, functions, cwd));
      for (const [program, ...options] of commands) execFileSync(program!, options, { cwd, stdio: "pipe" });
      return new Uint8Array(readFileSync(join(cwd, "out")));
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

interface Kept {
  readonly storedBytes: number;
  readonly representation: string;
  readonly reason: string;
}

async function keep(context: StoreContext, ref: string, bytes: Uint8Array): Promise<Kept> {
  let reason = "";
  const stream = (async function* () {
    yield bytes;
  })();
  const { storedBytes } = await add(context, [{ name: "file", stream }], {
    ref,
    who: "tester",
    message: "for a test",
    onEvent: (event) => {
      if (event.type === "item") reason = event.declined?.map((declined) => declined.reason).join() ?? "";
    },
  });
  const { representation } = await context.atoms.needRecord(sha256(bytes));
  return { storedBytes, representation: representationName(representation), reason };
}

async function restored(context: StoreContext, spec: string, offset = 0): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of cat(context, spec, { offset })) parts.push(part);
  return concatBytes(parts);
}

function compressedBytes(bytes: Uint8Array): number {
  const elf = parseElf(bytes);
  return elf.sections
    .filter((section) => compressionHeader(elf, section) !== undefined || section.startsWith(".zdebug_"))
    .reduce((sum, { fileSizeBytes }) => sum + fileSizeBytes, 0);
}

for (const maker of makers) {
  const lacking = maker.needs.filter((program) => !has(program));
  const skip = lacking.length > 0 && `${lacking} is not on this machine`;
  test(`${maker.name}: a second release costs what changed`, { skip }, async () => {
    const files = build(maker, maker.functions);
    const context = await newRepository(new MemoryBackend());
    const costs: number[] = [];
    for (const [i, file] of files.entries()) {
      assert.ok(compressedBytes(file) > 4096, `${compressedBytes(file)}`);
      const { storedBytes, representation, reason } = await keep(context, `file:${i}`, file);
      assert.equal(representation, "compressed-sections", reason);
      costs.push(storedBytes);
    }
    assert.ok(costs[1]! < compressedBytes(files[1]!) / 2, `${costs}`);
    if (maker.isArm !== true && has("objcopy")) {
      const plain = await newRepository(new MemoryBackend());
      const all = build(
        { commands: [...maker.commands, ["objcopy", "--decompress-debug-sections", "out"]] },
        maker.functions,
      );
      for (const [i, file] of all.entries()) {
        const { storedBytes } = await keep(plain, `file:${i}`, file);
        assert.ok(costs[i]! < storedBytes * 1.05 + 1024, `${costs[i]} instead of ${storedBytes}`);
      }
    }
    // At last the second alone, whose child is coded by the child of the first.
    const file = files[1]!;
    const steps = [() => compact(context), () => remove(context, "file:0"), () => gc(context)];
    for (const step of steps) {
      await step();
      assert.ok(equalBytes(await restored(context, "file:1"), file));
      for (const share of [0.1, 0.5, 0.9]) {
        const from = Math.floor(file.length * share);
        assert.ok(equalBytes(await restored(context, "file:1", from), file.subarray(from)), `from ${from}`);
      }
    }
    const { ok, damages } = await check(await openBase(context.backend), { readData: true });
    assert.ok(ok, JSON.stringify(damages));
  });
}

const skipGcc = !(has("gcc") && has("objcopy")) && "gcc or objcopy is not on this machine";

test("the file itself has the handprint that its build-id leads to", { skip: skipGcc }, async () => {
  const [file] = build(makers[0]!);
  const context = await newRepository(new MemoryBackend());
  await keep(context, "file:0", file!);
  const record = await context.atoms.needRecord(sha256(file!));
  for await (const { bytes } of context.atoms.read(record)) {
    assert.equal(decodeHandprint(bytes).digest, sha256(file!));
    break;
  }
});

test("zstd, and sections of a few bytes, are kept as they are, with the reason", {
  skip: skipGcc,
}, async (t) => {
  const context = await newRepository(new MemoryBackend());
  const to = (kind: string) => ({
    name: kind,
    needs: [],
    commands: [
      [...link, "whole"],
      ["objcopy", `--compress-debug-sections=${kind}`, "whole", "out"],
    ],
  });
  let zstd: Uint8Array | undefined;
  try {
    zstd = build(to("zstd"))[0];
  } catch {
    t.diagnostic("objcopy has no zstd: skipped");
  }
  if (zstd !== undefined) {
    const kept = await keep(context, "zstd:0", zstd);
    assert.equal(kept.representation, "executable");
    assert.match(kept.reason, /^\.debug_\w+ is compressed by zstd/);
  }
  const [tiny] = build(to("zlib"), 2);
  const kept = await keep(context, "tiny:0", tiny!);
  assert.notEqual(kept.representation, "compressed-sections");
  assert.match(kept.reason, /only \d+ bytes/);
});

/** The largest section's stream. */
function largest(bytes: Uint8Array): { readonly at: number; readonly length: number } {
  const elf = parseElf(bytes);
  const sections = elf.sections.filter((section) => compressionHeader(elf, section) !== undefined);
  const [first] = sections.sort((a, b) => b.fileSizeBytes - a.fileSizeBytes);
  return { at: first!.header.sh_offset + 24, length: first!.fileSizeBytes - 24 };
}

test("another encoder's stream, with bytes behind it, comes back by corrections", {
  skip: skipGcc,
}, async () => {
  const [original] = build(makers[0]!);
  const { at, length } = largest(original!);
  const content = inflateSync(original!.subarray(at, at + length));
  // Content that became shorter, so that its stream has room whatever makes it.
  const odd = deflateSync(content.subarray(0, content.length * 0.8), { strategy: constants.Z_FILTERED });
  assert.ok(odd.length < length);
  const whole = original!.slice();
  whole.fill(0, at, at + length);
  whole.set(odd, at);
  const context = await newRepository(new MemoryBackend());
  const kept = await keep(context, "odd:0", whole);
  assert.equal(kept.representation, "compressed-sections", kept.reason);
  assert.ok(equalBytes(await restored(context, "odd:0"), whole));
  const { runs } = await context.atoms.needRecord(sha256(whole));
  const runBytes = runs.entries.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(runBytes > 100, `${runBytes}: a handprint and corrections`);
});

test("damaged and hostile files come back, whatever they claim, seed 7", { skip: skipGcc }, async () => {
  const [file] = build(makers[2]!);
  const elf = parseElf(file!);
  const { at } = largest(file!);
  const headers = elf.sections
    .filter((section) => compressionHeader(elf, section) !== undefined)
    .flatMap(({ headerOffset, header }) => [headerOffset, header.sh_offset]);
  const context = await newRepository(new MemoryBackend());
  const representations = new Set<string>();
  const change = fc.tuple(fc.constantFrom(at, elf.header.e_shoff, ...headers), fc.nat(63), fc.nat(255));
  let i = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(9), async (changes, cut) => {
      const damaged = file!.slice(0, cut === 0 ? file!.length - 1000 : file!.length);
      for (const [base, offset, value] of changes) {
        if (base + offset < damaged.length) damaged[base + offset] = value;
      }
      const ref = `damaged:${i++}`;
      representations.add((await keep(context, ref, damaged)).representation);
      assert.ok(equalBytes(await restored(context, ref), damaged));
    }),
    { seed: 7, numRuns: 40 },
  );
  assert.ok(representations.has("compressed-sections"));
  // All section headers lead to the same stream: it is inflated once.
  const same = file!.slice();
  const view = new DataView(same.buffer);
  const [source] = elf.sections.filter(({ header }) => header.sh_offset + 24 === at);
  for (const section of elf.sections.slice(1)) {
    same.copyWithin(section.headerOffset, source!.headerOffset, source!.headerOffset + 64);
    view.setUint32(section.headerOffset, section.header.sh_name, true);
  }
  await keep(context, "same:0", same);
  assert.ok(equalBytes(await restored(context, "same:0"), same));
});
