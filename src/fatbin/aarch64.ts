/**
 * AArch64: features, levels, CPUs.
 *
 * Names: rustc's `target_feature`; aliases: GCC's and Clang's `-march` extensions and /proc/cpuinfo. Bits: Linux
 * `Documentation/arch/arm64/elf_hwcaps.rst` (AT_HWCAP, AT_HWCAP2); they hold what the kernel has enabled. Levels:
 * the mandatory features of the architecture's versions that user code can see. CPUs: Arm's technical reference
 * manuals. The order is the rank.
 */
import type { Feature, NamedSet } from "./vocabulary.ts";
import { namedSet, words } from "./word-lists.ts";

const AT_HWCAP = 16;
const AT_HWCAP2 = 26;

function feature(
  name: string,
  [source, ...bits]: readonly [number, ...number[]],
  implies = "",
  aliases = "",
): Feature {
  let mask = 0n;
  for (const bit of bits) mask |= 1n << BigInt(bit);
  return {
    name,
    aliases: words(aliases),
    implies: words(implies),
    rule: { source, subleaf: 0, part: 0, state: 0, mask },
  };
}

export const AARCH64_FEATURES: readonly Feature[] = [
  feature("ssbs", [AT_HWCAP, 28]),
  feature("sb", [AT_HWCAP, 29]),
  feature("dit", [AT_HWCAP, 24]),
  feature("bti", [AT_HWCAP2, 17]),
  feature("paca", [AT_HWCAP, 30]),
  feature("pacg", [AT_HWCAP, 31]),
  feature("mte", [AT_HWCAP2, 18], "", "memtag"),
  feature("rand", [AT_HWCAP2, 16], "", "rng"),
  feature("dpb", [AT_HWCAP, 16], "", "dcpop ccpp"),
  feature("dpb2", [AT_HWCAP2, 0], "dpb", "dcpodp ccdp"),
  feature("flagm", [AT_HWCAP, 27]),
  feature("frintts", [AT_HWCAP2, 8], "", "frint"),
  feature("jsconv", [AT_HWCAP, 13], "", "jscvt"),
  feature("fcma", [AT_HWCAP, 14]),
  feature("rcpc", [AT_HWCAP, 15], "", "lrcpc"),
  feature("rcpc2", [AT_HWCAP, 26], "rcpc", "ilrcpc rcpc-immo"),
  feature("crc", [AT_HWCAP, 7], "", "crc32"),
  feature("sm4", [AT_HWCAP, 18, 19], "", "sm3"),
  feature("aes", [AT_HWCAP, 3, 4], "", "pmull crypto-aes"),
  feature("sha2", [AT_HWCAP, 5, 6], "", "sha1"),
  feature("sha3", [AT_HWCAP, 17, 21], "sha2"),
  feature("rdm", [AT_HWCAP, 12], "", "asimdrdm rdma"),
  feature("lse", [AT_HWCAP, 8], "", "atomics"),
  feature("lse2", [AT_HWCAP, 25], "", "uscat"),
  feature("mops", [AT_HWCAP2, 43]),
  feature("fp16", [AT_HWCAP, 9, 10], "", "fullfp16"),
  feature("fhm", [AT_HWCAP, 23], "fp16", "asimdfhm fp16fml"),
  feature("dotprod", [AT_HWCAP, 20], "", "asimddp"),
  feature("bf16", [AT_HWCAP2, 14]),
  feature("i8mm", [AT_HWCAP2, 13]),
  feature("sve", [AT_HWCAP, 22], "fp16"),
  feature("f32mm", [AT_HWCAP2, 10], "sve", "svef32mm"),
  feature("f64mm", [AT_HWCAP2, 11], "sve", "svef64mm"),
  feature("sve2", [AT_HWCAP2, 1], "sve"),
  feature("sve2-aes", [AT_HWCAP2, 2, 3], "sve2 aes", "sveaes"),
  feature("sve2-sm4", [AT_HWCAP2, 6], "sve2 sm4", "svesm4"),
  feature("sve2-sha3", [AT_HWCAP2, 5], "sve2 sha3", "svesha3"),
  feature("sve2-bitperm", [AT_HWCAP2, 4], "sve2", "svebitperm"),
  feature("sve2p1", [AT_HWCAP2, 36], "sve2"),
  feature("sme", [AT_HWCAP2, 23], "bf16"),
];

/** Names that compilers know and that Linux doesn't report to programs. */
export const AARCH64_UNDETECTABLE: Readonly<Record<string, string>> = {
  lor: "Linux doesn't report it",
  pan: "it concerns the kernel only",
  vh: "it concerns the kernel only",
  ras: "it concerns the kernel only",
  spe: "it concerns the kernel only",
  pmuv3: "it concerns the kernel only",
  predres: "Linux doesn't report it",
  tme: "Linux doesn't support it",
};

export const AARCH64_LEVELS: readonly NamedSet[] = [
  namedSet("armv8.1-a", undefined, "crc lse rdm"),
  namedSet("armv8.2-a", "armv8.1-a", "dpb"),
  namedSet("armv8.3-a", "armv8.2-a", "rcpc fcma jsconv paca pacg"),
  namedSet("armv8.4-a", "armv8.3-a", "dotprod flagm dit rcpc2 lse2"),
  namedSet("armv8.5-a", "armv8.4-a", "bti sb ssbs dpb2 frintts"),
  namedSet("armv9-a", "armv8.5-a", "sve2 fp16"),
];

export const AARCH64_CPUS: readonly NamedSet[] = [
  namedSet("cortex-a53", undefined, "crc"),
  namedSet("cortex-a57", undefined, "crc"),
  namedSet("cortex-a72", undefined, "crc"),
  namedSet("cortex-a55", "armv8.2-a", "fp16 dotprod rcpc"),
  namedSet("cortex-a76", "armv8.2-a", "aes sha2 fp16 dotprod rcpc ssbs"),
  namedSet("neoverse-n1", "cortex-a76", ""),
  namedSet("graviton2", "neoverse-n1", ""),
  namedSet("neoverse-v1", "armv8.4-a", "aes sha2 sha3 sm4 fp16 fhm bf16 i8mm sve rand ssbs"),
  namedSet("graviton3", "neoverse-v1", ""),
  namedSet("neoverse-n2", "armv8.5-a", "aes sha2 sha3 sm4 fp16 fhm bf16 i8mm sve2 sve2-bitperm"),
  namedSet("neoverse-v2", "neoverse-n2", "rand sve2-aes sve2-sha3 sve2-sm4"),
  namedSet("graviton4", "neoverse-v2", ""),
  namedSet("a64fx", "armv8.2-a", "aes sha2 fp16 fcma sve"),
  namedSet("apple-m1", "armv8.4-a", "aes sha2 sha3 fp16 fhm sb ssbs dpb2 frintts"),
];
