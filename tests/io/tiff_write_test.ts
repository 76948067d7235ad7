import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { type TiffOptions, TiffWriter, writeTiff } from "../../src/io/image/tiff_write.ts";

/** Every level of a pyramid as this project's reader has it, and what the file begins with. */
async function roundTrip(data: Uint8Array, options: TiffOptions): Promise<{ levels: Uint8Array[]; head: Uint8Array }> {
  const path = await Deno.makeTempFile();
  try {
    const { width } = options;
    const rows = (top: number, count: number) => data.subarray(top * width * 3, (top + count) * width * 3);
    writeTiff(disk, path, { ...options, rows });
    const slide = await openSlide(await openFile(path));
    const levels: Uint8Array[] = [];
    for (const [i, { width, height }] of slide.levels.entries()) {
      levels.push((await slide.read(i, 0, 0, width, height)).data);
    }
    assert.ok(Math.abs(slide.pixelSize.um! - options.pixelSize) < 1e-3);
    slide.close();
    return { levels, head: (await Deno.readFile(path)).subarray(0, 4) };
  } finally {
    await Deno.remove(path);
  }
}

/** Means of two by two pixels in plain loops. */
function half(data: Uint8Array, width: number, height: number): Uint8Array {
  const mean = (x: number, y: number, c: number): number => {
    let sum = 0;
    for (const [u, v] of [[0, 0], [1, 0], [0, 1], [1, 1]] as const) {
      sum += data[((2 * y + v) * width + 2 * x + u) * 3 + c]!;
    }
    return Math.floor(sum / 4 + 0.5);
  };
  const [w, h] = [Math.floor(width / 2), Math.floor(height / 2)];
  return Uint8Array.from({ length: w * h * 3 }, (_, i) => mean(Math.floor(i / 3) % w, Math.floor(i / 3 / w), i % 3));
}

Deno.test("writeTiff() gives the same pyramid whatever its extent, with offsets of 32 and 64 bits", async () => {
  const rng = new Rng(8);
  for (const [width, height] of [[1, 1], [256, 256], [257, 1], [700, 513], [511, 1100], [3, 900]] as const) {
    const data = Uint8Array.from({ length: width * height * 3 }, () => rng.below(256));
    for (const big of [false, true]) {
      const { levels, head } = await roundTrip(data, { width, height, pixelSize: 0.45, big });
      assert.deepEqual([...head], [0x49, 0x49, big ? 43 : 42, 0]);
      let [w, h, wanted]: [number, number, Uint8Array] = [width, height, data];
      for (const [i, level] of levels.entries()) {
        assert.ok(
          level.length === wanted.length && level.every((value, k) => value === wanted[k]),
          `${width}x${height}, level ${i}, big ${big}`,
        );
        [w, h, wanted] = [w >> 1, h >> 1, half(wanted, w, h)];
      }
      assert.ok((w << 1 <= 256 && h << 1 <= 256) || Math.min(w, h) === 0, `${levels.length} levels`);
    }
  }
});

Deno.test("writeTiff() packs as JPEG within the losses of its quality, and smaller", async () => {
  const [width, height] = [600, 400];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return Math.round(130 + 60 * Math.sin(x / 11 + i % 3) + 50 * Math.cos(y / 17));
  });
  const { levels } = await roundTrip(data, { width, height, pixelSize: 0.5, packing: "jpeg" });
  assert.equal(levels.length, 3);
  const off = levels[0]!.reduce((sum, value, i) => sum + (value - data[i]!) ** 2, 0) / data.length;
  assert.ok(off < 4, `${off}`);
});

Deno.test("Disk.writeSlowly() leaves nothing behind when it fails, and nothing half done", async () => {
  const folder = await Deno.makeTempDir();
  await assert.rejects(
    disk.writeSlowly(`${folder}/a.tif`, (file) => {
      new TiffWriter(file, { width: 300, height: 300, pixelSize: 1 }).add(new Uint8Array(300 * 256 * 3));
      return Promise.reject(new Error("stop"));
    }),
    /stop/,
  );
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  await Deno.remove(folder, { recursive: true });
});
