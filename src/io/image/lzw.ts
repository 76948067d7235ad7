/**
 * LZW as TIFF has it: codes of 9 to 12 bits, most significant bit first, widened one code early.
 *
 * Source: TIFF 6.0, section 13.
 *
 * @module
 */

const CLEAR = 256;
const END = 257;

/**
 * Expands LZW data.
 *
 * @param most Bytes of the result; what follows is ignored.
 * @returns The result, shorter than `most` where the data ends early, or undefined where a code cannot be.
 */
export function expandLzw(data: Uint8Array, most: number): Uint8Array<ArrayBuffer> | undefined {
  const out = new Uint8Array(most);
  // The string of a code is a stretch of the output: that of the code before it and one byte more.
  const start = new Int32Array(4096);
  const length = new Int32Array(4096);
  let to = 0;
  let width = 9;
  let next = END + 1;
  let before = -1;
  let beforeLength = 0;
  let bits = 0;
  let have = 0;
  for (let at = 0; to < most;) {
    while (have < width && at < data.length) {
      bits = ((bits << 8) | data[at++]!) & 0xffffff;
      have += 8;
    }
    if (have < width) break;
    have -= width;
    const code = (bits >>> have) & ((1 << width) - 1);
    if (code === END) break;
    if (code === CLEAR) {
      width = 9;
      next = END + 1;
      before = -1;
      continue;
    }
    if (before >= 0 && next < 4096) {
      start[next] = before;
      length[next++] = beforeLength + 1;
      if (next >= (1 << width) - 1 && width < 12) width++;
    }
    before = to;
    if (code < 256) {
      out[to++] = code;
      beforeLength = 1;
      continue;
    }
    if (code >= next) return undefined;
    beforeLength = length[code]!;
    const end = Math.min(most, to + beforeLength);
    for (let from = start[code]!; to < end;) out[to++] = out[from++]!;
  }
  return to === most ? out : out.slice(0, to);
}
