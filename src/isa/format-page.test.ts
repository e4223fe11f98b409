/** The test vectors of docs/formats/isa.md are what the decoders give. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex } from "../bytes/index.ts";
import { decodeX86_64, ISA_AARCH64_VERSION, ISA_X86_64_VERSION, scanAarch64 } from "./index.ts";

const page = readFileSync(new URL("../../docs/formats/isa.md", import.meta.url), "utf8");

/** Cells of the rows under "Test vectors" in a chapter, without the head of the table. */
function vectors(chapter: string): string[][] {
  const text = page.split(`## ${chapter}`)[1]!.split("### Test vectors")[1]!.split("\n## ")[0]!;
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function unquoted(cell: string): string {
  return cell.replaceAll("`", "").replaceAll(" ", "");
}

test("x86-64", () => {
  const names = ["", "REL32", "RIP32", "DISP32", "BASED_DISP32", "IMM32", "REL8"];
  const rows = vectors("x86-64, version 1");
  assert.ok(rows.length > 10);
  for (const [bytes = "", length, fields] of rows) {
    const code = fromHex(unquoted(bytes));
    const found = decodeX86_64(code, 0);
    const flags = `${found.invalid ? ", invalid" : ""}${found.truncated ? ", truncated" : ""}`;
    assert.equal(`${found.lengthBytes}${flags}`, length, bytes);
    const described = found.fields.map(({ kind, offset }) => `${names[kind]} at ${offset}`);
    const trailing = found.fields.length > 0 && found.lengthBytes - found.fields.at(-1)!.offset > 4;
    if (trailing) described.push("one byte behind it");
    assert.equal(described.join(", "), fields, bytes);
  }
});

test("AArch64", () => {
  const rows = vectors("AArch64, version 1");
  assert.ok(rows.length > 4);
  for (const [words = "", pairs] of rows) {
    const code = fromHex(unquoted(words));
    for (let at = 0; at < code.length; at += 4) code.subarray(at, at + 4).reverse(); // written as numbers
    const scan = scanAarch64(code);
    const found = [...scan.pairAdrpOffsets].map(
      (adrp, i) => `(${adrp}, ${scan.pairUserOffsets[i]}, ${scan.pairScales[i]})`,
    );
    assert.equal(found.join(", ") || "none", pairs, words);
  }
});

test("versions", () => {
  assert.ok(page.includes(`| \`ISA_X86_64_VERSION\` | ${ISA_X86_64_VERSION} |`));
  assert.ok(page.includes(`| \`ISA_AARCH64_VERSION\` | ${ISA_AARCH64_VERSION} |`));
});
