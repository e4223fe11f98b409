/** Lines of the command table that store, restore and name. */

import { choice, command, flag, size, text, value, values } from "./shape.ts";
import { FAT_GET_OPTIONS } from "./table-fat.ts";
import { compression, LEVELS, message, platform, SPEC_HELP, spec } from "./table-options.ts";

export const KEEP_COMMANDS = {
  init: command({
    group: "Keeping",
    summary: "make an empty repository",
    description: [
      "Makes an empty repository in DIR, or in the directory that `--repo` or `TENON_REPO` names. The directory may exist if it is empty.",
      "How content is cut into chunks is decided here and holds for the repository's whole life.",
    ],
    operands: [
      {
        name: "DIR",
        completion: "directory",
        optional: true,
        help: "Where to. Other commands find the repository there by `--repo` or `TENON_REPO`.",
      },
    ],
    options: {
      compression: value(
        choice("LEVEL", LEVELS),
        "How hard `add` compresses if it isn't told: `none`, `fast`, `default` or `max`.",
        {
          default: "`default`",
        },
      ),
      "chunk-mean": value(size, "Mean size of a chunk; the smallest and largest follow from it.", {
        default: "chosen by measurement",
      }),
    },
    examples: [{ command: "tenon init /srv/builds", explains: "a repository for a team" }],
    prints: "object",
  }),
  add: command({
    group: "Keeping",
    summary: "store files, directories or standard input",
    description: [
      "Stores every PATH and points a ref at it. Content that the repository has already costs nothing again. A PATH of `-` is standard input, which needs a name from `--name` or `--ref`.",
      "Without `--ref`, each PATH gets a ref of its own: its last part with the tag `latest`. With `--ref`, everything gets that one ref: a single PATH as it is, several as a directory that holds each under its last part. The ref's earlier states stay in its history; adding what it points to already makes no new state.",
      "Archives are looked into: tar, ar, zip, gzip and zlib are kept as what is in them, if that gives exactly the same bytes back. An image is stored with all that its index leads to, under unchanged digests.",
      "The report has a line per PATH: ref, digest, size, bytes that were newly stored for it, and the representation it is kept in; below it, why a better representation was not used.",
      "A file that can't be read is left out and named, the others are stored, and the exit code is 3.",
    ],
    operands: [
      {
        name: "PATH",
        completion: "path",
        repeated: true,
        help: "A file or directory, `-` for standard input, or an image: `oci:DIR[:TAG]`, `docker-archive:FILE`, `dir:DIR`.",
      },
    ],
    options: {
      ref: value(text("NAME:TAG", "ref"), "The ref that will point to what is stored."),
      "no-ref": flag(
        "Store without a ref. `tenon gc` will remove it unless a ref is set with `tenon tag` first.",
      ),
      name: value(text("NAME"), "File name of standard input."),
      exclude: values(
        text("GLOB"),
        "Leave out what matches, within directories. May be given several times.",
        { short: "x" },
      ),
      message,
      compression,
    },
    examples: [
      {
        command: "tenon add --ref esbuild:0.25.1 ./esbuild",
        explains: "one program under a name and a version",
      },
      { command: "tenon add build/ dist/", explains: "two directories, as `build:latest` and `dist:latest`" },
      { command: "tenon add --ref app:1.2 oci:layout:1.2", explains: "a container image" },
      { command: "curl -s https://example.org/tool | tenon add --name tool -", explains: "a stream" },
    ],
    prints: "object",
  }),
  get: command({
    group: "Keeping",
    summary: "restore a file or directory",
    description: [
      "Writes what SPEC names to the file system. Every file is made under another name, compared with its digest, and only then moved to its place: wrong bytes are never left behind.",
      "Nothing is written outside the destination, and what exists there is kept unless `--overwrite` is given.",
    ],
    operands: [spec],
    options: {
      output: value(
        text("PATH", "path"),
        "Where to; `-` writes a single file to standard output, `oci:DIR` an image as an OCI layout.",
        {
          short: "o",
          default: "the ref's name, or the digest, in the current directory",
        },
      ),
      overwrite: flag("Replace what is in the way."),
      sparse: flag("Leave holes where a file has long runs of zeros."),
      "keep-setid": flag("Restore set-user-ID and set-group-ID bits, which are dropped otherwise."),
      platform,
      ...FAT_GET_OPTIONS,
    },
    examples: [
      { command: "tenon get esbuild:0.25.1 -o /usr/local/bin/esbuild", explains: "one release" },
      { command: "tenon get build~1 -o previous/", explains: "what `build` was before the last `add`" },
      { command: "tenon get app:1.2 -o oci:layout", explains: "an image, for `skopeo copy oci:layout ...`" },
    ],
    prints: "object",
  }),
  tag: command({
    group: "Keeping",
    summary: "point a ref at something that is stored",
    description: [
      "Points NAME:TAG at what SOURCE names, now. Nothing is copied. An existing ref gets a new state; its history stays.",
    ],
    operands: [
      { name: "SOURCE", completion: "ref", help: SPEC_HELP },
      { name: "NAME:TAG", completion: "ref", help: "The ref to set." },
    ],
    options: { message },
    examples: [{ command: "tenon tag server:2.4.0 server:stable", explains: "call a release stable" }],
    prints: "object",
  }),
  rm: command({
    group: "Keeping",
    summary: "remove refs, or forget their history",
    description: [
      "Removes each REF. Its history stays, so the earlier states are still there as `REF@N`. With `--history`, a ref stays and its earlier states are forgotten.",
      "Space is given back by `tenon gc`, for content that no state of any ref reaches.",
    ],
    operands: [{ name: "REF", completion: "ref", repeated: true, help: "A ref." }],
    options: { history: flag("Forget the earlier states of REF, keep the present one."), message },
    examples: [
      { command: "tenon rm nightly:2026-01-03 && tenon gc", explains: "remove a build and its space" },
    ],
    prints: "object",
  }),
} as const;
