/** Lines of the command table for damage and space. */
import { choice, command, flag, value } from "./shape.ts";
import { dryRun, grace, LEVELS } from "./table-options.ts";

export const UPKEEP_COMMANDS = {
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
} as const;
