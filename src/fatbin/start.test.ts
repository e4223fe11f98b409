/** Fat files that are started on this machine. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, truncateSync } from "node:fs";
import { after, test } from "node:test";
import { featuresOfCpuinfo, vocabularyOf } from "./index.ts";
import { launcherOf } from "./launcher/index.ts";
import { lacks, PROGRAM_KINDS, start, Workshop } from "./testing/compiled.ts";
import { tinyProgram } from "./testing/tiny-program.ts";

const workshop = new Workshop();
after(() => workshop[Symbol.dispose]());

const isHere = process.platform === "linux" && process.arch === "x64";
const skip = isHere ? lacks("gcc") : "fat files for x86-64 start on x86-64 and Linux only";

/** What the program says, without what differs from start to start. */
function said(stdout: string): string {
  return stdout.replace(/^(pid|exe|execfn|argv0|flavour|compiled)=.*\n/gm, "");
}

for (const [kind, { flags, compiler = "gcc" }] of Object.entries(PROGRAM_KINDS)) {
  test(`${kind}: started as if directly`, { skip: skip || lacks(compiler) }, () => {
    const plain = workshop.compile("plain", flags, compiler);
    const file = workshop.pack("fat", {
      "": plain,
      sse3: workshop.compile("sse3", [...flags, "-msse3"], compiler),
    });
    const direct = start(workshop.write("direct", plain), ["3", "two words", ""], { env: { TENON_X: "1" } });
    const fat = start(file, ["3", "two words", ""], { env: { TENON_X: "1" } });
    assert.equal(fat.facts.get("flavour"), "sse3", fat.stderr);
    assert.equal(said(fat.stdout), said(direct.stdout));
    assert.equal(fat.status, 3);
    assert.equal(fat.facts.get("pid"), String(fat.pid));
    assert.equal(fat.facts.get("exe"), file);
    assert.equal(fat.facts.get("execfn"), file);
    assert.equal(start(file, [], { env: { TENON_FAT_FEATURES: "none" } }).facts.get("flavour"), "plain");
  });
}

test("argv[0], standard input, signals and starting itself again", { skip }, () => {
  const file = workshop.pack("fat", { "": workshop.compile("plain", []) });
  assert.equal(start(file, ["0"], { argv0: "other name" }).facts.get("argv0"), "other name");
  assert.match(start(file, ["0", "cat"], { input: "through" }).stdout, /through$/);
  assert.equal(start(file, ["0", "kill"]).signal, "SIGTERM");
  const again = start(file, ["5", "again"]);
  assert.match(again.stdout, /argv0=second\n/);
  assert.equal(again.status, 0);
});

test("a dynamic program starts every time, wherever the kernel puts its parts", { skip }, () => {
  // The payload is large enough for an interpreter to fit into the holes that a flavour leaves in it.
  const large = workshop.compile("large", ["-fno-pie", "-no-pie", ballast()]);
  const file = workshop.pack("fat", { "": large });
  const direct = start(workshop.write("direct", large));
  assert.equal(direct.status, 0);
  for (let i = 0; i < 60; i++) assert.equal(start(file).status, 0, `start ${i}`);
});

/** A source with 16 MiB of read-only data. */
function ballast(): string {
  return workshop.write("ballast.c", Buffer.from("const char ballast[16 << 20] = {1};\n"));
}

test("any layout of the address space", { skip: skip || lacks("setarch") }, () => {
  for (const flags of [["-static"], ["-static-pie", "-fPIE"], ["-no-pie", "-fno-pie"], ["-pie", "-fPIE"]]) {
    const file = workshop.pack("fat", { "": workshop.compile("plain", flags) });
    assert.equal(start("setarch", ["-R", file, "3"]).status, 3, "not randomised");
    // An unlimited stack makes the kernel lay out mappings from below.
    for (const command of ['"$0" 4', 'setarch -R "$0" 4']) {
      const { status, stderr } = start("sh", ["-c", `ulimit -s unlimited && exec ${command}`, file]);
      assert.equal(status, 4, `${flags.join(" ")}: ${stderr}`);
    }
  }
});

test("the choice: masks, lists, levels and numbers", { skip }, () => {
  const file = workshop.pack("fat", {
    "": tinyProgram({ status: 1 }),
    "x86-64-v2": tinyProgram({ status: 2, isFixed: false }),
    "x86-64-v3": tinyProgram({ status: 3 }),
    "x86-64-v3,aes": tinyProgram({ status: 4 }),
  });
  const chosen = (features: string) => start(file, [], { env: { TENON_FAT_FEATURES: features } }).status;
  assert.equal(chosen("x86-64-v3,aes"), 4);
  assert.equal(chosen("aes,x86-64-v3"), 4);
  assert.equal(chosen("x86-64-v3,aes,-aes"), 3);
  assert.equal(chosen("x86-64-v3"), 3);
  assert.equal(chosen("x86-64-v3,-avx2"), 2);
  assert.equal(chosen("x86-64-v3,-x86-64-v3"), 2);
  assert.equal(chosen("x86-64-v3,-x86-64-v2"), 1);
  assert.equal(chosen("none"), 1);
  assert.equal(chosen("x86-64-v2,+x86-64-v3,+aes"), 4);
  assert.equal(chosen("avx2,aes"), 1);
  assert.equal(chosen("avx"), 1);
  assert.deepEqual(["@0", "@1", "@2", "@3"].map(chosen), [4, 3, 2, 1]);
  const none = start(file, [], { env: { TENON_FAT_FEATURES: "@4" } });
  assert.equal(none.status, 127);
  assert.match(none.stderr, /no such flavour: TENON_FAT_FEATURES=@4\n$/);
});

test("the trace says what was chosen and why", { skip }, () => {
  const file = workshop.pack("fat", {
    "": tinyProgram({ status: 1 }),
    avx2: tinyProgram({ status: 3 }),
    sse3: tinyProgram({ status: 2 }),
  });
  const trace = (features: string) =>
    start(file, [], { env: { TENON_FAT_TRACE: "1", TENON_FAT_FEATURES: features } }).stderr;
  const lines = trace("sse3,avx").split("\n");
  assert.match(lines[0]!, /^tenon-fat: 0 avx2: not chosen, this CPU lacks .*\bavx2$/);
  assert.deepEqual(lines.slice(1), [
    "tenon-fat: 1 sse3: chosen",
    "tenon-fat: 2 baseline: not chosen, a better one fits",
    "",
  ]);
  assert.match(trace("@0"), /^tenon-fat: 0 avx2: forced/);
  assert.equal(start(file, [], { env: { TENON_FAT_TRACE: "0" } }).stderr, "");
});

test("the launcher sees every feature that the kernel lists", { skip }, (context) => {
  const { features } = vocabularyOf("x86-64");
  const flavours = features.map(({ name }, i) => [name, tinyProgram({ status: i })] as const);
  const file = workshop.pack("fat", Object.fromEntries(flavours));
  const { stderr } = start(file, [], { env: { TENON_FAT_TRACE: "1" } });
  const lacking = new Set([...stderr.matchAll(/lacks (.*)$/gm)].flatMap(([, names]) => names!.split(" ")));
  const kernel = featuresOfCpuinfo("x86-64", readFileSync("/proc/cpuinfo", "utf8"));
  assert.deepEqual(
    kernel.names.filter((name) => lacking.has(name)),
    [],
  );
  // Linux hides what it doesn't want to be used, so the CPU may have more.
  const hidden = features.filter(({ name }, place) => !lacking.has(name) && !kernel.hasPlace(place));
  context.diagnostic(`not in /proc/cpuinfo: ${hidden.map(({ name }) => name).join(" ") || "none"}`);
});

test("no flavour that fits: 127 and one line", { skip }, () => {
  const file = workshop.pack("fat", { avx2: tinyProgram({ status: 0 }) });
  const { status, stderr } = start(file, [], { env: { TENON_FAT_FEATURES: "none" } });
  assert.equal(status, 127);
  assert.equal(stderr, `tenon-fat: ${file}: no flavour fits this CPU\n`);
});

test("a file that is cut or changed: 127 and one line, never a jump into it", { skip }, () => {
  const programs = { "": workshop.compile("plain", []), sse3: workshop.compile("sse3", []) };
  const file = workshop.pack("fat", programs);
  const whole = new Uint8Array(readFileSync(file));
  const payload = Math.ceil(launcherOf("x86-64").length / 4096) * 4096;
  const fails = (path: string, why: RegExp) => {
    const { status, signal, stdout, stderr } = start(path);
    assert.deepEqual({ status, signal, stdout }, { status: 127, signal: null, stdout: "" }, stderr);
    assert.match(stderr, why);
    assert.equal(stderr.split("\n").length, 2);
  };
  for (const length of [
    whole.length - 1,
    whole.length - 16,
    whole.length - 5000,
    payload + 4096,
    payload + 10,
    payload,
  ]) {
    const cut = workshop.write("cut", whole);
    truncateSync(cut, length);
    fails(cut, /the fat file is damaged: (it is cut short|its end is not where)/);
  }
  const changed = (at: number) => {
    const bytes = whole.slice();
    bytes[at]! ^= 0x40;
    return workshop.write("changed", bytes);
  };
  // Each word of the manifest, each byte of the trailer, and the headers of the flavour that is chosen.
  const manifestBytes = Buffer.from(whole.buffer).readUInt32LE(payload + 20);
  for (let at = payload; at < payload + manifestBytes; at += at < payload + 56 ? 1 : 24) {
    fails(changed(at), /manifest/);
  }
  for (const bytes of [0, 8, 16, 0xffff_ffff]) {
    const other = Buffer.from(whole);
    other.writeUInt32LE(bytes, payload + 20);
    fails(workshop.write("changed", other), /its manifest has another checksum/);
  }
  for (let at = whole.length - 16; at < whole.length; at++) fails(changed(at), /its end is not where/);
  const image = Buffer.from(whole).indexOf(Buffer.from(programs.sse3));
  for (let at = image; at < image + 64 + 13 * 56; at += 16)
    fails(changed(at), /headers have another checksum/);
});

test("an interpreter that isn't there: 127 and one line", { skip }, () => {
  const flags = ["-Wl,--dynamic-linker=/nowhere/ld.so"];
  const file = workshop.pack("fat", { "": workshop.compile("lost", flags) });
  const { status, stderr } = start(file);
  assert.equal(status, 127);
  assert.match(stderr, /cannot load the interpreter \/nowhere\/ld\.so\n$/);
});

const isRoot = process.getuid?.() === 0;
const onlyRoot = skip || (!isRoot && "only root can do this");

test("set-user-ID: AT_SECURE stays, and the environment doesn't steer", { skip: onlyRoot }, (context) => {
  const flavours = {
    "": workshop.compile("plain", ["-static"]),
    sse3: workshop.compile("sse3", ["-static"]),
  };
  const file = workshop.pack("fat", flavours);
  chmodSync(workshop.folder, 0o755);
  chmodSync(file, 0o4755);
  const started = start(file, [], { uid: 65_534, env: { TENON_FAT_FEATURES: "@1", TENON_FAT_TRACE: "1" } });
  if (started.stdout.includes("secure=0")) return context.skip("this file system ignores set-user-ID");
  assert.match(started.stdout, /secure=1/);
  assert.equal(started.facts.get("flavour"), "sse3");
  assert.equal(started.stderr, "");
});

test("without /proc", { skip: onlyRoot }, (context) => {
  const file = workshop.pack("fat", { "": workshop.compile("plain", []) });
  const script = 'mount -t tmpfs none /proc && exec "$0" 4';
  const { status, stdout, stderr } = spawnSync("unshare", ["-m", "sh", "-c", script, file], {
    encoding: "utf8",
  });
  if (status !== 4 && /unshare|mount/.test(stderr))
    return context.skip(`no mount namespace here: ${stderr.trim()}`);
  assert.equal(status, 4, stderr);
  assert.match(stdout, /flavour=plain/);
});

test("Go and Rust programs", { skip }, (context) => {
  const find = (name: string) => {
    try {
      return new URL(import.meta.resolve(name)).pathname;
    } catch {
      return undefined;
    }
  };
  const programs = [find("@esbuild/linux-x64/bin/esbuild"), find("@biomejs/cli-linux-x64/biome")];
  for (const path of programs.filter((found) => found !== undefined)) {
    const fat = workshop.pack("fat", { "": new Uint8Array(readFileSync(path)) });
    assert.equal(start(fat, ["--version"]).stdout, start(path, ["--version"]).stdout);
  }
  if (programs.includes(undefined)) context.diagnostic("a program from node_modules isn't installed");
});

test("a copy and a link start as well as the file", { skip }, () => {
  const file = workshop.pack("fat", { "": tinyProgram({ status: 7 }) });
  const copy = `${workshop.folder}/copy`;
  copyFileSync(file, copy);
  assert.equal(start(copy).status, 7);
  execFileSync("ln", ["-sf", file, `${workshop.folder}/link`]);
  assert.equal(start(`${workshop.folder}/link`).status, 7);
});
