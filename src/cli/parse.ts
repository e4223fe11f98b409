/** From arguments to an invocation. The grammar is `util.parseArgs`; every message is ours. */
import { parseArgs } from "node:util";
import { TenonError } from "../errors/index.ts";
import type { Option, Options } from "./shape.ts";
import {
  type CommandName,
  commandOf,
  familyMembers,
  firstWords,
  GLOBAL_OPTIONS,
  type GlobalOptions,
  isCommand,
  type OptionsOf,
  operandUsage,
} from "./table.ts";

/** A command line that fits the table. */
export type Invocation<N extends CommandName = CommandName> = {
  [K in N]: {
    readonly command: K;
    readonly operands: readonly string[];
    readonly options: OptionsOf<K>;
    readonly globals: GlobalOptions;
    /** Names of the options that stand on the command line: others may have their value from the environment. */
    readonly given: ReadonlySet<string>;
  };
}[N];

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];

function usage(message: string, command?: CommandName): TenonError {
  return new TenonError("usage", message, command ? { command } : {});
}

function tokenize(args: readonly string[], options: Options): readonly Token[] {
  const config: Record<string, { type: "string" | "boolean"; short?: string; multiple: boolean }> = {};
  for (const [name, option] of Object.entries(options)) {
    config[name] = {
      type: option.takes === "nothing" ? "boolean" : "string",
      multiple: true,
      ...(option.short ? { short: option.short } : {}),
    };
  }
  // Not strict: the tokens show what was wrong, and the message can then suggest something.
  return parseArgs({ args: [...args], options: config, strict: false, allowPositionals: true, tokens: true })
    .tokens;
}

async function didYouMean(given: string, names: readonly string[]): Promise<string> {
  const { nearest } = await import("./suggest.ts");
  const name = nearest(given, names);
  return name ? `; did you mean '${name}'?` : "";
}

async function unknownOption(
  token: Extract<Token, { kind: "option" }>,
  options: Options,
  command?: CommandName,
) {
  const hint = await didYouMean(
    token.rawName,
    Object.keys(options).map((name) => `--${name}`),
  );
  const place = command ? `'tenon ${command}' has no option` : "unknown option";
  return usage(`${place} '${token.rawName}'${hint}`, command);
}

/** The value of one option from its tokens, or from the environment. */
function optionValue(
  name: string,
  option: Option<unknown>,
  given: readonly string[],
  env: NodeJS.ProcessEnv,
): unknown {
  if (option.takes === "nothing") return given.length > 0;
  const parse = (text: string) => {
    try {
      return option.kind!.parse(text);
    } catch (error) {
      if (error instanceof TenonError) throw usage(`option '--${name}': ${error.message}`);
      throw error;
    }
  };
  if (option.takes === "values") return given.map(parse);
  const last = given.at(-1) ?? (option.env ? env[option.env] || undefined : undefined);
  return last === undefined ? undefined : parse(last);
}

function checkOperands(command: CommandName, operands: readonly string[]): void {
  const expected = commandOf(command).operands;
  const least = expected.filter((operand) => !operand.optional).length;
  const most = expected.some((operand) => operand.repeated) ? Number.POSITIVE_INFINITY : expected.length;
  if (operands.length < least) {
    const missing = expected[operands.length]!;
    throw usage(`'tenon ${command}' needs ${operandUsage(missing)}`, command);
  }
  if (operands.length > most) {
    const extra = JSON.stringify(operands[most]);
    throw usage(
      most === 0
        ? `'tenon ${command}' takes no operands, but ${extra} was given`
        : `one operand too many: ${extra}`,
      command,
    );
  }
}

/**
 * Parses a whole command line (without `node` and the script). `undefined` when it names no command at all.
 * `--help` and `--version` become the commands of that name. Throws `usage` errors.
 */
export async function parseCommandLine(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Invocation | undefined> {
  // First only as far as the command: its options are not known before.
  let command: CommandName | undefined;
  let family: string | undefined;
  /** Where the words of the command stand. */
  const commandIndexes = new Set<number>();
  let asksVersion = false;
  let asksHelp = false;
  for (const token of tokenize(args, GLOBAL_OPTIONS)) {
    if (token.kind === "option") {
      if (!Object.hasOwn(GLOBAL_OPTIONS, token.name)) throw await unknownOption(token, GLOBAL_OPTIONS);
      asksVersion ||= token.name === "version";
      asksHelp ||= token.name === "help";
    } else if (token.kind === "positional") {
      const name = family === undefined ? token.value : `${family} ${token.value}`;
      commandIndexes.add(token.index);
      if (family === undefined && familyMembers(name).length > 0) {
        family = name;
        continue;
      }
      if (!isCommand(name)) {
        const near =
          family === undefined
            ? await didYouMean(name, firstWords())
            : await didYouMean(token.value, familyMembers(family));
        throw usage(`unknown command '${name}'${near}`);
      }
      command = name;
      break;
    }
  }
  if (command === undefined) {
    if (!asksHelp && !asksVersion) {
      if (family === undefined) return undefined;
      throw usage(`'tenon ${family}' needs one of: ${familyMembers(family).join(", ")}`);
    }
    command = asksHelp ? "help" : "version";
  }

  const options: Options = { ...GLOBAL_OPTIONS, ...commandOf(command).options };
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokenize(args, options)) {
    if (token.kind === "positional" && !commandIndexes.has(token.index)) operands.push(token.value);
    if (token.kind !== "option") continue;
    const option = options[token.name];
    if (option === undefined) throw await unknownOption(token, options, command);
    if (option.takes === "nothing") {
      if (token.value !== undefined) throw usage(`option '--${token.name}' takes no value`, command);
    } else if (token.value === undefined || (!token.inlineValue && /^-./.test(token.value))) {
      const placeholder = option.kind?.placeholder ?? "a value";
      throw usage(
        `option '${token.rawName}' needs ${placeholder}; one that begins with '-' is written --${token.name}=${placeholder}`,
        command,
      );
    }
    given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? ""]);
  }

  const read = (set: Options) =>
    Object.fromEntries(
      Object.entries(set).map(([name, option]) => [
        name,
        optionValue(name, option, given.get(name) ?? [], env),
      ]),
    );
  const globals = read(GLOBAL_OPTIONS) as GlobalOptions;
  if (globals.help && commandIndexes.size > 0) {
    const named = command === "help" && family !== undefined ? family : command;
    const about = command === "help" && operands.length > 0 ? operands : named.split(" ");
    return { command: "help", operands: about, options: { man: false }, globals, given: new Set() };
  }
  if (globals.version && command !== "version" && command !== "help") {
    return { command: "version", operands: [], options: {}, globals, given: new Set() };
  }
  checkOperands(command, operands);
  return {
    ...{ command, operands, globals },
    options: read(commandOf(command).options),
    given: new Set(given.keys()),
  } as Invocation;
}
