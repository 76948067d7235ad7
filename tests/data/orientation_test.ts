import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { openSlide, turnedSlide } from "../../src/data/image/slide.ts";
import { wayUp } from "../../src/data/image/way_up.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { exifOrientation, type Orientation, ORIENTATIONS, turned } from "../../src/io/image/orientation.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { crc32 } from "../../src/host/zlib.ts";
import { exif, makeTiff, withSegment } from "../io/tiff_maker.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const read = (path: string): Uint8Array => Deno.readFileSync(new URL(path, fixtures));

/** An image without any symmetry. */
function made(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    return (x * (5 + c) + y * (11 - 3 * c) + (x * y >> 2)) & 255;
  });
  return { width, height, data };
}

/** What has to be stored for the image to be shown after it was turned. */
function stored(image: RgbImage, orientation: Orientation): RgbImage {
  // Quarter turns undo each other; all others undo themselves.
  return turned(image, orientation === 6 ? 8 : orientation === 8 ? 6 : orientation);
}

/** A region of an image, black outside. */
function cut({ width, height, data }: RgbImage, x: number, y: number, w: number, h: number): Uint8Array {
  const out = new Uint8Array(w * h * 3);
  for (let r = 0; r < h; r++) {
    for (let c = 0; c < w; c++) {
      const [u, v] = [x + c, y + r];
      if (u < 0 || v < 0 || u >= width || v >= height) continue;
      out.set(data.subarray((v * width + u) * 3, (v * width + u) * 3 + 3), (r * w + c) * 3);
    }
  }
  return out;
}

/** A PNG with a chunk put behind IHDR. */
function withChunk(png: Uint8Array, type: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const chunk = new Uint8Array(12 + body.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  chunk.set(new TextEncoder().encode(type), 4);
  chunk.set(body, 8);
  view.setUint32(8 + body.length, crc32(chunk.subarray(4, 8 + body.length)));
  return Uint8Array.from([...png.subarray(0, 33), ...chunk, ...png.subarray(33)]);
}

/** Files of every format whose pixels are `shown` once turned. */
function* turnedFiles(): Generator<{ file: Uint8Array; name: string; orientation: Orientation; shown: RgbImage }> {
  const image = made(23, 14);
  const jpeg = read("images/jpeg_444.jpg");
  const png = read("images/png_type2_depth8.png");
  for (const orientation of ORIENTATIONS) {
    const { width, height, data } = stored(image, orientation);
    const more = [[274, 3, [orientation]]] as const;
    for (const tiled of [false, true]) {
      const file = makeTiff([{ width, height, samples: 3, data, tiled, more }]);
      yield { file, name: `${tiled ? "tiles" : "strips"}.tif`, orientation, shown: image };
    }
    for (const little of [true, false]) {
      const block = exif(orientation, little);
      const body = Uint8Array.from([...new TextEncoder().encode("Exif\0\0"), ...block]);
      const photo = withSegment(jpeg, 0xe1, body);
      yield { file: photo, name: "photo.jpg", orientation, shown: turned(decodeImage(jpeg, "jpeg"), orientation) };
      const graphic = withChunk(png, "eXIf", block);
      yield { file: graphic, name: "graphic.png", orientation, shown: turned(decodeImage(png, "png"), orientation) };
    }
  }
}

Deno.test("A slide is shown as tag 274 or EXIF says, pixel by pixel, in regions as in the whole", async () => {
  for (const { file, name, orientation, shown } of turnedFiles()) {
    const slide = await openSlide(fromBytes(file, name));
    assert.deepEqual([slide.levels[0]!.width, slide.levels[0]!.height], [shown.width, shown.height], name);
    assert.equal(slide.orientation, orientation);
    if (orientation === 1) assert.deepEqual(slide.notes, []);
    else assert.match(slide.notes.join(), new RegExp(`(?:tag 274.*|EXIF) = ${orientation} says`));
    const whole = await slide.read(0, 0, 0, shown.width, shown.height);
    assert.deepEqual(whole.data, Uint8Array.from(shown.data), `${name} ${orientation}`);
    const rng = new Rng(orientation);
    for (let i = 0; i < 6; i++) {
      const [x, y, w, h] = [rng.below(40) - 10, rng.below(40) - 10, 1 + rng.below(20), 1 + rng.below(20)];
      const region = await slide.read(0, x, y, w, h);
      assert.deepEqual([region.width, region.height], [w, h]);
      assert.deepEqual(region.data, cut(shown, x, y, w, h), `${name} ${orientation} ${x} ${y} ${w} ${h}`);
    }
  }
});

Deno.test("Tiles are as PIL opens them: TIFF turned, JPEG and PNG as stored, with their orientation told", () => {
  for (const { file, name, orientation, shown } of turnedFiles()) {
    const image = decodeImage(file, name);
    if (name.endsWith(".tif")) assert.deepEqual([...image.data], [...shown.data], name);
    else {
      assert.deepEqual([...image.data], [...stored(shown, orientation).data], name);
      assert.equal(image.orientation, orientation);
    }
  }
});

Deno.test("An orientation that is none, or EXIF that is damaged, turns nothing", async () => {
  const { width, height, data } = made(5, 4);
  for (const value of [0, 9, 65535]) {
    const file = makeTiff([{ width, height, samples: 3, data, more: [[274, 3, [value]]] }]);
    const slide = await openSlide(fromBytes(file, "a.tif"));
    assert.deepEqual([slide.orientation, slide.levels[0]!.width], [1, 5]);
    assert.equal(exifOrientation(exif(value)), 1);
  }
  const block = exif(6);
  for (let length = 0; length < block.length - 6; length++) {
    assert.ok(ORIENTATIONS.includes(exifOrientation(block.subarray(0, length))));
  }
  assert.equal(exifOrientation(new Uint8Array(8)), 1);
  assert.equal(exifOrientation(Uint8Array.from([0x49, 0x49, 42, 0, 255, 255, 255, 255])), 1);
});

Deno.test("A level that is turned otherwise than the largest is left out, and said to be", async () => {
  const { width, height, data } = made(16, 8);
  const small = made(8, 4);
  const level = (more: [number, number, number[]][]) => ({ ...small, samples: 3, tiled: true, more });
  const of = (children: ReturnType<typeof level>[]) =>
    makeTiff([{ width, height, samples: 3, data, tiled: true, more: [[274, 3, [3]]], children }]);
  const good = await openSlide(fromBytes(of([level([[274, 3, [3]]])]), "a.tif"));
  assert.equal(good.levels.length, 2);
  assert.deepEqual((await good.read(1, 0, 0, 8, 4)).data, turned(small, 3).data);
  for (const more of [[], [[274, 3, [1]]]] as [number, number, number[]][][]) {
    const slide = await openSlide(fromBytes(of([level(more)]), "a.tif"));
    assert.equal(slide.levels.length, 1);
    assert.match(slide.notes.join(), /its level of 8x4 pixels is as stored, the largest is not: it is left out/);
  }
});

Deno.test("Turning twice is turning once, for every pair", async () => {
  const { width, height, data } = made(7, 5);
  const slide = await openSlide(fromBytes(makeTiff([{ width, height, samples: 3, data }]), "a.tif"));
  for (const first of ORIENTATIONS) {
    for (const second of ORIENTATIONS) {
      const both = turnedSlide(turnedSlide(slide, first), second);
      const want = turned(turned({ width, height, data }, first), second);
      const level = both.levels[0]!;
      assert.deepEqual([level.width, level.height], [want.width, want.height]);
      assert.deepEqual((await both.read(0, 0, 0, level.width, level.height)).data, want.data);
    }
  }
});

/** Tissue-like: a few discs of different size and colour on a light ground. */
function tissue(width: number, height: number, noise = 0): RgbImage {
  const rng = new Rng(5);
  const discs = Array.from(
    { length: 7 },
    () => [rng.uniform(), rng.uniform(), 0.05 + 0.15 * rng.uniform(), rng.below(90)],
  );
  const grain = new Rng(6);
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [(Math.floor(i / 3) % width) / width, Math.floor(i / 3 / width) / height, i % 3];
    const inside = discs.find(([u, v, r]) => Math.hypot(x - u!, y - v!) < r!);
    const value = inside === undefined ? 235 : 110 + inside[3]! + (c === 1 ? -50 : 20);
    return Math.max(0, Math.min(255, value + noise * (grain.uniform() - 0.5)));
  });
  return { width, height, data };
}

Deno.test("wayUp() finds each of the eight ways, between images of other sizes and with noise", () => {
  for (
    const [slide, small] of [[tissue(300, 220), tissue(150, 110)], [tissue(220, 220, 60), tissue(97, 95)]] as const
  ) {
    assert.equal(wayUp(slide, small), undefined);
    for (const orientation of ORIENTATIONS.slice(1)) {
      const found = wayUp(stored(slide, orientation), small);
      assert.equal(found?.orientation, orientation);
      assert.ok(found!.best > 0.9 && found!.asIs < found!.best);
    }
  }
});

Deno.test("wayUp() claims nothing of symmetric, empty and other images", () => {
  const [width, height] = [90, 70];
  const of = (value: (x: number, y: number) => number): RgbImage => ({
    width,
    height,
    data: Uint8Array.from(
      { length: width * height * 3 },
      (_, i) => value(Math.floor(i / 3) % width, Math.floor(i / 3 / width)),
    ),
  });
  const centred = of((x, y) => 240 - 150 * Number(Math.hypot((x - 44.5) / 45, (y - 34.5) / 35) < 0.6));
  const empty = of(() => 230);
  const stripes = of((x) => 100 + 2 * Math.abs(x - 44.5));
  for (const image of [centred, empty, stripes]) assert.equal(wayUp(image, image), undefined);
  assert.equal(wayUp(tissue(90, 70), empty), undefined);
  // Of another image it says that it is another.
  const other = wayUp(tissue(90, 70), of((x, y) => (x * x + 3 * y) % 251));
  assert.deepEqual([other?.same, other?.orientation], [false, undefined]);
  // Mirrored along one axis, and symmetric along the other: it lies wrong, and two ways mend it.
  const sloped = of((x, y) => 60 + 2 * x - Math.round(Math.abs(y - 34.5) / 2));
  assert.equal(wayUp(turned(sloped, 2), sloped)?.orientation, undefined);
  assert.ok(wayUp(turned(sloped, 2), sloped)!.asIs < 0);
});
