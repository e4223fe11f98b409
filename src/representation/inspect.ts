/** How a stored executable is kept, for people who ask. */
import {
  type CodedStreams,
  type CodingFacts,
  type DissectionFacts,
  describeCoding,
  describeDissection,
  isIdentityKey,
  pieceCountOf,
} from "../executable/index.ts";
import { type AtomReader, type BlobRecord, decodeHandprint } from "../repository/index.ts";
import { compressedSections } from "./compressed-sections.ts";
import { EXECUTABLE, loadBase } from "./executable-loading.ts";
import { decodeBody, loadStreams } from "./executable-streams.ts";
import { OBJECT } from "./object-loading.ts";

export interface ExecutableFacts extends DissectionFacts {
  /** How many other executables must be read first, one after the other. */
  readonly depth: number;
  /** Executables whose pieces this one is coded by. */
  readonly bases: readonly string[];
  readonly coding: CodingFacts;
  /** The recipe's streams, by number. */
  readonly streams: CodedStreams;
}

/** Facts of an executable; undefined for other representations. Errors: as when it is read. */
export async function executableFacts(
  record: BlobRecord,
  atoms: AtomReader,
): Promise<ExecutableFacts | undefined> {
  if (record.representation !== EXECUTABLE) return undefined;
  const { dissection } = (await loadBase(record, atoms)).value;
  const body = decodeBody(record.body);
  const streams = await loadStreams(record, body, atoms);
  let basePieces = 0;
  for (const child of record.children) {
    basePieces += pieceCountOf(decodeBody((await atoms.needRecord(child)).body).head);
  }
  return {
    ...describeDissection(dissection),
    depth: body.depth,
    bases: record.children,
    coding: describeCoding(dissection, streams, basePieces),
    streams,
  };
}

/** True for an executable or object file that the index knows by its build-id, or knows to have none. */
export async function isIdentified(record: BlobRecord, atoms: AtomReader): Promise<boolean> {
  if (record.representation === OBJECT) return true;
  if (record.representation !== EXECUTABLE && record.representation !== compressedSections.number)
    return false;
  for await (const { bytes } of atoms.read(record)) return decodeHandprint(bytes).keys.some(isIdentityKey);
  return false;
}
