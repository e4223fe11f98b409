/**
 * Compares the instruction decoders with independent ones over whole executables: x86-64 with iced-x86, AArch64 with
 * `aarch64-linux-gnu-objdump` (package binutils-aarch64-linux-gnu). Prints every class of difference; exit status 1
 * when there is one.
 *
 *     node bench/isa-oracle.ts FILE...
 */
import { isDeepStrictEqual } from "node:util";
import { scanAarch64, scanAarch64Twin, scanX86_64, scanX86_64Twin } from "../src/isa/index.ts";
import { blankAarch64, blankX86_64 } from "../src/isa/testing/blank.ts";
import { type CodeSection, codeOf } from "../src/isa/testing/code-sections.ts";
import { compareWithIced, noDifferences } from "../src/isa/testing/iced.ts";
import { compareWithObjdump, type ObjdumpReport } from "./isa-objdump.ts";

const x86 = noDifferences();
const arm: ObjdumpReport = { compared: 0, fields: 0, pairs: 0, classes: new Map() };
let failures = 0;

function fail(what: string): void {
  failures++;
  console.log(`FAILED: ${what}`);
}

function checkX86_64(path: string, section: CodeSection): void {
  const code = section.bytes;
  const options = { absolute: true, instructions: true };
  const scan = scanX86_64(code, options);
  if (!isDeepStrictEqual(scan, scanX86_64Twin(code, options)))
    fail(`${path} ${section.name}: kernel and twin`);
  if (!isDeepStrictEqual(scan, scanX86_64(blankX86_64(code, scan), options))) {
    fail(`${path} ${section.name}: blanked code`);
  }
  compareWithIced(code, x86);
}

async function checkAarch64(path: string, section: CodeSection): Promise<void> {
  const code = section.bytes;
  const scan = scanAarch64(code);
  if (!isDeepStrictEqual(scan, scanAarch64Twin(code))) fail(`${path} ${section.name}: kernel and twin`);
  if (!isDeepStrictEqual(scan, scanAarch64(blankAarch64(code, scan)))) {
    fail(`${path} ${section.name}: blanked code`);
  }
  await compareWithObjdump(path, section, arm);
}

const paths = process.argv.slice(2);
if (paths.length === 0) {
  console.error("usage: node bench/isa-oracle.ts FILE...");
  process.exit(2);
}
for (const path of paths) {
  const file = codeOf(path);
  if (file === undefined || file.machine === "other") {
    console.log(`${path}: not an x86-64 or AArch64 ELF file, left out`);
    continue;
  }
  for (const section of file.sections) {
    if (file.machine === "x86-64") checkX86_64(path, section);
    else await checkAarch64(path, section);
  }
  console.log(`${path}: ${file.machine}, now at ${(x86.compared + arm.compared).toLocaleString("en")}`);
}

const count = (n: number) => n.toLocaleString("en");
if (x86.compared > 0) {
  console.log(
    `x86-64: ${count(x86.compared)} instructions compared with iced-x86, ${count(x86.rejected)} positions that it ` +
      `rejects (${count(x86.rejectedAndAccepted)} of them accepted here), ${x86.classes.size} classes of difference`,
  );
  for (const [name, { count: cases, examples }] of x86.classes) {
    console.log(`  ${count(cases)} x ${name}: ${examples.join(" ")}`);
  }
}
if (arm.compared > 0) {
  console.log(
    `AArch64: ${count(arm.compared)} instructions compared with objdump, ${count(arm.fields)} fields, ` +
      `${count(arm.pairs)} pairs, ${arm.classes.size} classes of difference`,
  );
  for (const [name, { count: cases, example }] of arm.classes)
    console.log(`  ${count(cases)} x ${name}: ${example}`);
}
process.exitCode = failures + x86.classes.size + arm.classes.size === 0 ? 0 : 1;
