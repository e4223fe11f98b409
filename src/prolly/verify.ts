/** Proof that a map is whole and has the one shape that its content allows. */
import { type Digest, sha256 } from "../digest/index.ts";
import { invalid } from "../errors/index.ts";
import { buildMap } from "./builder.ts";
import { entries } from "./cursor.ts";
import type { MapSpace, NodeStore, ProllyRoot } from "./types.ts";

/**
 * Reads every node and builds the map again without keeping anything. `invalid` when the root differs: such a
 * map can be read, but no builder made it, and equal content would have another digest.
 */
export async function verifyMap(space: MapSpace, root: ProllyRoot): Promise<void> {
  const nowhere: NodeStore = {
    put: (bytes): Digest => sha256(bytes),
    get: (digest) => space.store.get(digest),
  };
  const again = await buildMap({ store: nowhere, kind: space.kind }, entries(space, root));
  if (again.digest !== root.digest) {
    throw invalid(space.kind.format, "shape", 0, `the same entries have the root ${again.digest}`);
  }
}
