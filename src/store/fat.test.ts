import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { tinyProgram } from "../fatbin/testing/tiny-program.ts";
import { type FlavourSource, fat, Repository } from "./index.ts";

let folder: string;
const at = (name: string) => join(folder, name);
const PROGRAMS = {
  baseline: tinyProgram({ status: 1 }),
  v3: tinyProgram({ status: 3 }),
  v4: tinyProgram({ status: 4 }),
};
let sources: FlavourSource[];

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-fat-store-"));
  for (const [name, bytes] of Object.entries(PROGRAMS)) writeFileSync(at(name), bytes);
  sources = [
    { from: { file: at("baseline") }, features: "" },
    { from: { file: at("v3") }, features: "haswell" },
    { from: { file: at("v4") }, features: "x86-64-v4" },
  ];
});
after(() => rmSync(folder, { recursive: true }));

test("pack, list, explain, verify, unpack", async () => {
  const packed = await fat.pack(at("fat"), sources);
  assert.equal(packed.size, statSync(at("fat")).size);
  assert.equal(statSync(at("fat")).mode & 0o777, 0o755);
  assert.deepEqual(packed.flavours, (await fat.list(at("fat"))).flavours);
  assert.equal((await fat.verify(at("fat"))).flavours, 3);
  await assert.rejects(fat.pack(at("fat"), sources), { code: "exists" });
  await fat.pack(at("fat"), sources, { overwrite: true });

  const chosen = async (features: string) =>
    (await fat.explain(at("fat"), { features })).verdicts.find(({ isChosen }) => isChosen)!.name;
  assert.equal(await chosen("znver4"), "x86-64-v4");
  assert.equal(await chosen("skylake"), "x86-64-v3+pclmulqdq+rdrand+xsaveopt");
  assert.equal(await chosen("nehalem"), "baseline");
  await assert.rejects(fat.explain(at("fat"), { features: "cortex-a53" }), { code: "usage" });

  const { files } = await fat.unpack(at("fat"), at("unpacked"));
  const bytes = files.map(({ path }) => new Uint8Array(readFileSync(path)));
  assert.deepEqual(bytes, [PROGRAMS.v4, PROGRAMS.v3, PROGRAMS.baseline]);
  const one = await fat.unpack(at("fat"), at("one"), { flavour: "2" });
  assert.deepEqual(
    one.files.map(({ name }) => name),
    ["baseline"],
  );
  await assert.rejects(fat.unpack(at("fat"), at("one"), { flavour: "x" }), { code: "not-found" });
});

test("what is in the way of the output is told before anything is read, and what fails leaves nothing", async () => {
  const none = [{ from: { file: at("none") }, features: "" }];
  await assert.rejects(fat.pack(at("fat"), none), { code: "exists" });
  await assert.rejects(fat.pack(at("nowhere/fat"), none), (error) => {
    return isTenonError(error, "not-found") && /opening the directory .*nowhere/.test(error.message);
  });
  const before = readdirSync(folder);
  await assert.rejects(fat.pack(at("new"), none), (error) => {
    return isTenonError(error, "not-found") && /none/.test(error.message);
  });
  assert.deepEqual(readdirSync(folder), before);
});

test("compact files: packed, listed, explained, verified, unpacked; progress and interruption", async () => {
  const phases: number[] = [];
  for (const defaultFlavour of ["mapped", "compressed"] as const) {
    const packed = await fat.pack(at("compact"), sources, {
      mode: "compact",
      defaultFlavour,
      overwrite: true,
      onEvent: (event) => event.type === "progress" && phases.push(event.doneBytes),
    });
    assert.equal(packed.mode, "compact");
    assert.deepEqual(
      packed.flavours.map(({ stored }) => stored),
      ["recipe", "recipe", defaultFlavour === "mapped" ? "image" : "recipe"],
    );
    assert.deepEqual(packed.flavours, (await fat.list(at("compact"))).flavours);
    assert.equal((await fat.verify(at("compact"))).flavours, 3);
    const { verdicts } = await fat.explain(at("compact"), { features: "haswell" });
    assert.equal(verdicts.find(({ isChosen }) => isChosen)!.number, 1);
    const { files } = await fat.unpack(at("compact"), at("compact.unpacked"), { overwrite: true });
    const bytes = files.map(({ path }) => new Uint8Array(readFileSync(path)));
    assert.deepEqual(bytes, [PROGRAMS.v4, PROGRAMS.v3, PROGRAMS.baseline]);
  }
  assert.ok(phases.length > 0);
  const { signal } = new AbortController();
  const stopped = AbortSignal.abort(new Error("stop"));
  await assert.rejects(fat.pack(at("stopped"), sources, { mode: "compact", signal: stopped }));
  await assert.rejects(fat.list(at("stopped")), { code: "not-found" });
  await assert.rejects(fat.pack(at("x"), sources, { defaultFlavour: "compressed", signal }), {
    code: "usage",
  });
  const recipe = (await fat.list(at("compact"))).flavours[0]!;
  const bytes = readFileSync(at("compact"));
  bytes[bytes.length - 16 - Math.ceil(recipe.storedBytes / 2)]! ^= 1;
  writeFileSync(at("changed"), bytes);
  await assert.rejects(fat.verify(at("changed")), { code: "damaged", message: /changed: / });
});

test("damage and what isn't a fat file are named with the path", async () => {
  await fat.pack(at("whole"), sources, { overwrite: true });
  const bytes = readFileSync(at("whole"));
  bytes[bytes.indexOf(PROGRAMS.v3) + 130]! ^= 1;
  writeFileSync(at("changed"), bytes);
  await assert.rejects(fat.verify(at("changed")), { code: "damaged", message: /changed: .*another digest/ });
  await assert.rejects(fat.unpack(at("changed"), at("never")), { code: "damaged" });
  await assert.rejects(fat.list(at("v3")), { code: "invalid", message: /v3 is not a fat file/ });
  await assert.rejects(fat.list(at("nowhere")), { code: "not-found" });
  await assert.rejects(fat.list(folder), { code: "unsupported" });
});

test("flavours in a repository: stored as files, given back as a fat file or one by one", async () => {
  await using repository = await Repository.init(at("repository"));
  const added = await repository.addFat(sources, { ref: "tool:1" });
  assert.equal(added.files, 4);
  await fat.pack(at("direct"), sources, { overwrite: true });
  const got = await repository.getFat("tool:1", at("materialised"));
  assert.equal(got.flavours.length, 3);
  assert.deepEqual(readFileSync(at("materialised")), readFileSync(at("direct")));

  const compact = await repository.getFat("tool:1", at("compact.got"), { mode: "compact" });
  assert.deepEqual(
    compact.flavours.map(({ digest }) => digest),
    got.flavours.map(({ digest }) => digest),
  );

  const flavour = await repository.getFlavour("tool:1", { features: "haswell" }, at("for-haswell"));
  assert.equal(flavour.flavour, "x86-64-v3+pclmulqdq+rdrand+xsaveopt");
  assert.deepEqual(new Uint8Array(readFileSync(at("for-haswell"))), PROGRAMS.v3);
  await assert.rejects(repository.getFlavour("tool:1", { features: "sve" }, at("x")), { code: "usage" });
  if (process.arch === "x64") {
    const here = await repository.getFlavour("tool:1", "host", at("for-host"));
    const explained = await fat.explain(at("direct"), "host");
    assert.equal(here.flavour, explained.verdicts.find(({ isChosen }) => isChosen)!.name);
  }

  // Stored flavours can be packed again, from the repository.
  const spec = `tool:1:/${flavour.flavour}`;
  const again = await fat.pack(at("again"), [sources[0]!, { from: { spec }, features: "avx2" }], {
    readSpec: (wanted) => repository.read(wanted),
  });
  assert.deepEqual(
    again.flavours.map(({ digest }) => digest),
    [flavour.digest, got.flavours[2]!.digest],
  );
  await assert.rejects(fat.pack(at("none"), [{ from: { spec }, features: "" }]), { code: "usage" });
});

test("what holds no flavours, or none that fits, is refused", async () => {
  await using repository = await Repository.init(at("other"));
  await repository.add([at("v3")], { ref: "file:1" });
  await assert.rejects(repository.getFat("file:1", at("x")), {
    code: "unsupported",
    message: /no directory/,
  });
  const stream = (async function* () {
    yield Buffer.from('{"format":"tenon-fat","version":2}');
  })();
  await repository.add([{ name: "fat.json", stream }, at("v3")], { ref: "odd:1" });
  await assert.rejects(repository.getFat("odd:1", at("x")), {
    code: "unsupported",
    message: /no manifest of this/,
  });
  await repository.add([at("v3"), at("v4")], { ref: "two:1" });
  await assert.rejects(repository.getFat("two:1", at("x")), {
    code: "unsupported",
    message: /has no fat.json/,
  });
  await repository.addFat([sources[1]!], { ref: "new:1" });
  await assert.rejects(repository.getFlavour("new:1", { features: "" }, at("x")), {
    code: "unsupported",
    message: /no flavour of new:1 fits/,
  });
});
