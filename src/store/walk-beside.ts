/** Walking what is added, without the repository that it is added to. */
import { realpathSync } from "node:fs";
import { isAbsolute } from "node:path";
import { TenonError } from "../errors/index.ts";
import { type WalkItem, type WalkOptions, walk } from "../files/index.ts";
import type { StoreContext } from "./context.ts";

export type Walk = (root: string, options: WalkOptions) => AsyncIterable<WalkItem>;

/**
 * As `walk`, but the repository, which would grow while it is read, is a problem, and what is below it isn't there. Errors:
 * those of `walk`, and `usage` when the root is in the repository.
 */
export function walkBeside({ backend }: StoreContext): Walk {
  const own = isAbsolute(backend.location) ? realPath(backend.location) : undefined;
  if (own === undefined) return walk;
  return async function* (root, options) {
    for await (const item of walk(root, options)) {
      const { path, absolute } = item;
      if (!isWithin(absolute, own)) yield item;
      else if (path.length === 0) {
        throw new TenonError("usage", `${root} is in the repository, which can't be added to itself`, {
          path: root,
        });
      } else if (absolute.length === own.length) {
        const reason = "it is the repository itself; --exclude leaves it out without a word";
        yield { kind: "problem", path, absolute, code: "special", reason };
      }
    }
  };
}

/** Undefined for what is in no file system. */
function realPath(location: string): Buffer | undefined {
  try {
    return realpathSync(location, "buffer");
  } catch {
    return undefined;
  }
}

function isWithin(path: Buffer, folder: Buffer): boolean {
  if (path.length < folder.length || folder.compare(path, 0, folder.length) !== 0) return false;
  return path.length === folder.length || path[folder.length] === 0x2f;
}
