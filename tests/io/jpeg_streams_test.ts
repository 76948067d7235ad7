/** JPEG streams whose markers, component names, sampling and tables disagree, and TIFF tags that disagree with them. */

import assert from "node:assert/strict";
import { FormatError } from "../../src/core/errors.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { type Entry, makeTiff } from "./tiff_maker.ts";

type Read = [mode: string, sha256: string] | null;

const folder = new URL("../fixtures/jpeg_streams/", import.meta.url);
const expected = JSON.parse(Deno.readTextFileSync(new URL("expected.json", folder))) as Record<
  string,
  { plain: Read; tile: Record<string, Read> }
>;
const stream = (name: string): Uint8Array => Deno.readFileSync(new URL(`${name}.jpg`, folder));
const PHOTOMETRICS: Record<string, [code: number, samples: number]> = {
  minisblack: [1, 1],
  rgb: [2, 3],
  separated: [5, 4],
  ycbcr: [6, 3],
};
const SIDE = 32;

/** Mode and digest, or nothing where the file is refused by name; as an image and as a slide it is the same. */
async function read(bytes: Uint8Array): Promise<Read> {
  const whole = async (): Promise<Uint8Array> => {
    const slide = await openSlide(fromBytes(bytes, "a"));
    return (await slide.read(0, 0, 0, slide.levels[0]!.width, slide.levels[0]!.height)).data;
  };
  try {
    const { mode, data } = decodeImage(bytes, "a");
    assert.deepEqual(await whole(), data);
    return [mode, new Sha256().update(data).hex()];
  } catch (error) {
    assert.ok(error instanceof FormatError && error.context.expected !== undefined, (error as Error).stack);
    await assert.rejects(whole(), FormatError);
    return null;
  }
}

function tile(data: Uint8Array, photometric: string, more: Entry[] = []): Uint8Array {
  const [code, samples] = PHOTOMETRICS[photometric]!;
  return makeTiff([{ width: SIDE, height: SIDE, samples, photometric: code, data, tiled: true, compression: 7, more }]);
}

Deno.test("JPEG components mean what libjpeg takes them for, whatever markers and names say", async () => {
  for (const [name, { plain }] of Object.entries(expected)) {
    assert.deepEqual([name, await read(stream(name))], [name, plain]);
  }
});

Deno.test("In a TIFF the tag says what samples mean, as for libtiff: the same bytes, or a refusal", async () => {
  // libtiff fills a tile whose stream is too small with whatever was there; this is refused here.
  const stricter = new Set(["lower"]);
  for (const [name, { tile: kinds }] of Object.entries(expected)) {
    for (const [kind, want] of Object.entries(kinds)) {
      const found = await read(tile(stream(name), kind));
      assert.deepEqual([name, kind, found], [name, kind, stricter.has(name) ? null : want]);
    }
  }
});

Deno.test("The subsampling tag counts for nothing: the stream says how its components are stored", async () => {
  for (const name of ["ycc420_jfif", "ycc422_jfif", "ycc440_jfif", "ycc444_jfif"]) {
    for (const factors of [[1, 1], [2, 1], [2, 2], [4, 2]]) {
      assert.deepEqual(await read(tile(stream(name), "ycbcr", [[530, 3, factors]])), expected[name]!.plain);
    }
  }
});

Deno.test("Tables may stand in the file's JPEGTables, in the tile, or in both", async () => {
  const whole = stream("ycc420_jfif");
  const scan = whole.findIndex((byte, i) => byte === 0xff && whole[i + 1] === 0xda);
  const [own, tables]: [number[], number[]] = [[0xff, 0xd8], [0xff, 0xd8]];
  for (let at = 2; at < scan;) {
    const length = 2 + whole[at + 2]! * 256 + whole[at + 3]!;
    const shared = whole[at + 1] === 0xdb || whole[at + 1] === 0xc4;
    (shared ? tables : own).push(...whole.subarray(at, at + length));
    at += length;
  }
  own.push(...whole.subarray(scan));
  tables.push(0xff, 0xd9);
  const want = expected.ycc420_jfif!.plain;
  const apart = Uint8Array.from(own);
  const entry = (bytes: number[]): Entry[] => [[347, 7, Uint8Array.from(bytes)]];
  assert.deepEqual(await read(tile(apart, "ycbcr", entry(tables))), want);
  // Tables of the stream itself come later, and count.
  const other = tables.map((value, i) => i > 6 && i < 40 ? (value + 3) & 255 : value);
  assert.deepEqual(await read(tile(whole, "ycbcr", entry(other))), want);
  assert.notDeepEqual(await read(tile(apart, "ycbcr", entry(other))), want);
  assert.equal(await read(tile(apart, "ycbcr")), null);
  assert.equal(await read(tile(apart, "ycbcr", entry([1, 2, 3]))), null);
});

Deno.test("Tags that rule out a stream are named", () => {
  const cases: [Uint8Array, RegExp][] = [
    [
      tile(stream("ycc420_jfif"), "rgb"),
      /subsampled components, expected as many samples of each, since the tag says RGB/,
    ],
    [tile(stream("grey"), "rgb"), /a JPEG of 32x32 pixels, 1 samples, expected chunk 0 of 32x32 pixels, 3 samples/],
    [tile(stream("ycc444_jfif"), "minisblack"), /3 samples, expected chunk 0 of 32x32 pixels, 1 samples/],
    [tile(stream("larger"), "ycbcr"), /claims 48x48 pixels, expected 1 to 1024/],
    [tile(stream("lower"), "ycbcr"), /a JPEG of 32x16 pixels/],
    [tile(stream("deep"), "ycbcr"), /samples of 12 bits, expected 8/],
    [tile(stream("ycc444_jfif"), "ycbcr", [[258, 3, [16, 16, 16]]]), /has 16, 16, 16 bits a sample of YCbCr/],
    [tile(stream("ycc444_jfif"), "ycbcr", [[284, 3, [2]]]), /planar configuration 2/],
    [tile(stream("ycc444_jfif"), "ycbcr", [[259, 3, [6]]]), /old-style JPEG/],
    [tile(stream("ycc444_jfif"), "ycbcr", [[259, 3, [1]]]), /YCbCr in compression none/],
  ];
  for (const [file, why] of cases) assert.throws(() => decodeImage(file, "a.tif"), why);
});
