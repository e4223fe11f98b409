import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { relocationField } from "./index.ts";

const HEADER = "/usr/include/elf.h";
const skip = existsSync(HEADER) ? false : `${HEADER} is not on this machine`;

test("every relocation of object files has a field, and those of the loader have none", { skip }, () => {
  // Only in linked files; TLSDESC of x86-64 too, whose object files have GOTPC32_TLSDESC instead.
  const dynamic =
    /_(COPY|GLOB_DAT|JUMP_SLOT|RELATIVE(64)?|IRELATIVE|DTPMOD64|TLS_DTPMOD(64)?|TLS_DTPREL(64)?|TLS_TPREL(64)?|NUM)$|^R_X86_64_TLSDESC$|^R_AARCH64_TLSDESC$/;
  let compared = 0;
  for (const [, name, number] of readFileSync(HEADER, "utf8").matchAll(
    /^#define\s+(R_(?:X86_64|AARCH64)_\w+)\s+(\d+)/gm,
  )) {
    // ILP32.
    if (name!.startsWith("R_AARCH64_P32_")) continue;
    const machine = name!.startsWith("R_X86_64_") ? "x86-64" : "aarch64";
    const field = relocationField(machine, Number(number));
    assert.equal(field === undefined, dynamic.test(name!), name!);
    if (field === undefined) continue;
    compared++;
    const bits = /_(?:ABS|PREL|GOTREL|PC|GOTOFF|SIZE|DTPOFF|TPOFF)(8|16|32|64)$|^R_X86_64_(8|16|32|64)$/.exec(
      name!,
    );
    if (bits !== null) assert.equal(field.sizeBytes, Number(bits[1] ?? bits[2]) / 8, name!);
    if (/ADR_|ADRP/.test(name!)) assert.equal(field.mask, 0x60ff_ffe0, name!);
    if (/LO12|HI12/.test(name!)) assert.equal(field.mask, 0x003f_fc00, name!);
    if (/MOVW/.test(name!)) assert.equal(field.mask, 0x001f_ffe0, name!);
    if (/19$/.test(name!) && machine === "aarch64") assert.equal(field.mask, 0x00ff_ffe0, name!);
    if (/26$/.test(name!) && machine === "aarch64") assert.equal(field.mask, 0x03ff_ffff, name!);
  }
  assert.ok(compared > 140, `${compared}`);
});

test("unknown types have no field", () => {
  assert.equal(relocationField("x86-64", 200), undefined);
  assert.equal(relocationField("aarch64", 1), undefined);
});
