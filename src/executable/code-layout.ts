/**
 * The layout: which pieces there are, and what each is coded by.
 *
 *     layout   runs: count * 4 + mode varint, then for copies and changes the source of the first piece
 *
 * Sources in bases: zigzag of the distance from where the last such run ended. Sources in the file itself: how many
 * pieces back. In a run sources go up by one.
 */

import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { unzigzag, zigzag } from "../delta/index.ts";
import { type Matches, Mode } from "./match-pieces.ts";

const OWN_COPY = 3;

/** One run of pieces. */
export interface LayoutRun {
  readonly mode: number;
  readonly count: number;
  /** Library number of the first piece's source; -1 for fresh pieces. */
  readonly source: number;
}

export function writeLayout({ mode, source }: Matches, basePieces: number, out: ByteWriter): void {
  let expected = 0;
  for (let i = 0; i < mode.length; ) {
    const first = source[i]!;
    const own = first >= basePieces;
    let end = i + 1;
    while (end < mode.length && mode[end] === mode[i]) {
      if (mode[i] !== Mode.fresh && source[end] !== first + end - i) break;
      if (source[end]! >= basePieces !== own) break;
      end++;
    }
    const count = end - i;
    if (mode[i] === Mode.fresh) out.varint(count * 4 + Mode.fresh);
    else if (own) {
      if (mode[i] !== Mode.copy) throw new Error("pieces of the file itself are copied, not changed");
      out.varint(count * 4 + OWN_COPY).varint(basePieces + i - first);
    } else {
      out.varint(count * 4 + mode[i]!).varint(zigzag(first - expected));
      expected = first + count;
    }
    i = end;
  }
}

/** Reads runs until they make up `pieces` pieces. Errors: `invalid` for sources that aren't there. */
export function* readLayout(reader: ByteReader, pieces: number, basePieces: number): Generator<LayoutRun> {
  let expected = 0;
  for (let i = 0; i < pieces; ) {
    const head = reader.varint("run", (pieces - i) * 4 + 3);
    const code = head % 4;
    const count = (head - code) / 4;
    if (count === 0) throw reader.error("run", "no pieces");
    let source = -1;
    if (code === OWN_COPY) source = basePieces + i - reader.varint("source", i);
    else if (code !== Mode.fresh) {
      source = expected + unzigzag(reader.varint("source"));
      expected = source + count;
      if (source < 0 || expected > basePieces)
        throw reader.error("source", "pieces that the bases don't have");
    }
    if (code === OWN_COPY && source >= basePieces + i)
      throw reader.error("source", "a piece that is yet to come");
    yield { mode: code === OWN_COPY ? Mode.copy : code, count, source };
    i += count;
  }
}
