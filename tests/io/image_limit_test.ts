/** Small files that claim much: refused by what their headers say, before memory is taken for it. */

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { FormatError } from "../../src/core/errors.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { checkFileSize, decodeImage } from "../../src/io/image/image.ts";
import { FLAT, MAX_DECODED, tileLimit } from "../../src/io/image/rgb_image.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { openTiff } from "../../src/io/image/tiff.ts";
import { crc32 } from "../../src/host/zlib.ts";
import { taken } from "./taken.ts";
import { type Entry, makeTiff } from "./tiff_maker.ts";

function chunk(type: string, body: Uint8Array): number[] {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return [...bytes];
}

/** A PNG of this size, whose compressed data inflates to `bytes` zeros. */
function png(
  width: number,
  height: number,
  bytes: number,
  [depth, type, interlace] = [8, 2, 0],
): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head.set([depth!, type!, 0, 0, interlace!], 8);
  const data = deflateSync(new Uint8Array(bytes));
  const magic = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
  return Uint8Array.from([
    ...magic,
    ...chunk("IHDR", head),
    ...chunk("IDAT", data),
    ...chunk("IEND", new Uint8Array()),
  ]);
}

const jpeg = Deno.readFileSync(new URL("../fixtures/images/jpeg_444.jpg", import.meta.url));
const progressive = Deno.readFileSync(new URL("../fixtures/images/jpeg_progressive_444.jpg", import.meta.url));

/** A JPEG whose frame claims another size. */
function claiming(bytes: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const out = Uint8Array.from(bytes);
  const frame = out.findIndex((byte, i) => byte === 0xff && (out[i + 1] === 0xc0 || out[i + 1] === 0xc2));
  new DataView(out.buffer).setUint16(frame + 5, height);
  new DataView(out.buffer).setUint16(frame + 7, width);
  return out;
}

/** Refused with these words, and by nothing that took more than a few times the file. */
async function refused(use: () => unknown, file: Uint8Array, why: RegExp): Promise<void> {
  const bytes = await taken(() =>
    assert.rejects(async () => await use(), (error: FormatError) => {
      assert.ok(error instanceof FormatError, (error as Error).stack);
      assert.match(error.message, why);
      const { file, offset, found, expected } = error.context;
      return file === "a" && typeof offset === "number" && found !== undefined && expected !== undefined;
    })
  );
  assert.ok(bytes < 16 * file.length + 1e6, `${bytes} bytes for a file of ${file.length}`);
}

Deno.test("A PNG is refused by its header, with the size it declares and the limit", async () => {
  const side = 12_000;
  const claim =
    /claims 12000x12000 pixels, 432000000 bytes, expected at most 268435456 bytes for an image that is decoded/;
  // The data is there: nothing but the header tells.
  const whole = png(side, side, (3 * side + 1) * 400);
  await refused(() => decodeImage(whole, "a"), whole, claim);
  for (
    const [width, height, kind, why] of [
      [20_000, 20_000, [8, 2, 0], /claims 20000x20000 pixels, expected 1 to 178956970/],
      [65_500, 2_700, [8, 0, 0], /65500x2700 pixels, 530550000 bytes/],
      [8_000, 8_000, [16, 6, 0], /8000x8000 pixels, 512000000 bytes/],
      [9_500, 9_500, [8, 2, 1], /9500x9500 pixels, 270750000 bytes/],
      [9_000, 9_000, [8, 2, 0], /ends \d+ bytes of data, expected enough for 243009000/],
      [9_000, 9_000, [8, 2, 1], /expected enough for/],
      [30_000, 2_900, [1, 0, 0], /expected enough for/],
    ] as const
  ) {
    const file = png(width, height, 1_000_000, [...kind]);
    await refused(() => decodeImage(file, "a"), file, why);
  }
});

Deno.test("Data that inflates to more than the header allows is stopped there", async () => {
  const file = png(64, 64, 200_000_000);
  assert.ok(file.length < 250_000);
  await refused(() => decodeImage(file, "a"), file, /damaged compressed data/);
  await refused(() => openSlide(fromBytes(file, "a")), file, /more than 12352 bytes/);
});

Deno.test("A flat slide is refused by the bytes its samples would take", async () => {
  assert.equal(FLAT.bytes, 20_000 * 20_000 * 3);
  for (
    const [file, why] of [
      [png(20_000, 20_000, 1000, [8, 6, 0]), /20000x20000 pixels, 1600000000 bytes, expected at most 1200000000/],
      [png(20_001, 20_001, 1000), /claims 20001x20001 pixels, expected 1 to 400000000/],
      [png(20_000, 20_000, 1000), /ends \d+ bytes of data, expected enough for 1200020000/],
      [png(12_000, 12_000, 1000, [8, 2, 1]), /12000x12000 pixels, 432000000 bytes/],
      [claiming(progressive, 16_000, 16_000), /16000x16000 pixels, 2304000000 bytes, expected at most 1200000000/],
      [
        claiming(jpeg, 20_000, 20_000),
        /claims 20000x20000 pixels before \d+ bytes, expected at least 2343750 bytes of code/,
      ],
    ] as const
  ) {
    await refused(() => openSlide(fromBytes(file, "a")), file, why);
  }
});

Deno.test("A JPEG is refused by its frame, and where its code cannot hold the blocks it claims", async () => {
  for (const base of [jpeg, progressive]) {
    const large = claiming(base, 12_000, 12_000);
    await refused(
      () => decodeImage(large, "a"),
      large,
      /12000x12000 pixels, 432000000 bytes, expected at most 268435456/,
    );
    const empty = claiming(base, 9_000, 9_000);
    await refused(() => decodeImage(empty, "a"), empty, /claims 9000x9000 pixels before \d+ bytes, expected at least/);
  }
});

Deno.test("A JPEG of scans without end is refused", () => {
  const last = progressive.lastIndexOf(0xff);
  const scan = progressive.findIndex((byte, i) => byte === 0xff && progressive[i + 1] === 0xda);
  const end = progressive.findIndex((byte, i) => i > scan + 2 && byte === 0xff && progressive[i + 1] !== 0);
  const once = [...progressive.subarray(scan, end)];
  const file = Uint8Array.from([
    ...progressive.subarray(0, scan),
    ...Array.from({ length: 120 }, () => once).flat(),
    ...progressive.subarray(last),
  ]);
  assert.throws(() => decodeImage(file, "a"), /begins scan 101, expected at most 100 scans/);
  const first = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
  const again = Uint8Array.from([...jpeg.subarray(0, -2), ...jpeg.subarray(first)]);
  assert.throws(() => decodeImage(again, "a"), /scans component 1 again/);
});

Deno.test("A TIFF is refused by its tags: pixels, chunks, samples, values of a tag", async () => {
  const of = (width: number, height: number, more: Entry[], samples = 3, data = new Uint8Array(64)) =>
    makeTiff([{ width, height, samples, data, more }]);
  const lots = new Uint8Array(9_000_000);
  const cases: [Uint8Array, RegExp][] = [
    [of(12_000, 12_000, []), /claims 12000x12000 pixels, 432000000 bytes, expected at most 268435456 bytes/],
    [of(9_000, 9_000, [[258, 3, [16, 16, 16]]]), /9000x9000 pixels, 486000000 bytes/],
    [of(9_000, 9_000, [[259, 3, [8]]]), /begins chunk 0 of 64 bytes, expected data of 243000000 bytes Deflate/],
    [of(9_000, 9_000, [[259, 3, [5]]]), /expected data of 243000000 bytes LZW/],
    [
      of(64, 64, [[322, 4, [16_000]], [323, 4, [16_000]], [324, 4, [8]], [325, 4, [64]]]),
      /chunks of 16000x16000 pixels, 768000000 bytes/,
    ],
    [of(64, 64, [[258, 3, lots]]), /gives tag 258 4500000 values, expected at most 4096/],
    [of(64, 64, [[320, 3, lots]]), /gives tag 320 4500000 values, expected at most 196608/],
    [of(64, 64, [[273, 3, lots]]), /gives tag 273 4500000 values, expected at most 4194304/],
    [of(64, 64, [[330, 4, new Uint8Array(40_000)]]), /gives tag 330 10000 values, expected at most 4096/],
    [of(64, 64, [[347, 7, new Uint8Array(70_000)]]), /gives tag 347 70000 values, expected at most 65536/],
  ];
  for (const [file, why] of cases) await refused(() => decodeImage(file, "a"), file, why);
  // As a slide it is refused when it is opened: a white tile in place of a damaged one would be as large.
  const [chunks, why] = cases[4]!;
  await refused(() => openSlide(fromBytes(chunks, "a"), { damagedTiles: "white" }), chunks, why);
  const [directories] = cases.slice(-5);
  await refused(() => openTiff(fromBytes(directories![0], "a")), directories![0], directories![1]);
});

Deno.test("A tile's limit is what a batch of them takes at once, and a file is compared with it before it is read", () => {
  const limit = tileLimit(2 ** 27, 8);
  assert.equal(limit.bytes, 2 ** 24);
  assert.equal(tileLimit(2 ** 32, 1).bytes, 2 * MAX_DECODED);
  assert.throws(
    () => decodeImage(png(3000, 3000, 27_003_000), "a", limit),
    (error: FormatError) =>
      /3000x3000 pixels, 27000000 bytes, expected at most 16777216 bytes for a tile of 8 at a time/.test(
        error.message,
      ) &&
      /--batch-size/.test(error.hint!) && /dzsave/.test(error.hint!) && /predict/.test(error.hint!),
  );
  checkFileSize("a", 3 * limit.bytes, limit);
  assert.throws(() => checkFileSize("a", 10 ** 9, limit), /a: it has 1000000000 bytes, expected at most 67108864/);
});
