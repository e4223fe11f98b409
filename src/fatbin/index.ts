/**
 * fatbin: several flavours of one program in one file that starts the best one the CPU can run.
 *
 * Nouns: a **flavour** is a program with the CPU **features** that it needs; a **feature set** is closed under what
 * compilers turn on together; a **level** (`x86-64-v3`) and a **CPU** (`haswell`) are names of sets; the **rank** of
 * features decides which of two flavours is better, unless whoever packs gives one. A **fat file** is a launcher, a
 * **manifest** and the flavours' **images**, which the launcher maps in place. In a **compact** file some flavours
 * are **recipes**, from which a **restorer** makes their images once; `compact/` finds and carries out recipes.
 * `launcher/` holds the C sources and the machine code made from them.
 *
 * Invariants: packing is a function of the flavours (and recipes) alone, so a file can be compared with itself packed
 * again; each image is the program's file, byte for byte; a feature that can't be detected is refused when packing, never
 * ignored at the start. What is refused and why: docs/manual/fat.md. The bytes: docs/formats/fat.md.
 */
export { type Candidate, choose, compareCandidates, explainChoice, type Verdict } from "./choice.ts";
export { type CompactOptions, type CompactProgress, packCompact } from "./compact.ts";
export { featuresOfCpuinfo } from "./cpuinfo.ts";
export { labelOf } from "./labels.ts";
export { type FatFile, type FlavourInput, packFat } from "./pack.ts";
export { type FatFlavour, type FatHead, HEAD_BYTES, readFatHead, readFlavours, verifyFat } from "./read.ts";
export { type Feature, FeatureSet, featuresOfSet, parseFeatures, vocabularyOf } from "./vocabulary.ts";
