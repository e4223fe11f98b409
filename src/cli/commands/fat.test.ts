import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { tinyProgram } from "../../fatbin/testing/tiny-program.ts";
import { noStore, runWith } from "../testing/fake.ts";

let folder: string;
const at = (name: string) => join(folder, name);
const store = () => import("../../store/index.ts");
const tenon = (...args: string[]) => runWith(["--repo", at("repository"), ...args], store);

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-fat-cli-"));
  for (const [i, name] of ["base", "v2", "v3"].entries()) writeFileSync(at(name), tinyProgram({ status: i }));
});
after(() => rmSync(folder, { recursive: true }));

test("fat pack, list, explain, verify, unpack", async () => {
  const packed = await tenon(
    "fat",
    "pack",
    at("base"),
    "-o",
    at("fat"),
    "-f",
    `x86-64-v3=${at("v3")}`,
    "--json",
  );
  assert.equal(packed.exitCode, 0, packed.stderr);
  assert.equal(JSON.parse(packed.stdout).flavours.length, 2);
  const listed = await tenon("fat", "list", at("fat"));
  assert.match(listed.stdout, /0 +x86-64-v3 .*\n1 +baseline /);
  const explained = await tenon("fat", "explain", at("fat"), "--cpu", "nehalem");
  assert.match(explained.stdout, /\n0 x86-64-v3: not chosen, the CPU lacks avx2.*\n1 baseline: chosen, /);
  const features = await tenon("fat", "explain", at("fat"), "--features", "x86-64-v3,aes", "--json");
  assert.deepEqual(
    JSON.parse(features.stdout).verdicts.map(({ isChosen }: { isChosen: boolean }) => isChosen),
    [true, false],
  );
  assert.match((await tenon("fat", "verify", at("fat"))).stdout, /is whole: 2 flavours/);
  const unpacked = await tenon("fat", "unpack", at("fat"), "-o", at("out"), "-f", "baseline");
  assert.match(unpacked.stdout, /^[0-9a-f]{64} {2}.*\/out\/baseline\n$/);
});

test("fat pack --mode compact and get --fat --mode compact", async () => {
  const flavour = `x86-64-v3=${at("v3")}`;
  const pack = (...args: string[]) => tenon("fat", "pack", at("base"), "-f", flavour, ...args);
  const packed = await pack("-o", at("compact"), "--mode", "compact");
  assert.match(packed.stdout, /x86-64, compact, /, packed.stderr);
  const listed = await tenon("fat", "list", at("compact"));
  assert.match(listed.stdout, /0 +x86-64-v3 .*\n1 +baseline .* in place /);
  const smallest = await pack("-o", at("smallest"), "--mode", "compact", "--default", "compressed", "--json");
  assert.deepEqual(
    JSON.parse(smallest.stdout).flavours.map(({ stored }: { stored: string }) => stored),
    ["recipe", "recipe"],
  );
  assert.match((await tenon("fat", "verify", at("smallest"))).stdout, /is whole: 2 flavours/);
  assert.equal((await tenon("init")).exitCode, 0);
  assert.equal((await pack("--ref", "compact:1")).exitCode, 0);
  const got = await tenon(
    "get",
    "compact:1",
    "--fat",
    "--mode",
    "compact",
    "-o",
    at("got.compact"),
    "--json",
  );
  assert.equal(JSON.parse(got.stdout).mode, "compact", got.stderr);
  rmSync(at("repository"), { recursive: true });
});

test("fat pack from a manifest: flavours, CPUs, feature sets, ranks", async () => {
  const manifest = {
    default: "base",
    cpus: { nehalem: "v2" },
    features: { "avx2,bmi2": "v3" },
    flavours: [{ features: ["sse3", "popcnt"], file: at("v3"), rank: 5 }],
  };
  writeFileSync(at("manifest.json"), JSON.stringify(manifest));
  const { stdout, exitCode, stderr } = await tenon(
    "fat",
    "pack",
    "--manifest",
    at("manifest.json"),
    "-o",
    at("many"),
    "--json",
  );
  assert.equal(exitCode, 0, stderr);
  const { flavours } = JSON.parse(stdout);
  const names = flavours.map(({ name, rank }: { name: string; rank: number }) => `${name} ${rank}`);
  assert.deepEqual(names, ["popcnt+sse3 5", "avx2+bmi2 0", "x86-64-v2 0", "baseline 0"]);
  for (const [text, message] of [
    ["{", /not JSON/],
    ["[]", /not an object/],
    ['{"flavors": []}', /"flavors" is unknown/],
    ['{"flavours": [{"file": "base", "weight": 1}]}', /flavours\[0\] needs features, file/],
    ['{"cpus": {"haswell": 1}}', /cpus.haswell is not a path/],
  ] as const) {
    writeFileSync(at("wrong.json"), text);
    const wrong = await tenon("fat", "pack", "--manifest", at("wrong.json"), "-o", at("never"));
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stderr, message);
  }
});

test("flavours in the repository: fat pack --ref, get --fat, get --cpu", async () => {
  assert.equal((await tenon("init")).exitCode, 0);
  const stored = await tenon("fat", "pack", at("base"), "-f", `haswell=${at("v3")}`, "--ref", "tool:1");
  assert.match(stored.stdout, /^stored tool:1: 2 flavours/, stored.stderr);
  const fat = await tenon("get", "tool:1", "--fat", "-o", at("got"));
  assert.match(fat.stdout, /2 flavours/, fat.stderr);
  const one = await tenon("get", "tool:1", "--cpu", "nehalem", "-o", at("one"));
  assert.match(one.stdout, /flavour baseline/, one.stderr);
  const again = await tenon(
    "fat",
    "pack",
    "ref:tool:1:/baseline",
    "-f",
    `avx2=${at("v3")}`,
    "-o",
    at("again"),
    "--json",
  );
  assert.equal(JSON.parse(again.stdout).flavours.length, 2);
  assert.equal((await tenon("get", "tool:1", "--fat", "--cpu", "host")).exitCode, 2);
  assert.equal((await tenon("get", "tool:1", "--fat", "-o", "-")).exitCode, 2);
  assert.equal((await tenon("get", "tool:1", "--mode", "compact", "-o", at("x"))).exitCode, 2);
});

test("wrong command lines are refused before the store is loaded", async () => {
  for (const [args, message] of [
    [["fat"], /'tenon fat' needs one of: pack, unpack/],
    [["fat", "lst"], /unknown command 'fat lst'; did you mean 'list'/],
    [["fat", "pack", "x"], /needs --output or --ref/],
    [["fat", "pack", "-o", "x"], /needs DEFAULT, or --manifest/],
    [["fat", "pack", "x", "-o", "y", "-f", "avx2"], /"avx2" is not FEATURES=FILE/],
    [["fat", "pack", "x", "-o", "y", "--default", "compressed"], /--default is for --mode compact/],
    [["fat", "pack", "x", "-o", "y", "--mode", "small"], /one of mapped, compact/],
    [["fat", "pack", "x", "--ref", "r:1", "--mode", "compact"], /are for files/],
    [["fat", "explain", "x", "--cpu", "haswell", "--features", "avx"], /can't be given together/],
    [["fat", "list"], /needs FILE/],
  ] as const) {
    const { exitCode, stderr } = await runWith(args, noStore);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, message);
  }
});

test("help of a family and of its commands", async () => {
  assert.match((await runWith(["help", "fat"], noStore)).stdout, /fat pack .*\n.*fat unpack /);
  assert.match(
    (await runWith(["help", "fat", "list"], noStore)).stdout,
    /^Usage: tenon fat list \[OPTION\.\.\.\] FILE\n/,
  );
  assert.match((await runWith(["fat", "list", "--help"], noStore)).stdout, /^Usage: tenon fat list /);
  assert.match((await runWith(["fat", "--help"], noStore)).stdout, /^Usage: tenon fat COMMAND/);
});
