/** `tenon fat pack` */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { TenonError } from "../../errors/index.ts";
import type { FatPackResult, FlavourSource } from "../../store/index.ts";
import { author } from "../author.ts";
import { type Context, type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { flavourLines, formOf } from "../fat-lines.ts";
import type { Output } from "../output.ts";
import { escapeControls, formatCount, formatSize } from "../text.ts";

const REF = "ref:";

function sourceOf(file: string): FlavourSource["from"] {
  return file.startsWith(REF) ? { spec: file.slice(REF.length) } : { file };
}

/** `FEATURES=FILE` */
function flavourOf(given: string): FlavourSource {
  const at = given.indexOf("=");
  if (at < 1 || at === given.length - 1)
    throw new TenonError("usage", `option '--flavour': ${JSON.stringify(given)} is not FEATURES=FILE`);
  return { features: given.slice(0, at), from: sourceOf(given.slice(at + 1)) };
}

function wrongManifest(path: string, why: string): TenonError {
  return new TenonError("invalid", `${path}: ${why}`, { path, format: "flavour manifest" });
}

/** Flavours from a JSON file, with paths relative to it. */
async function readManifest(path: string): Promise<FlavourSource[]> {
  let manifest: unknown;
  try {
    manifest = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw wrongManifest(path, `not JSON: ${error.message}`);
    throw error;
  }
  if (typeof manifest !== "object" || manifest === null || Array.isArray(manifest))
    throw wrongManifest(path, "not an object");
  const from = (file: unknown, field: string): FlavourSource["from"] => {
    if (typeof file !== "string") throw wrongManifest(path, `${field} is not a path`);
    return file.startsWith(REF) ? sourceOf(file) : { file: resolve(dirname(path), file) };
  };
  const sources: FlavourSource[] = [];
  for (const [key, value] of Object.entries(manifest)) {
    if (key === "default") sources.unshift({ features: "", from: from(value, key) });
    else if ((key === "cpus" || key === "features") && typeof value === "object" && value !== null) {
      for (const [features, file] of Object.entries(value))
        sources.push({ features, from: from(file, `${key}.${features}`) });
    } else if (key === "flavours" && Array.isArray(value)) {
      for (const [i, flavour] of value.entries()) sources.push(flavourFrom(flavour, `flavours[${i}]`));
    } else throw wrongManifest(path, `${JSON.stringify(key)} is unknown or not what it should be`);
  }
  return sources;

  function flavourFrom(flavour: unknown, field: string): FlavourSource {
    const { features = "", file, rank = 0, ...others } = (flavour ?? {}) as Record<string, unknown>;
    const names = Array.isArray(features) ? features.join(",") : features;
    if (typeof names !== "string" || typeof rank !== "number" || Object.keys(others).length > 0)
      throw wrongManifest(path, `${field} needs features, file and perhaps rank, and nothing else`);
    return { features: names, from: from(file, `${field}.file`), rank };
  }
}

async function report(result: FatPackResult, output: Output): Promise<void> {
  await output.line(
    `packed ${escapeControls(result.output)}: ${result.machine}, ${result.mode}, ${formatSize(result.size)}`,
  );
  for (const line of flavourLines(result.flavours, output)) await output.line(line);
  for (const { source, same } of result.merged)
    await output.line(`left out ${escapeControls(source)}: the same bytes as ${escapeControls(same)}`);
}

export const run: Handler<"fat pack"> = async ({ operands: [first], options, globals }, context) => {
  const sources = [
    ...(first === undefined ? [] : [{ features: "", from: sourceOf(first) }]),
    ...(options.manifest === undefined ? [] : await readManifest(options.manifest)),
    ...options.flavour.map(flavourOf),
  ];
  if (sources.length === 0) throw new TenonError("usage", "'tenon fat pack' needs DEFAULT, or --manifest");
  if (options.ref !== undefined && (options.mode ?? options.default) !== undefined)
    throw new TenonError("usage", "--mode and --default are for files; give them to 'tenon get --fat'");
  if (options.ref !== undefined) return store(sources, options.ref, options.message, globals, context);
  const target = options.output;
  if (target === undefined) throw new TenonError("usage", "'tenon fat pack' needs --output or --ref");
  const { output, signal, onEvent, loadStore } = context;
  const { overwrite, mode, default: defaultFlavour } = options;
  const settings = { overwrite, signal, onEvent, ...formOf(mode, defaultFlavour) };
  const { fat } = await loadStore();
  const needsRepository = sources.some(({ from }) => "spec" in from);
  const result = needsRepository
    ? await withRepository(context, (repository) =>
        fat.pack(target, sources, { ...settings, readSpec: (spec) => repository.read(spec) }),
      )
    : await fat.pack(target, sources, settings);
  if (globals.json) await output.json(result);
  else if (!globals.quiet) await report(result, output);
  return EXIT.ok;
};

function store(
  sources: readonly FlavourSource[],
  ref: string,
  message: string | undefined,
  globals: { readonly json: boolean; readonly quiet: boolean },
  context: Context,
): ReturnType<Handler<"fat pack">> {
  return withRepository(context, async (repository) => {
    const { output, signal, onEvent, env } = context;
    const result = await repository.addFat(sources, { ref, signal, onEvent, ...author(env, message) });
    if (globals.json) await output.json(result);
    else if (!globals.quiet) {
      const [added] = result.roots;
      await output.line(
        `stored ${escapeControls(added?.ref ?? ref)}: ${formatCount(result.files - 1, "flavour")}, ${formatSize(result.bytes)}, new ${formatSize(result.storedBytes)}`,
      );
    }
    return EXIT.ok;
  });
}
