/**
 * Plain data on its way to another thread: objects, arrays, maps, and typed arrays in them.
 *
 * A typed array that is all of its buffer moves; of one that is part of a buffer the part is copied, so that neither
 * unused room nor what else lies there (a kernel's memory, a buffer that is used again) goes with it.
 */

/** A value for `postMessage`, and the buffers that move with it. */
export interface Packed<T> {
  readonly value: T;
  readonly transfer: ArrayBuffer[];
}

/** Ready to move: what is packed must not be used here any more. */
export function packed<T>(value: T): Packed<T> {
  const transfer = new Set<ArrayBuffer>();
  const value2 = walk(value, new Map(), (view) => {
    const { buffer } = view;
    const moved =
      buffer instanceof ArrayBuffer && view.byteLength === buffer.byteLength ? view : view.slice();
    if (moved.byteLength > 0) transfer.add(moved.buffer as ArrayBuffer);
    return moved;
  });
  return { value: value2, transfer: [...transfer] };
}

/** The same of a copy: `value` stays as it is. */
export function packedCopy<T>(value: T): Packed<T> {
  const transfer: ArrayBuffer[] = [];
  const copy = walk(value, new Map(), (view) => {
    const own = view.slice();
    if (own.byteLength > 0) transfer.push(own.buffer as ArrayBuffer);
    return own;
  });
  return { value: copy, transfer };
}

/** Gives up all memory of typed arrays that are all of their buffers. */
export function release(value: unknown): void {
  walk(value, new Map(), (view) => {
    const { buffer } = view;
    if (buffer instanceof ArrayBuffer && view.byteLength === buffer.byteLength) buffer.transfer(0);
    return view;
  });
}

/** What a `slice` makes a copy of: all of them but DataView. */
interface TypedArray extends ArrayBufferView {
  slice(): TypedArray;
}

/** The same data with other typed arrays. Whatever is met twice stays one. */
function walk<T>(value: T, seen: Map<unknown, unknown>, replace: (view: TypedArray) => TypedArray): T {
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known as T;
  if (ArrayBuffer.isView(value)) {
    if (value instanceof DataView) throw new TypeError("a DataView can't be sent to another thread");
    // A Buffer's slice is no copy.
    const view = value instanceof Uint8Array ? plain(value) : (value as unknown as TypedArray);
    const replaced = replace(view);
    seen.set(value, replaced);
    return replaced as T;
  }
  if (Array.isArray(value)) {
    const array: unknown[] = [];
    seen.set(value, array);
    for (const entry of value) array.push(walk(entry, seen, replace));
    return array as T;
  }
  if (value instanceof Map) {
    const map = new Map<unknown, unknown>();
    seen.set(value, map);
    for (const [key, entry] of value) map.set(key, walk(entry, seen, replace));
    return map as T;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new TypeError(`a ${value.constructor.name} can't be sent to another thread`);
  const object: Record<string, unknown> = {};
  seen.set(value, object);
  for (const [key, entry] of Object.entries(value)) object[key] = walk(entry, seen, replace);
  return object as T;
}

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
