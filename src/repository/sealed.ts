/**
 * Sealed text: the form of the small files of a repository that people may read.
 *
 *     canonical JSON (keys sorted by code unit, one per line, indented by one space) "\n"
 *     "sha256 " 64 hexadecimal digits of the SHA-256 of everything before this line "\n"
 *
 * There is one text for one value, so a parser compares its input with what it would have written itself:
 * each flipped byte is noticed, in the values by the checksum and everywhere else by the comparison.
 */
import type { Backend } from "../backend/index.ts";
import { equalBytes, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { invalid, TenonError } from "../errors/index.ts";

/** What sealed text can hold: numbers are integers up to 2^53 - 1. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/** Which file is read, for errors and bounds. */
export interface SealedFile {
  /** Name of the format, such as "ref state". */
  readonly format: string;
  /** Name in the backend. */
  readonly path: string;
}

/** Objects and lists nest no deeper: no format of ours needs more than four. */
const MAX_DEPTH = 16;
/** "sha256 ", 64 digits, "\n". */
const SEAL_BYTES = 72;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The file's bytes for a value; `usage` for a value that sealed text cannot hold. */
export function seal(value: JsonObject): Uint8Array {
  const body = `${canonical(value, "")}\n`;
  return utf8(`${body}sha256 ${sha256(utf8(body))}\n`);
}

/** The value of a file; `damaged` when its bytes are not what was written, `invalid` when they never were ours. */
export function unseal(bytes: Uint8Array, { format, path }: SealedFile): JsonObject {
  const damaged = (why: string, field: string, offset: number) =>
    new TenonError("damaged", `${path}: not the ${format} that was written: ${why}`, {
      path,
      format,
      field,
      offset,
    });
  const bodyBytes = bytes.length - SEAL_BYTES;
  if (bodyBytes < 0) throw damaged(`${bytes.length} bytes are too few`, "length", bytes.length);
  const body = bytes.subarray(0, bodyBytes);
  if (!equalBytes(bytes.subarray(bodyBytes), utf8(`sha256 ${sha256(body)}\n`))) {
    throw damaged("the checksum in its last line does not fit", "sha256", bodyBytes);
  }
  let value: JsonValue;
  try {
    value = JSON.parse(decoder.decode(body)) as JsonValue;
  } catch (error) {
    throw invalid(format, "text", 0, `not JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw invalid(format, "text", 0, "not a JSON object");
  let again: Uint8Array;
  try {
    again = seal(value);
  } catch (error) {
    throw invalid(format, "text", 0, (error as Error).message);
  }
  if (!equalBytes(again, bytes)) throw invalid(format, "text", 0, "not in canonical form");
  return value;
}

/** The bytes of a file of at most `maxBytes`. */
export async function readBounded(
  backend: Backend,
  { format, path, maxBytes }: SealedFile & { readonly maxBytes: number },
): Promise<Uint8Array> {
  const file = await backend.openRandom(path);
  try {
    if (file.size > maxBytes) {
      throw new TenonError(
        "limit",
        `${path}: ${file.size} bytes are too many for a ${format} (${maxBytes})`,
        {
          path,
          format,
        },
      );
    }
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

/** Takes the fields of a sealed value one by one; each must be there, be right, and none may be left. */
export class Fields {
  readonly #format: string;
  readonly #value: JsonObject;
  readonly #left: Set<string>;

  constructor(value: JsonValue, format: string) {
    if (!isObject(value)) throw invalid(format, "value", 0, "not a JSON object");
    this.#format = format;
    this.#value = value;
    this.#left = new Set(Object.keys(value));
  }

  /** Takes `format`, which must be the number of the one version there is so far. */
  version(path: string): void {
    const version = this.any("format");
    if (version === 1) return;
    throw new TenonError(
      "unsupported",
      `${path}: ${this.#format} of format ${JSON.stringify(version)}, this release knows format 1; use a newer tenon`,
      { path, format: this.#format, field: "format" },
    );
  }

  has(field: string): boolean {
    return this.#left.has(field);
  }

  any(field: string): JsonValue {
    if (!this.#left.delete(field)) throw this.error(field, "missing");
    return this.#value[field]!;
  }

  text(field: string, { maxLength, pattern }: { maxLength: number; pattern?: RegExp }): string {
    const text = this.any(field);
    if (typeof text !== "string") throw this.error(field, "not a string");
    if (text.length > maxLength) throw this.error(field, `longer than ${maxLength}`);
    if (pattern !== undefined && !pattern.test(text))
      throw this.error(field, `not of the form ${pattern.source}`);
    return text;
  }

  integer(field: string, { min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }): number {
    const value = this.any(field);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.error(field, `not an integer from ${min} to ${max}`);
    }
    return value;
  }

  flag(field: string): boolean {
    const value = this.any(field);
    if (typeof value !== "boolean") throw this.error(field, "neither true nor false");
    return value;
  }

  /** A time as `Date.toISOString` writes it. */
  time(field: string): string {
    const text = this.text(field, { maxLength: 32 });
    if (!isTime(text)) throw this.error(field, "not a time such as 2026-01-31T12:00:00.000Z");
    return text;
  }

  end(): void {
    for (const field of this.#left) throw this.error(field, "unknown to format 1");
  }

  error(field: string, why: string): TenonError {
    return invalid(this.#format, field, 0, why);
  }
}

/** True for a time in the one form that `Date.toISOString` writes. */
export function isTime(text: string): boolean {
  const at = new Date(text);
  return !Number.isNaN(at.getTime()) && at.toISOString() === text;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function canonical(value: JsonValue, indent: string): string {
  if (indent.length > MAX_DEPTH) throw new TenonError("usage", `nested deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value))
      throw new TenonError("usage", `not an integer up to 2^53 - 1: ${value}`);
    return JSON.stringify(value);
  }
  if (typeof value !== "object") throw new TenonError("usage", `a ${typeof value} is no JSON value`);
  const inner = `${indent} `;
  const [open, close, parts] = Array.isArray(value)
    ? ["[", "]", value.map((item: JsonValue) => canonical(item, inner))]
    : ["{", "}", members(value as JsonObject, inner)];
  return parts.length === 0
    ? open + close
    : `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
}

function members(value: JsonObject, indent: string): string[] {
  return Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}: ${canonical(value[key]!, indent)}`);
}
