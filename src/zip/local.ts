/**
 * Local headers of zip archives (APPNOTE 4.3.7).
 *
 *     0 PK 3 4 | 4 version 2 | 6 flags 2 | 8 method 2 | 10 time 4 | 14 CRC 4 | 18 sizes 8 | 26 name length 2
 *     28 extra length 2 | name | extra
 */
const LOCAL_SIGNATURE = 0x04034b50;

export const LOCAL_HEADER_BYTES = 30;
export const METHOD_STORED = 0;
export const METHOD_DEFLATE = 8;

/** Length of the local header with name and extra fields; undefined when these 30 bytes are none. */
export function localHeaderBytes(header: Uint8Array): number | undefined {
  if (header.length < LOCAL_HEADER_BYTES) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) return undefined;
  return LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}
