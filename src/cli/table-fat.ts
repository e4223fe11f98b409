/** The lines of the command table that concern fat files. */
import { choice, command, flag, type Operand, text, value, values } from "./shape.ts";

const fatFile: Operand = { name: "FILE", completion: "path", help: "A fat file." };

const cpu = value(
  text("CPU"),
  "A CPU as compilers name it (`haswell`, `znver4`, `neoverse-n1`), a level (`x86-64-v3`), or `host`.",
  { default: "`host`: this machine" },
);

const FORM = {
  mode: value(
    choice<"mapped" | "compact">("MODE", ["mapped", "compact"]),
    "`mapped`: all flavours as they are, mapped in place. `compact`: flavours are kept by what differs, and restored into the user's cache directory at their first start.",
    { default: "`mapped`" },
  ),
  default: value(
    choice<"mapped" | "compressed">("FORM", ["mapped", "compressed"]),
    "In a compact file: the default flavour as it is, mapped in place, or compressed and restored as the others are.",
    { default: "`mapped`" },
  ),
} as const;

export const FAT_COMMANDS = {
  "fat pack": command({
    group: "Flavours",
    summary: "put several builds of a program into one executable",
    description: [
      "Makes one executable of DEFAULT and the flavours. Started, it maps the best flavour that the CPU can run, in place: nothing is unpacked or copied, and the program is started as if it had been started directly.",
      "With `--mode compact` only the default flavour, the one that needs least, stands in the file as it is (with `--default compressed` not even that one). The others are kept by what differs, and each is restored once, into `$XDG_CACHE_HOME/tenon` (else `~/.cache/tenon`, else a directory of the user below /var/tmp or /tmp), from where it is mapped. Packing compares the flavours, which takes about a second a megabyte.",
      "FEATURES is a list, separated by `,` or `+`, of what the flavour was compiled for: features as compilers spell them (`avx2`, `sse4.1`, `lse`), levels (`x86-64-v3`, `armv8.2-a`), CPUs (`haswell`, `neoverse-n1`). A name that is unknown, or that can't be detected when the program starts, is refused. FILE is a path, or `ref:SPEC` for something in the repository.",
      "Better is the flavour with the most valuable feature that the other lacks: wider vectors before narrower ones. A flavour that needs all that another one needs, and more, is always better. A manifest can give ranks, which outweigh that.",
      "A manifest is JSON: `default` (a path), `flavours` (a list of objects with `features`, `file` and perhaps `rank`), and, shorter, `cpus` and `features` (objects from a CPU's name, or a list of features, to a path). Paths are relative to the manifest.",
      "With `--ref`, the flavours are stored in the repository as a directory of ordinary files; `tenon get --fat` makes the executable of them, `tenon get --cpu` gives a single one.",
    ],
    operands: [
      {
        name: "DEFAULT",
        completion: "path",
        optional: true,
        help: "The flavour that runs everywhere, as FILE. Not needed if a manifest names one.",
      },
    ],
    options: {
      output: value(text("PATH", "path"), "Where to write the executable.", { short: "o" }),
      flavour: values(text("FEATURES=FILE", "path"), "A flavour. May be given several times.", {
        short: "f",
      }),
      manifest: value(text("PATH", "path"), "Read the flavours from a JSON file."),
      ...FORM,
      ref: value(text("NAME:TAG", "ref"), "Store the flavours under this ref, instead of `--output`."),
      message: value(text("TEXT"), "Why, kept in the ref's history.", { short: "m" }),
      overwrite: flag("Replace what is in the way."),
    },
    examples: [
      {
        command:
          "tenon fat pack -o server build/v1/server -f x86-64-v3=build/v3/server -f x86-64-v4=build/v4/server",
        explains: "three builds in one file",
      },
      {
        command: "tenon fat pack --mode compact -o server build/v1/server -f x86-64-v3=build/v3/server",
        explains: "a smaller file to ship",
      },
      {
        command: "tenon fat pack --ref server:2.4 ref:server-v1:2.4 -f x86-64-v3=ref:server-v3:2.4",
        explains: "of what is stored already",
      },
    ],
    prints: "object",
  }),
  "fat unpack": command({
    group: "Flavours",
    summary: "take the builds out of a fat file",
    description: [
      "Writes each flavour under its name, byte for byte as it was packed, and checks its digest first.",
    ],
    operands: [fatFile],
    options: {
      output: value(text("DIRECTORY", "directory"), "Where to.", { short: "o", default: "`FILE.flavours`" }),
      flavour: value(text("NAME"), "Only this flavour: its name or number, as `tenon fat list` shows it.", {
        short: "f",
      }),
      overwrite: flag("Replace what is in the way."),
    },
    examples: [
      { command: "tenon fat unpack server -f baseline -o .", explains: "the build that runs everywhere" },
    ],
    prints: "object",
  }),
  "fat list": command({
    group: "Flavours",
    summary: "show what is in a fat file",
    description: [
      "Lists the flavours, the best first, with size and digest. Only the file's beginning is read.",
    ],
    operands: [fatFile],
    options: {},
    examples: [
      { command: "tenon fat list --json server | jq -r '.flavours[].name'", explains: "their names" },
    ],
    prints: "object",
  }),
  "fat explain": command({
    group: "Flavours",
    summary: "say why a fat file chooses which flavour",
    description: [
      "Says of each flavour whether it is chosen, and why or why not: on this machine, or on a CPU that is named. A fat file that is started with `TENON_FAT_TRACE=1` says the same on standard error.",
    ],
    operands: [fatFile],
    options: {
      cpu,
      features: value(text("LIST"), "A CPU that has exactly these features, levels and CPU names."),
    },
    examples: [
      { command: "tenon fat explain server --cpu haswell", explains: "what a machine of 2013 would run" },
    ],
    prints: "object",
  }),
  "fat verify": command({
    group: "Flavours",
    summary: "look for damage in a fat file",
    description: [
      "Reads the whole file, compares the digest of each flavour, and every other byte with what packing them again gives. The exit code is 11 if anything differs.",
    ],
    operands: [fatFile],
    options: {},
    examples: [{ command: "tenon fat verify /usr/local/bin/server", explains: "after copying it" }],
    prints: "object",
  }),
} as const;

/** What `tenon get` can do with flavours. */
export const FAT_GET_OPTIONS = {
  fat: flag("SPEC holds flavours (`tenon fat pack --ref`): make the fat file of them."),
  ...FORM,
  cpu: value(
    text("CPU"),
    "SPEC holds flavours: restore only the best one for this CPU: a CPU as compilers name it, a level, a list of features, or `host`.",
  ),
};
