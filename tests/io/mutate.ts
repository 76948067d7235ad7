/** Damage for readers: seeded changes of a file's bytes. */

import type { Rng } from "../../src/core/rng.ts";

const WORDS: readonly number[] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A copy of `bytes` that is cut short, or changed in one to eight places; `head` bytes at the start suffer most. */
export function mutate(bytes: Uint8Array, rng: Rng, head: number = bytes.length): Uint8Array<ArrayBuffer> {
  const out = Uint8Array.from(bytes);
  if (rng.below(6) === 0) return out.slice(0, rng.below(out.length));
  for (let n = rng.below(3) === 0 ? 8 : 1 + rng.below(3); n > 0; n--) {
    const at = rng.below(rng.below(2) ? Math.min(head, out.length) : out.length);
    const kind = rng.below(4);
    if (kind < 2) out[at]! ^= 1 << rng.below(8);
    else if (kind === 2) out[at] = rng.below(256);
    else {
      const word = WORDS[rng.below(WORDS.length)]!;
      for (let i = 0; i < Math.min(4, out.length - at); i++) out[at + i] = word >>> (8 * i);
    }
  }
  return out;
}
