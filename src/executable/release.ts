/** Columns that are not used any more. */

/**
 * Gives the memory of columns back at once: the collector would leave it until much later, since it doesn't look at
 * what columns take. Nothing may use them, or others of the same buffers, afterwards.
 */
export function release(...columns: readonly (ArrayBufferView | undefined)[]): void {
  for (const column of columns) {
    if (column?.buffer instanceof ArrayBuffer && !column.buffer.detached) column.buffer.transfer(0);
  }
}
