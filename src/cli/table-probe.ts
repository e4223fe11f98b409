/** The line of the command table that concerns the probe. */
import { command, flag, text, value } from "./shape.ts";

export const PROBE_COMMANDS = {
  probe: command({
    group: "Looking",
    summary: "measure what each way to store would save, before storing anything",
    description: [
      "Reads every PATH and counts, for each method, the bytes that are left when equal pieces are kept once: whole files and layers, bup's and noms' rolling hashes, the layer probe's chunker, executables cut at their symbols, tenon's chunks. It needs no repository and changes nothing.",
      "A PATH is an OCI layout, a directory of blobs named by their SHA-256, an archive as `docker save` writes it, a layer or tar file (plain, gzip or zstd), any other file, or a directory of files. Layers are inflated, and the files in them told apart.",
      "Beside the unique bytes stands what they cost under zstd: `packed` in frames of 1 MiB as tenon's packs are, `alone` each piece by itself. Then come the verdict on chunk stores, what is shared between images, the largest savings and obstacles.",
      "A layer that is damaged, or whose digest is wrong, is left out and named, and the exit code is 3.",
    ],
    operands: [
      {
        name: "PATH",
        completion: "path",
        repeated: true,
        help: "What to measure.",
      },
    ],
    options: {
      html: value(text("FILE", "path"), "Also write the report as one page that needs no network."),
      "no-recompress": flag("Count bytes only, don't compress: several times faster."),
    },
    examples: [
      { command: "tenon probe release-1/ release-2/", explains: "two releases" },
      {
        command: "tenon probe --html report.html oci-layout/",
        explains: "all images of an OCI layout, with a page to look at",
      },
      {
        command: "tenon probe --json /var/cache/blobs/sha256 | jq .verdict",
        explains: "would a chunk store be smaller than the blobs?",
      },
    ],
    prints: "object",
  }),
} as const;
