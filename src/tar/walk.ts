/**
 * Going through an archive block by block, by a state machine that never looks back.
 *
 *     header [data] | extension header, its data | header of a sparse member, blocks of its map, data | zeros | ?
 *
 * Extension headers (`x` `g` pax, `L` `K` GNU long names) and maps are raw, like headers; what a member's data is
 * the walk says before the data comes, so that the caller passes it on elsewhere.
 */
import { BLOCK_BYTES, isTarHeader, parseHeader, type TarHeader } from "./header.ts";
import { MAX_EXTENSION_BYTES, parsePax, paxNumber } from "./pax.ts";
import { OldSparseMap, parseSparseMap, type SparseLayout } from "./sparse.ts";

export interface TarMember {
  readonly path: Uint8Array;
  readonly target: Uint8Array;
  readonly mode: number;
  /** As in the header: `0` file, `1` hard link, `2` symbolic link, `5` directory ... */
  readonly typeflag: string;
  /** Bytes of data that follow, before padding. */
  readonly dataBytes: number;
  /** The data is not the file itself but its parts between holes. */
  readonly isSparse: boolean;
  /** Of a sparse file; undefined when its map can't be read. */
  readonly sparse?: SparseLayout | undefined;
}

export type TarStep =
  /** Part of the frame: an extension, a map, zeros. */
  | { readonly kind: "raw" }
  /** The header of a member; its data comes next. */
  | { readonly kind: "member"; readonly member: TarMember }
  /** No header although one should be here. */
  | { readonly kind: "unknown" };

const RAW: TarStep = { kind: "raw" };
const UNKNOWN: TarStep = { kind: "unknown" };

/** Types that have no data whatever their size field says. */
const WITHOUT_DATA = new Set(["1", "2", "3", "4", "5", "6"]);

interface Extension {
  readonly typeflag: string;
  left: number;
  readonly data: Uint8Array | undefined;
  filled: number;
}

export class TarWalk {
  #extension: Extension | undefined;
  #pax = new Map<string, Uint8Array>();
  #global = new Map<string, Uint8Array>();
  #longName: Uint8Array | undefined;
  #longLink: Uint8Array | undefined;
  /** A sparse header whose map goes on. */
  #sparse: { readonly header: TarHeader; readonly map: OldSparseMap } | undefined;
  /** Offsets and lengths of parts, as they came. */
  #paxMap: (number | undefined)[] = [];

  /** Takes the next block that is not a member's data or its padding. */
  step(block: Uint8Array): TarStep {
    if (this.#extension !== undefined) {
      this.#extend(this.#extension, block);
      return RAW;
    }
    if (this.#sparse !== undefined) {
      // 21 entries of 24 bytes, then the flag that says whether another block follows.
      const { header, map } = this.#sparse;
      if (map.extend(block)) return RAW;
      this.#sparse = undefined;
      return this.#member(header, map.layout);
    }
    if (!isTarHeader(block)) return isZero(block) ? RAW : UNKNOWN;
    const header = parseHeader(block);
    if ("xgLK".includes(header.typeflag)) {
      const left = header.size ?? 0;
      const data = left <= MAX_EXTENSION_BYTES ? new Uint8Array(left) : undefined;
      if (left > 0) this.#extension = { typeflag: header.typeflag, left, data, filled: 0 };
      return RAW;
    }
    if (header.typeflag !== "S") return this.#member(header);
    const map = new OldSparseMap(block);
    if (!header.isExtended) return this.#member(header, map.layout);
    this.#sparse = { header, map };
    return RAW;
  }

  #extend(extension: Extension, block: Uint8Array): void {
    const part = block.subarray(0, Math.min(block.length, extension.left));
    extension.data?.set(part, extension.filled);
    extension.filled += part.length;
    extension.left -= part.length;
    if (extension.left > 0) return;
    this.#extension = undefined;
    const { typeflag, data } = extension;
    if (data === undefined) return;
    if (typeflag === "x") {
      this.#paxMap = [];
      this.#pax = parsePax(data, (keyword, value) => {
        if (keyword === "GNU.sparse.offset" || keyword === "GNU.sparse.numbytes")
          this.#paxMap.push(paxNumber(value));
      });
    } else if (typeflag === "g") this.#global = new Map([...this.#global, ...parsePax(data)]);
    else if (typeflag === "L") this.#longName = untilNul(data);
    else this.#longLink = untilNul(data);
  }

  #member(header: TarHeader, oldLayout?: SparseLayout): TarStep {
    const of = (keyword: string) => this.#pax.get(keyword) ?? this.#global.get(keyword);
    const size = paxNumber(of("size")) ?? header.size;
    const path = of("GNU.sparse.name") ?? of("path") ?? this.#longName ?? header.name;
    const target = of("linkpath") ?? this.#longLink ?? header.linkname;
    const isSparse =
      header.typeflag === "S" ||
      ["major", "map", "numblocks"].some((keyword) => of(`GNU.sparse.${keyword}`) !== undefined);
    const sparse = isSparse ? (oldLayout ?? this.#paxLayout(of)) : undefined;
    this.#pax = new Map();
    this.#paxMap = [];
    this.#longName = undefined;
    this.#longLink = undefined;
    if (size === undefined) return UNKNOWN;
    const dataBytes = WITHOUT_DATA.has(header.typeflag) ? 0 : size;
    const { typeflag, mode } = header;
    return { kind: "member", member: { path, target, mode, typeflag, dataBytes, isSparse, sparse } };
  }

  #paxLayout(of: (keyword: string) => Uint8Array | undefined): SparseLayout | undefined {
    const realBytes = paxNumber(of("GNU.sparse.realsize") ?? of("GNU.sparse.size"));
    if (realBytes === undefined) return undefined;
    if (paxNumber(of("GNU.sparse.major")) === 1) return { realBytes, map: undefined };
    const text = of("GNU.sparse.map");
    const map = text === undefined ? this.#paxMap : parseSparseMap(text);
    const isWhole = map?.every((number) => number !== undefined) === true;
    return isWhole ? { realBytes, map: map as readonly number[] } : undefined;
  }
}

function untilNul(data: Uint8Array): Uint8Array {
  const end = data.indexOf(0);
  return end < 0 ? data : data.subarray(0, end);
}

const zeroBlock = new Uint8Array(BLOCK_BYTES);

function isZero(block: Uint8Array): boolean {
  return Buffer.compare(block, zeroBlock) === 0;
}
