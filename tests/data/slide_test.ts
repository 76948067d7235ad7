import assert from "node:assert/strict";
import { FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { bestLevel, openSlide, type Slide } from "../../src/data/image/slide.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { fromBytes, type RandomAccess } from "../../src/io/random_access.ts";
import { mutate } from "../io/mutate.ts";
import { deflate, Sha256 } from "../../src/host/zlib.ts";
import { makeTiff } from "../io/tiff_maker.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const expected = JSON.parse(Deno.readTextFileSync(new URL("tiff/expected.json", fixtures))) as {
  slides: Record<string, { width: number; height: number; sha256: string }[]>;
};
const source = (path: string): RandomAccess => fromBytes(Deno.readFileSync(new URL(path, fixtures)), path);
const sha = ({ data }: RgbImage): string => new Sha256().update(data).hex();

/** A region cut from a whole level, black outside. */
function cut(whole: RgbImage, x: number, y: number, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      const [column, row] = [x + c, y + r];
      if (column < 0 || row < 0 || column >= whole.width || row >= whole.height) continue;
      const from = (row * whole.width + column) * 3;
      out.set(whole.data.subarray(from, from + 3), (r * width + c) * 3);
    }
  }
  return out;
}

async function readWhole(slide: Slide, level: number): Promise<RgbImage> {
  const { width, height } = slide.levels[level]!;
  return await slide.read(level, 0, 0, width, height);
}

Deno.test("Slides give libvips' bytes at every level, of its own pyramids, of SVS and of OME-TIFF", async () => {
  for (const [path, levels] of Object.entries(expected.slides)) {
    const slide = await openSlide(source(`tiff/${path}`));
    const found = await Promise.all(
      slide.levels.map(async ({ width, height }, i) => ({ width, height, sha256: sha(await readWhole(slide, i)) })),
    );
    assert.deepEqual([path, found], [path, levels]);
  }
});

Deno.test("Regions are cuts of the level, black outside, whatever the cache holds", async () => {
  for (const path of ["tiff/vips_lzw.tif", "tiff/aperio.svs", "images/jpeg_420.jpg", "images/png_type3_depth4.png"]) {
    const slide = await openSlide(source(path), { cacheBytes: 20_000 });
    for (let level = 0; level < slide.levels.length; level++) {
      const whole = await readWhole(slide, level);
      for (
        const [x, y, width, height] of [
          [0, 0, 5, 7],
          [-9, -4, 30, 20],
          [60, 50, 40, 40],
          [whole.width - 3, 1, 9, 200],
          [
            9999,
            9999,
            3,
            3,
          ],
          [-9999, 0, 3, 3],
        ] as const
      ) {
        const region = await slide.read(level, x, y, width, height);
        assert.deepEqual([region.width, region.height], [width, height]);
        assert.deepEqual(region.data, cut(whole, x, y, width, height), `${path} ${level} ${x} ${y}`);
      }
    }
  }
});

Deno.test("Labels, macros and thumbnails are no levels", async () => {
  const slide = await openSlide(source("tiff/aperio.svs"));
  assert.deepEqual(slide.levels.map(({ width, height }) => [width, height]), [[150, 100], [37, 25]]);
  assert.equal(slide.associated.length, 3);
  assert.equal(slide.pixelSize.um, 0.499);
});

Deno.test("bestLevel() is the coarsest level that is fine enough", () => {
  const levels = [1, 2.0001, 4, 8].map((downsample) => ({ width: 1, height: 1, downsample }));
  assert.deepEqual([0.5, 1, 2, 2.1, 7.9, 99].map((d) => bestLevel({ levels }, d)), [0, 0, 0, 1, 2, 3]);
});

Deno.test("A region is read by range and its tiles once", async () => {
  const whole = source("tiff/vips_deflate_bigtiff.tif");
  const ranges: number[] = [];
  const counted: RandomAccess = {
    ...whole,
    read: (offset, length) => {
      ranges.push(length);
      return whole.read(offset, length);
    },
  };
  const slide = await openSlide(counted);
  const opening = ranges.splice(0);
  assert.ok(opening.reduce((a, b) => a + b) < whole.size / 5, `${opening}`);
  await Promise.all([slide.read(0, 0, 0, 64, 64), slide.read(0, 10, 10, 20, 20)]);
  await slide.read(0, 3, 3, 9, 9);
  assert.equal(ranges.length, 1);
});

/** A source that counts the bytes that are read. */
function counting(file: Uint8Array): RandomAccess & { bytes: number } {
  const inner = fromBytes(file, "a.tif");
  const counted = {
    name: inner.name,
    size: inner.size,
    bytes: 0,
    read(offset: number, length: number) {
      counted.bytes += length;
      return inner.read(offset, length);
    },
  };
  return counted;
}

Deno.test("An image in one strip is read in pieces where it can be, and once where it cannot", async () => {
  const [width, height] = [1500, 3000];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 31 >> 3) & 255);
  const plain = counting(makeTiff([{ width, height, samples: 3, data }]));
  const slide = await openSlide(plain);
  for (const [x, y, w, h] of [[0, 0, 40, 30], [1490, 2990, 30, 30], [700, 925, 9, 20], [3, 1860, 5, 9]] as const) {
    const region = await slide.read(0, x, y, w, h);
    assert.deepEqual(region.data, cut({ width, height, data }, x, y, w, h));
  }
  assert.ok(plain.bytes < data.length + 5000 && plain.bytes > data.length / 3, `${plain.bytes} bytes`);
  const one = counting(makeTiff([{ width, height, samples: 3, data }]));
  await (await openSlide(one)).read(0, 0, 0, 40, 30);
  assert.ok(one.bytes < data.length / 2, `${one.bytes} bytes for one corner`);
  const packed = counting(makeTiff([{ width, height, samples: 3, compression: 8, data: deflate(data) }]));
  const whole = await openSlide(packed, { cacheBytes: 1 });
  for (let y = 0; y < height; y += 600) await whole.read(0, 0, y, 100, 100);
  assert.ok(packed.bytes < packed.size + 5000, `${packed.bytes} of ${packed.size} bytes`);
  const short = makeTiff([{ width, height, samples: 3, data: data.subarray(0, -1000) }]);
  await assert.rejects((await openSlide(fromBytes(short, "a.tif"))).read(0, 0, 0, 9, 9), FormatError);
});

Deno.test("Regions and files that cannot be are refused", async () => {
  const slide = await openSlide(source("tiff/vips_lzw.tif"));
  for (
    const [level, x, y, w, h] of [[9, 0, 0, 1, 1], [0, 0.5, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 1e5, 1e5]] as const
  ) {
    await assert.rejects(slide.read(level, x, y, w, h), LimitError);
  }
  await assert.rejects(openSlide(fromBytes(new TextEncoder().encode("<html>"), "a.tif")), FormatError);
  await assert.rejects(openSlide(fromBytes(new Uint8Array(), "a.tif")), /an empty file/);
  const jpeg = Deno.readFileSync(new URL("images/jpeg_grey.jpg", fixtures));
  const size = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  new DataView(jpeg.buffer).setUint32(size + 5, 0x0005_ffff);
  await assert.rejects(openSlide(fromBytes(jpeg, "wide.jpg")), FormatError);
});

Deno.test("Flat images give PIL's bytes, turned as their EXIF says, and say what is wrong with them", async () => {
  const images = JSON.parse(Deno.readTextFileSync(new URL("images/expected.json", fixtures))) as Record<
    string,
    { sha256: string; shown?: string }
  >;
  for (const [name, { sha256, shown = sha256 }] of Object.entries(images)) {
    const bytes = Deno.readFileSync(new URL(`images/${name}`, fixtures));
    if (name.startsWith("png_type0_depth16")) {
      await assert.rejects(openSlide(fromBytes(bytes, name)), /16-bit grey/);
      continue;
    }
    assert.deepEqual([name, sha(await readWhole(await openSlide(fromBytes(bytes, name)), 0))], [name, shown]);
    for (let i = 0; i < 20; i++) {
      const mutant = mutate(bytes, new Rng(9, i));
      try {
        await readWhole(await openSlide(fromBytes(mutant, name)), 0);
      } catch (error) {
        assert.ok(error instanceof FormatError, `${name} ${i}: ${(error as Error).stack}`);
      }
    }
  }
});
