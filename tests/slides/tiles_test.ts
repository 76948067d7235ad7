/** Tiles of slides: pixels, edges, damage, order; workers and this thread give the same bytes. */

import assert from "node:assert/strict";
import { ConfigError, FormatError } from "../../src/core/errors.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { fromBytes } from "../../src/io/random_access.ts";
import { chooseTiles, type GridKind, layGrid } from "../../src/slides/grid.ts";
import { resizeImage } from "../../src/slides/resize.ts";
import { type TileBatch, type TileMaker, TileQueue } from "../../src/slides/tile_queue.ts";
import { cutTiles } from "../../src/slides/tile_reader.ts";
import { openTiles, type TilesOptions } from "../../src/worker/tile_pool.ts";

const FIXTURES = new URL("../fixtures/slides/", import.meta.url).pathname;
const bytesOf = (name: string): Uint8Array<ArrayBuffer> => Deno.readFileSync(`${FIXTURES}${name}`);

/** A grid of 20x over a small slide of 0.5 µm, and all its tiles. */
async function planOf(bytes: Uint8Array, kind: Partial<GridKind> = {}) {
  const slide = await openSlide(fromBytes(bytes, "a.tif"));
  const extent = { name: "a.tif", levels: slide.levels, um: 0.5 };
  const grid = layGrid(extent, { scale: "nominal", magnification: 20, patch: 40, overlap: 0, ...kind } as GridKind);
  return { slide, grid, coords: chooseTiles(extent, grid, undefined, { minTissue: 0 }).coords };
}

async function all(batches: AsyncIterable<TileBatch>) {
  const [tiles, data, padding, sizes]: [number[], number[], number[], number[]] = [[], [], [], []];
  for await (const batch of batches) {
    tiles.push(...batch.tiles);
    data.push(...batch.data);
    padding.push(...batch.padding);
    sizes.push(batch.tiles.length);
  }
  return { tiles, data, padding, sizes };
}

Deno.test("Tiles hold the slide's pixels; beyond the edge they are white or black, and how much is told", async () => {
  const { slide, grid, coords } = await planOf(bytesOf("zstd_tiles.tif"));
  assert.deepEqual([grid.columns, grid.rows], [4, 3]);
  for (const edge of ["white", "black"] as const) {
    const { data, padding, skipped, damage } = await cutTiles(slide, grid, coords, { edge, badTiles: "fail" });
    assert.ok(skipped.every((value) => value === 0) && damage.length === 0);
    const shares = [...padding].map((value) => Number(value.toFixed(4)));
    assert.deepEqual(shares, [0, 0, 0, 0.25, 0, 0, 0, 0.25, 0.5, 0.5, 0.5, 0.625]);
    const whole = await slide.read(0, 0, 0, 160, 120);
    for (let i = 0; i < 12; i++) {
      for (let p = 0; p < 1600; p += 7) {
        const [x, y] = [coords[2 * i]! + p % 40, coords[2 * i + 1]! + Math.floor(p / 40)];
        const outside = x >= 150 || y >= 100;
        const wanted = outside ? (edge === "white" ? 255 : 0) : whole.data[(y * 160 + x) * 3]!;
        assert.equal(data[(i * 1600 + p) * 3], wanted, `${edge} tile ${i} pixel ${p}`);
      }
    }
  }
});

Deno.test("Tiles of another size than their level's are resized as Pillow does", async () => {
  const { slide, grid, coords } = await planOf(bytesOf("zstd_tiles.tif"), {
    ...{ scale: "physical", tile: 30, pixelSize: 1.5, overlap: 0 },
  } as Partial<GridKind>);
  assert.deepEqual([grid.patch, grid.levelSide, grid.level], [20, 60, 0]);
  const { data } = await cutTiles(slide, grid, coords.subarray(0, 4));
  const second = resizeImage(await slide.read(0, 60, 0, 60, 60), 20, 20);
  assert.deepEqual(data.subarray(1200), second.data);
});

Deno.test("Workers, this thread, and any bound of memory give the same tiles in the same order", async () => {
  const { slide, grid, coords } = await planOf(bytesOf("j2k_rgb.svs"), { patch: 12 });
  const wanted = await cutTiles(slide, grid, coords);
  for (const [workers, ahead, batch] of [[0, 1, 5], [1, 1 << 20, 64], [3, 1, 7], [2, 20_000, 1000]] as const) {
    const options: TilesOptions = { workers, ahead, batch, edge: "white", badTiles: "skip" };
    const open = await openTiles(`${FIXTURES}j2k_rgb.svs`, grid, coords, options);
    try {
      const { tiles, data, sizes } = await all(open.queue.batches());
      assert.deepEqual(tiles, Array.from({ length: coords.length / 2 }, (_, i) => i));
      assert.deepEqual(Uint8Array.from(data), wanted.data);
      assert.ok(sizes.slice(0, -1).every((size) => size === batch));
      const waiting = open.bytes - (96 << 20);
      assert.ok(waiting > 0 && waiting <= Math.max(ahead, 64 * 432, batch * 432), `${waiting}`);
    } finally {
      open.close();
    }
  }
  await assert.rejects(
    openTiles("a", grid, coords, { workers: 1.5, batch: 1, edge: "white", badTiles: "skip" }),
    ConfigError,
  );
});

Deno.test("Tiles with damaged pixels are left out and told, or white, or an error; a file that is none is an error", async () => {
  const bytes = bytesOf("zstd_tiles.tif");
  const frame = bytes.findIndex((byte, i) => byte === 0x28 && bytes[i + 1] === 0xb5 && bytes[i + 2] === 0x2f);
  bytes.fill(0xff, frame, frame + 8);
  const { grid, coords } = await planOf(bytes);
  const path = await Deno.makeTempFile({ suffix: ".tif" });
  try {
    await Deno.writeFile(path, bytes);
    for (const workers of [0, 2]) {
      const open = async (badTiles: TilesOptions["badTiles"]) => {
        const found = await openTiles(path, grid, coords, { workers, batch: 4, edge: "white", badTiles });
        try {
          return { ...await all(found.queue.batches()), ...found.queue.tally };
        } finally {
          found.close();
        }
      };
      // The source's first tile is 64 pixels square: of tiles of 40 it holds four.
      const skip = await open("skip");
      assert.deepEqual([skip.skipped, skip.tiles], [[0, 1, 4, 5], [2, 3, 6, 7, 8, 9, 10, 11]]);
      assert.equal(skip.damage.length, 1);
      assert.match(skip.damage[0]!, /damaged ZSTD data of chunk 0/);
      const white = await open("white");
      assert.deepEqual([white.skipped, white.tiles.length, white.damage.length], [[], 12, 1]);
      assert.ok(white.data.slice(0, 4800).every((value) => value === 255));
      await assert.rejects(open("fail"), FormatError);
    }
    await Deno.writeFile(path, bytes.subarray(0, 50));
    const open = await openTiles(path, grid, coords, { workers: 1, batch: 4, edge: "white", badTiles: "skip" });
    await assert.rejects(all(open.queue.batches()), FormatError);
    open.close();
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Makers read ahead no further than the bound, and each has a stripe of its own", async () => {
  const coords = Int32Array.from({ length: 400 }, (_, i) => i & 1 ? Math.floor(i / 40) * 10 : (i >> 1) % 20 * 10);
  const asked: number[][] = [[], []];
  let taken = 0;
  let furthest = 0;
  const maker = (which: number): TileMaker => ({
    async cut(corners) {
      await Promise.resolve();
      const count = corners.length / 2;
      for (let i = 0; i < count; i++) {
        asked[which]!.push(corners[2 * i]!);
        furthest = Math.max(furthest, corners[2 * i + 1]! / 10 * 20 + corners[2 * i]! / 10 - taken);
      }
      const empty = { padding: new Float32Array(count), skipped: new Uint8Array(count), damage: [] };
      return { data: new Uint8Array(count * 12), ...empty };
    },
  });
  const queue = new TileQueue(coords, [maker(0), maker(1)], { patch: 2, batch: 3, ahead: 40 * 12 });
  for await (const { tiles } of queue.batches()) taken = tiles.at(-1)! + 1;
  assert.equal(taken, 200);
  // Counted from the last batch, of which one more is being put together.
  assert.ok(furthest < 40 + 3, `${furthest}`);
  assert.ok(Math.max(...asked[0]!) < Math.min(...asked[1]!) && asked[0]!.length === 100);
  const stopped = new TileQueue(coords, [maker(0)], { patch: 2, batch: 3 }).batches(AbortSignal.abort());
  await assert.rejects(stopped.next(), { name: "AbortError" });
});
