/** Orders of relative paths; a walk takes one, a sorted-map builder must take the same. */
import { compareBytes } from "../bytes/index.ts";

const SLASH = 0x2f;

/** Plain order of unsigned bytes: 'a' < 'a-b' < 'a/x' < 'a0', since '-' < '/' < '0'. */
export function bytewise(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, b);
}

/** Component by component ('/' below every other byte): 'a' < 'a/x' < 'a-b' < 'a0'. */
export function componentwise(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  let at = 0;
  while (at < shared && a[at] === b[at]) at++;
  if (at === shared) return a.length - b.length;
  return (a[at] === SLASH ? -1 : a[at]!) - (b[at] === SLASH ? -1 : b[at]!);
}
