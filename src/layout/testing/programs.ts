/** Versions compiled, laid out, linked by real linkers, run, and compared with the plain link. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Elf, type Machine, PT_LOAD, parseElf, writeObject } from "../../elf/index.ts";
import { type LibraryFile, readVersion } from "../../library/index.ts";
import {
  emitObject,
  emitScript,
  type Layout,
  type LayoutOptions,
  type LayoutState,
  layOut,
  type VersionInput,
} from "../index.ts";

type Language = "c" | "cc";

const TOOLS: Readonly<Record<Machine, Readonly<Record<Language, string>>>> = {
  "x86-64": { c: "gcc", cc: "g++" },
  aarch64: { c: "aarch64-linux-gnu-gcc", cc: "aarch64-linux-gnu-g++" },
};

/** Why programs of a machine can't be linked and run here, or false. */
export function lacks(machine: Machine): string | false {
  const isNative = (process.arch === "arm64") === (machine === "aarch64");
  const needed = [...Object.values(TOOLS[machine]), "ld.lld", ...(isNative ? [] : [emulator(machine)])];
  const missing = needed.filter((tool) => spawnSync(tool, ["--version"]).status !== 0);
  return missing.length === 0 ? false : `not on this machine: ${missing.join(", ")}`;
}

const emulator = (machine: Machine) => (machine === "aarch64" ? "qemu-aarch64" : "qemu-x86_64");

export interface Program {
  readonly machine?: Machine;
  readonly language?: Language;
  /** The rest of the program. */
  readonly main: string;
  /** By label: the library's files, from name to source text. */
  readonly versions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly flags?: readonly string[];
}

/** One version, compiled, with what its program prints when it is linked plainly. */
export interface BuiltVersion extends VersionInput {
  readonly objects: readonly string[];
  readonly expected: string;
}

/** A folder for one test file. */
export class Yard {
  readonly folder = mkdtempSync(join(tmpdir(), "tenon-layout-"));
  #count = 0;

  constructor() {
    // Cross compilers look for lld under their own prefix; here it is under the name that `-B` adds.
    const lld = spawnSync("sh", ["-c", "command -v ld.lld"], { encoding: "utf8" }).stdout.trim();
    mkdirSync(join(this.folder, "tools"));
    if (lld !== "") symlinkSync(lld, join(this.folder, "tools", "ld.lld"));
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  path(name: string): string {
    const own = join(this.folder, `${this.#count++}`);
    mkdirSync(own);
    return join(own, name);
  }

  compile(
    text: string,
    name: string,
    { machine = "x86-64", language = "c", flags = [] }: Partial<Program>,
  ): string {
    const object = this.path(`${name}.o`);
    const source = object.replace(/o$/, language);
    writeFileSync(source, text);
    const all = ["-O2", "-fno-pic", "-ffunction-sections", "-fdata-sections", ...flags];
    execFileSync(TOOLS[machine][language], [...all, "-c", "-o", object, source], { stdio: "pipe" });
    return object;
  }

  /** Links objects to a static program and returns its path. */
  link(
    { machine = "x86-64", language = "c" }: Partial<Program>,
    objects: readonly string[],
    { linker = "bfd", script }: { readonly linker?: string; readonly script?: string } = {},
  ): string {
    const program = this.path("program");
    const own = script === undefined ? [] : ["-T", script];
    const args = ["-static", "-no-pie", `-fuse-ld=${linker}`, "-B", join(this.folder, "tools"), ...own];
    const { status, stderr } = spawnSync(TOOLS[machine][language], [...args, "-o", program, ...objects], {
      encoding: "utf8",
    });
    assert.equal(status, 0, `${linker}: ${stderr}`);
    return program;
  }

  run({ machine = "x86-64" }: Partial<Program>, program: string): string {
    const isNative = (process.arch === "arm64") === (machine === "aarch64");
    const [command, ...args] = isNative ? [program] : [emulator(machine), program];
    const { status, stdout, stderr, signal } = spawnSync(command!, args, { encoding: "utf8" });
    return `${stdout}${stderr}${status ?? signal}`;
  }

  /** Compiles everything and runs the plainly linked programs. */
  build(program: Program): { readonly main: string; readonly versions: readonly BuiltVersion[] } {
    const main = this.compile(program.main, "main", program);
    const versions = Object.entries(program.versions).map(([label, sources]): BuiltVersion => {
      const objects = Object.entries(sources).map(([name, text]) => this.compile(text, name, program));
      const files = objects.map(
        (path, i): LibraryFile => ({
          name: `${Object.keys(sources)[i]}.o`,
          bytes: new Uint8Array(readFileSync(path)),
        }),
      );
      const expected = this.run(program, this.link(program, [main, ...objects]));
      return { label, version: readVersion(files), objects, expected };
    });
    return { main, versions };
  }

  /** Writes the object and script of a version and links the program with them. */
  linkLaidOut(program: Partial<Program>, layout: Layout, v: number, main: string, linker: string): string {
    const emitted = emitObject(layout, v);
    const { label } = layout.references.versions[v]!;
    const object = this.path(`laid-out-${label}.o`);
    const script = this.path(`${label}.ld`);
    writeFileSync(object, writeObject(emitted.object));
    writeFileSync(script, emitScript({ library: "test", label }, emitted.fixed));
    return this.link(program, [main, object], { linker, script });
  }

  /**
   * Lays all versions out, links them with both linkers, runs them, compares what they print, and compares the bytes
   * of every variant in all images that have it. Returns the layout and the images that GNU ld made.
   */
  check(
    program: Program,
    options: Partial<LayoutOptions> = {},
    earlier?: LayoutState,
    older: readonly VersionInput[] = [],
  ): {
    readonly layout: Layout;
    readonly images: readonly Elf[];
    readonly versions: readonly BuiltVersion[];
  } {
    const { main, versions } = this.build(program);
    const layout = layOut(versions, { library: "test", ...options }, earlier, older);
    const images = ["lld", "bfd"].map((linker) =>
      versions.map(({ label, expected }, v) => {
        const linked = this.linkLaidOut(program, layout, v, main, linker);
        assert.equal(this.run(program, linked), expected, `${label} with ${linker}`);
        return parseElf(new Uint8Array(readFileSync(linked)));
      }),
    );
    for (const set of images) assertSameBytes(layout, set);
    return { layout, images: images[1]!, versions };
  }
}

/** What is at an address of a linked program; undefined where nothing is. */
export function bytesAt(elf: Elf, address: number, sizeBytes: number): string | undefined {
  for (const { header } of elf.segments) {
    const { p_type, p_vaddr, p_filesz, p_offset } = header;
    if (p_type !== PT_LOAD || address < p_vaddr || address + sizeBytes > p_vaddr + p_filesz) continue;
    const start = p_offset + address - p_vaddr;
    return Buffer.from(elf.bytes.subarray(start, start + sizeBytes)).toString("hex");
  }
  return undefined;
}

/** The invariant: same variant, same address, same bytes. */
export function assertSameBytes(layout: Layout, images: readonly Elf[]): void {
  for (const { id, names, isVolatile, occurrences, placements } of layout.state.variants) {
    if (isVolatile) continue;
    for (const placement of placements!) {
      if (placement === undefined || placement.sizeBytes === 0) continue;
      const { address, sizeBytes } = placement;
      const found = [...occurrences.keys()].map((v) => bytesAt(images[v]!, address, sizeBytes));
      for (const bytes of found) {
        assert.notEqual(bytes, undefined, `variant ${id} ${[...names]} is not in its image`);
        assert.equal(bytes, found[0], `variant ${id} ${[...names]} at 0x${address.toString(16)}`);
      }
    }
  }
}
