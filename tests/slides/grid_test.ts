/** Grids against TRIDENT's own numbers, true micrometres, and which tiles lie on tissue. */

import assert from "node:assert/strict";
import { ConfigError, DataError } from "../../src/core/errors.ts";
import type { SlideLevel } from "../../src/data/image/slide.ts";
import { chooseTiles, type GridKind, layGrid, roundEven, tileId } from "../../src/slides/grid.ts";
import { Coverage, type Outline } from "../../src/data/image/polygons.ts";
import { resizeImage } from "../../src/slides/resize.ts";
import { levelFor, magnificationOf, slideScale } from "../../src/slides/scale.ts";
import { simplify } from "../../src/slides/simplify.ts";

/** A pyramid by the sizes of its levels. */
function levels(...sizes: [number, number][]): SlideLevel[] {
  const [w, h] = sizes[0]!;
  return sizes.map(([width, height]) => ({ width, height, downsample: (w / width + h / height) / 2 }));
}
const extent = (um: number, ...sizes: [number, number][]) => ({ name: "made.svs", levels: levels(...sizes), um });
const nominal = (magnification: number, patch: number, overlap = 0): GridKind => ({
  scale: "nominal",
  magnification,
  patch,
  overlap,
});

Deno.test("TRIDENT's grid: sides, steps, columns, rows and the last corner", () => {
  for (
    const [size, um, target, patch, overlap, side, step, columns, rows, last] of [
      [[10000, 7600], 0.25, 20, 512, 64, 1024, 896, 12, 9, [9856, 7168]],
      [[10000, 7600], 0.5, 20, 256, 0, 256, 256, 40, 30, [9984, 7424]],
      [[2047, 1024], 0.25, 20, 512, 0, 1024, 1024, 2, 1, [1024, 0]],
      [[5000, 5000], 0.25, 10, 256, 32, 1024, 896, 6, 6, [4480, 4480]],
    ] as [[number, number], number, number, number, number, number, number, number, number, number[]][]
  ) {
    const slide = extent(um, size);
    const grid = layGrid(slide, nominal(target, patch, overlap));
    assert.deepEqual([grid.side, grid.step, grid.columns, grid.rows], [side, step, columns, rows]);
    const all = chooseTiles(slide, grid, undefined, { minTissue: 0 });
    assert.equal(all.count, columns * rows);
    assert.deepEqual([...all.coords.subarray(-2)], last);
    // Row by row.
    if (columns > 1) assert.deepEqual([...all.coords.subarray(0, 4)], [0, 0, step, 0]);
    assert.equal(tileId(grid, all.cells.at(-1)!), `x${columns - 1}y${rows - 1}`);
  }
  assert.deepEqual(
    [0.5, 1.5, 2.5, 2.4999, -0.5].map(roundEven),
    [0, 2, 2, 2, 0].map((v, i) => i === 4 ? roundEven(-0.5) : v),
  );
});

const HOLED: Outline = {
  exterior: Float64Array.of(100, 100, 900, 150, 850, 700, 400, 900, 120, 600, 100, 100),
  holes: [Float64Array.of(400, 400, 550, 400, 550, 500, 400, 500, 400, 400)],
};

Deno.test("Shares of tissue are exact, holes left out, whichever way rings run; which tiles are kept by them", () => {
  const wanted = [
    [0.352307, 0.565, 0.336173, 0],
    [0.540039, 0.829102, 0.996463, 0.307123],
    [0.477539, 0.942017, 0.982907, 0.116052],
    [0.214016, 0.432528, 0.282543, 0],
  ];
  const reversed = (ring: Float64Array) =>
    Float64Array.from(
      Array.from({ length: ring.length / 2 }, (_, i) => [...ring.slice(2 * i, 2 * i + 2)]).reverse().flat(),
    );
  const other = { exterior: reversed(HOLED.exterior), holes: HOLED.holes.map(reversed) };
  for (const outline of [HOLED, other, { ...other, holes: HOLED.holes }]) {
    const coverage = new Coverage([outline]);
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        const share = coverage.area(256 * i, 256 * j, 256) / 256 ** 2;
        assert.ok(Math.abs(share - wanted[i]![j]!) < 1e-6, `${i} ${j}: ${share}`);
      }
    }
  }
  const slide = extent(0.5, [1024, 1024]);
  // Nothing is simplified in a grid by size.
  const kind: GridKind = { scale: "physical", tile: 128, pixelSize: 0.5, overlap: 0 };
  const { coords, tissue } = chooseTiles(slide, layGrid(slide, kind), [HOLED], { minTissue: 0.5 });
  assert.deepEqual([...coords], [[256, 0], [0, 256], [256, 256], [512, 256], [256, 512], [512, 512]].flat());
  assert.ok(Math.abs(tissue[2]! - 0.829102) < 1e-6);
});

Deno.test("Polygons that lie over each other count once; a tile is touched by an edge, a corner or from within", () => {
  const square = (x: number, y: number, side: number): Outline => ({
    exterior: Float64Array.of(x, y, x + side, y, x + side, y + side, x, y + side, x, y),
    holes: [],
  });
  const two = new Coverage([square(0, 0, 60), square(40, 40, 60), HOLED]);
  assert.ok(Math.abs(two.area(0, 0, 100) - (3600 + 3600 - 400)) < 1e-9);
  const slanted = (dx: number): Outline => ({
    exterior: Float64Array.of(dx, 0, dx + 50, 100, dx - 50, 100, dx, 0),
    holes: [],
  });
  // Two triangles of 5,000 whose overlap is a triangle of base 60 and height 60.
  assert.ok(Math.abs(new Coverage([slanted(100), slanted(140)]).area(0, 0, 200) - (10000 - 1800)) < 1e-9);
  const one = new Coverage([square(100, 100, 50)]);
  assert.deepEqual(
    [[50, 50], [49, 49], [150, 100], [151, 100], [110, 110], [0, 0]].map(([x, y]) => one.touches(x!, y!, 50)),
    [true, false, true, false, true, false],
  );
  assert.ok(one.touches(0, 0, 400) && new Coverage([HOLED]).touches(500, 200, 10));
  assert.equal(new Coverage([HOLED]).touches(450, 430, 20), false);
});

Deno.test("Outlines are simplified within the tolerance, and neither cross nor swallow one another", () => {
  const stairs: number[] = [];
  for (let i = 0; i < 20; i++) stairs.push(10 * i, 10 * i, 10 * i + 10, 10 * i);
  const ring = Float64Array.from([...stairs, 200, 200, 0, 200, 0, 0]);
  // Values of shapely 2.2, `simplify(8)`, `simplify(10)` and `simplify(40)`.
  const [simple] = simplify([{ exterior: ring, holes: [] }], 8);
  assert.deepEqual([...simple!.exterior], [0, 0, 10, 0, 200, 200, 0, 200, 0, 0]);
  const comb: Outline[] = [
    { exterior: Float64Array.of(0, 0, 50, 0, 50, 30, 54, 30, 54, 0, 100, 0, 100, 60, 0, 60, 0, 0), holes: [] },
    { exterior: Float64Array.of(51, 5, 53, 5, 53, 8, 51, 8, 51, 5), holes: [] },
  ];
  // Another piece lies in the slit: it is not closed.
  const [slit, small] = simplify(comb, 10);
  assert.deepEqual([slit!.exterior, [...small!.exterior]], [comb[0]!.exterior, [51, 8, 53, 5, 53, 8, 51, 8]]);
  assert.deepEqual([...simplify(comb, 40)[0]!.exterior], [0, 0, 50, 30, 100, 0, 100, 60, 0, 60, 0, 0]);
  assert.deepEqual(simplify([], 9), []);
});

Deno.test("A level within 0.1 is read as it is, else the next finer one; the field is right to a pixel in true micrometres", () => {
  const of = (...downsamples: number[]) => downsamples.map((downsample) => ({ width: 1, height: 1, downsample }));
  assert.deepEqual([1, 2, 2.05, 1.95, 4.2, 0.5, 40].map((d) => levelFor(of(1, 2.0005, 4, 16), d)), [
    0,
    1,
    1,
    1,
    2,
    0,
    3,
  ]);
  assert.equal(levelFor(of(1, 1.9998), 2), 1);
  // Pyramids rounded upwards: TRIDENT divides by the whole part of 1.9998 and 3.9999.
  for (const [width, half, target, um] of [[9999, 5000, 20, 0.25], [19_999, 5000, 10, 0.25]] as const) {
    const slide = extent(um, [width, width], [half, half]);
    const grid = layGrid(slide, nominal(target, 256));
    assert.equal(grid.level, 1);
    const field = grid.levelSide * slide.levels[1]!.downsample;
    assert.ok(Math.abs(field - grid.side) <= 1, `${field}, ${grid.side}`);
  }
  // 0.2425 µm: "20x" is 0.485 µm, 3 % less than 0.5.
  const slide = extent(0.2425, [40_000, 30_000], [20_000, 15_000]);
  const [byName, bySize] = [nominal(20, 224), { scale: "physical", tile: 112, pixelSize: 0.5, overlap: 0 } as const]
    .map((kind) => layGrid(slide, kind));
  assert.deepEqual([byName!.side, byName!.levelSide, byName!.level], [448, 224, 1]);
  assert.ok(Math.abs(bySize!.side - 112 / 0.2425) < 1e-9 && bySize!.levelSide === 231 && bySize!.level === 1);
  assert.ok(Math.abs(bySize!.side / byName!.side - 0.5 / 0.485) < 1e-9);
  assert.ok(Math.abs(bySize!.levelSide * 2 - bySize!.side) <= 1);
  const { coords } = chooseTiles(slide, bySize!, undefined, { minTissue: 0 });
  assert.deepEqual([coords[2], coords[4], coords[2000]], [
    462,
    924,
    Math.round((1000 % bySize!.columns) * bySize!.step),
  ]);
  assert.equal(layGrid(extent(1, [1000, 1000]), nominal(20, 256)).enlarged, true);
});

Deno.test("Pillow's resize, rounded in each pass", () => {
  const row = Uint8Array.from([0, 3, 12, 27, 48, 75, 108, 147].flatMap((v) => [v, v, v]));
  const shrunk = (filter: "bicubic" | "bilinear") =>
    [...resizeImage({ width: 8, height: 1, data: row }, 4, 1, filter).data].filter((_, i) => i % 3 === 0);
  assert.deepEqual(shrunk("bicubic"), [1, 19, 62, 125]);
  assert.deepEqual(shrunk("bilinear"), [3, 21, 63, 120]);
  const column = resizeImage({ width: 1, height: 8, data: row }, 1, 4);
  assert.deepEqual([...column.data].filter((_, i) => i % 3 === 0), [1, 19, 62, 125]);
  const image = { width: 2, height: 2, data: new Uint8Array(12).fill(7) };
  assert.equal(resizeImage(image, 2, 2).data, image.data);
});

Deno.test("The pixel size: the flag, the list, the file; what disagrees is told, what nobody says is refused by the flag's name", () => {
  const file = (um: number | undefined, source: "aperio" | "none", claimed = um, problem?: string) => ({
    name: "a.svs",
    pixelSize: { um, claimed, source, problem },
  });
  assert.deepEqual(slideScale(file(0.25, "aperio"), { flag: 0.5, manifest: 0.3 }), {
    um: 0.5,
    source: "flag",
    notes: ["its file says 0.25 µm a pixel, 0.5 µm are taken as told"],
  });
  assert.deepEqual(slideScale(file(0.25, "aperio"), { manifest: 0.2501 }), {
    um: 0.2501,
    source: "manifest",
    notes: [],
  });
  assert.deepEqual(slideScale(file(0.25, "aperio")), { um: 0.25, source: "aperio", notes: [] });
  assert.throws(() => slideScale(file(undefined, "none")), (error: DataError) => {
    assert.match(error.message, /a\.svs: it names no pixel size/);
    return error.exitCode === 4 && /--mpp/.test(error.hint!);
  });
  // A sample's metadata come before the file; the hint names the flag that the command has.
  assert.equal(slideScale(file(0.25, "aperio"), { metadata: 0.5 }).source, "metadata");
  assert.equal(slideScale(file(0.25, "aperio"), { flag: 0.3, metadata: 0.5 }).um, 0.3);
  const named = { flagName: "--pixel-size" };
  assert.throws(() => slideScale(file(undefined, "none"), named), (e: DataError) => /^Pass --pixel-size/.test(e.hint!));
  assert.throws(() => slideScale(file(0.25, "aperio"), { ...named, metadata: 25 }), (error: ConfigError) => {
    return error instanceof ConfigError && /metadata, or pass --pixel-size/.test(error.hint!);
  });
  assert.throws(() => slideScale(file(undefined, "aperio", 25, "its pixels are 25 µm wide")), /25 µm wide/);
  assert.throws(() => slideScale(file(0.25, "aperio"), { flag: 25 }), ConfigError);
  assert.deepEqual([0.12, 0.18, 0.2425, 0.499, 1, 2.3].map((um) => magnificationOf("a", um)), [80, 60, 40, 20, 10, 5]);
  assert.throws(() => magnificationOf("a", 3), DataError);
});

Deno.test("Tiles in true micrometres may lie apart; what neighbours share is not below zero by magnification", () => {
  const slide = extent(0.5, [1000, 700]);
  const grid = layGrid(slide, { scale: "physical", tile: 112, pixelSize: 0.5, overlap: -38 });
  assert.deepEqual([grid.side, grid.step, grid.columns, grid.rows], [224, 300, 4, 3]);
  const { coords } = chooseTiles(slide, grid, undefined, { minTissue: 0 });
  assert.deepEqual([...coords.slice(0, 8)], [0, 0, 300, 0, 600, 0, 900, 0]);
  assert.throws(() => layGrid(slide, { scale: "nominal", magnification: 20, patch: 224, overlap: -1 }), ConfigError);
});

Deno.test("Grids that cannot be are refused; a sample of tiles is the same every time; edges may be left out", () => {
  const slide = extent(0.5, [1000, 1000]);
  for (const kind of [nominal(20, 0), nominal(20, 256, 256), nominal(20, 5000), nominal(0, 256)]) {
    assert.throws(() => layGrid(slide, kind), ConfigError);
  }
  assert.throws(() => layGrid(extent(0.5, [500_000, 500_000]), nominal(20, 16)), /at most 67108864/);
  const grid = layGrid(slide, nominal(20, 100));
  const some = chooseTiles(slide, grid, undefined, { minTissue: 0, most: 7, seed: 3 });
  assert.deepEqual(some, chooseTiles(slide, grid, undefined, { minTissue: 0, most: 7, seed: 3 }));
  assert.deepEqual([some.count, some.found], [7, 100]);
  assert.deepEqual([...some.cells], [...some.cells].sort((a, b) => a - b));
  assert.notDeepEqual(some.cells, chooseTiles(slide, grid, undefined, { minTissue: 0, most: 7, seed: 4 }).cells);
  const odd = layGrid(slide, nominal(20, 300));
  assert.deepEqual([true, false].map((atEdge) => chooseTiles(slide, odd, undefined, { minTissue: 0, atEdge }).count), [
    16,
    9,
  ]);
  assert.throws(() => chooseTiles(slide, odd, undefined, { minTissue: 2 }), ConfigError);
});
