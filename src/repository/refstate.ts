/**
 * One state of a ref as a file: `refs/<name>@<tag>/<sequence in 10 digits>`, sealed text (docs/formats/ref.md).
 * Pure: no I/O, no clock.
 */
import type { Digest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { formatRef, MAX_SEQUENCE, parseRefName, type RefName, SEQUENCE_DIGITS } from "./refnames.ts";
import { Fields, isTime, type JsonObject, type JsonValue, seal, unseal } from "./sealed.ts";

/** What a state points to. */
export interface RefRoot {
  readonly type: "file" | "tree";
  readonly digest: Digest;
  /** Bytes of the file, or the sum over all files of the tree. */
  readonly size: number;
  readonly files: number;
  /** File mode bits (0o7777) when the root is one file. */
  readonly mode?: number;
}

/** What the caller says about a new state. */
export interface RefChange {
  /** Null removes the ref: its history stays. */
  readonly root: RefRoot | null;
  /** Up to 1024 characters. */
  readonly who: string;
  /** Up to 16384 characters. */
  readonly what: string;
  /** As `Date.toISOString` writes it. */
  readonly when: string;
}

export interface RefState extends RefChange {
  /** `name:tag` */
  readonly ref: string;
  /** 1, 2, 3 ... within the ref. */
  readonly sequence: number;
  /** SHA-256 of the file of the state before; null for the first. */
  readonly parent: Digest | null;
}

export const REF_FORMAT = "ref state";
export const REFS_FOLDER = "refs";
const MAX_WHO_LENGTH = 1024;
const MAX_WHAT_LENGTH = 16 * 1024;
/** The longest texts, each character escaped in 6 bytes, and room for the rest. */
export const MAX_STATE_BYTES = 6 * (MAX_WHO_LENGTH + MAX_WHAT_LENGTH) + 4096;
const DIGEST = { maxLength: 64, pattern: /^[0-9a-f]{64}$/ };
const PLACE = /^refs\/(.+)@([^@/]+)\/([0-9]{10})$/;

/** Where a ref's states rest. */
export function refFolder({ name, tag }: RefName): string {
  return `${REFS_FOLDER}/${name}@${tag}`;
}

export function stateName(ref: RefName, sequence: number): string {
  return `${refFolder(ref)}/${String(sequence).padStart(SEQUENCE_DIGITS, "0")}`;
}

/** Which state a file name stands for; undefined for a name that is none. */
export function parseStateName(path: string): { ref: RefName; sequence: number } | undefined {
  const [, name, tag, digits] = PLACE.exec(path) ?? [];
  if (name === undefined || tag === undefined || Number(digits) === 0) return undefined;
  try {
    return { ref: parseRefName(`${name}:${tag}`), sequence: Number(digits) };
  } catch {
    return undefined;
  }
}

/** The file of a state; `usage` or `limit` for a state that no file can hold. */
export function serializeState(state: RefState): Uint8Array {
  const { ref, sequence, root, who, what, when, parent } = state;
  if (who.length > MAX_WHO_LENGTH || what.length > MAX_WHAT_LENGTH) {
    throw new TenonError(
      "limit",
      `${ref}: at most ${MAX_WHO_LENGTH} characters say who, at most ${MAX_WHAT_LENGTH} say what`,
      { ref },
    );
  }
  if (sequence > MAX_SEQUENCE)
    throw new TenonError("limit", `${ref}: no state after ${MAX_SEQUENCE}`, { ref });
  if (!isTime(when)) throw new TenonError("usage", `${ref}: not a time: ${when}`, { ref });
  return seal({ format: 1, ref, sequence, root: root && rootJson(root), who, what, when, parent });
}

/** The state in a file, which must be the one that belongs at this place. */
export function parseState(bytes: Uint8Array, ref: RefName, sequence: number): RefState {
  const path = stateName(ref, sequence);
  const fields = new Fields(unseal(bytes, { format: REF_FORMAT, path }), REF_FORMAT);
  fields.version(path);
  const found = { ref: fields.any("ref"), sequence: fields.any("sequence") };
  if (found.ref !== formatRef(ref) || found.sequence !== sequence) {
    throw new TenonError(
      "damaged",
      `${path}: this file belongs to state ${JSON.stringify(found.sequence)} of ${JSON.stringify(found.ref)}`,
      { path, format: REF_FORMAT, field: "ref", ref: formatRef(ref) },
    );
  }
  const root = fields.any("root");
  const parent = fields.has("parent") && fields.any("parent");
  if (parent !== null && !(typeof parent === "string" && DIGEST.pattern.test(parent))) {
    throw fields.error("parent", "not a digest or null");
  }
  if ((parent === null) !== (sequence === 1)) throw fields.error("parent", "null exactly for state 1");
  const state: RefState = {
    ref: formatRef(ref),
    sequence,
    root: root === null ? null : parseRoot(root),
    who: fields.text("who", { maxLength: MAX_WHO_LENGTH }),
    what: fields.text("what", { maxLength: MAX_WHAT_LENGTH }),
    when: fields.time("when"),
    parent,
  };
  fields.end();
  return state;
}

function rootJson({ type, digest, size, files, mode }: RefRoot): JsonObject {
  return { type, digest, size, files, ...(mode !== undefined && { mode }) };
}

function parseRoot(value: JsonValue): RefRoot {
  const fields = new Fields(value, REF_FORMAT);
  const type = fields.text("type", { maxLength: 4, pattern: /^(?:file|tree)$/ }) as RefRoot["type"];
  const root: RefRoot = {
    type,
    digest: fields.text("digest", DIGEST),
    size: fields.integer("size", { min: 0 }),
    files: fields.integer("files", { min: 0 }),
    ...(fields.has("mode") && { mode: fields.integer("mode", { min: 0, max: 0o7777 }) }),
  };
  fields.end();
  if (root.mode !== undefined && type !== "file") throw fields.error("mode", "only a file has one here");
  return root;
}
