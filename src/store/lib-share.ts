/** `lib share`: which pages images have in common once they are loaded. Needs no repository. */
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { fileError } from "../files/index.ts";
import {
  HEADER_BYTES,
  type Loader,
  type MemoryMap,
  PAGE_BYTES,
  PageCensus,
  type PageSizeReport,
  pageMapSvg,
  programHeaders,
  readLoadSegments,
  segmentMap,
  wholeFileMap,
  windows,
} from "../pages/index.ts";
import type { OperationOptions } from "./events.ts";

export type { NeighbourCounts, PageCounts, PageSizeReport, PageTotals } from "../pages/index.ts";

export interface ShareOptions extends OperationOptions {
  /** How ELF images come into memory; `mmap` if not given. */
  readonly loader?: Loader;
}

export interface SharedImage {
  readonly path: string;
  /** `raw`: no ELF file, its bytes are taken for memory from address 0 on. */
  readonly kind: "elf" | "raw";
  readonly loader: Loader;
  /** Why it is raw, or not loaded as was asked for. */
  readonly reason?: string;
  readonly fileBytes: number;
}

/** What the pages of all images take if each content is kept once. */
export interface PagePool {
  /** Pages that are not zero, each content once; 4 KiB each. */
  readonly pages: number;
  readonly bytes: number;
  /** The same in frames of 1 MiB, each compressed by itself. */
  readonly zstdBytes: number;
  /** What says which page of the pool stands where in the images: 4 bytes for every page that is not zero. */
  readonly mapBytes: number;
}

export interface ShareReport {
  readonly version: 1;
  readonly images: readonly SharedImage[];
  /** For 4 KiB and for 2 MiB. */
  readonly pageSizes: readonly PageSizeReport[];
  readonly pool: PagePool;
}

export interface ShareResult {
  readonly report: ShareReport;
  /** The page map as an SVG document. */
  readonly pageMap: () => string;
}

/** What is read and compressed at once: the size of the frames of packs. */
const WINDOW_PAGES = (1 << 20) / PAGE_BYTES;
/** A page number of the pool: enough for 16 TiB of different pages. */
const MAP_ENTRY_BYTES = 4;

const compress = promisify(zstdCompress);
/** The level at which packs of a repository are made by default. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** New pages, compressed in frames of a fixed size. */
class Pool {
  readonly #frame = new Uint8Array(WINDOW_PAGES * PAGE_BYTES);
  #filled = 0;
  pages = 0;
  zstdBytes = 0;

  async add(page: Uint8Array): Promise<void> {
    this.#frame.set(page, this.#filled);
    this.#filled += page.length;
    this.pages++;
    if (this.#filled === this.#frame.length) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#filled === 0) return;
    this.zstdBytes += (await compress(this.#frame.subarray(0, this.#filled), ZSTD)).length;
    this.#filled = 0;
  }
}

/**
 * Counts the pages of images by content and address. Memory doesn't grow with the size of an image but with its number
 * of pages, by some 50 bytes each. Errors: `not-found`, `io`, `unsupported` for what is no file or has nothing to map,
 * `invalid` for broken ELF files; each names the path.
 */
export async function shareImages(
  paths: readonly string[],
  options: ShareOptions = {},
): Promise<ShareResult> {
  const census = new PageCensus();
  const pool = new Pool();
  const buffer = new Uint8Array(WINDOW_PAGES * PAGE_BYTES);
  const images: SharedImage[] = [];
  let doneBytes = 0;
  for (const [doneItems, path] of paths.entries()) {
    await using file = await openImage(path);
    const stat = await file.stat();
    if (!stat.isFile()) throw new TenonError("unsupported", `${path} is not a regular file`, { path });
    const image = await mapOf(file, path, stat.size, options.loader ?? "mmap");
    images.push(image.about);
    census.beginImage();
    for (const { firstPage, pages, reads } of windows(image.map, WINDOW_PAGES)) {
      throwIfAborted(options.signal);
      if (reads.length === 0) {
        census.addZeroPages(firstPage, pages);
        continue;
      }
      // Used again for every window: nobody keeps it, and fresh memory costs more than reading.
      const bytes = buffer.subarray(0, pages * PAGE_BYTES);
      if (reads.length > 1 || reads[0]!.lengthBytes < bytes.length) bytes.fill(0);
      for (const { at, offset, lengthBytes } of reads) {
        await readFully(file, path, bytes.subarray(at, at + lengthBytes), offset);
        doneBytes += lengthBytes;
      }
      const { newAt } = census.addPages(firstPage, bytes);
      for (const at of newAt) await pool.add(bytes.subarray(at, at + PAGE_BYTES));
      options.onEvent?.({
        ...{ type: "progress", operation: "lib share", phase: "reading" },
        ...{ doneBytes, doneItems, totalItems: paths.length },
      });
    }
  }
  await pool.flush();
  const pageSizes = census.report();
  const { total } = pageSizes[0]!;
  const report: ShareReport = {
    version: 1,
    images,
    pageSizes,
    pool: {
      pages: pool.pages,
      bytes: pool.pages * PAGE_BYTES,
      zstdBytes: pool.zstdBytes,
      mapBytes: (total.pages - total.zero) * MAP_ENTRY_BYTES,
    },
  };
  const pageMap = () => pageMapSvg(census.classes().map((runs, i) => ({ name: images[i]!.path, runs })));
  return { report, pageMap };
}

async function openImage(path: string): Promise<FileHandle> {
  return await open(path, "r").catch((error: unknown) => {
    throw fileError(error, { doing: "reading", path });
  });
}

async function readFully(file: FileHandle, path: string, into: Uint8Array, offset: number): Promise<void> {
  for (let length = 0; length < into.length; ) {
    const { bytesRead } = await file.read(into, length, into.length - length, offset + length);
    if (bytesRead === 0) throw new TenonError("io", `${path} became shorter while it was read`, { path });
    length += bytesRead;
  }
}

async function mapOf(
  file: FileHandle,
  path: string,
  fileBytes: number,
  loader: Loader,
): Promise<{ readonly about: SharedImage; readonly map: MemoryMap }> {
  const read = async (offset: number, lengthBytes: number) => {
    const bytes = new Uint8Array(lengthBytes);
    await readFully(file, path, bytes, offset);
    return bytes;
  };
  try {
    const headers = programHeaders(await read(0, Math.min(HEADER_BYTES, fileBytes)), fileBytes);
    if (headers === undefined) {
      const map = wholeFileMap(fileBytes);
      const reason = fileBytes === 0 ? "it is empty" : "it doesn't begin as an ELF file does";
      return { about: { path, kind: "raw", loader: map.loader, reason, fileBytes }, map };
    }
    const table = await read(headers.offset, headers.sizeBytes);
    const map = segmentMap(readLoadSegments(headers, table, fileBytes), fileBytes, loader);
    const reason = map.reason === undefined ? {} : { reason: map.reason };
    return { about: { path, kind: "elf", loader: map.loader, ...reason, fileBytes }, map };
  } catch (error) {
    if (!(error instanceof TenonError) || error.data.path !== undefined) throw error;
    throw new TenonError(error.code, `${path}: ${error.message}`, { ...error.data, path }, { cause: error });
  }
}
