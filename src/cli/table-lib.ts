/** The lines of the command table that concern versions of static libraries. */
import { choice, command, count, flag, text, value, values } from "./shape.ts";

const filesOperand = {
  name: "VERSION=FILE",
  completion: "path",
  optional: true,
  repeated: true,
  help: "A version as files, the oldest first; a version given again gets one more file. Then no repository is needed.",
} as const;

export const LIB_COMMANDS = {
  "lib add": command({
    group: "Libraries",
    summary: "store a version of a static library",
    description: [
      "Stores object files and archives as the version VERSION of the library NAME: an ordinary ref, whose files `tenon get` gives back. Objects are for x86-64 or AArch64, all for the same machine. They are read as a linker reads them that is given all of them; what can't be handled later is refused now, with its name.",
      "The report counts units, the smallest things that a linker can place alone (sections, and strings one by one), and those that no other stored version of NAME has: equal bytes, relocations with equal targets, alignment, flags and binding. Compile with `-ffunction-sections -fdata-sections`, or a unit is all code of a file.",
    ],
    operands: [
      { name: "NAME:VERSION", completion: "ref", help: "The library and its version; the ref to set." },
      { name: "FILE", completion: "path", repeated: true, help: "An object file (`.o`) or archive (`.a`)." },
    ],
    options: { message: value(text("TEXT"), "Why, kept in the ref's history.", { short: "m" }) },
    examples: [{ command: "tenon lib add zlib:1.3.1 libz.a", explains: "a release" }],
    prints: "object",
  }),
  "lib list": command({
    group: "Libraries",
    summary: "list stored versions of static libraries",
    description: ["Lists the versions of NAME, or of all libraries, the lowest first, with what they hold."],
    operands: [{ name: "NAME", completion: "none", optional: true, help: "A library." }],
    options: {},
    examples: [{ command: "tenon lib list zlib", explains: "its versions" }],
    prints: "lines",
  }),
  "lib diff": command({
    group: "Libraries",
    summary: "show what differs between versions of a static library",
    description: [
      "Compares two versions function by function, with a function's jump tables, cold part and unwind entries, and variable by variable: `+` new, `-` gone, `~` changed, `>` renamed. Of what changed it says in what: `size`, `bytes`, `relocations` (what it calls or refers to), `alignment`, `flags`, `binding`, `unwind`. Strings and constants without a name have nothing but their content: they are new or gone.",
      "A rename is told where the same thing has another name, or where all code that referred to the one now refers to the other. `relocations (renames)` is what differs by nothing else.",
      "With two operands they are files: no repository is needed.",
    ],
    operands: [
      { name: "NAME", completion: "ref", help: "A library; or, with two operands, the earlier file." },
      { name: "V1", completion: "none", help: "The earlier version; or the later file." },
      { name: "V2", completion: "none", optional: true, help: "The later version." },
    ],
    options: {},
    examples: [
      { command: "tenon lib diff zlib 1.3 1.3.1", explains: "two stored versions" },
      { command: "tenon lib diff build-1/libz.a build-2/libz.a", explains: "two files" },
      {
        command:
          "tenon lib diff --json zlib 1.3 1.3.1 | jq -r '.changes[] | select(.kind == \"function\").name'",
        explains: "which functions differ",
      },
    ],
    prints: "object",
  }),
  "lib delta": command({
    group: "Libraries",
    summary: "write what is new in a version as an object",
    description: [
      "Writes two objects: `NAME-V2.delta.o` has the functions and data of V2 that are new or changed, and `NAME-V1.base.o` is a copy of V1 in which what changed is weak and what is static has hidden global names. A program linked with the delta in front of the base behaves as with V2: `gcc main.o NAME-V2.delta.o NAME-V1.base.o`. V1 may be a chain, `--from V1,V2`: the base, then the deltas that there are already; then a function that is again what it was in an older version is not stored again.",
      "Functions that changed are entered through trampolines, in the section `.text.tenon_slots`. GNU ld, gold and lld link the objects.",
      "Beside the objects are `sec_to_patch.txt`, the sections of older pieces that are replaced and the version that does it, and `sec_to_globalize.txt`, sections with static symbols and the global names that these have now.",
    ],
    operands: [{ name: "NAME", completion: "ref", help: "The library." }, filesOperand],
    options: {
      from: value(text("V1[,V2...]"), "The earlier version, or the chain that leads to it."),
      to: value(text("VERSION"), "The later version."),
      output: value(text("DIRECTORY", "directory"), "Where to.", { short: "o", default: "`NAME.delta`" }),
      "no-slots": flag("Bind what changed directly, without trampolines."),
    },
    examples: [
      { command: "tenon lib delta zlib --from 1.3 --to 1.3.1 -o delta", explains: "of two stored versions" },
    ],
    prints: "object",
  }),
  "spacer-delta": command({
    group: "Libraries",
    summary: "make deltas in a workspace, as Spacer-Δ does",
    description: [
      "The workspace has one object for each version of a library, `lib-lambda-v1.o`, `lib-lambda-v2.o` and so on. Writes there `diff-vN.o` for version N (`--uk_version`) with what is new or changed in it, `diff-v1.o` to `diff-vM.o` for the earlier ones, to be linked in the order from the newest to the oldest, and `diff-vN.lds`: the linker script `--link` in which the code of each piece has pages of its own at an address that stays. If there is no such file, `diff-vN.lds` is an addition to the linker's own script. Version 1 is only copied.",
      "The lists of sections to patch and to globalize are written into the folder of the linker script, a section and a version or name on each line. No object that was given is changed.",
    ],
    operands: [],
    options: {
      workspace: value(text("FOLDER", "directory"), "Where the versions are.", {
        short: "w",
        default: "`test/v1/`",
      }),
      uksection: value(text("NAME"), "Name of the code's sections in the program.", {
        short: "u",
        default: "`lambda`",
      }),
      log: value(text("LEVEL"), "`info` or `debug`: more is said; `off`: nothing.", {
        short: "l",
        default: "`info`",
      }),
      link: value(text("FILE", "path"), "The linker script of the unikernel.", { default: "`link64.lds`" }),
      uk_name: value(text("NAME"), "File names in front of the version's number.", {
        default: "`lib-lambda-v`",
      }),
      sec_to_patch: value(text("FILE"), "Name of the list of sections to patch.", {
        default: "`sec_to_patch.txt`",
      }),
      sec_to_globalize: value(text("FILE"), "Name of the list of sections to globalize.", {
        default: "`sec_to_globalize.txt`",
      }),
      uk_version: value(count, "The version to make a delta of.", { default: "2" }),
    },
    examples: [{ command: "tenon spacer-delta -w test/v1 --uk_version 3", explains: "the third version" }],
    prints: "object",
  }),
  "lib layout": command({
    group: "Libraries",
    summary: "give every function of several versions a fixed address",
    description: [
      "Writes, for each version of the library NAME, an object file and a linker script with which whole programs are linked: `gcc -static -no-pie -T NAME-VERSION.ld main.o NAME-VERSION.o`. What is the same in several versions lies at the same address with the same bytes in all of their programs; what the same versions use lies on common pages. GNU ld and lld take the script; gold does not know `INSERT`. Code must be compiled for fixed addresses (`-fno-pic`), best with `-ffunction-sections -fdata-sections`.",
      "A function that differs between versions is called through its slot, a branch at a fixed address, by whatever else is the same in them. Mutable data has one address for each name.",
      "DIRECTORY keeps the layout's state, `layout.json`: run again, versions that are new are added, and nothing that has an address moves. `--rebase` packs all versions anew.",
      "Beside each object are two lists: sections that are reached through slots (`.sec_to_patch.txt`), and static functions with a slot (`.sec_to_globalize.txt`).",
    ],
    operands: [{ name: "NAME", completion: "ref", help: "The library." }, filesOperand],
    options: {
      output: value(text("DIRECTORY", "directory"), "Where to.", { short: "o", default: "`NAME.layout`" }),
      versions: value(text("V1,V2..."), "Which versions.", { default: "all" }),
      rebase: flag("Pack anew: addresses of an earlier layout in DIRECTORY are given up."),
      slots: value(
        choice("WHICH", ["varying", "all", "none"]),
        "Which functions are called through slots: those that differ between versions with a common caller; `all`, if later versions are to be added and their changes aren't known; `none`: no call is slower, and what calls something that differs is another variant.",
        { default: "`varying`, or as in the state" },
      ),
      base: value(text("ADDRESS"), "Where the first region begins, for a new layout.", {
        default: "`0x4000000`",
      }),
      region: values(
        text("NAME=SIZE"),
        "Size of a region, for a new layout: `slots`, `code`, `rodata`, `data`, `bss`.",
      ),
    },
    examples: [
      { command: "tenon lib layout sqlite -o layout", explains: "all stored versions" },
      {
        command: "tenon lib layout sqlite 3.49.1=old/sqlite3.o 3.49.2=new/sqlite3.o -o layout",
        explains: "two versions that aren't stored",
      },
    ],
    prints: "object",
  }),
  "lib share": command({
    group: "Libraries",
    summary: "count the pages that loaded images share",
    description: [
      "Counts the pages of IMAGES as they are in memory after loading, of 4 KiB and of 2 MiB: all, zero, shared, unique. Shared is a page whose content occurs more than once: `AT ADDRESS`, another image has it at the same address (a host can map it from one file); `ELSEWHERE`, another image has it at other addresses (same-page merging finds it too); `WITHIN`, only this image has it, several times.",
      "An image is a linked ELF file of any machine: a program, a library, a kernel, a core dump. What doesn't begin as ELF files do is taken for memory from address 0 on. The `pool` is what all pages that aren't zero take if each content is kept once.",
      "Pages are counted before dynamic relocation. With `--loader copy`, segments are copied byte by byte, as emulators and boot loaders load kernels; with `mmap`, whole pages of the file are mapped.",
    ],
    operands: [
      {
        name: "IMAGE",
        completion: "path",
        repeated: true,
        help: "A linked ELF file, or memory. Each is compared with the one named before it too.",
      },
    ],
    options: {
      loader: value(
        choice("LOADER", ["mmap", "copy"]),
        "How ELF files come into memory: `mmap` as on Linux, `copy` as kernels are loaded.",
        { default: "`mmap`" },
      ),
      svg: value(text("FILE", "path"), "Also draw a map of all pages, as an SVG file."),
    },
    examples: [
      { command: "tenon lib share app-v1 app-v2 app-v3", explains: "three versions of a program" },
      {
        command: "tenon lib share --loader copy --svg pages.svg kernel-*.elf",
        explains: "unikernels, with a map to look at",
      },
      {
        command: "tenon lib share --json app-v1 app-v2 | jq '.pageSizes[0].neighbours'",
        explains: "what an update keeps",
      },
    ],
    prints: "object",
  }),
} as const;
