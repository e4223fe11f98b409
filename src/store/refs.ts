/** tag and rm: refs without new content. */
import { TenonError } from "../errors/index.ts";
import { formatRef, parseRefName } from "../repository/index.ts";
import { closureIntact } from "./closure.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import { publicState, resolve } from "./resolve.ts";
import type { RefState, Root } from "./types.ts";
import { holdingLease } from "./writing.ts";

export interface MoveOptions extends OperationOptions {
  readonly who?: string;
  readonly message?: string;
}

/** Points a ref to what another spec names. */
export async function tag(
  context: StoreContext,
  source: string,
  refText: string,
  options: MoveOptions = {},
): Promise<RefState> {
  const ref = parseRefName(refText);
  return holdingLease(context, async ({ condemned, assertHeld }) => {
    const { target, root } = await resolve(context, source);
    let wanted: Root = root;
    if (target.type === "file") {
      const { digest, size, mode } = target;
      wanted = { type: "file", digest, size, files: 1, ...(mode !== undefined && { mode }) };
    } else if (target.type === "symlink" || target.path.length > 0) {
      throw new TenonError("unsupported", `${source} is inside a tree: a ref names a whole tree or a file`);
    }
    if (condemned.size > 0 && !(await closureIntact(context, wanted, condemned))) {
      throw new TenonError("conflict", `${source} is being collected as garbage: add it again`, {
        digest: wanted.digest,
      });
    }
    await assertHeld();
    const { who = "unknown", message: what = `tag ${source}` } = options;
    const state = await context.refs.move(ref, { root: wanted, who, what, when: new Date().toISOString() });
    await assertHeld();
    return publicState(state);
  });
}

/** Removes a ref (its history stays until garbage is collected), or forgets all its states but the present one. */
export async function remove(
  context: StoreContext,
  refText: string,
  options: MoveOptions & { readonly history?: boolean } = {},
): Promise<RefState> {
  const ref = parseRefName(refText);
  const present = await context.refs.read(ref);
  if (present === undefined || (present.root === null && options.history !== true)) {
    throw new TenonError("not-found", `there is no ref ${formatRef(ref)}; tenon ls shows the refs`, {
      ref: refText,
    });
  }
  if (options.history === true) {
    await context.refs.forgetHistory(ref);
    return publicState(present);
  }
  const { who = "unknown", message: what = "rm" } = options;
  return publicState(await context.refs.move(ref, { root: null, who, what, when: new Date().toISOString() }));
}
