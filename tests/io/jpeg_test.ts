import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { decodeJpeg } from "../../src/io/image/jpeg.ts";

const read = (name: string) => Deno.readFileSync(new URL(`../fixtures/images/${name}`, import.meta.url));
const good = read("jpeg_444.jpg");

/** Offset of the first marker of a kind. */
function marker(bytes: Uint8Array, kind: number): number {
  return bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === kind);
}

function changed(at: number, ...bytes: number[]): Uint8Array {
  const out = good.slice();
  out.set(bytes, at);
  return out;
}

Deno.test("decodeJpeg() says what is wrong, and where", () => {
  const frame = marker(good, 0xc0);
  const scan = marker(good, 0xda);
  const cases: [string, Uint8Array, RegExp][] = [
    ["no JPEG", good.subarray(1), /byte 0 begins no JPEG, expected FFd8/],
    ["arithmetic", changed(frame + 1, 0xc9), /arithmetic coding not read here, expected baseline or progressive/],
    ["lossless", changed(frame + 1, 0xc3), /lossless not read here/],
    ["12 bits", changed(frame + 4, 12), /samples of 12 bits, expected 8/],
    ["no height", changed(frame + 5, 0, 0), /claims 43x0 pixels/],
    ["sampling", changed(frame + 11, 0x51), /sampling factors/],
    ["no table", changed(scan + 6, 0x33), /names a Huffman table that was not given/],
    ["wide", changed(marker(good, 0xc4) + 24, 16), /names a table with differences of 16 bits, expected at most 15/],
    ["no component", changed(scan + 5, 9), /scans component 9, expected one of the frame/],
    [
      "no scan",
      Uint8Array.of(...good.subarray(0, scan), 0xff, 0xd9),
      /comes before component 1, expected a scan of it/,
    ],
    ["no frame", Uint8Array.of(0xff, 0xd8, 0xff, 0xd9), /expected a frame header/],
    ["no end", good.subarray(0, good.length - 2), /expected an end-of-image marker/],
    ["early end", Uint8Array.of(...good.subarray(0, good.length - 300), 0xff, 0xd9), /ends the data of a scan early/],
  ];
  for (const [what, bytes, pattern] of cases) {
    assert.throws(() => decodeJpeg(bytes, "tile.jpg"), (error: FormatError) => {
      assert.match(error.message, pattern, what);
      assert.match(error.message, /^Cannot decode tile\.jpg as JPEG: byte \d+ /);
      return error instanceof FormatError && error.exitCode === 4;
    });
  }
});

Deno.test("decodeJpeg() refuses restart markers out of order", () => {
  const bytes = read("jpeg_restart.jpg");
  bytes[marker(bytes, 0xd1) + 1] = 0xd3;
  assert.throws(() => decodeJpeg(bytes, "a.jpg"), /has marker FFd3, expected FFd1/);
});

Deno.test("decodeJpeg() takes tables from elsewhere, as the tiles of a TIFF do", () => {
  const whole = decodeJpeg(good, "a.jpg");
  const tables: number[] = [0xff, 0xd8];
  const tile: number[] = [0xff, 0xd8];
  for (let at = 2; at < good.length;) {
    const kind = good[at + 1]!;
    const length = kind === 0xda ? good.length - at : 2 + (good[at + 2]! << 8 | good[at + 3]!);
    (kind === 0xdb || kind === 0xc4 ? tables : tile).push(...good.subarray(at, at + length));
    at += length;
  }
  tables.push(0xff, 0xd9);
  assert.throws(() => decodeJpeg(Uint8Array.from(tile), "tile"), FormatError);
  const apart = decodeJpeg(Uint8Array.from(tile), "tile", { tables: Uint8Array.from(tables) });
  assert.deepEqual(apart.data, whole.data);
});

Deno.test("decodeJpeg() leaves components as they are where the container says they are RGB", () => {
  const rgb = read("jpeg_rgb.jpg");
  assert.deepEqual(decodeJpeg(rgb, "a").data, decodeJpeg(rgb, "a", { ycc: false }).data);
  assert.notDeepEqual(decodeJpeg(rgb, "a").data, decodeJpeg(rgb, "a", { ycc: true }).data);
});
