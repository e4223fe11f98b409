/** The one table of commands. Everything that speaks of commands and options is made from it. */
import {
  type Command,
  choice,
  command,
  count,
  duration,
  flag,
  type Operand,
  type Option,
  size,
  text,
  type ValuesOf,
  value,
  values,
} from "./shape.ts";
import { FAT_COMMANDS, FAT_GET_OPTIONS } from "./table-fat.ts";
import { INSPECT_COMMANDS } from "./table-inspect.ts";
import { LIB_COMMANDS } from "./table-lib.ts";
import { PROBE_COMMANDS } from "./table-probe.ts";

export const GLOBAL_OPTIONS = {
  repo: value(text("PATH", "directory"), "The repository's directory.", {
    short: "r",
    env: "TENON_REPO",
    default: "`$XDG_DATA_HOME/tenon`, that is `~/.local/share/tenon`",
  }),
  json: flag(
    "Print the result as JSON on standard output, and events and errors as JSON lines on standard error.",
  ),
  quiet: flag("Print lists, problems and errors only.", { short: "q" }),
  verbose: flag(
    "Also report every file, print whole digests and lists, and show where an internal error arose.",
    {
      short: "v",
    },
  ),
  "no-progress": flag("Never show progress. It is shown when standard error is a terminal."),
  jobs: value(
    count,
    "Take apart, or put together, up to N executables at once, each in a thread of its own; with 1 there are no threads. What is stored is the same for any N.",
    { short: "j", env: "TENON_JOBS", default: "the CPUs that may be used, at most 4" },
  ),
  help: flag("Show help for the command.", { short: "h" }),
  version: flag("Print the version."),
};

const LEVELS = ["none", "fast", "default", "max"] as const;

const compression = value(
  choice("LEVEL", LEVELS),
  "How hard to compress: `none`, `fast`, `default` or `max`.",
  {
    default: "what the repository was made with",
  },
);
const message = value(text("TEXT"), "Why, kept in the ref's history.", { short: "m" });
const grace = value(
  duration,
  "How long the lease of a writer on another machine counts without being renewed: `90s`, `15m`, `2h`.",
);
const dryRun = flag("Say what would be done, change nothing.", { short: "n" });

const platform = value(
  text("PLATFORM"),
  "Which file system of an image for several platforms: `linux/amd64`, `linux/arm/v7`.",
  { default: "this machine's, else the image's first" },
);

const spec = (help: string): Operand => ({ name: "SPEC", completion: "ref", help });
const SPEC_HELP =
  "`NAME` or `NAME:TAG` (the tag is `latest` if none is given), an earlier state of it as `REF@N` (the Nth) or `REF~N` (N states ago), a file or directory in it as `REF:/PATH`, or a digest, of which a unique beginning of four digits or more is enough.";

export const COMMANDS = {
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
    operands: [spec(SPEC_HELP)],
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
  cat: command({
    group: "Looking",
    summary: "write a file, or a part of it, to standard output",
    description: [
      "Writes the bytes of one file. With `--offset` and `--length` only the chunks that hold the range are read.",
    ],
    operands: [spec(SPEC_HELP)],
    options: {
      offset: value(size, "First byte to write.", { default: "0" }),
      length: value(size, "How many bytes to write.", { default: "to the end" }),
      platform,
    },
    examples: [
      {
        command: "tenon cat build:/bin/server --offset 1M --length 4K | xxd",
        explains: "4 KiB from the middle of a file",
      },
    ],
    prints: "bytes",
  }),
  ls: command({
    group: "Looking",
    summary: "list refs, or what a directory holds",
    description: [
      "Without SPEC lists the refs, with SPEC the entries of that directory. `-l` adds mode, size and digest.",
      "Of an image, it lists the file system that its layers add up to.",
    ],
    operands: [{ ...spec(SPEC_HELP), optional: true }],
    options: {
      recursive: flag("Also list what is in the directories below.", { short: "R" }),
      long: flag("One line per entry with type, mode, size and digest.", { short: "l" }),
      platform,
    },
    examples: [
      { command: "tenon ls -l", explains: "all refs, with digests and sizes" },
      { command: "tenon ls -lR build:/lib", explains: "everything below `lib`" },
    ],
    prints: "lines",
  }),
  log: command({
    group: "Looking",
    summary: "show the history of a ref, or of all",
    description: [
      "Lists states of refs, the newest first: when, who, what it pointed to and why. A state is named again as `REF@N`.",
    ],
    operands: [
      { name: "REF", completion: "ref", optional: true, help: "A ref; without it, the history of all refs." },
    ],
    options: { limit: value(count, "Show at most N states.", { short: "n" }) },
    examples: [{ command: "tenon log -n 5 build", explains: "the last five states of `build:latest`" }],
    prints: "lines",
  }),
  diff: command({
    group: "Looking",
    summary: "show what differs between two directories or files",
    description: [
      "Lists entries that were added (`+`), removed (`-`) or changed (`~`) from A to B. Of the directories only the parts that differ are read, and of the files only the executables that changed.",
      "For each of those it says how many functions are new, gone, changed and the same; `--functions` names them. A function that was only moved is the same. Functions are paired by the names in the symbol table or Go's tables; in stripped files by their content and order, and are named by their addresses.",
      "The exit code is 0 whether there are differences or not.",
    ],
    operands: [
      { name: "A", completion: "ref", help: "The earlier one, named as SPEC is for `tenon get`." },
      { name: "B", completion: "ref", help: "The later one." },
    ],
    options: {
      functions: flag("Also list the functions that differ."),
      quick: flag("Compare entries alone: read no file."),
      platform,
    },
    examples: [
      { command: "tenon diff build~1 build", explains: "what the last `add` changed" },
      {
        command: "tenon diff --functions app:1.1 app:1.2",
        explains: "down to the functions of an image's programs",
      },
    ],
    prints: "lines",
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
  stats: command({
    group: "Looking",
    summary: "show what is stored and what it costs",
    description: [
      "Counts and sizes of the whole repository. The logical size is the sum of the sizes of everything that refs point to, each occurrence counted; the stored size is every byte in the repository's directory: packs, indexes, refs.",
    ],
    operands: [],
    options: {},
    examples: [{ command: "tenon stats --json | jq .ratio", explains: "stored bytes for each logical byte" }],
    prints: "object",
  }),
  check: command({
    group: "Upkeep",
    summary: "look for damage",
    description: [
      "Checks that packs, index and refs fit together. With `--read-data` every byte is read and every digest computed again. Each damage is named with the refs it touches, and the search goes on to the end; the exit code is then 11.",
    ],
    operands: [],
    options: {
      "read-data": flag("Read everything and compare all digests."),
      "rebuild-index": flag("Make the index again from the packs first."),
    },
    examples: [{ command: "tenon check --read-data", explains: "once a month, or after a disk failed" }],
    prints: "object",
  }),
  repair: command({
    group: "Upkeep",
    summary: "salvage what is whole from a damaged repository",
    description: [
      "Makes a lost or damaged `config` again from its copy, rewrites damaged packs without their damaged parts, makes the index again, and gives refs that lost something a new state without it. What was lost is listed; adding the same files again brings it back. The exit code is 3 if anything was lost.",
    ],
    operands: [],
    options: {},
    examples: [
      { command: "tenon check --read-data || tenon repair", explains: "repair only if there is damage" },
    ],
    prints: "object",
  }),
  gc: command({
    group: "Upkeep",
    summary: "give back the space of what no ref reaches",
    description: [
      "Removes content that no state of any ref reaches. It may run while others add: what they may still need is marked now and removed by a later run.",
    ],
    operands: [],
    options: { grace, "dry-run": dryRun },
    examples: [{ command: "tenon gc --dry-run", explains: "how much would be freed" }],
    prints: "object",
  }),
  compact: command({
    group: "Upkeep",
    summary: "rewrite packs to be smaller and faster to read",
    description: [
      "Does what `gc` does, and writes what remains again: ordered so that what is read together lies together, and compressed harder than `add` has time for.",
    ],
    operands: [],
    options: {
      compression: value(
        choice("LEVEL", LEVELS),
        "How hard to compress: `none`, `fast`, `default` or `max`.",
        { default: "`max`" },
      ),
      grace,
      "dry-run": dryRun,
    },
    examples: [{ command: "tenon compact", explains: "at night" }],
    prints: "object",
  }),
  ...FAT_COMMANDS,
  ...LIB_COMMANDS,
  ...PROBE_COMMANDS,
  ...INSPECT_COMMANDS,
  version: command({
    group: "Other",
    summary: "print the version",
    description: ["Prints the versions of tenon and of Node, and the platform."],
    operands: [],
    options: {},
    examples: [],
    prints: "object",
  }),
  completion: command({
    group: "Other",
    summary: "print a completion script for a shell",
    description: [
      "Prints a script that makes the shell complete commands, options, files and refs.",
      "bash: put `source <(tenon completion bash)` into `~/.bashrc`. zsh: write it to a file `_tenon` in a directory of `$fpath`. fish: write it to `~/.config/fish/completions/tenon.fish`.",
    ],
    operands: [
      {
        name: "SHELL",
        completion: "choice",
        choices: ["bash", "zsh", "fish"],
        help: "`bash`, `zsh` or `fish`.",
      },
    ],
    options: {},
    examples: [{ command: "source <(tenon completion bash)", explains: "for this shell only" }],
    prints: "text",
  }),
  help: command({
    group: "Other",
    summary: "show help",
    description: ["Shows the list of commands, or the help of one; `--man` prints its man page."],
    operands: [
      {
        name: "COMMAND",
        completion: "command",
        optional: true,
        repeated: true,
        help: "The command to explain, such as `add` or `fat pack`.",
      },
    ],
    options: { man: flag("Print the man page (roff), for `man -l -`.") },
    examples: [{ command: "tenon help add --man | man -l -", explains: "a man page without installing it" }],
    prints: "text",
  }),
  __refs: command({
    group: "Other",
    summary: "print refs for a shell's completion",
    description: ["Prints the refs, one per line, and nothing at all when there is no repository."],
    operands: [],
    options: {},
    examples: [],
    prints: "text",
    hidden: true,
  }),
} as const;

export type CommandName = keyof typeof COMMANDS;
export type OptionsOf<N extends CommandName> = ValuesOf<(typeof COMMANDS)[N]["options"]>;
export type GlobalOptions = ValuesOf<typeof GLOBAL_OPTIONS>;

/** The commands that a user sees, in the order of the table. */
export function commandNames(): CommandName[] {
  return (Object.keys(COMMANDS) as CommandName[]).filter((name) => !commandOf(name).hidden);
}

/** A command with its options' value types forgotten. */
export function commandOf(name: CommandName): Command {
  return COMMANDS[name];
}

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** The second words of the commands of a family: `fat` has `pack`, `list` ...; a command of one word has none. */
export function familyMembers(word: string): string[] {
  return commandNames()
    .filter((name) => name.startsWith(`${word} `))
    .map((name) => name.slice(word.length + 1));
}

/** What may stand first on the command line: commands of one word, and families. */
export function firstWords(): string[] {
  return [...new Set(commandNames().map((name) => name.split(" ", 1)[0]!))];
}

/** `NAME`, `[NAME]`, `NAME...` as usage lines show an operand. */
export function operandUsage(operand: Operand): string {
  const repeated = operand.repeated ? `${operand.name}...` : operand.name;
  return operand.optional ? `[${repeated}]` : repeated;
}

/** `-o, --output PATH` without the value's placeholder: the names under which an option is given. */
export function optionNames(name: string, option: Option<unknown>): string[] {
  return option.short ? [`-${option.short}`, `--${name}`] : [`--${name}`];
}
