/** The probe itself: look, check the layers, measure everything once, report. */

import { displayPath } from "../bytes/index.ts";
import { Hasher } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { layerProbeLines } from "./ancestor-lines.ts";
import { Attribution } from "./attribution.ts";
import { readBlob, readHead } from "./blob.ts";
import { FileMethods } from "./files.ts";
import { FingerprintTable } from "./fingerprints.ts";
import { type Candidate, type Found, reasonOf } from "./found.ts";
import { type Compression, compressionOf, inflated } from "./inflate.ts";
import { look } from "./layouts.ts";
import { TarMembers } from "./members.ts";
import { PieceMeter } from "./meter.ts";
import { methodResults, StreamMethods } from "./methods.ts";
import { CompressionPool } from "./recompress.ts";
import type { ObjectResult, ProbeOptions, ProbeProblem, ProbeReport } from "./types.ts";

const CHECK_BYTES = 256 * 1024;

/** A layer or file that will be measured, once however many groups have it. */
interface Unit {
  readonly candidate: Candidate;
  readonly compression: Compression;
  readonly groups: Set<number>;
  totalBytes: number;
}

/**
 * Measures what each method would store of what is at the paths. Changes nothing and needs no repository.
 *
 * Errors: the failure of the first path when nothing could be measured at all, `interrupted`. Every other input that
 * can't be read, or is damaged, is a problem in the report.
 */
export async function probe(paths: readonly string[], options: ProbeOptions = {}): Promise<ProbeReport> {
  return new Probe(paths, options).run();
}

class Probe {
  readonly #paths: readonly string[];
  readonly #options: ProbeOptions;
  readonly #problems: ProbeProblem[] = [];
  readonly #groupNames: string[] = [];
  readonly #units = new Map<string, Unit>();
  readonly #otherBlobs = new Map<string, number>();
  readonly #pool: CompressionPool | undefined;
  readonly #attribution = new Attribution();
  readonly #exact: PieceMeter;
  readonly #streams: StreamMethods;
  readonly #files: FileMethods;
  /** The layer probe's own count: gzip layers only. */
  readonly #gear = {
    table: new FingerprintTable({ numbered: false }),
    isOn: false,
    layers: 0,
    bytes: 0,
    chunks: 0,
    unique: 0,
  };
  #memberStart = 0;
  #done = { bytes: 0, items: 0, totalBytes: 0, totalItems: 0 };

  constructor(paths: readonly string[], options: ProbeOptions) {
    this.#paths = paths;
    this.#options = options;
    this.#pool = options.recompress === false ? undefined : new CompressionPool();
    this.#exact = new PieceMeter(this.#pool);
    this.#streams = new StreamMethods(this.#pool, {
      onGear: (lengthBytes, print) => {
        const gear = this.#gear;
        if (!gear.isOn) return;
        gear.chunks++;
        gear.bytes += lengthBytes;
        if (gear.table.add(print)) gear.unique += lengthBytes;
      },
      onTenon: (lengthBytes, print) => this.#attribution.chunk(lengthBytes, print),
    });
    this.#files = new FileMethods(this.#pool, ({ name, lengthBytes, what }) => {
      const start = this.#memberStart;
      this.#attribution.member({ name, start, end: start + lengthBytes, what });
    });
  }

  async run(): Promise<ProbeReport> {
    await this.#look();
    const units = [...this.#units.values()];
    this.#done = {
      bytes: 0,
      items: 0,
      totalBytes: units.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
      totalItems: units.length,
    };
    const objects: ObjectResult[] = [];
    for (const unit of units) {
      objects.push(await this.#measure(unit));
      this.#done.items++;
    }
    return this.#report(units, objects);
  }

  #problem(problem: ProbeProblem): void {
    this.#problems.push(problem);
    this.#options.onProblem?.(problem);
  }

  #progress(phase: "looking" | "checking" | "measuring" | "compressing"): void {
    const { bytes: doneBytes, items: doneItems, totalBytes, totalItems } = this.#done;
    this.#options.onProgress?.({ phase, doneBytes, doneItems, totalBytes, totalItems });
  }

  async #look(): Promise<void> {
    let failure: unknown;
    const found: Found[] = [];
    for (const path of this.#paths) {
      throwIfAborted(this.#options.signal);
      try {
        found.push(await look(path, (problem) => this.#problem(problem), this.#options.signal));
      } catch (error) {
        // Of one path alone it is the failure of the whole, and told as that.
        if (this.#paths.length === 1) throw error;
        const [code, reason] = reasonOf(error);
        failure ??= error;
        this.#problem({ path, code, reason, skipped: true });
      }
    }
    if (found.length === 0 && failure !== undefined) throw failure;
    const layers = found.flatMap(({ groups }) => groups.flatMap(({ candidates }) => candidates));
    this.#done.totalItems = layers.length;
    this.#done.totalBytes = layers.reduce((sum, { place }) => sum + place.sizeBytes, 0);
    const checked = new Map<string, Unit | undefined>();
    for (const { groups, otherBlobs } of found) {
      for (const [key, size] of otherBlobs) this.#otherBlobs.set(key, size);
      for (const { name, candidates } of groups) {
        const group = this.#groupNames.push(name) - 1;
        for (const candidate of candidates) {
          const { path, offset } = candidate.place;
          const place = `${path.toString("latin1")}\0${offset}`;
          const unit = checked.has(place) ? checked.get(place) : await this.#check(candidate, place);
          checked.set(place, unit);
          unit?.groups.add(group);
          this.#done.items++;
        }
      }
    }
  }

  /**
   * Reads a layer once before anything of it is counted: its digest, and whether it can be inflated to the end, so
   * that a damaged one is left out as a whole. The same blob under another name is the same unit.
   */
  async #check(candidate: Candidate, place: string): Promise<Unit | undefined> {
    const { name, isLayer, digest } = candidate;
    const { signal } = this.#options;
    try {
      if (!isLayer) {
        const unit = {
          candidate,
          compression: "none" as const,
          groups: new Set<number>(),
          totalBytes: candidate.place.sizeBytes,
        };
        this.#units.set(place, unit);
        this.#done.bytes += candidate.place.sizeBytes;
        return unit;
      }
      const compression = compressionOf(readHead(candidate.place, 8));
      const hasher = new Hasher();
      for (const block of readBlob(candidate.place, CHECK_BYTES)) {
        throwIfAborted(signal);
        hasher.update(block);
        this.#done.bytes += block.length;
        this.#progress("checking");
      }
      const actual = hasher.digest();
      if (digest !== undefined && actual !== digest) {
        throw new TenonError("damaged", `its SHA-256 is ${actual}, not what it is named by`);
      }
      const known = this.#units.get(actual);
      if (known !== undefined) return known;
      let totalBytes = 0;
      for await (const block of inflated(candidate.place, compression, signal)) totalBytes += block.length;
      const unit = { candidate, compression, groups: new Set<number>(), totalBytes };
      this.#units.set(actual, unit);
      return unit;
    } catch (error) {
      const [code, reason] = reasonOf(error);
      const where = displayPath(candidate.place.path);
      const path = where.endsWith(name) ? where : `${where}: ${name}`;
      this.#problem({ path, code, reason, skipped: true });
      return undefined;
    }
  }

  async #measure(unit: Unit): Promise<ObjectResult> {
    const { candidate, compression, groups } = unit;
    const { name, place, isLayer } = candidate;
    const { signal } = this.#options;
    this.#attribution.begin(name, [...groups]);
    this.#gear.isOn = compression === "gzip";
    if (this.#gear.isOn && unit.totalBytes > 0) this.#gear.layers++;
    let members = 0;
    const tar = isLayer
      ? new TarMembers({
          begin: (member, lengthBytes, offset) => {
            members++;
            this.#memberStart = offset;
            this.#files.begin(member, lengthBytes);
          },
          data: (bytes) => this.#files.data(bytes),
          end: () => this.#files.end(),
          frame: (bytes) => this.#files.frame(bytes),
        })
      : undefined;
    this.#memberStart = 0;
    if (tar === undefined) this.#files.begin(name, place.sizeBytes);
    let totalBytes = 0;
    try {
      for await (const block of inflated(place, compression, signal)) {
        throwIfAborted(signal);
        totalBytes += block.length;
        this.#done.bytes += block.length;
        this.#exact.take(block, []);
        this.#streams.take(block);
        if (tar === undefined) this.#files.data(block);
        else tar.take(block);
        await this.#files.settle();
        await this.#pool?.ready();
        this.#progress("measuring");
        if (!isLayer || compression === "none") await new Promise<void>((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      const [code, reason] = reasonOf(error);
      this.#problem({ path: displayPath(place.path), code, reason, skipped: totalBytes === 0 });
    }
    const isWhole = tar?.finish() ?? true;
    if (tar === undefined) this.#files.end();
    if (tar !== undefined && members > 0 && (!isWhole || !tar.isTar)) {
      const reason =
        "its tar archive ends early or has no header where one should be: the rest counts as data";
      this.#problem({ path: `${displayPath(place.path)}: ${name}`, code: "invalid", reason, skipped: false });
    }
    if (tar !== undefined && members === 0) {
      this.#attribution.member({ name, start: 0, end: totalBytes, what: "data" });
    }
    await this.#files.settle();
    this.#exact.endStream();
    this.#streams.endStream();
    this.#files.endStream();
    await this.#pool?.ready();
    const kind = !isLayer ? "file" : compression === "none" ? "tar layer" : (`${compression} layer` as const);
    return { name, kind, storedBytes: place.sizeBytes, totalBytes, groups: [...groups], ownBytes: 0 };
  }

  async #report(units: readonly Unit[], measured: readonly ObjectResult[]): Promise<ProbeReport> {
    this.#progress("compressing");
    for (const meter of this.#streams.meters().values()) meter.finish();
    this.#exact.finish();
    this.#files.finish();
    await this.#pool?.drain();
    const { results, leftOut } = this.#files.results();
    // Without layers it would be the row before it once more.
    if (measured.every(({ kind }) => kind === "file")) results.delete("exact-file");
    results.set("exact", this.#exact.result());
    for (const [name, meter] of this.#streams.meters()) results.set(name, meter.result());
    const methods = methodResults(results);
    const own = this.#attribution.ownBytes();
    const objects = measured.map((object, i) => ({ ...object, ownBytes: own[i]! }));
    const groupBytes = this.#attribution.groupBytes(this.#groupNames.length);
    const otherBytes = [...this.#otherBlobs.values()].reduce((sum, size) => sum + size, 0);
    const storedBytes = objects.reduce((sum, object) => sum + object.storedBytes, otherBytes);
    const matrix = this.#attribution.matrix(this.#groupNames);
    const by = (name: string) => methods.find((method) => method.name === name)!;
    const isCompressed =
      objects.length > 0 && objects.every(({ kind }) => kind === "gzip layer" || kind === "zstd layer");
    const tenon = by("tenon-chunks").packedBytes;
    const chunkCdn = by("gear(14)").aloneBytes;
    const apart = results.get("tenon-executables")?.packedBytes;
    return {
      version: 1,
      inputs: this.#paths,
      totalBytes: objects.reduce((sum, object) => sum + object.totalBytes, 0),
      storedBytes,
      layers: objects.filter(({ kind }) => kind !== "file").length,
      files: this.#files.files,
      methods,
      leftOut,
      ...(isCompressed &&
        tenon !== undefined &&
        chunkCdn !== undefined && {
          verdict: {
            compressedNowBytes: storedBytes - otherBytes,
            tenonBytes: tenon,
            chunkCdnBytes: chunkCdn,
            ...(apart !== undefined && { tenonExecutablesBytes: apart }),
          },
        }),
      ...(this.#gear.layers > 0 && {
        layerProbeLines: layerProbeLines(this.#paths.join(" "), {
          layers: this.#gear.layers,
          compressedBytes: storedBytes,
          uncompressedBytes: this.#gear.bytes,
          chunks: this.#gear.chunks,
          uniqueBytes: this.#gear.unique,
        }),
      }),
      groups: this.#groupNames.map((name, i) => ({
        name,
        objects: units.filter(({ groups }) => groups.has(i)).length,
        ...groupBytes[i]!,
      })),
      objects,
      ...(matrix && { matrix }),
      ...this.#attribution.extremes(this.#groupNames),
      executables: this.#files.likeness.maps(),
      problems: this.#problems,
      otherBlobs: { count: this.#otherBlobs.size, bytes: otherBytes },
    };
  }
}
