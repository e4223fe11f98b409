/** Lines of the command table that show what is stored. */
import { command, count, flag, size, value } from "./shape.ts";
import { platform, spec } from "./table-options.ts";

export const LOOK_COMMANDS = {
  cat: command({
    group: "Looking",
    summary: "write a file, or a part of it, to standard output",
    description: [
      "Writes the bytes of one file. With `--offset` and `--length` only the chunks that hold the range are read.",
    ],
    operands: [spec],
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
    operands: [{ ...spec, optional: true }],
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
} as const;
