/**
 * x86-64: features, levels, CPUs.
 *
 * Names: rustc's `target_feature`; aliases: GCC's `-m` options and /proc/cpuinfo. Bits: Intel SDM volume 2A (CPUID)
 * and AMD APM volume 3 appendix E. Levels: the table of micro-architecture levels in the x86-64 psABI. CPUs: what
 * GCC's manual lists under `-march`, as far as it is code that a compiler emits. The order is the rank: wider
 * vectors over narrower ones, then what speeds up much code over what speeds up little.
 */
import type { Feature, NamedSet } from "./vocabulary.ts";
import { namedSet, words } from "./word-lists.ts";

const EAX = 0;
const EBX = 1;
const ECX = 2;
const EDX = 3;

/** State that the operating system must have enabled: XSAVE itself, then sets of bits in XCR0. */
const XSAVE = 1;
const AVX = 2;
const AVX512 = 3;
const AMX = 4;

const LEAF_1 = [1, 0] as const;
const LEAF_7 = [7, 0] as const;
const LEAF_7_1 = [7, 1] as const;
const LEAF_D_1 = [0xd, 1] as const;
const LEAF_EXTENDED = [0x8000_0001, 0] as const;

type Place = readonly [leaf: readonly [number, number], register: number, bit: number, state?: number];

function feature(
  name: string,
  [[source, subleaf], part, bit, state = 0]: Place,
  implies = "",
  aliases = "",
): Feature {
  return {
    name,
    aliases: words(aliases),
    implies: words(implies),
    rule: { source, subleaf, part, state, mask: 1n << BigInt(bit) },
  };
}

export const X86_FEATURES: readonly Feature[] = [
  feature("lahfsahf", [LEAF_EXTENDED, ECX, 0], "", "lahf_lm sahf lahf"),
  feature("cmpxchg16b", [LEAF_1, ECX, 13], "", "cx16"),
  feature("xsave", [LEAF_1, ECX, 26, XSAVE], "", "osxsave"),
  feature("xsaveopt", [LEAF_D_1, EAX, 0, XSAVE], "xsave"),
  feature("xsavec", [LEAF_D_1, EAX, 1, XSAVE], "xsave"),
  feature("xsaves", [LEAF_D_1, EAX, 3, XSAVE], "xsave"),
  feature("rtm", [LEAF_7, EBX, 11]),
  feature("rdrand", [LEAF_1, ECX, 30], "", "rdrnd"),
  feature("rdseed", [LEAF_7, EBX, 18]),
  feature("movbe", [LEAF_1, ECX, 22]),
  feature("adx", [LEAF_7, EBX, 19]),
  feature("sse3", [LEAF_1, ECX, 0], "", "pni"),
  feature("ssse3", [LEAF_1, ECX, 9], "sse3"),
  feature("sse4a", [LEAF_EXTENDED, ECX, 6], "sse3"),
  feature("sse4.1", [LEAF_1, ECX, 19], "ssse3", "sse4_1 sse4-1 sse41"),
  feature("popcnt", [LEAF_1, ECX, 23]),
  feature("sse4.2", [LEAF_1, ECX, 20], "sse4.1", "sse4_2 sse4-2 sse42 sse4"),
  feature("pclmulqdq", [LEAF_1, ECX, 1], "", "pclmul"),
  feature("aes", [LEAF_1, ECX, 25], "", "aesni"),
  feature("sha", [LEAF_7, EBX, 29], "", "sha_ni"),
  feature("lzcnt", [LEAF_EXTENDED, ECX, 5], "", "abm"),
  feature("tbm", [LEAF_EXTENDED, ECX, 21]),
  feature("bmi1", [LEAF_7, EBX, 3], "", "bmi"),
  feature("bmi2", [LEAF_7, EBX, 8]),
  feature("gfni", [LEAF_7, ECX, 8]),
  feature("avx", [LEAF_1, ECX, 28, AVX], "sse4.2"),
  feature("f16c", [LEAF_1, ECX, 29, AVX], "avx"),
  feature("fma4", [LEAF_EXTENDED, ECX, 16, AVX], "avx sse4a"),
  feature("xop", [LEAF_EXTENDED, ECX, 11, AVX], "fma4"),
  feature("fma", [LEAF_1, ECX, 12, AVX], "avx"),
  feature("avx2", [LEAF_7, EBX, 5, AVX], "avx"),
  feature("vpclmulqdq", [LEAF_7, ECX, 10, AVX], "avx pclmulqdq"),
  feature("vaes", [LEAF_7, ECX, 9, AVX], "avx2 aes"),
  feature("sm3", [LEAF_7_1, EAX, 1, AVX], "avx"),
  feature("sm4", [LEAF_7_1, EAX, 2, AVX], "avx2"),
  feature("sha512", [LEAF_7_1, EAX, 0, AVX], "avx2"),
  feature("avxvnni", [LEAF_7_1, EAX, 4, AVX], "avx2", "avx_vnni"),
  feature("avxneconvert", [LEAF_7_1, EDX, 5, AVX], "avx2", "avx_ne_convert"),
  feature("avxifma", [LEAF_7_1, EAX, 23, AVX], "avx2", "avx_ifma"),
  feature("avxvnniint8", [LEAF_7_1, EDX, 4, AVX], "avx2", "avx_vnni_int8"),
  feature("avxvnniint16", [LEAF_7_1, EDX, 10, AVX], "avx2", "avx_vnni_int16"),
  feature("avx512f", [LEAF_7, EBX, 16, AVX512], "avx2 fma f16c"),
  feature("avx512cd", [LEAF_7, EBX, 28, AVX512], "avx512f"),
  feature("avx512dq", [LEAF_7, EBX, 17, AVX512], "avx512f"),
  feature("avx512bw", [LEAF_7, EBX, 30, AVX512], "avx512f"),
  feature("avx512vl", [LEAF_7, EBX, 31, AVX512], "avx512f"),
  feature("avx512ifma", [LEAF_7, EBX, 21, AVX512], "avx512f"),
  feature("avx512vbmi", [LEAF_7, ECX, 1, AVX512], "avx512bw", "avx512_vbmi"),
  feature("avx512vpopcntdq", [LEAF_7, ECX, 14, AVX512], "avx512f", "avx512_vpopcntdq"),
  feature("avx512vbmi2", [LEAF_7, ECX, 6, AVX512], "avx512bw", "avx512_vbmi2"),
  feature("avx512bitalg", [LEAF_7, ECX, 12, AVX512], "avx512bw", "avx512_bitalg"),
  feature("avx512vp2intersect", [LEAF_7, EDX, 8, AVX512], "avx512f", "avx512_vp2intersect"),
  feature("avx512vnni", [LEAF_7, ECX, 11, AVX512], "avx512f", "avx512_vnni"),
  feature("avx512bf16", [LEAF_7_1, EAX, 5, AVX512], "avx512bw", "avx512_bf16"),
  feature("avx512fp16", [LEAF_7, EDX, 23, AVX512], "avx512bw avx512vl avx512dq", "avx512_fp16"),
  feature("amx-tile", [LEAF_7, EDX, 24, AMX], "", "amx_tile"),
  feature("amx-int8", [LEAF_7, EDX, 25, AMX], "amx-tile", "amx_int8"),
  feature("amx-bf16", [LEAF_7, EDX, 22, AMX], "amx-tile", "amx_bf16"),
  feature("amx-fp16", [LEAF_7_1, EAX, 21, AMX], "amx-tile", "amx_fp16"),
  feature("amx-complex", [LEAF_7_1, EDX, 8, AMX], "amx-tile", "amx_complex"),
];

/** Names that compilers know and that CPUID doesn't answer for a program. */
export const X86_UNDETECTABLE: Readonly<Record<string, string>> = {
  kl: "the kernel decides whether keys may be loaded",
  widekl: "the kernel decides whether keys may be loaded",
  hle: "CPUs still report it after microcode has turned it off",
  "3dnow": "no 64-bit operating system promises its state",
  ermsb: "it changes speed, not what can run",
  prfchw: "it is a hint that every 64-bit CPU accepts",
};

export const X86_LEVELS: readonly NamedSet[] = [
  namedSet("x86-64-v2", undefined, "cmpxchg16b lahfsahf popcnt sse3 sse4.1 sse4.2 ssse3"),
  namedSet("x86-64-v3", "x86-64-v2", "avx avx2 bmi1 bmi2 f16c fma lzcnt movbe xsave"),
  namedSet("x86-64-v4", "x86-64-v3", "avx512f avx512bw avx512cd avx512dq avx512vl"),
];

export const X86_CPUS: readonly NamedSet[] = [
  namedSet("qemu64", undefined, "sse3 cmpxchg16b"),
  namedSet("core2", undefined, "sse3 ssse3 cmpxchg16b lahfsahf"),
  namedSet("nehalem", "x86-64-v2", ""),
  namedSet("westmere", "nehalem", "pclmulqdq"),
  namedSet("sandybridge", "westmere", "avx xsave xsaveopt"),
  namedSet("ivybridge", "sandybridge", "f16c rdrand"),
  namedSet("haswell", "ivybridge", "avx2 bmi1 bmi2 lzcnt fma movbe"),
  namedSet("broadwell", "haswell", "rdseed adx"),
  namedSet("skylake", "broadwell", "aes xsavec xsaves"),
  namedSet("skylake-avx512", "skylake", "avx512f avx512bw avx512cd avx512dq avx512vl"),
  namedSet("skylake-server", "skylake-avx512", ""),
  namedSet("cascadelake", "skylake-avx512", "avx512vnni"),
  namedSet("cooperlake", "cascadelake", "avx512bf16"),
  namedSet(
    "icelake-client",
    "skylake-avx512",
    "avx512ifma avx512vbmi sha avx512vnni gfni vaes avx512vbmi2 vpclmulqdq avx512bitalg avx512vpopcntdq",
  ),
  namedSet("icelake-server", "icelake-client", ""),
  namedSet("rocketlake", "icelake-client", ""),
  namedSet("tigerlake", "icelake-client", "avx512vp2intersect"),
  namedSet("alderlake", "skylake", "sha gfni vaes vpclmulqdq avxvnni"),
  namedSet("raptorlake", "alderlake", ""),
  namedSet("sierraforest", "alderlake", "avxifma avxvnniint8 avxneconvert"),
  namedSet("sapphirerapids", "icelake-server", "avxvnni avx512bf16 avx512fp16 amx-tile amx-int8 amx-bf16"),
  namedSet("graniterapids", "sapphirerapids", "amx-fp16"),
  namedSet("znver1", "x86-64-v3", "aes pclmulqdq sha adx rdrand rdseed sse4a xsaveopt xsavec xsaves"),
  namedSet("epyc", "znver1", ""),
  namedSet("znver2", "znver1", ""),
  namedSet("znver3", "znver2", "vaes vpclmulqdq"),
  namedSet(
    "znver4",
    "znver3",
    "avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512bf16 avx512vbmi avx512vbmi2 avx512vnni avx512bitalg avx512vpopcntdq gfni",
  ),
  namedSet("znver5", "znver4", "avxvnni avx512vp2intersect"),
];
