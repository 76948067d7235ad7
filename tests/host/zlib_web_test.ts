/** What a page has instead of the host's deflate, checksums and hashes: the same results, of good bytes and of bad. */

import assert from "node:assert/strict";
import { deflateSync, gzipSync, inflateSync, zstdCompressSync } from "node:zlib";
import * as host from "../../src/host/zlib.ts";
import * as page from "../../src/host/zlib_web.ts";

/** Bytes with repeats, as images have. */
function bytesOf(length: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return i % 7 < 5 ? (i >> 5) & 255 : state >>> 24;
  });
}

const LENGTHS = [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 1000, 16384, 100_003];

Deno.test("checksums and hashes are the host's, in one piece and in several", () => {
  for (const length of LENGTHS) {
    const bytes = bytesOf(length, length + 1);
    assert.equal(page.crc32(bytes), host.crc32(bytes));
    const cut = length >> 1;
    assert.equal(page.crc32(bytes.subarray(cut), page.crc32(bytes.subarray(0, cut))), host.crc32(bytes));
    const [a, b] = [new page.Sha256().update(bytes.subarray(0, cut)), new host.Sha256().update(bytes.subarray(0, cut))];
    assert.equal(a.hexSoFar(), b.hexSoFar());
    assert.equal(a.update(bytes.subarray(cut)).hex(), b.update(bytes.subarray(cut)).hex());
  }
  assert.equal(
    new page.Sha256().update(new TextEncoder().encode("abc")).hex(),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("inflate() gives what the host gives, also of what is damaged, cut, too long, or followed by other bytes", () => {
  for (const length of LENGTHS) {
    const bytes = bytesOf(length, 7);
    for (const level of [0, 1, 9]) {
      const packed = new Uint8Array(deflateSync(bytes, { level }));
      const longer = new Uint8Array(packed.length + 9);
      longer.set(packed);
      longer.set([1, 2, 3], packed.length);
      assert.deepEqual(page.inflate(packed, length), bytes);
      assert.deepEqual(page.inflate(longer, length), bytes);
      if (length > 1) assert.equal(page.inflate(packed, length - 1), undefined);
      for (const short of [0, 1, 2, packed.length >> 1, packed.length - 5, packed.length - 1]) {
        assert.equal(page.inflate(packed.subarray(0, short), length), undefined, `${length} cut at ${short}`);
      }
      for (let i = 0; i < 40; i++) {
        const damaged = packed.slice();
        damaged[(i * 7919) % packed.length]! ^= 1 << (i % 8);
        assert.deepEqual(page.inflate(damaged, 2 * length + 10), host.inflate(damaged, 2 * length + 10));
      }
    }
    assert.deepEqual(new Uint8Array(inflateSync(page.deflate(bytes))), bytes);
    const gzip = new Uint8Array(gzipSync(bytes));
    assert.deepEqual([page.inflate(gzip, length), host.inflate(gzip, length)], [undefined, undefined]);
  }
});

Deno.test("expandZstd() gives what the host gives", () => {
  const bytes = bytesOf(70_000, 3);
  const frame = new Uint8Array(zstdCompressSync(bytes));
  assert.deepEqual(page.expandZstd(frame, bytes.length), bytes);
  assert.equal(page.expandZstd(frame, bytes.length - 1), undefined);
  assert.equal(page.expandZstd(Uint8Array.of(1, 2, 3, 4, 5), 100), undefined);
});
