/**
 * Deflate, Zstandard, CRC-32 and SHA-256 of a page: what of `zlib.ts` the file for pages needs, without a host.
 *
 * @module
 */

import { decompress } from "fzstd";
import { deflate as pack, Inflate } from "pako";

const CRC: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 as zlib and PNG compute it; `before` is that of the bytes before. */
export function crc32(bytes: Uint8Array, before: number = 0): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = CRC[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * Inflates a zlib stream; bytes after its end are ignored.
 *
 * @param most Bytes the result may have.
 * @returns The result, or undefined where the stream is damaged, ends early or gives more than `most` bytes.
 */
export function inflate(bytes: Uint8Array, most: number): Uint8Array | undefined {
  let length = 0;
  // A number of bits, or it would take gzip too.
  const stream = new Inflate({ windowBits: 15 });
  const keep = stream.onData.bind(stream);
  stream.onData = (part) => {
    length += part.length;
    if (length > most) throw new RangeError("too long");
    keep(part);
  };
  try {
    stream.push(bytes, true);
  } catch {
    return undefined;
  }
  return stream.ended && stream.err === 0 ? stream.result : undefined;
}

/**
 * Unpacks a Zstandard frame.
 *
 * @param most Bytes the result may have.
 * @returns The result, or undefined where the frame is damaged, ends early or gives more than `most` bytes.
 */
export function expandZstd(bytes: Uint8Array, most: number): Uint8Array | undefined {
  try {
    const out = decompress(bytes);
    return out.length > most ? undefined : out;
  } catch {
    return undefined;
  }
}

/** Deflates to a zlib stream, with more regard for time than for size. */
export function deflate(bytes: Uint8Array): Uint8Array {
  return pack(bytes, { level: 1 });
}

/** Fraction bits of a root, as SHA-256 takes its constants. */
function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

const PRIMES: readonly number[] = (() => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
})();
const ROUNDS: Uint32Array = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

/** SHA-256 of bytes that come in pieces (FIPS 180-4). */
export class Sha256 {
  #state: Uint32Array = Uint32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  readonly #block: Uint8Array = new Uint8Array(64);
  readonly #words: Uint32Array = new Uint32Array(64);
  #bytes = 0;

  /** Adds bytes. */
  update(bytes: Uint8Array): this {
    for (let at = 0; at < bytes.length;) {
      const filled = this.#bytes % 64;
      const take = Math.min(64 - filled, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + take), filled);
      this.#bytes += take;
      at += take;
      if (filled + take === 64) this.#round();
    }
    return this;
  }

  #round(): void {
    const [w, view] = [this.#words, new DataView(this.#block.buffer)];
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(4 * i);
    const turn = (x: number, n: number) => (x >>> n) | (x << (32 - n));
    for (let i = 16; i < 64; i++) {
      const [x, y] = [w[i - 15]!, w[i - 2]!];
      const [s, t] = [turn(x, 7) ^ turn(x, 18) ^ (x >>> 3), turn(y, 17) ^ turn(y, 19) ^ (y >>> 10)];
      w[i] = w[i - 16]! + s + w[i - 7]! + t;
    }
    let [a, b, c, d, e, f, g, h] = this.#state as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    for (let i = 0; i < 64; i++) {
      const one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i]! + w[i]!;
      const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => this.#state[i]! += value);
  }

  /** The digest of what was added so far, in lower-case hexadecimal; more can be added. */
  hexSoFar(): string {
    const copy = new Sha256();
    copy.#state = this.#state.slice();
    copy.#block.set(this.#block);
    copy.#bytes = this.#bytes;
    return copy.hex();
  }

  /** The digest in lower-case hexadecimal; the hash is used up. */
  hex(): string {
    const bits = BigInt(this.#bytes) * 8n;
    const end = new Uint8Array((this.#bytes % 64 < 56 ? 64 : 128) - this.#bytes % 64);
    end[0] = 0x80;
    new DataView(end.buffer).setBigUint64(end.length - 8, bits);
    this.update(end);
    return [...this.#state].map((word) => word.toString(16).padStart(8, "0")).join("");
  }
}
