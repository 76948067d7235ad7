/**
 * JPEG files of random sizes, samplings, qualities, tables, scans and restart intervals, some with coefficients out of range:
 * the pixels that Pillow reads. `scripts/jpeg_random.ts` does the same with thousands.
 */

import assert from "node:assert/strict";
import { compared } from "../../scripts/jpeg_random.ts";
import { Rng } from "../../src/core/rng.ts";
import { decodeJpeg, openJpeg } from "../../src/io/image/jpeg.ts";
import { JPEG_MODULE, JPEG_SOURCE } from "../../src/io/image/jpeg_decode.gen.ts";
import { Sha256 } from "../../src/host/zlib.ts";

const folder = new URL("../fixtures/jpeg_random/", import.meta.url);
const bytesOf = (name: string) => Deno.readFileSync(new URL(name, folder));

Deno.test("random JPEG files give Pillow's bytes, whatever was read before", () => {
  const names: string[] = [];
  for (const turn of [1, 2]) {
    for (const { name, pillow, ours, why } of compared(folder)) {
      assert.deepEqual([name, ours], [name, pillow], why);
      if (turn === 1) names.push(name);
    }
  }
  assert.equal(names.length, 72);
});

Deno.test("rows read in any order, while other images are decoded, are those of the whole", () => {
  const rng = new Rng(5);
  const files = Array.from({ length: 12 }, (_, i) => bytesOf(`${String(i).padStart(4, "0")}.jpg`));
  const open = files.map((bytes) => openJpeg(bytes, "a"));
  for (const [i, bytes] of files.entries()) {
    const { width, height, channels, data } = decodeJpeg(bytes, "a");
    const stride = width * channels;
    for (let n = 0; n < 20; n++) {
      const y = rng.below(height);
      const count = 1 + rng.below(height - y);
      const out = new Uint8Array(count * stride + 8).fill(7);
      open[i]!.readRows(y, count, out, 4);
      assert.deepEqual(out.subarray(4, 4 + count * stride), data.subarray(y * stride, (y + count) * stride));
      assert.deepEqual([...out.subarray(0, 4), ...out.subarray(4 + count * stride)], new Array(8).fill(7));
    }
  }
});

Deno.test("an image of more bytes than are kept has memory of its own, and the next ones are right", () => {
  // Grey, each block of which differs by nothing from the one before and has no more coefficients: two bits of zero.
  const [across, down] = [1024, 1152];
  const small = bytesOf("0000.jpg");
  const before = decodeJpeg(small, "a").data;
  const head = [0xff, 0xd8, 0xff, 0xdb, 0, 67, 0, ...new Array(64).fill(1)];
  head.push(0xff, 0xc0, 0, 11, 8, down * 8 >> 8, 0, across * 8 >> 8, 0, 1, 1, 0x11, 0);
  for (const kind of [0, 0x10]) head.push(0xff, 0xc4, 0, 20, kind, 1, ...new Array(15).fill(0), 0);
  head.push(0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0);
  const file = new Uint8Array(head.length + across * down / 4 + 2);
  file.set(head);
  file.set([0xff, 0xd9], file.length - 2);
  const { width, height, data } = decodeJpeg(file, "large.jpg");
  assert.deepEqual([width, height], [across * 8, down * 8]);
  assert.ok(data.every((value) => value === 128));
  assert.deepEqual(decodeJpeg(small, "a").data, before);
});

Deno.test("what libjpeg refuses in a stream is refused: codes of ones alone, markers that are reserved, two beginnings", () => {
  const good = bytesOf("0000.jpg");
  const segment = (...bytes: number[]) => Uint8Array.of(0xff, 0xd8, ...bytes, ...good.subarray(2));
  const ones = segment(0xff, 0xc4, 0, 21, 0, 2, ...new Array(15).fill(0), 0, 1);
  assert.throws(() => decodeJpeg(ones, "a.jpg"), /byte 6 has a damaged Huffman table, expected a prefix code/);
  for (const marker of [0x02, 0xbf, 0xc8, 0xd8, 0xde, 0xdf, 0xf0, 0xfd]) {
    const name = marker.toString(16).padStart(2, "0");
    assert.throws(
      () => decodeJpeg(segment(0xff, marker, 0, 2), "a.jpg"),
      new RegExp(`byte 2 has marker FF${name}, expected one that JPEG has there`),
    );
  }
  for (const marker of [0xe5, 0xfe, 0xcc, 0xdc]) {
    assert.deepEqual(decodeJpeg(segment(0xff, marker, 0, 2), "a.jpg").data, decodeJpeg(good, "a.jpg").data);
  }
  assert.deepEqual(decodeJpeg(segment(0xff, 0xff, 0xff, 1), "a.jpg").data, decodeJpeg(good, "a.jpg").data);
});

Deno.test("the compiled reader is that of its source, small enough for a browser's page, and asks for nothing", () => {
  const source = Deno.readFileSync(new URL("../../src/io/image/jpeg_decode.c", import.meta.url));
  assert.equal(new Sha256().update(source).hex(), JPEG_SOURCE, "run scripts/build_wasm.ts");
  const bytes = Uint8Array.from(atob(JPEG_MODULE), (letter) => letter.charCodeAt(0));
  // Chromium compiles up to 8 MiB at once on a page's main thread since version 115.
  assert.ok(bytes.length < 32_768, `${bytes.length} bytes`);
  assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
});

Deno.test("a progressive image without all of its scans is refused: libjpeg would smooth over what is missing", () => {
  const whole = Deno.readFileSync(new URL("../fixtures/images/jpeg_progressive_444.jpg", import.meta.url));
  const scans = [...whole.keys()].filter((at) => whole[at] === 0xff && whole[at + 1] === 0xda);
  assert.ok(scans.length > 5);
  for (const at of scans.slice(1)) {
    // Up to the table of the scan that is left out.
    const table = whole.findLastIndex((byte, i) => i < at && byte === 0xff && whole[i + 1] === 0xc4);
    const before = scans.findLast((scan) => scan < at)!;
    const cut = Uint8Array.of(...whole.subarray(0, table > before ? table : at), 0xff, 0xd9);
    assert.throws(
      () => decodeJpeg(cut, "a.jpg"),
      /byte \d+ comes before all of coefficient [1-9] of component \d, expected more scans/,
      `scan at byte ${at}`,
    );
  }
});
