/**
 * Text that is written while it is made: a file of any size takes the memory of a piece.
 *
 * @module
 */

/** Characters that are encoded at once. */
const PIECE = 1 << 16;

/** Bytes of text in UTF-8, short pieces of it together. */
export function* textChunks(pieces: Iterable<string>): Generator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  let [held, size]: [string[], number] = [[], 0];
  for (const piece of pieces) {
    held.push(piece);
    size += piece.length;
    if (size < PIECE) continue;
    yield encoder.encode(held.join(""));
    [held, size] = [[], 0];
  }
  if (size > 0) yield encoder.encode(held.join(""));
}
