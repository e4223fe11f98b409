/** Compact files that are started on this machine: restoring, the cache, and what can be in its way. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { readFatHead } from "./index.ts";
import { lacks, PROGRAM_KINDS, type Started, start, Workshop } from "./testing/compiled.ts";
import { tinyProgram } from "./testing/tiny-program.ts";

const workshop = new Workshop();
after(() => workshop[Symbol.dispose]());
const isHere = process.platform === "linux" && process.arch === "x64";
const skip = isHere ? lacks("gcc") : "fat files for x86-64 start on x86-64 and Linux only";
const isRoot = process.getuid?.() === 0;

const home = join(workshop.folder, "cache home");
const cache = join(home, "tenon");
beforeEach(() => {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home);
});

const env = (extra: Readonly<Record<string, string>> = {}) => ({
  XDG_CACHE_HOME: home,
  TENON_FAT_TRACE: "1",
  ...extra,
});
const begin = (file: string, args: readonly string[] = [], extra = {}) =>
  start(file, args, { env: env(extra) });
/** Where the flavour came from, by the trace. */
const origin = ({ stderr }: Started) =>
  /^tenon-fat: \S+: ((?:from|restored) .*)$/m.exec(stderr)?.[1] ?? stderr;
const said = (stdout: string) => stdout.replace(/^(pid|exe|execfn|argv0|flavour|compiled)=.*\n/gm, "");

let pair: string | undefined;
/** A file with two static programs, the better one as a recipe. */
function packedPair(): string {
  pair ??= workshop.packCompact("pair", {
    "": workshop.compile("plain", ["-static"]),
    sse3: workshop.compile("sse3", ["-static", "-msse3"]),
  });
  return pair;
}

for (const [kind, { flags, compiler = "gcc" }] of Object.entries(PROGRAM_KINDS)) {
  for (const defaultFlavour of ["mapped", "compressed"] as const) {
    test(`${kind}, default ${defaultFlavour}: started as if directly`, {
      skip: skip || lacks(compiler),
    }, () => {
      const plain = workshop.compile("plain", flags, compiler);
      const flavours = { "": plain, sse3: workshop.compile("sse3", [...flags, "-msse3"], compiler) };
      const file = workshop.packCompact("compact", flavours, { defaultFlavour });
      const direct = start(workshop.write("direct", plain), ["3", "two words", ""], {
        env: { TENON_X: "1" },
      });
      for (const from of ["restored to the cache", "from the cache"]) {
        const fat = begin(file, ["3", "two words", ""], { TENON_X: "1" });
        assert.equal(origin(fat), from);
        assert.equal(fat.facts.get("flavour"), "sse3");
        assert.equal(said(fat.stdout.replace(/^env TENON_FAT.*\n/gm, "")), said(direct.stdout));
        assert.equal(fat.status, 3);
        assert.equal(fat.facts.get("pid"), String(fat.pid));
        assert.equal(fat.facts.get("exe"), file);
        assert.equal(fat.facts.get("execfn"), file);
      }
      const masked = begin(file, [], { TENON_FAT_FEATURES: "none" });
      assert.equal(masked.facts.get("flavour"), "plain", masked.stderr);
    });
  }
}

test("argv[0], standard input, signals and starting itself again", { skip }, () => {
  const file = packedPair();
  begin(file);
  const options = { env: { XDG_CACHE_HOME: home } };
  assert.equal(start(file, ["0"], { ...options, argv0: "other name" }).facts.get("argv0"), "other name");
  assert.match(start(file, ["0", "cat"], { ...options, input: "through" }).stdout, /through$/);
  assert.equal(start(file, ["0", "kill"], options).signal, "SIGTERM");
  assert.match(start(file, ["5", "again"], options).stdout, /argv0=second\n/);
});

function entry(): string {
  const [name, ...others] = readdirSync(cache);
  assert.deepEqual(others, []);
  return join(cache, name!);
}

test("a cache entry is private, and anything that was done to it is noticed", { skip }, () => {
  const file = packedPair();
  assert.equal(origin(begin(file)), "restored to the cache");
  const stat = statSync(entry());
  assert.equal(stat.mode & 0o7777, 0o500);
  assert.equal(statSync(cache).mode & 0o7777, 0o700);
  const bytes = readFileSync(entry());
  const damage = {
    written(path: string) {
      chmodSync(path, 0o700);
      const changed = Buffer.from(bytes);
      changed[5000]! ^= 1;
      writeFileSync(path, changed);
      chmodSync(path, 0o500);
    },
    cut(path: string) {
      truncateSync(path, bytes.length - 1);
      utimesSync(path, stat.atime, stat.mtime);
    },
    touched: (path: string) => utimesSync(path, new Date(), new Date()),
    "made writable": (path: string) => chmodSync(path, 0o700),
    "replaced by a copy"(path: string) {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
    "replaced by a link"(path: string) {
      renameSync(path, join(home, "elsewhere"));
      symlinkSync(join(home, "elsewhere"), path);
      lutimesSync(path, stat.atime, stat.mtime);
    },
    "replaced by a pipe"(path: string) {
      rmSync(path);
      assert.equal(spawnSync("mkfifo", ["-m", "500", path]).status, 0);
      utimesSync(path, stat.atime, stat.mtime);
    },
    removed: (path: string) => rmSync(path),
  };
  for (const [what, done] of Object.entries(damage)) {
    done(entry());
    assert.equal(origin(begin(file)), "restored to the cache", what);
    assert.deepEqual(readFileSync(entry()), bytes, what);
    assert.equal(origin(begin(file)), "from the cache", what);
  }
});

test("TENON_FAT_VERIFY=1 compares the digest, so that even a forged time is no help", { skip }, () => {
  const file = packedPair();
  begin(file);
  const { atime, mtime } = statSync(entry());
  const bytes = readFileSync(entry());
  // In a part that isn't run: the first start must survive what it doesn't see.
  const at = bytes.length - 10;
  bytes[at]! ^= 1;
  chmodSync(entry(), 0o700);
  writeFileSync(entry(), bytes);
  chmodSync(entry(), 0o500);
  utimesSync(entry(), atime, mtime);
  assert.equal(origin(begin(file)), "from the cache");
  assert.equal(origin(begin(file, [], { TENON_FAT_VERIFY: "1" })), "restored to the cache");
  bytes[at]! ^= 1;
  assert.deepEqual(readFileSync(entry()), bytes);
  assert.equal(origin(begin(file, [], { TENON_FAT_VERIFY: "1" })), "from the cache");
});

test("first starts at once all succeed and leave one entry", { skip }, async () => {
  const file = packedPair();
  for (let round = 0; round < 3; round++) {
    rmSync(cache, { recursive: true, force: true });
    const children = Array.from({ length: 8 }, () =>
      spawn(file, ["7"], { env: { XDG_CACHE_HOME: home }, stdio: ["ignore", "pipe", "inherit"] }),
    );
    const ends = children.map(async (child) => {
      let text = "";
      for await (const piece of child.stdout) text += piece;
      if (child.exitCode === null) await new Promise((done) => child.once("exit", done));
      assert.match(text, /^flavour=sse3$/m);
      return child.exitCode;
    });
    assert.deepEqual(await Promise.all(ends), Array(8).fill(7));
    entry();
  }
});

test("HOME when XDG_CACHE_HOME isn't given or isn't absolute; directories are made", { skip }, () => {
  const file = packedPair();
  for (const given of [{}, { XDG_CACHE_HOME: "" }, { XDG_CACHE_HOME: "relative" }]) {
    rmSync(join(home, ".cache"), { recursive: true, force: true });
    const fat = start(file, [], { env: { HOME: home, TENON_FAT_TRACE: "1", ...given } });
    assert.equal(origin(fat), "restored to the cache");
    assert.equal(readdirSync(join(home, ".cache/tenon")).length, 1);
  }
  rmSync(home, { recursive: true });
  assert.equal(origin(begin(file)), "restored to the cache");
});

/** Runs a script with mounts of its own; `$0` is the file. Skips where that isn't allowed. */
function inNamespace(script: string, file: string): Started | string {
  const probe = spawnSync("unshare", ["-rm", "sh", "-c", "mount -t tmpfs none /var/tmp"], {
    encoding: "utf8",
  });
  if (probe.status !== 0) return `no mounts without rights here: ${probe.stderr ?? probe.error}`;
  return start("unshare", ["-rm", "sh", "-ec", script, file], { env: env({ HOME: "/nowhere" }) });
}

/** All directories that may be used, as mounts with the same options. The file itself is brought to safety first. */
const MOUNTS = (options: string) =>
  `mount -t tmpfs none /mnt; cp "$0" /mnt/fat; for d in "$XDG_CACHE_HOME" /var/tmp /tmp; do mkdir -p "$d"; mount -t tmpfs -o ${options} none "$d"; done; exec /mnt/fat 4`;

const OBSTACLES: Readonly<Record<string, string>> = {
  "a full cache directory": MOUNTS("size=64k"),
  "a file system that forbids execution": MOUNTS("noexec"),
  "a read-only file system": MOUNTS("ro"),
};

for (const [what, script] of Object.entries(OBSTACLES)) {
  test(`${what}: the flavour runs from memory`, { skip }, (context) => {
    const fat = inNamespace(script, packedPair());
    if (typeof fat === "string") return context.skip(fat);
    assert.equal(fat.status, 4, fat.stderr);
    assert.equal(fat.facts.get("flavour"), "sse3");
    assert.equal(fat.facts.get("sum"), "10");
    assert.equal(origin(fat), "restored to memory: no cache directory takes it");
  });
}

test("the next directory is taken when the first one is full", { skip }, (context) => {
  const script = `mount -t tmpfs -o size=64k none "$XDG_CACHE_HOME"; mount -t tmpfs none /var/tmp; "$0" 4 || :; ls /var/tmp/tenon-*; exec "$0" 4`;
  const fat = inNamespace(script, packedPair());
  if (typeof fat === "string") return context.skip(fat);
  assert.equal(fat.status, 4, fat.stderr);
  assert.match(fat.stderr, /sse3: restored to the cache\n[\s\S]*sse3: from the cache/);
  assert.match(fat.stdout, /^[0-9a-f]{64}$/m);
});

test("a directory that others can write to isn't used", { skip }, (context) => {
  const script = `mount -t tmpfs none /var/tmp; mkdir -m 777 "$XDG_CACHE_HOME/tenon"; "$0" 4 || :; ls "$XDG_CACHE_HOME/tenon" | wc -l; ls /var/tmp/tenon-* | wc -l`;
  const fat = inNamespace(script, packedPair());
  if (typeof fat === "string") return context.skip(fat);
  assert.match(fat.stdout, /\n0\n1\n$/, fat.stderr);
});

test("without /proc, and on file systems where files can't be without a name", { skip }, (context) => {
  // A file system without O_TMPFILE isn't everywhere; without /proc an unprivileged process can't name such a file.
  const script = `mount -t tmpfs none /var/tmp; mount -t tmpfs none /proc; "$0" 4 || :; exec "$0" 4`;
  const fat = inNamespace(script, packedPair());
  if (typeof fat === "string") return context.skip(fat);
  assert.match(fat.stderr, /sse3: restored to the cache\n[\s\S]*sse3: from the cache/);
});

const EPERM = 1;
const MEMFD_CREATE = 319;
const LINKAT = 265;
const RENAMEAT = 264;
const FSYNC = 74;

test("seccomp: without memfd_create, without what names a file, without anything that writes", {
  skip,
}, () => {
  const file = packedPair();
  const filtered = (calls: readonly number[]) =>
    workshop.filtered(
      calls.map((call) => [call, "any", EPERM] as const),
      [file, "4"],
      env({ HOME: "/nowhere" }),
    );
  assert.equal(origin(filtered([MEMFD_CREATE])), "restored to the cache");
  assert.equal(origin(filtered([MEMFD_CREATE])), "from the cache");
  rmSync(cache, { recursive: true });
  assert.equal(origin(filtered([MEMFD_CREATE, LINKAT])), "restored to the cache");
  entry();
  rmSync(cache, { recursive: true });
  for (const calls of [[RENAMEAT], [FSYNC]]) {
    const fat = filtered([MEMFD_CREATE, ...calls]);
    assert.equal(fat.status, 4, fat.stderr);
    assert.equal(origin(fat), "restored to memory: no cache directory takes it");
    assert.deepEqual(existsSync(cache) ? readdirSync(cache) : [], []);
  }
});

test("a limit of file sizes, and one of memory", { skip }, () => {
  const small = start("sh", ["-c", 'ulimit -f 4 && exec "$0" 4', packedPair()], { env: env() });
  assert.equal(small.status, 4, small.stderr);
  assert.match(origin(small), /^restored to memory/);
  const large = workshop.packCompact("large", {
    "": tinyProgram({ status: 1 }),
    sse3: tinyProgram({ status: 2, ballastBytes: 20 << 20 }),
  });
  const script = 'ulimit -v 18000 && exec "$0"';
  const { status, stderr } = start("sh", ["-c", script, large], { env: { XDG_CACHE_HOME: home } });
  assert.equal(status, 1);
  assert.equal(stderr, "tenon-fat: sse3: there is not enough memory; started instead: baseline\n");
  const none = workshop.packCompact(
    "none",
    { sse3: tinyProgram({ status: 2, ballastBytes: 20 << 20 }) },
    { defaultFlavour: "compressed" },
  );
  const ended = start("sh", ["-c", script, none], { env: { XDG_CACHE_HOME: home } });
  assert.equal(ended.status, 127);
  assert.match(ended.stderr, /^tenon-fat: .*: there is not enough memory\n$/);
});

test("set-user-ID: nothing is written where the caller says", {
  skip: skip || (!isRoot && "only root can do this"),
}, (context) => {
  const file = workshop.write("setuid", readFileSync(packedPair()));
  chmodSync(workshop.folder, 0o755);
  chmodSync(file, 0o4755);
  chmodSync(home, 0o777);
  const started = start(file, [], { uid: 65_534, env: env({ TENON_FAT_FEATURES: "@1", HOME: home }) });
  if (started.stdout.includes("secure=0")) return context.skip("this file system ignores set-user-ID");
  assert.match(started.stdout, /secure=1/);
  assert.equal(started.facts.get("flavour"), "sse3");
  assert.equal(started.stderr, "");
  assert.deepEqual(readdirSync(home), []);
});

test("a file that is cut or changed: 127 and one line", { skip }, () => {
  const whole = new Uint8Array(readFileSync(packedPair()));
  const { manifest } = readFatHead(whole, whole.length);
  const { restorer, flavours } = manifest;
  const recipe = flavours[0]!.recipe!;
  const fails = (bytes: Uint8Array, why: RegExp) => {
    const { status, signal, stdout, stderr } = start(workshop.write("changed", bytes), [], {
      env: { XDG_CACHE_HOME: home },
    });
    assert.deepEqual({ status, signal, stdout }, { status: 127, signal: null, stdout: "" }, stderr);
    assert.match(stderr, why);
    assert.equal(stderr.split("\n").length, 2);
    assert.equal(existsSync(cache) && readdirSync(cache).length > 0, false);
  };
  const changed = (at: number) => {
    const bytes = whole.slice();
    bytes[at]! ^= 0x10;
    return bytes;
  };
  for (let at = restorer!.offset; at < restorer!.offset + restorer!.bytes; at += 509)
    fails(changed(at), /its restorer has another checksum/);
  // Not every bit of a recipe makes a difference; the digest tells those that do.
  let harmless = 0;
  let tried = 0;
  for (let at = recipe.offset; at < recipe.offset + recipe.bytes; at += at < recipe.offset + 88 ? 3 : 997) {
    const { status, facts, stderr } = start(workshop.write("changed", changed(at)), [], {
      env: { HOME: home },
    });
    tried++;
    if (facts.get("flavour") === "sse3") harmless++;
    else if (status === 127) assert.match(stderr, /the fat file is damaged: a (recipe|flavour)/);
    else assert.match(stderr, /there is not enough memory; started instead: baseline\n$/);
    rmSync(join(home, ".cache"), { recursive: true, force: true });
  }
  assert.ok(harmless < tried / 8, `${harmless} of ${tried}`);
  for (const length of [whole.length - 1, whole.length - 8, recipe.offset, restorer!.offset])
    fails(whole.slice(0, length), /it is cut short|its end is not where/);
});
