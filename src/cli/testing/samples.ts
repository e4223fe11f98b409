/** Roots and states that tests print. */
import type { RefState, Root } from "../../store/index.ts";

export const DIGEST = "0123456789abcdef".repeat(4);
export const FILE: Root = { type: "file", digest: DIGEST, size: 3 * 2 ** 20, files: 1, mode: 0o755 };
export const TREE: Root = { type: "tree", digest: DIGEST, size: 5 * 2 ** 20, files: 1200 };

export function state(facts: Partial<RefState> = {}): RefState {
  return {
    ref: "tool:latest",
    sequence: 2,
    root: FILE,
    when: "2026-03-01T12:00:00.123Z",
    who: "a@b",
    what: "why",
    ...facts,
  };
}
