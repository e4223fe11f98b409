/**
 * The linker script of a version: an addition to the linker's own script, which keeps everything else as it is.
 *
 * GNU ld and lld know `INSERT`; what is named by it goes behind .bss, so that the addresses of the rest of the
 * program don't depend on the library's. gold does not know it.
 */
import type { FixedSection } from "./emit-object.ts";

export interface ScriptTitle {
  readonly library: string;
  readonly label: string;
}

export function emitScript({ library, label }: ScriptTitle, sections: readonly FixedSection[]): string {
  const lines = sections.map(({ name, address }) => {
    // A fill of zero: GNU ld would otherwise fill gaps between code with NOPs.
    return `  ${name} 0x${address.toString(16)} : { KEEP(*(${name})) } =0x00000000`;
  });
  return [
    `/* ${comment(library)} ${comment(label)}: fixed addresses. For GNU ld and lld: gcc -static -no-pie -T THIS main.o OBJECT */`,
    "SECTIONS",
    "{",
    ...lines,
    "}",
    "INSERT AFTER .bss;",
    "",
  ].join("\n");
}

/** A name can't end the comment. */
function comment(text: string): string {
  return text.replace(/[^\x20-\x7e]|\*\//g, "?");
}
