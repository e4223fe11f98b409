/** Nodes in memory, with counts of what was read and written. */
import { type Digest, sha256 } from "../../digest/index.ts";
import { TenonError } from "../../errors/index.ts";
import type { NodeStore } from "../types.ts";

export class MemoryNodeStore implements NodeStore {
  readonly nodes = new Map<Digest, Uint8Array>();
  /** Calls of `get`. */
  reads = 0;
  /** Calls of `put`, those of nodes that were there included. */
  writes = 0;

  async get(digest: Digest): Promise<Uint8Array> {
    this.reads++;
    const bytes = this.nodes.get(digest);
    if (bytes === undefined) throw new TenonError("not-found", `there is no node ${digest}`, { digest });
    return bytes;
  }

  put(bytes: Uint8Array): Digest {
    this.writes++;
    const digest = sha256(bytes);
    this.nodes.set(digest, bytes);
    return digest;
  }
}
