/**
 * How fast the streams of compressed layers are made again, beside the programs that made them:
 *   node bench/layers.ts FILE [--levels N,...] [--json]
 * FILE is a tar. Every stream is compared with the program's; programs that are not installed are left out. Go's is
 * compiled from the few lines below. The second run of an encoder counts: the first is compiled while it runs.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type DeflateModel, encoderOf, gzipHeaderBytes } from "../src/gzip/index.ts";
import { run } from "./measured.ts";
import { megabytes, print } from "./report.ts";

const LEVELS = "1,4,6,9";
const TRAILER_BYTES = 8;
const PIGZ_BLOCK_BYTES = 128 << 10;
const PYTHON = `
import sys, zlib
encoder = zlib.compressobj(int(sys.argv[1]), 8, 31)
data = open(sys.argv[2], "rb").read()
sys.stdout.buffer.write(encoder.compress(data) + encoder.flush())
`;
const GO = `package main
import ("compress/gzip"; "io"; "os"; "strconv")
func main() {
  level, _ := strconv.Atoi(os.Args[1])
  file, _ := os.Open(os.Args[2])
  writer, _ := gzip.NewWriterLevel(os.Stdout, level)
  io.Copy(writer, file)
  writer.Close()
}
`;

interface Program {
  readonly variant: "gnu" | "pigz" | "zlib" | "go";
  /** Of a shell, with level and file as $1 and $2. */
  readonly command: string;
  readonly needs: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { levels: { type: "string", default: LEVELS }, json: { type: "boolean" } },
});
const [file] = positionals;
if (file === undefined) throw new Error("usage: node bench/layers.ts FILE [--levels N,...] [--json]");
const data = readFileSync(file);
const folder = mkdtempSync(join(tmpdir(), "tenon-layers-"));

function modelOf(variant: Program["variant"], level: number): DeflateModel {
  if (variant === "go") return { variant, level };
  return { variant, level, memLevel: variant === "gnu" ? 9 : 8, blockBytes: PIGZ_BLOCK_BYTES };
}

/** CPU seconds to make the stream again. Errors: when it is another one. */
function makeAgain(model: DeflateModel, wanted: Uint8Array): number {
  const before = process.cpuUsage();
  const encoder = encoderOf(model);
  let at = 0;
  const compare = (made: Uint8Array) => {
    if (Buffer.compare(made, wanted.subarray(at, at + made.length)) !== 0) {
      throw new Error(`${model.variant} ${model.level} makes another stream, about byte ${at}`);
    }
    at += made.length;
  };
  for (const made of encoder.push(data)) compare(made);
  for (const made of encoder.finish()) compare(made);
  encoder.release();
  if (at !== wanted.length) throw new Error(`${model.variant} ${model.level} makes a shorter stream`);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

try {
  writeFileSync(join(folder, "gzip.go"), GO);
  writeFileSync(join(folder, "gzip.py"), PYTHON);
  const isInstalled = (name: string) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
  if (isInstalled("go")) execFileSync("go", ["build", "-o", "gzip-go", "gzip.go"], { cwd: folder });
  const programs: Program[] = [
    { variant: "gnu", needs: "gzip", command: 'gzip -n -c "-$1" "$2"' },
    { variant: "pigz", needs: "pigz", command: 'pigz -n -p2 -c "-$1" "$2"' },
    { variant: "zlib", needs: "python3", command: `python3 ${folder}/gzip.py "$1" "$2"` },
    { variant: "go", needs: "go", command: `${folder}/gzip-go "$1" "$2"` },
  ];
  const rows: string[][] = [];
  for (const { variant, needs, command } of programs.filter((program) => isInstalled(program.needs))) {
    for (const level of values.levels.split(",").map(Number)) {
      const made = join(folder, "made.gz");
      const { cpuSeconds } = run(["sh", "-c", `${command} > ${made}`, "sh", `${level}`, file]);
      const member = readFileSync(made);
      const stream = member.subarray(gzipHeaderBytes(member)!, -TRAILER_BYTES);
      makeAgain(modelOf(variant, level), stream);
      const again = makeAgain(modelOf(variant, level), stream);
      const speed = (seconds: number) => (data.length / 1e6 / seconds).toFixed(1);
      const name = variant === "zlib" ? "zlib (Python)" : variant === "go" ? "Go" : needs;
      rows.push([`${name} ${level}`, megabytes(member.length), speed(cpuSeconds), speed(again)]);
    }
  }
  print(
    {
      title: "Layers made again",
      command: "node bench/layers.ts FILE",
      about: `MB of content per CPU second of one thread; ${megabytes(data.length)} of content. Every stream was compared.`,
      columns: ["", "compressed", "the program", "tenon's encoder"],
      rows,
      aims: [],
    },
    values.json,
  );
} finally {
  rmSync(folder, { recursive: true });
}
