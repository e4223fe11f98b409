/**
 * What people write to name things: `name:tag` for a ref, and specs such as `name:tag@3:/path` for a state of it
 * and a place inside. Pure text, nothing is looked up here.
 */
import { TenonError } from "../errors/index.ts";

export interface RefName {
  readonly name: string;
  readonly tag: string;
}

export const DEFAULT_TAG = "latest";
/** Sequences have 10 digits in file names, so that names sort as numbers do. */
export const SEQUENCE_DIGITS = 10;
export const MAX_SEQUENCE = 10 ** SEQUENCE_DIGITS - 1;

const MAX_NAME_LENGTH = 255;
/** The last component, '@' and the tag make one file name, which file systems bound at 255 bytes. */
const MAX_LEAF_LENGTH = 255;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** `name` or `name:tag`; the tag is `latest` when there is none. `usage` error for anything else. */
export function parseRefName(text: string): RefName {
  const colon = text.indexOf(":");
  const ref =
    colon < 0 ? { name: text, tag: DEFAULT_TAG } : { name: text.slice(0, colon), tag: text.slice(colon + 1) };
  const why = refNameProblem(ref);
  if (why === undefined) return ref;
  throw new TenonError("usage", `not a ref: ${JSON.stringify(text.slice(0, 300))}: ${why}`, { ref: text });
}

/** `name:tag` */
export function formatRef({ name, tag }: RefName): string {
  return `${name}:${tag}`;
}

/** Why this cannot be a ref, or undefined when it can. */
function refNameProblem({ name, tag }: RefName): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return `the name is longer than ${MAX_NAME_LENGTH}`;
  if (!NAME.test(name)) {
    return "a name is made of letters, digits, '.', '_' and '-', in parts joined by '/', none beginning with '.' or '-'";
  }
  if (!TAG.test(tag))
    return "a tag is up to 128 letters, digits, '.', '_' and '-', not beginning with '.' or '-'";
  const leafLength = name.length - (name.lastIndexOf("/") + 1) + 1 + tag.length;
  if (leafLength > MAX_LEAF_LENGTH)
    return `the name's last part and the tag are longer than ${MAX_LEAF_LENGTH - 1}`;
  return undefined;
}

/** A spec read as a ref. At most one of `sequence` and `back` is there. */
export interface RefReading {
  readonly ref: RefName;
  /** `@N`: the state with this number. */
  readonly sequence?: number;
  /** `~N`: so many states before the newest. */
  readonly back?: number;
  /** What follows the ':', as it was written. */
  readonly path?: string;
}

/** A spec read as the beginning of a digest. */
export interface DigestReading {
  /** 4 to 64 lowercase hexadecimal digits. */
  readonly digestPrefix: string;
  readonly path?: string;
}

/** One text, up to two readings. When there is such a ref, it wins; the store knows. */
export interface Spec {
  readonly text: string;
  readonly ref?: RefReading;
  readonly digest?: DigestReading;
}

/**
 * Reads `NAME[:TAG][@N|~N][:PATH]` and `[sha256:]HEX[:PATH]`.
 *
 * What follows the first ':' is a tag when it can be one, else a path (`name:/bin/ls`); `name::path` is a path in
 * the default tag in any case. A path is the rest of the text and may hold anything. `usage` error when neither
 * reading is possible.
 */
export function parseSpec(text: string): Spec {
  const ref = readRef(text);
  const digest = readDigest(text);
  if (ref === undefined && digest === undefined) {
    throw new TenonError(
      "usage",
      `cannot read ${JSON.stringify(text.slice(0, 300))}: write NAME[:TAG][@N or ~N][:PATH] or a digest of at least 4 digits`,
      { ref: text },
    );
  }
  return { text, ...(ref && { ref }), ...(digest && { digest }) };
}

/** Name, then maybe ":tag", then maybe "@N" or "~N", then maybe ":path". */
const REF_SPEC = /^([^:@~]+)(?::([^:@~/]*))?(?:([@~])([0-9]{1,10}))?(?::(.+))?$/s;
/** Name, then ":path" where the path cannot be a tag. */
const PATH_SPEC = /^([^:@~]+):(.+)$/s;
const DIGEST_SPEC = /^(?:sha256:)?([0-9A-Fa-f]{4,64})(?::(.+))?$/s;

function readRef(text: string): RefReading | undefined {
  const [, name = "", tag, sign, number, path] = REF_SPEC.exec(text) ?? [];
  const ref = { name, tag: tag === undefined || tag === "" ? DEFAULT_TAG : tag };
  // "name:" and "name:@3" have an empty tag that stands for nothing; only "name::path" means it.
  const emptyTag = tag === "" && (path === undefined || sign !== undefined);
  if (!emptyTag && refNameProblem(ref) === undefined) {
    const count = Number(number);
    if (sign === "@" && count === 0) return undefined;
    return {
      ref,
      ...(sign === "@" && { sequence: count }),
      ...(sign === "~" && { back: count }),
      ...(path !== undefined && { path }),
    };
  }
  const [, plainName = "", rest] = PATH_SPEC.exec(text) ?? [];
  const plain = { name: plainName, tag: DEFAULT_TAG };
  return rest !== undefined && refNameProblem(plain) === undefined ? { ref: plain, path: rest } : undefined;
}

function readDigest(text: string): DigestReading | undefined {
  const [, digits, path] = DIGEST_SPEC.exec(text) ?? [];
  return digits === undefined
    ? undefined
    : { digestPrefix: digits.toLowerCase(), ...(path !== undefined && { path }) };
}
