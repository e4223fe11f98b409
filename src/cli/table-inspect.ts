/** Lines of the command table that look into executables. */
import { command, flag, text, value } from "./shape.ts";
import { platform } from "./table-options.ts";

export const INSPECT_COMMANDS = {
  inspect: command({
    group: "Looking",
    summary: "show how a file is taken apart, and where its stored bytes are",
    description: [
      "Tells what FILE is, in which representation it is kept or would be, and why a better one is not used. Of an executable: machine, type and toolchain; its pieces and references by kind, and how many of them are copied from, changed against or predicted by the executables it is coded by; the tables that are derived, with their exceptions; and what each stream takes, before and after compression. Of an archive or compressed file: what is in it.",
      "FILE is a path, or a file in the repository named as SPEC is for `tenon get`; what exists as a path is one, `ref:SPEC` never is. A path that isn't stored is coded as `tenon add` would do it now: beside the executables of the repository if there is one at `--repo`, by itself if there is none or `--alone` is given. Nothing is changed.",
    ],
    operands: [{ name: "FILE", completion: "path", help: "A path, `SPEC` or `ref:SPEC`." }],
    options: {
      alone: flag("Don't look into the repository for relatives."),
      platform,
    },
    examples: [
      { command: "tenon inspect /usr/bin/ls", explains: "how this program would be kept" },
      { command: "tenon inspect app:1.2:/usr/bin/server", explains: "how a program of an image is kept" },
      {
        command: "tenon inspect --json ref:esbuild | jq .executable.references",
        explains: "how many references were predicted",
      },
    ],
    prints: "object",
  }),
  debug: command({
    group: "Looking",
    summary: "find the debug file of an executable, or the other way round",
    description: [
      "Finds what belongs to SPEC: for an executable or library the file with its debug information, for such a file the executables. Both have the same GNU build-id, or the executable's debug link names the other with its CRC-32. What is found is read and compared before it is told.",
      "Prints where each is, its size and digest. The exit code is 1 if there is none.",
    ],
    operands: [{ name: "SPEC", completion: "ref", help: "A stored file, named as for `tenon get`." }],
    options: {
      output: value(text("PATH", "path"), "Write the first one found there.", { short: "o" }),
      overwrite: flag("Replace what is in the way."),
      platform,
    },
    examples: [
      { command: "tenon debug server:2.4", explains: "is there a debug file for this release?" },
      {
        command: "tenon debug app:1.2:/usr/bin/server -o server.debug && gdb -s server.debug",
        explains: "get it for a program of an image",
      },
    ],
    prints: "object",
  }),
} as const;
