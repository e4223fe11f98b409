/** What keeps the images: tenon, a registry, and two stores of unpacked trees. Each gets one image after the other. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { run } from "../measured.ts";
import { sizeOf } from "../size/folder.ts";
import { PROGRAM } from "../size/tenon.ts";

export interface Kept {
  readonly name: string;
  /** Every byte kept after each image. */
  readonly after: readonly number[];
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** Of giving every image back, where that was measured. */
  readonly restoreCpuSeconds?: number;
}

export interface Task {
  /** OCI layout that has all images. */
  readonly layout: string;
  readonly tags: readonly string[];
  /** The file system of an image. */
  readonly tree: (tag: string) => string;
  /** An empty folder. */
  readonly work: string;
  readonly progress: (what: string) => void;
}

type Measure = (tag: string) => { cpuSeconds: number; peakBytes: number };

function each(name: string, { tags, progress }: Task, folder: string, add: Measure): Kept {
  const after: number[] = [];
  let cpuSeconds = 0;
  let peakBytes = 0;
  for (const tag of tags) {
    progress(`${name}: ${tag}`);
    const taken = add(tag);
    cpuSeconds += taken.cpuSeconds;
    peakBytes = Math.max(peakBytes, taken.peakBytes);
    after.push(sizeOf(folder));
  }
  return { name, after, cpuSeconds, peakBytes };
}

/** After adding, after `compact`, and every blob of every image compared with the layout's. */
export function tenon(task: Task): Kept[] {
  const repo = join(task.work, "tenon");
  const call = (...args: string[]) =>
    run([process.execPath, PROGRAM, "-q", "-r", repo, ...args], {
      env: { XDG_CACHE_HOME: join(task.work, "cache") },
    });
  call("init");
  const added = each("tenon", task, repo, (tag) =>
    call("add", "--ref", `image:${tag}`, `oci:${task.layout}:${tag}`),
  );
  task.progress("tenon: compact");
  const compacted = call("compact");
  let restoreCpuSeconds = 0;
  for (const tag of task.tags) {
    task.progress(`tenon: get ${tag}`);
    const output = join(task.work, "restored");
    restoreCpuSeconds += call("get", `image:${tag}`, "-o", `oci:${output}`).cpuSeconds;
    compareBlobs(output, task.layout);
    rmSync(output, { recursive: true });
  }
  return [
    { ...added, name: "tenon after `add`" },
    {
      name: "tenon after `compact`",
      after: [...added.after.slice(0, -1).map(() => Number.NaN), sizeOf(repo)],
      cpuSeconds: added.cpuSeconds + compacted.cpuSeconds,
      peakBytes: Math.max(added.peakBytes, compacted.peakBytes),
      restoreCpuSeconds,
    },
  ];
}

function compareBlobs(restored: string, layout: string): void {
  const blobs = join("blobs", "sha256");
  const names = readdirSync(join(restored, blobs));
  if (names.length === 0) throw new Error(`${restored} has no blobs`);
  for (const name of names) {
    if (!readFileSync(join(restored, blobs, name)).equals(readFileSync(join(layout, blobs, name)))) {
      throw new Error(`blob ${name} came back otherwise`);
    }
  }
}

/** Debian's docker-registry on loopback; its storage as it lies on disk. The CPU time is that of skopeo alone. */
export async function registry(task: Task): Promise<Kept> {
  const storage = join(task.work, "registry");
  mkdirSync(storage);
  const port = await freePort();
  const config = join(task.work, "registry.yml");
  writeFileSync(
    config,
    `version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: ${JSON.stringify(storage)} } }
http: { addr: "127.0.0.1:${port}" }
`,
  );
  const server = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
  try {
    await answers(server, port);
    return each("registry", task, storage, (tag) =>
      run([
        ...["skopeo", "copy", "--quiet", "--dest-tls-verify=false", `oci:${task.layout}:${tag}`],
        `docker://127.0.0.1:${port}/image:${tag}`,
      ]),
    );
  } finally {
    server.kill();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function answers(server: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 100 && server.exitCode === null; tries++) {
    const response = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("docker-registry doesn't answer: is it installed? (bench/images/install.sh)");
}

/** casync's own compression, and the mean chunk at which it is smaller on executables. */
export function casync(task: Task): Kept {
  const kept = join(task.work, "casync");
  mkdirSync(kept);
  return each("casync", task, kept, (tag) =>
    run([
      ...["casync", "make", "--compression=xz", "--chunk-size=16384:65536:262144", "--without=all"],
      ...["--with=symlinks", "--with=permissions", `--store=${join(kept, "store.castr")}`],
      ...[join(kept, `${tag}.caidx`), task.tree(tag)],
    ]),
  );
}

export function restic(task: Task): Kept {
  const repo = join(task.work, "restic");
  const command = ["restic", "-q", "-r", repo, "--no-cache"];
  const options = { env: { RESTIC_PASSWORD: "bench", RESTIC_PROGRESS_FPS: "0.1" } };
  run([...command, "init", "--repository-version", "2"], options);
  return each("restic", task, repo, (tag) =>
    run([...command, "backup", "--compression", "max", task.tree(tag)], options),
  );
}
