/** Paths, which are any bytes, as text that people read. */
import { utf8 } from "./plain.ts";

/** What could disguise a line of a terminal: controls, invisible formatting, line separators, turns of direction. */
const DISGUISE = /[\p{C}\p{Zl}\p{Zp}]/u;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A path as one line of text that is safe on a terminal: UTF-8 as it is, `\xNN` for each byte that is not UTF-8 or
 * belongs to a character that could disguise the line, `\\` for a backslash. Two paths never look the same.
 */
export function displayPath(path: string | Uint8Array): string {
  const bytes = typeof path === "string" ? utf8(path) : path;
  const plain = decoded(bytes);
  if (plain !== undefined && !plain.includes("\\") && !DISGUISE.test(plain)) return plain;
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + sequenceBytes(bytes[at]!));
    const text = decoded(piece);
    if (text === undefined) out += escaped(bytes[at]!);
    else if (text === "\\") out += "\\\\";
    else if (DISGUISE.test(text)) out += Array.from(piece, escaped).join("");
    else out += text;
    at += text === undefined ? 1 : piece.length;
  }
  return out;
}

/** Bytes of the UTF-8 sequence that a first byte announces; the decoder judges whether it is one. */
function sequenceBytes(first: number): number {
  if (first < 0x80) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function escaped(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** The text, or undefined for what is not UTF-8. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
