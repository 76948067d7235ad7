import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { FormatError } from "../../src/core/errors.ts";
import { decodePng } from "../../src/io/image/png.ts";
import { crc32 } from "../../src/host/zlib.ts";

/** A PNG of these chunks, with good checksums. */
function png(...chunks: [type: string, body: Uint8Array][]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10)];
  for (const [type, body] of chunks) {
    const bytes = new Uint8Array(12 + body.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, body.length);
    bytes.set(new TextEncoder().encode(type), 4);
    bytes.set(body, 8);
    view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
    parts.push(bytes);
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function header(
  width: number,
  height: number,
  depth: number,
  type: number,
  ...methods: number[]
): [string, Uint8Array] {
  const body = new Uint8Array(13);
  new DataView(body.buffer).setUint32(0, width);
  new DataView(body.buffer).setUint32(4, height);
  body.set([depth, type, ...methods], 8);
  return ["IHDR", body];
}

const data = (...bytes: number[]): [string, Uint8Array] => ["IDAT", deflateSync(Uint8Array.from(bytes))];
const end: [string, Uint8Array] = ["IEND", new Uint8Array(0)];

Deno.test("decodePng() reads samples as they are stored", () => {
  const { width, height, depth, channels, data: samples } = decodePng(
    png(header(2, 1, 8, 0), data(0, 7, 9), end),
    "a.png",
  );
  assert.deepEqual([width, height, depth, channels, [...samples]], [2, 1, 8, 1, [7, 9]]);
  assert.deepEqual([...decodePng(png(header(3, 1, 4, 0), data(0, 0x5a, 0xf0), end), "a.png").data], [5, 10, 15]);
});

Deno.test("decodePng() says what is wrong, and where", () => {
  const good = png(header(2, 1, 8, 0), data(0, 7, 9), end);
  const flipped = good.slice();
  flipped[20]! ^= 1;
  const cases: [string, Uint8Array, RegExp][] = [
    ["no PNG", good.subarray(1), /byte 0 begins no PNG/],
    ["a wrong checksum", flipped, /byte 29 has a wrong checksum, expected that of IHDR/],
    ["no end", png(header(2, 1, 8, 0), data(0, 7, 9)), /is the end of the file, expected an IEND chunk/],
    ["no header", png(data(0, 7, 9), end), /begins chunk IDAT, expected IHDR first/],
    ["depth", png(header(2, 1, 3, 0), data(0, 7, 9), end), /depth 3, colour type 0/],
    ["method", png(header(2, 1, 8, 0, 0, 0, 2), data(0, 7, 9), end), /methods 0, 0, 2/],
    ["no palette", png(header(2, 1, 8, 3), data(0, 0, 0), end), /palette image without palette/],
    ["short data", png(header(2, 1, 8, 0), data(0, 7), end), /data of 2 bytes, expected 3/],
    ["long data", png(header(2, 1, 8, 0), data(0, 7, 9, 9), end), /data of 4 bytes, expected 3/],
    ["filter", png(header(2, 1, 8, 0), data(5, 7, 9), end), /row 0 has filter 5/],
    ["bomb", png(header(2, 1, 8, 0), data(...new Uint8Array(9999)), end), /damaged compressed data/],
    [
      "critical chunk",
      png(header(2, 1, 8, 0), ["CgBI", new Uint8Array(4)], data(0, 7, 9), end),
      /critical chunk "CgBI"/,
    ],
    ["size", png(header(100_000, 100_000, 8, 2), end), /claims 100000x100000 pixels/],
  ];
  for (const [what, bytes, pattern] of cases) {
    assert.throws(() => decodePng(bytes, "tile.png"), (error: FormatError) => {
      assert.match(error.message, pattern, what);
      assert.match(error.message, /^Cannot decode tile\.png as PNG: byte \d+ /);
      return error instanceof FormatError && error.exitCode === 4;
    });
  }
});
