/** Landmarks, spots, tissue, windows and resampling of volumes, against numbers worked out elsewhere or by hand. */

import assert from "node:assert/strict";
import { DataError, FormatError } from "../../src/core/errors.ts";
import { checkInside, fitLandmarks, type Landmark, readLandmarks, toVolume } from "../../src/volumes/landmarks.ts";
import { isTissue, maskVolume, tissueMask } from "../../src/volumes/mask.ts";
import { resampled, trilinear } from "../../src/volumes/resample.ts";
import { findWindow, otlsWindows, windowed } from "../../src/volumes/window.ts";
import { memoryVolume, type Place, type Volume, type Zyx } from "../../src/volumes/volume.ts";

const near = (found: number, wanted: number, within = 1e-6) =>
  assert.ok(Math.abs(found - wanted) <= within, `${found} is not ${wanted}`);

const SECTION = [[0, 0], [1000, 0], [0, 800], [1000, 800]] as const;
const VOLUME: Place[] = [[10, 20, 64], [1008, 35, 65], [-2, 819, 66], [999, 831, 67]];
const landmarks = (volume: readonly Place[], section: readonly (readonly [number, number])[] = SECTION): Landmark[] =>
  volume.map((place, i) => ({ name: `landmark ${i + 1}`, section: section[i]!, volume: place }));

Deno.test("landmarks: the affine map of the published vector, its residuals and root mean square", () => {
  const fit = fitLandmarks(landmarks(VOLUME));
  const wanted = [[.9995, -.013125, 9.25], [.0135, .996875, 20.75], [.001, .0025, 64]];
  fit.rows.forEach((row, i) => row.forEach((value, j) => near(value, wanted[i]![j]!, 1e-9)));
  near(fit.rms, 1.060660);
  assert.equal(fit.residuals.length, 4);
  fit.residuals.forEach((residual) => near(residual, 1.060660));
  const [x, y, z] = toVolume(fit, [500, 400]);
  near(x, .9995 * 500 - .013125 * 400 + 9.25);
  near(y, .0135 * 500 + .996875 * 400 + 20.75);
  near(z, .001 * 500 + .0025 * 400 + 64);
});

Deno.test("landmarks: too few, on a line of the section, on a line of the volume, and no numbers are refused by name", () => {
  const refused = (marks: Landmark[], wanted: RegExp) =>
    assert.throws(() => fitLandmarks(marks, "marks.csv"), (error: DataError) => {
      assert.ok(error instanceof DataError && error.code === "landmarks");
      assert.match(error.message, wanted);
      return true;
    });
  refused(landmarks(VOLUME.slice(0, 3)), /3 landmarks, expected 4 or more/);
  refused(landmarks(VOLUME, [[0, 0], [1000, 1], [2000, -1], [3000, 0]]), /on one line of the section/);
  refused(landmarks(VOLUME, [[5, 5], [5, 5], [5, 5], [5, 5]]), /on one line of the section/);
  refused(landmarks([[0, 0, 64], [1000, 0, 64], [2000, 1, 64], [3000, 0, 64]]), /on one line of the volume/);
  refused(landmarks([[NaN, 0, 64], ...VOLUME.slice(1)]), /landmark 1 is at no finite place/);
});

Deno.test("landmarks: a table by its columns, in any order; what lacks a column or a number says where", () => {
  const text = "name,volume_z,volume_y,volume_x,section_x,section_y\nvessel,64,20,10,0,0\n,65,35,1008,1000,0\n";
  assert.deepEqual(readLandmarks(text, "marks.csv"), [
    { name: "vessel", section: [0, 0], volume: [10, 20, 64] },
    { name: "landmark 2", section: [1000, 0], volume: [1008, 35, 65] },
  ]);
  assert.throws(() => readLandmarks(text.replace("volume_z", "depth"), "m.csv"), /no column volume_z/);
  assert.throws(
    () => readLandmarks(text.replace("64", "sixty"), "m.csv"),
    (error: Error) => error instanceof FormatError && /line 2: volume_z is "sixty"/.test(error.message),
  );
});

Deno.test("spots: one outside of the volume is named, and swapped columns are seen", () => {
  const facts = { name: "brain", shape: [28, 96, 96] as Zyx, spacing: [4, 1, 1] as Zyx };
  checkInside(facts, [[0, 0, 0], [95.4, 95, 109], [-0.4, 3, 4]], ["a", "b", "c"]);
  const refused = (places: Place[], message: RegExp, hint: RegExp) =>
    assert.throws(() => checkInside(facts, places, ["a", "b"]), (error: DataError) => {
      assert.match(error.message, message);
      assert.match(error.hint!, hint);
      return error.code === "spot-outside";
    });
  refused([[1, 2, 3], [96, 5, 5]], /spot b, one of 1 outside: it lies at x, y, z 96, 5, 5 µm/, /Look at landmarks/);
  refused([[104, 20, 30], [100, 20, 40]], /spot a, one of 2 outside/, /z first/);
});

Deno.test("trilinear: the published vector, and places at the ends", () => {
  const voxels = Float64Array.from({ length: 27 }, (_, n) => n + n * n / 10);
  const at = (...place: [number, number, number]) => trilinear(voxels, [0, 0, 0], [3, 3, 3], place, [3, 3, 3]);
  near(at(.25, 1.5, .75), 14.8875, 1e-12);
  near(at(1, 1, 1), 29.9, 1e-12);
  near(at(2, 2, 2), voxels[26]!, 1e-12);
});

Deno.test("resampled: a linear ramp keeps its values in µm, by any box; labels stay labels", async () => {
  const [depth, height, width] = [6, 9, 11];
  const ramp = (z: number, y: number, x: number) => 3 + 0.5 * z * 4 - 0.25 * y + 2 * x;
  const voxels = Float32Array.from(
    { length: depth * height * width },
    (_, n) => ramp(Math.floor(n / (height * width)), Math.floor(n / width) % height, n % width),
  );
  const finer = resampled(memoryVolume(voxels, { shape: [depth, height, width], spacing: [4, 1, 1] }), [1.5, 0.8, 0.8]);
  assert.deepEqual(finer.shape, [14, 11, 13]);
  const box = await finer.readBox(3, 14, 2, 11, 5, 13);
  let at = 0;
  for (let z = 3; z < 14; z++) {
    for (let y = 2; y < 11; y++) {
      for (let x = 5; x < 13; x++) near(box[at++]!, ramp(z * 1.5 / 4, y * 0.8, x * 0.8), 1e-5);
    }
  }
  const labels = memoryVolume(Uint8Array.of(1, 1, 9, 9), { shape: [1, 1, 4], spacing: [1, 1, 1] });
  assert.deepEqual(
    [...await resampled(labels, [1, 1, 0.5], "nearest").readSlice(0)].filter((v) => v !== 1 && v !== 9),
    [],
  );
  assert.deepEqual([...await resampled(labels, [1, 1, 0.5]).readSlice(0)], [1, 1, 1, 5, 9, 9, 9]);
});

Deno.test("resampled: a wide spacing is read in parts of few voxels, to the same voxels", async () => {
  const voxels = Float32Array.from({ length: 12 * 20 * 30 * 2 }, (_, n) => n * 7919 % 1009);
  const whole = memoryVolume(voxels, { shape: [12, 20, 30], spacing: [1, 1, 1], channels: ["a", "b"] });
  let most = 0;
  const watched: Volume = {
    ...whole,
    async readBox(...box) {
      const read = await whole.readBox(...box);
      most = Math.max(most, read.length);
      return read;
    },
  };
  for (const method of ["trilinear", "nearest"] as const) {
    const at = resampled(whole, [2.5, 3, 3.7], method);
    const [d, h, w] = at.shape;
    const parts = resampled(watched, [2.5, 3, 3.7], method, 400);
    assert.deepEqual(await parts.readBox(1, d, 1, h, 2, w), await at.readBox(1, d, 1, h, 2, w));
    assert.ok(most <= 400, `${most} voxels at once`);
  }
});

/** A ball of tissue of 60 µm in the middle, over a noisy background. */
function ball(dark: boolean) {
  const shape: Zyx = [20, 80, 80];
  const spacing: Zyx = [8, 2, 2];
  const voxels = new Float32Array(20 * 80 * 80);
  for (let n = 0; n < voxels.length; n++) {
    const [z, y, x] = [Math.floor(n / 6400), Math.floor(n / 80) % 80, n % 80];
    const inside = Math.hypot((z - 10) * 8, (y - 40) * 2, (x - 40) * 2) < 60;
    voxels[n] = (inside !== dark ? 100 : 20) + (n * 7919 % 13);
  }
  return memoryVolume(voxels, { shape, spacing });
}

Deno.test("tissueMask: a ball is round in µm though voxels are not cubes, bright or dark; nothing of an even volume", async () => {
  for (const darker of [false, true]) {
    const mask = await tissueMask(ball(darker), { darker, cell: 8 });
    assert.deepEqual(mask.cell, [1, 4, 4]);
    // Extents of the ball along each axis, within a cell of 120 µm.
    const reach = (axis: 0 | 1 | 2) => {
      const at = [10, 40, 40];
      let cells = 0;
      for (let i = 0; i < [20, 80, 80][axis]!; i += mask.cell[axis]) {
        cells += isTissue(mask, ...(at.map((v, k) => k === axis ? i : v) as [number, number, number])) ? 1 : 0;
      }
      return cells * 8;
    };
    for (const axis of [0, 1, 2] as const) near(reach(axis), 120, 8);
    near(mask.share, (4 / 3) * Math.PI * 60 ** 3 / (160 * 160 * 160), 0.02);
    const volume = maskVolume(ball(darker), mask);
    assert.deepEqual([...(await volume.readBox(10, 11, 40, 41, 0, 80))].filter((_, x) => x % 40 === 0), [0, 1]);
  }
  const even = memoryVolume(new Uint8Array(1000).fill(7), { shape: [10, 10, 10], spacing: [1, 1, 1] });
  for (const darker of [false, true]) assert.equal((await tissueMask(even, { cell: 1, darker })).share, 0);
});

Deno.test("tissueMask: a slice with less than a hundredth of tissue has none", async () => {
  const voxels = new Uint8Array(3 * 40 * 40);
  voxels.fill(200, 1600, 3200);
  voxels[5] = 200;
  const mask = await tissueMask(memoryVolume(voxels, { shape: [3, 40, 40], spacing: [1, 1, 1] }), { cell: 1 });
  assert.equal(isTissue(mask, 0, 0, 5), false);
  assert.equal(isTissue(mask, 1, 0, 5), true);
});

Deno.test("windows: shares of the voxels, TriPath's floor, bytes out; an even channel is refused", async () => {
  const voxels = Uint16Array.from({ length: 2 * 100 * 101 }, (_, i) => i % 2 ? 5000 : (i >> 1) % 101);
  const volume = memoryVolume(voxels, { shape: [1, 100, 101], spacing: [1, 1, 1], channels: ["nuclear", "eosin"] });
  const [low, high] = await findWindow(volume, 0, [0.01, 0.99]);
  near(low, 1, 1);
  near(high, 99, 1);
  await assert.rejects(() => findWindow(volume, 1), (error: DataError) => error.code === "volume-window");
  const bright = memoryVolume(voxels.map((v) => v * 20 % 4999), {
    shape: [1, 100, 101],
    spacing: [1, 1, 1],
    channels: ["nuclear", "eosin"],
  });
  await assert.rejects(() => otlsWindows(bright));
  const both = memoryVolume(Uint16Array.from({ length: 8080 }, (_, i) => i), {
    ...{ shape: [1, 40, 101], spacing: [1, 1, 1] },
    channels: ["nuclear", "eosin"],
  });
  const { nuclear, eosin } = await otlsWindows(both);
  assert.equal(nuclear[0], 100);
  assert.ok(eosin[0] < 100 && Math.abs(eosin[1] - nuclear[1]) < 3);
  const bytes = windowed(both, [[100, 200], [0, 8000]]);
  assert.equal(bytes.dtype, "u8");
  assert.deepEqual([...await bytes.readBox(0, 1, 0, 1, 50, 101)].slice(0, 4), [0, 3, 5, 3]);
});
