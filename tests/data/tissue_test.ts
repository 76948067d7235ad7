/** Tissue by its colour, on images whose truth is known and on real sections; masks, coverage and outlines. */

import assert from "node:assert/strict";
import { ConfigError, FormatError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { coverage, type Mask, outlinesOf, ringArea } from "../../src/data/image/mask.ts";
import { type DamagedTile, openSlide, type Slide } from "../../src/data/image/slide.ts";
import { findTissue, otsu, otsuOf, slideTissue, type Tissue, type TissueOptions } from "../../src/data/image/tissue.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import type { RgbImage } from "../../src/io/image/rgb_image.ts";

type Colour = readonly [number, number, number];
const SIDE = 400;
const WHITE: Colour = [243, 243, 243];

/** A slide of one colour on which others are painted, with noise. */
function slideOf(ground: Colour = WHITE, noise = 0, seed = 1) {
  const data = new Uint8Array(SIDE * SIDE * 3);
  const rng = new Rng(seed);
  for (let i = 0; i < data.length; i++) data[i] = ground[i % 3]!;
  const image: RgbImage = { width: SIDE, height: SIDE, data };
  const truth = new Uint8Array(SIDE * SIDE);
  const paint = (colour: Colour, where: (x: number, y: number) => boolean, tissue = false) => {
    for (let i = 0; i < SIDE * SIDE; i++) {
      if (!where(i % SIDE, Math.floor(i / SIDE))) continue;
      data.set(colour, 3 * i);
      truth[i] = tissue ? 1 : 0;
    }
  };
  const disc = (x: number, y: number, r: number) => (u: number, v: number) => Math.hypot(u - x, v - y) < r;
  const find = (options: Partial<TissueOptions> = {}): Tissue => {
    const noisy = data.map((value) => Math.min(255, Math.max(0, Math.round(value + noise * rng.normal()))));
    return findTissue({ ...image, data: noisy }, 8, options);
  };
  return { paint, disc, find, truth };
}

function overlap(found: Mask, truth: Uint8Array): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    both += found.mask[i]! & truth[i]!;
    either += found.mask[i]! | truth[i]!;
  }
  return both / either;
}

Deno.test("Otsu's threshold: two heaps, the first of a tie, and one heap", () => {
  assert.equal(otsu([0, 5, 0, 0, 5, 0]), 2);
  const two = Float32Array.from({ length: 100 }, (_, i) => (i === 9 ? NaN : i < 70 ? 1 + i / 100 : 5 + i / 100));
  const edge = otsuOf(two);
  assert.ok(edge > 1.69 && edge <= 5.71, String(edge));
  assert.equal(otsuOf(new Float32Array(3).fill(2)), Infinity);
  assert.equal(otsu([0, 5, 9, 4, 1, 0, 0, 2, 6, 8, 3, 1]), 5);
  assert.equal(otsu([0, 0, 9, 0]), 0);
});

Deno.test("Tissue of every colour is found where it is: stained, pale, fat, lymphoid", () => {
  for (
    const [colour, least] of [
      [[180, 110, 170], 0.99],
      [[228, 205, 222], 0.99],
      [[240, 215, 228], 0.99],
      [[85, 65, 150], 0.99],
      [[120, 70, 60], 0.99],
    ] as const
  ) {
    for (const noise of [0, 2]) {
      const { paint, disc, find, truth } = slideOf(WHITE, noise);
      paint(colour, disc(190, 210, 90), true);
      const found = find();
      assert.ok(overlap(found, truth) >= least, `${colour} ${noise}: ${overlap(found, truth)}`);
      assert.equal(found.pieces, 1);
      assert.equal(found.unusual, undefined);
    }
  }
});

Deno.test("Blank slides have no tissue, whatever their noise, dust, shading and tint", () => {
  for (const noise of [0, 1, 2, 3, 4]) {
    for (const ground of [WHITE, [238, 236, 232], [225, 222, 228], [255, 255, 255]] as Colour[]) {
      const { find } = slideOf(ground, noise, 7 + noise);
      const found = find();
      assert.deepEqual([found.share, found.unusual], [0, "none"], `${ground} ${noise}: ${found.share}`);
    }
  }
  const { paint, disc, find } = slideOf(WHITE, 2);
  for (let k = 0; k < 60; k++) paint([120, 100, 70], disc((k * 73) % SIDE, (k * 131) % SIDE, 1 + k % 5));
  assert.equal(find().share, 0);
  const shaded = slideOf(WHITE, 1);
  for (let x = 0; x < SIDE; x++) {
    const grey = Math.round(245 - 60 * (x / SIDE));
    shaded.paint([grey, grey, grey - 2], (u) => u === x);
  }
  assert.equal(shaded.find().share, 0);
});

Deno.test("Ink of pens and black frames are no tissue; with keepPen ink is", () => {
  const { paint, disc, find, truth } = slideOf(WHITE, 2);
  paint([180, 110, 170], disc(150, 200, 80), true);
  const pens: [Colour, (x: number, y: number) => boolean][] = [
    [[30, 60, 200], (x, y) => Math.abs(x - 300) < 6 && y > 60 && y < 360],
    [[20, 140, 60], (x, y) => Math.abs(y - 40) < 7 && x > 60 && x < 380],
    [[25, 25, 28], (x, y) => Math.abs(x - y + 250) < 8],
    [[4, 4, 4], (x, y) => x < 8 || y < 8 || x >= SIDE - 8 || y >= SIDE - 8],
  ];
  for (const [colour, where] of pens) paint(colour, where);
  const found = find();
  assert.ok(overlap(found, truth) >= 0.99, `${overlap(found, truth)}`);
  for (const [colour, where] of pens) {
    const kept = found.mask.some((value, i) => value === 1 && where(i % SIDE, Math.floor(i / SIDE)));
    assert.equal(kept, false, `${colour}`);
  }
  assert.ok(found.pen > 0.01 && found.frame > 0.05 && found.pieces === 1);
  const all = find({ keepPen: true });
  assert.ok(all.pieces >= 3 && all.pen === 0);
  // Ink alone is no tissue, neither are its soft edges.
  const ink = slideOf(WHITE, 2);
  ink.paint([130, 145, 220], (x) => Math.abs(x - 200) < 8);
  ink.paint([30, 60, 200], (x) => Math.abs(x - 200) < 7);
  assert.equal(ink.find().share, 0);
});

Deno.test("Two biopsies are two pieces; specks go, holes are filled by size or kept", () => {
  const { paint, disc, find, truth } = slideOf(WHITE, 1);
  paint([180, 110, 170], (x, y) => Math.abs(x - 100) < 20 && y > 50 && y < 350, true);
  paint([190, 120, 180], (x, y) => Math.abs(x - 280) < 20 && y > 80 && y < 320, true);
  const two = find();
  assert.ok(two.pieces === 2 && overlap(two, truth) >= 0.98);
  // 1e5 µm² are 1,562 pixels: a disc of radius 22.3.
  paint([180, 110, 170], disc(200, 200, 18));
  assert.equal(find().pieces, 2);
  assert.equal(find({ piece: 1e4 }).pieces, 3);
  const ring = slideOf();
  ring.paint([180, 110, 170], ring.disc(200, 200, 120), true);
  ring.paint(WHITE, ring.disc(160, 200, 18));
  ring.paint(WHITE, ring.disc(240, 200, 40));
  const holes = (options: Partial<TissueOptions>) => outlinesOf(ring.find(options), 1)[0]!.holes.length;
  assert.deepEqual([holes({}), holes({ hole: 0 }), holes({ keepHoles: true }), holes({ hole: 1e6 })], [1, 2, 2, 0]);
});

Deno.test("A slide nearly all or hardly any tissue is told; numbers that are none are refused", () => {
  const all = slideOf([180, 110, 170], 1);
  all.paint(WHITE, (x, y) => x < 40 && y < 40);
  assert.equal(all.find().unusual, "much");
  const little = slideOf();
  little.paint([180, 110, 170], little.disc(200, 200, 6), true);
  assert.equal(little.find({ piece: 100 }).unusual, "little");
  assert.throws(() => findTissue({ width: 1, height: 1, data: new Uint8Array(3) }, 8, { close: NaN }), ConfigError);
});

Deno.test("coverage() is exact where sides cut pixels, and outside there is nothing", () => {
  const mask = { width: 3, height: 2, mask: Uint8Array.of(1, 0, 1, 1, 1, 0) };
  const of = coverage(mask, 0.1);
  const close = (found: number, wanted: number) => assert.ok(Math.abs(found - wanted) < 1e-12, `${found}, ${wanted}`);
  close(of(0, 0, 10), 1);
  close(of(10, 0, 10), 0);
  close(of(5, 0, 10), 0.5);
  close(of(5, 5, 10), (25 + 0 + 25 + 25) / 100);
  close(of(0, 0, 20), 0.75);
  close(of(-10, -10, 20), 0.25);
  close(of(25, 0, 10), 0.5);
  close(of(100, 0, 10), 0);
  close(coverage(mask, [0.1, 0.2])(0, 0, 10), 1);
});

Deno.test("outlinesOf() follows pixel edges: areas are those of the mask, holes lie in their pieces", () => {
  const { paint, disc, find } = slideOf();
  paint([180, 110, 170], disc(150, 150, 100));
  paint(WHITE, disc(150, 150, 50));
  paint([180, 110, 170], disc(320, 320, 40));
  const found = find({ keepHoles: true });
  const outlines = outlinesOf(found, [0.5, 0.25]);
  assert.deepEqual(outlines.map(({ holes }) => holes.length), [1, 0]);
  const area = outlines.reduce(
    (sum, { exterior, holes }) =>
      sum + Math.abs(ringArea(exterior)) - holes.reduce((a, hole) => a + Math.abs(ringArea(hole)), 0),
    0,
  );
  assert.equal(area, found.mask.reduce((a, b) => a + b, 0) * 8);
});

const HER2ST = new URL("../../../shared/data/her2st/", import.meta.url).pathname;
Deno.test({
  name: "Real sections: share, threshold, class distance and the tissue under spots are the reference's",
  ignore: disk.look(`${HER2ST}images/C4.jpg`) === undefined,
  async fn() {
    const wanted = { C3: [0.225, 31, 26, 0.6879], C4: [0.221, 31, 26, 0.6861] } as const;
    for (const [id, [share, threshold, distance, pixelSize]] of Object.entries(wanted)) {
      const slide = await openSlide(await openFile(`${HER2ST}images/${id}.jpg`));
      const found = await slideTissue(slide, pixelSize);
      slide.close();
      const { share: own, threshold: t, distance: apart, pieces } = found;
      assert.deepEqual([Number(own.toFixed(3)), t, Math.round(apart), pieces], [share, threshold, distance, 1], id);
      const text = Deno.readFileSync(`${HER2ST}spots/${id}_selection.tsv`);
      const lines = new TextDecoder().decode(text).trim().split("\n").slice(1).map((line) =>
        line.split("\t").map(Number)
      );
      const of = coverage(found, found.scale);
      const side = 112 / pixelSize;
      const covered = lines.filter((line) => line[6] === 1).map((line) =>
        of(line[4]! - side / 2, line[5]! - side / 2, side)
      );
      assert.ok(covered.every((value) => value >= 0.15), id);
      const most = covered.filter((value) => value >= 0.5).length / covered.length;
      assert.ok(Number(most.toFixed(3)) >= 0.984, `${id}: ${most}`);
    }
  },
});

Deno.test("Where the level that tissue is looked for on is damaged, a finer one is taken, the least damaged where all are", async () => {
  const [width, height] = [1600, 1200];
  const stained = (x: number, y: number) => Math.hypot(x - 800, y - 600) < 500;
  const slide = (lost: readonly number[]): Slide => {
    const levels = [1, 4, 16].map((downsample) => ({
      width: width / downsample,
      height: height / downsample,
      downsample,
    }));
    const damaged: DamagedTile[] = [];
    return {
      ...{ name: "made.tif", levels, damaged, associated: [], orientation: 1, notes: [] },
      pixelSize: { um: 0.5, claimed: 0.5, source: "aperio", problem: undefined },
      read(level, x, y, w, h) {
        const { downsample, width, height } = levels[level]!;
        const bad = Math.round(lost[level]! * height);
        if (bad > 0 && !damaged.some((tile) => tile.level === level)) {
          const error = new FormatError("damaged", { context: {} });
          damaged.push({ level, tile: 0, pixels: bad * width, error });
        }
        const data = new Uint8Array(w * h * 3);
        for (let i = 0; i < w * h; i++) {
          const [u, v] = [x + i % w, y + Math.floor(i / w)];
          const inside = v >= bad && stained((u + 0.5) * downsample, (v + 0.5) * downsample);
          data.set(inside ? [180, 110, 170] : WHITE, 3 * i);
        }
        return Promise.resolve({ width: w, height: h, data });
      },
      close() {},
    };
  };
  const share = Math.PI * 500 ** 2 / (width * height);
  for (
    const [lost, level] of [
      [[0, 0, 0], 2],
      [[0, 0, 1], 1],
      [[0, 0.5, 1], 0],
      [[0.05, 0.5, 0.3], 0],
      [[0.5, 0.4, 0.02], 2],
      // A few tiles are not worth reading a finer level.
      [[0, 0, 0.005], 2],
    ] as const
  ) {
    const found = await slideTissue(slide(lost), 0.5);
    assert.equal(found.level, level, lost.join());
    assert.ok(Math.abs(found.lost - lost[level]!) < 0.02 && found.share > share - 0.03, `${lost}: ${found.share}`);
  }
});
