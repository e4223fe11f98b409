/** Records of pax extended headers: `length SP keyword = value LF`, length counting the whole record. */

/** Extension headers (pax, GNU long names) up to this size are read; larger ones are carried, not understood. */
export const MAX_EXTENSION_BYTES = 1 << 20;

/**
 * Keyword to value, the last of equal keywords winning; what is no record ends the list. `onRecord` gets each, in their
 * order.
 */
export function parsePax(
  data: Uint8Array,
  onRecord?: (keyword: string, value: Uint8Array) => void,
): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  let at = 0;
  while (at < data.length) {
    let length = 0;
    let digit = at;
    for (; digit < data.length && digit - at < 8; digit++) {
      const byte = data[digit]!;
      if (byte < 0x30 || byte > 0x39) break;
      length = length * 10 + (byte - 0x30);
    }
    const end = at + length;
    if (data[digit] !== 0x20 || end > data.length || end <= digit + 1 || data[end - 1] !== 0x0a) break;
    const equals = data.indexOf(0x3d, digit);
    if (equals < 0 || equals >= end) break;
    const keyword = Buffer.from(data.subarray(digit + 1, equals)).toString("utf8");
    const value = data.slice(equals + 1, end - 1);
    records.set(keyword, value);
    onRecord?.(keyword, value);
    at = end;
  }
  return records;
}

/** A decimal number up to 2^53 - 1. */
export function paxNumber(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length > 16) return undefined;
  const text = Buffer.from(value).toString("latin1");
  return /^[0-9]{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}
