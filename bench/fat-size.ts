/**
 * How large fat files are in their forms, beside the flavours compressed apart.
 *
 *     node bench/fat-size.ts [WORD]
 *
 * WORD: only programs whose name has it. The runtime takes some five minutes of CPU, the others some seconds.
 */
import { readFileSync } from "node:fs";
import { constants, zstdCompressSync } from "node:zlib";
import { type FatFile, type FlavourInput, packCompact, packFat } from "../src/fatbin/index.ts";
import { type Flavours, PROGRAMS } from "./fat-programs.ts";
import { type Aim, markdown } from "./report.ts";

const word = process.argv[2] ?? "";
const LEVEL_19 = { params: { [constants.ZSTD_c_compressionLevel]: 19 } };
const MB = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1);
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)}%`;

function compact(inputs: readonly FlavourInput[], defaultFlavour: "mapped" | "compressed"): FatFile {
  const work = packCompact(inputs, { defaultFlavour });
  for (let step = work.next(); ; step = work.next()) if (step.done) return step.value;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const rows: string[][] = [];
const aims: Aim[] = [];

function measure(name: string, flavours: Flavours): void {
  const inputs = flavours.map(([features, source]): FlavourInput => {
    return { source, features, bytes: new Uint8Array(readFileSync(source)) };
  });
  const apart = inputs.map(({ bytes }) => zstdCompressSync(bytes, LEVEL_19).length);
  const sum = apart.reduce((a, b) => a + b);
  const start = cpuSeconds();
  const withDefault = compact(inputs, "mapped").sizeBytes;
  const seconds = cpuSeconds() - start;
  const smallest = compact(inputs, "compressed").sizeBytes;
  const mapped = packFat(inputs).sizeBytes;
  rows.push([
    name,
    MB(sum),
    MB(apart[0]!),
    MB(mapped),
    `${MB(withDefault)} (${percent(withDefault, sum)})`,
    `${MB(smallest)} (${percent(smallest, sum)})`,
    seconds.toFixed(1),
  ]);
  const aim = (what: string, measured: number, atMost: number) =>
    aims.push({ what: `${name}: ${what}`, measured, atMost, unit: "times" });
  aim("compact over compressed apart", withDefault / sum, 0.75);
  aim("compact with the default compressed over compressed apart", smallest / sum, 0.75);
  if (inputs.length === 4) aim("the same over the default compressed", smallest / apart[0]!, 1.35);
}

for (const [name, make] of Object.entries(PROGRAMS)) {
  if (!name.includes(word)) continue;
  const flavours = make();
  if (flavours) measure(name, flavours);
  else console.error(`${name}: its compiler is not installed`);
}
console.log(
  markdown({
    title: "Sizes of fat files",
    command: "node bench/fat-size.ts",
    about:
      "Megabytes, and their share of the flavours compressed apart with zstd -19. CPU seconds are those of packing the compact file with its default mapped.",
    columns: ["program", "apart", "default", "mapped", "compact", "compact, default compressed", "CPU s"],
    rows,
    aims,
  }),
);
