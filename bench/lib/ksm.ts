/**
 * The kernel's own count: instances of images as memory that it may merge (KSM, Linux' same-page merging).
 *
 * Only anonymous memory is merged, which the memory of a guest is; so each instance is the image's memory copied into a
 * mapping of its own. Needs root, since the merging daemon is one for the whole machine; if it runs already it
 * is left alone.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  HEADER_BYTES,
  programHeaders,
  readLoadSegments,
  readWindow,
  segmentMap,
  windows,
} from "../../src/pages/index.ts";

const KSM = "/sys/kernel/mm/ksm";

export interface MergedPages {
  readonly instances: number;
  /** Of all instances. */
  readonly pages: number;
  /** Left when the daemon found nothing more. */
  readonly leftPages: number;
}

/** Why it can't be measured here, or undefined. */
export function ksmObstacle(): string | undefined {
  try {
    accessSync(join(KSM, "run"), constants.W_OK);
    if (readFileSync(join(KSM, "run"), "utf8").trim() === "0") return undefined;
    return "the kernel merges pages of others already";
  } catch {
    return `${KSM}/run is not writable: the kernel has no KSM, or this is not root`;
  }
}

// Python's mmap knows MADV_MERGEABLE. Settled is what didn't change over two full scans.
const MERGER = `
import json, mmap, sys, time
files = json.load(sys.stdin)
KSM = "/sys/kernel/mm/ksm/"
def get(name): return int(open(KSM + name).read())
def put(name, value): open(KSM + name, "w").write(str(value))
before = {name: get(name) for name in ("pages_to_scan", "sleep_millisecs")}
# Forgets what processes had that have ended; the counts don't, until they are looked for.
put("run", 2)
maps, pages = [], 0
for path in files:
    data = open(path, "rb").read()
    memory = mmap.mmap(-1, len(data), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(data)
    memory.madvise(mmap.MADV_MERGEABLE)
    maps.append(memory)
    pages += len(data) // 4096
try:
    put("pages_to_scan", 100000); put("sleep_millisecs", 10); put("run", 1)
    last, since, end = None, get("full_scans"), time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.2)
        now = get("pages_shared"), get("pages_sharing")
        if now != last: last, since = now, get("full_scans")
        elif get("full_scans") - since > 2: break
finally:
    put("run", 2); put("run", 0)
    for name in before: put(name, before[name])
# pages_sharing counts the further places of pages_shared pages.
print(json.dumps([pages, pages - last[1]]))
`;

/** Writes the memory of an image as the loader makes it, without its addresses. */
function dumpMemory(image: string, to: string): void {
  const file = readFileSync(image);
  const headers = programHeaders(file.subarray(0, HEADER_BYTES), file.length);
  if (headers === undefined) throw new Error(`${image} is not ELF`);
  const table = file.subarray(headers.offset, headers.offset + headers.sizeBytes);
  const map = segmentMap(readLoadSegments(headers, table, file.length), file.length, "mmap");
  const parts = [...windows(map, 1 << 20)].map((window) => readWindow(file, window));
  writeFileSync(to, Buffer.concat(parts));
}

/** `instances` instances, of the images in turn. `place`: where the memory is written to. */
export function mergePages(images: readonly string[], instances: number, place: string): MergedPages {
  const dumps = images.map((image, i) => {
    const dump = join(place, `memory-${i}`);
    dumpMemory(image, dump);
    return dump;
  });
  const files = Array.from({ length: instances }, (_, i) => dumps[i % dumps.length]);
  const { status, stdout, stderr } = spawnSync("python3", ["-c", MERGER], {
    input: JSON.stringify(files),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`merging pages: ${stderr}`);
  const [pages, leftPages] = JSON.parse(stdout) as [number, number];
  return { instances, pages, leftPages };
}
