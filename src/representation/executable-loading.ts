/** The dissection of a stored executable: its streams, decoded by the dissections of its bases. */
import { isTenonError, TenonError } from "../errors/index.ts";
import { type DecodedDissection, decodeDissection, joinDecoded } from "../executable/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { decodeBody, loadStreams } from "./executable-streams.ts";

/** In the recipe; see `representations`. */
export const EXECUTABLE = 2;

/** Errors: `damaged`, `invalid`, `unsupported` for recipes that are not what a writer made. */
export async function loadDissection(record: BlobRecord, atoms: AtomReader): Promise<DecodedDissection> {
  return load(record, atoms, Number.POSITIVE_INFINITY);
}

/** The bytes of a stored executable, not yet compared with its digest. Errors as `loadDissection`. */
export async function loadExecutable(record: BlobRecord, atoms: AtomReader): Promise<Uint8Array> {
  const dissection = await loadDissection(record, atoms);
  return decoding(record, () => joinDecoded(dissection));
}

/** A recipe of ours that doesn't decode is damaged, whatever the decoder says of it. */
function decoding<T>({ digest }: BlobRecord, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isTenonError(error, "invalid") || isTenonError(error, "limit")) {
      throw new TenonError(
        "damaged",
        `the recipe of ${digest}: ${error.message}`,
        { ...error.data, digest },
        { cause: error },
      );
    }
    throw error;
  }
}

async function load(record: BlobRecord, atoms: AtomReader, below: number): Promise<DecodedDissection> {
  const { digest, children } = record;
  if (record.representation !== EXECUTABLE) throw damaged(digest, "a base that is no dissected executable");
  const body = decoding(record, () => decodeBody(record.body));
  // Depths go down, so that damaged recipes can't lead in a circle.
  if (body.depth >= below) throw damaged(digest, `a base of depth ${body.depth} for one of ${below}`);
  if ((children.length === 0) !== (body.depth === 0) || children.length > MAX_CHILDREN) {
    throw damaged(digest, `${children.length} bases at depth ${body.depth}`);
  }
  const bases: DecodedDissection[] = [];
  for (const child of children) bases.push(await load(await atoms.needRecord(child), atoms, body.depth));
  const streams = await loadStreams(record, body, atoms);
  const dissection = decoding(record, () => decodeDissection(body.head, streams, bases));
  if (dissection.fileBytes !== record.size)
    throw damaged(digest, `${dissection.fileBytes} bytes instead of ${record.size}`);
  return dissection;
}

/** Bases of one recipe: bounds a reader's memory. */
const MAX_CHILDREN = 4;

function damaged(digest: string, why: string): TenonError {
  return new TenonError("damaged", `the recipe of ${digest}: ${why}`, {
    digest,
    format: "executable recipe",
  });
}
