/**
 * Volumes predicted on a grid: tissue, slices encoded once, planes in any order, next to windows by themselves; then by the
 * command, killed and resumed.
 *
 * @seconds 60
 */

import assert from "node:assert/strict";
import { blended, type DenseModel, DensePredictor } from "../../../src/methods/vortex/dense.ts";
import { costOf, layGrid, neededSlices } from "../../../src/methods/vortex/grid.ts";
import { readPatch } from "../../../src/methods/vortex/sampler.ts";
import { disk } from "../../../src/io/fs.ts";
import { openVolume } from "../../../src/volumes/open.ts";
import { memoryVolume } from "../../../src/volumes/volume.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { killBetweenSlabs, phantomOf, trainArgs, VOLUME_JOB } from "../../../scripts/methods/vortex/kill_volume.ts";
import { readSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { makePhantom } from "../../../scripts/methods/vortex/phantom.ts";
import { ended, launched } from "../../cli/command.ts";
import { fewSpots } from "./files.ts";

const phantom = makePhantom("dense", 7, 1, [11, 30, 26]);
const { volume } = phantom;
const patch = { field: 48, side: 6, slices: 4, step: 8 };
const window = [0, 1.2] as const;

/** Tokens are sums of a slice by columns, expression their sums weighed by depth: every slice and its place count. */
const model: DenseModel & { encoded: number } = {
  ...{ size: 36, dim: 6, genes: 2, encoded: 0 },
  encode(rows) {
    const n = rows.length / 36;
    this.encoded += n;
    const out = new Float32Array(n * 6);
    rows.forEach((value, i) => out[Math.floor(i / 36) * 6 + i % 6]! += value);
    return Promise.resolve(out);
  },
  say(z, depths) {
    const out = new Float32Array(depths.length * 2);
    depths.forEach(({ distance, inside }, n) =>
      distance.forEach((d, k) => {
        if (!inside[k]) return;
        for (let i = 0; i < 6; i++) {
          const value = z[(n * distance.length + k) * 6 + i]!;
          out[n * 2]! += value * (1 + d / 10);
          out[n * 2 + 1]! += value * i;
        }
      })
    );
    return Promise.resolve(out);
  },
};

const GRID = { stride: 24, depth: 1, everywhere: false };

Deno.test("a grid lies in tissue, from the first voxel on; slices are shared along z; a box keeps what is within", async () => {
  const grid = await layGrid(volume, patch, GRID, window);
  assert.deepEqual(grid.shape, [11, 10, 9]);
  assert.deepEqual(grid.spacing, [8, 24, 24]);
  const share = grid.mask.reduce((a, b) => a + b, 0) / grid.mask.length;
  assert.ok(share > 0.2 && share < 0.8, `${share} is tissue`);
  const { places, encodings, apart } = costOf(grid);
  assert.equal(apart, 4 * places);
  assert.ok(encodings < 0.75 * apart && encodings >= places, `${encodings} of ${apart}`);
  const all = await layGrid(volume, patch, { ...GRID, everywhere: true }, window);
  assert.deepEqual(costOf(all), { places: 990, encodings: 990, apart: 3960 });
  const boxed = await layGrid(volume, patch, { ...GRID, everywhere: true, box: [24, 0, 16, 48, 24, 24] }, window);
  assert.deepEqual([boxed.shape, boxed.first], [[2, 2, 2], [2, 0, 1]]);
  assert.deepEqual(boxed.windows[1]!.slices, all.windows[3]!.slices);
  const inside = await layGrid(volume, patch, { ...GRID, stride: 12, box: [60, 60, 16, 120, 120, 48] }, window);
  const fine = await layGrid(volume, patch, { ...GRID, stride: 12 }, window);
  const [[nz, ny, nx], [z0, y0, x0]] = [inside.shape, inside.first];
  const of = (i: number) => {
    const [z, y, x] = [Math.floor(i / ny / nx) + z0, Math.floor(i / nx) % ny + y0, i % nx + x0];
    return fine.mask[(z * fine.shape[1] + y) * fine.shape[2] + x];
  };
  assert.equal(nz, 5);
  inside.mask.forEach((is, i) => assert.equal(is, of(i), "a box has the threshold of the whole"));
  const sparse = await layGrid(volume, patch, { ...GRID, depth: 3, everywhere: true }, window);
  assert.equal(sparse.shape[0], 4);
  assert.deepEqual(sparse.windows[1]!.slices, [1, 2, 3, 4]);
  assert.deepEqual(sparse.windows[3]!.slices, [7, 8, 9, 10]);
  await assert.rejects(
    layGrid(volume, patch, { ...GRID, everywhere: false, box: [1, 1, 1, 2, 2, 2] }, window),
    /no place of the grid lies there/,
  );
});

Deno.test("an even volume has no tissue, whether tissue is bright or, in bright field, dark", async () => {
  const facts = { shape: volume.shape, spacing: volume.spacing };
  const voxels = volume.shape[0] * volume.shape[1] * volume.shape[2];
  const bright = memoryVolume(new Float32Array(voxels).fill(0.5), facts);
  const white = memoryVolume(new Uint8Array(3 * voxels).fill(240), { ...facts, channels: ["red", "green", "blue"] });
  for (const even of [bright, white]) assert.equal(costOf(await layGrid(even, patch, GRID, window)).places, 0);
});

Deno.test("every place is told what its own patch would be told alone, whatever the order of planes; no slice is encoded twice", async () => {
  const grid = await layGrid(volume, patch, GRID, window);
  const options = { volume, grid, patch, window };
  model.encoded = 0;
  const forward = new DensePredictor(model, options);
  const planes: Float32Array[] = [];
  let most = 0;
  for (let k = 0; k < 11; k++) {
    planes.push(await forward.plane(k));
    most = Math.max(most, forward.kept);
  }
  assert.equal(model.encoded, costOf(grid).encodings);
  assert.ok(most <= 4, `${most} slices were kept`);
  const size = 90;
  for (const [k, band] of [[9, undefined], [2, 1], [5, 400]] as const) {
    // A slab that begins anywhere has its halo; slices are read whole or in bands.
    assert.deepEqual(await new DensePredictor(model, { ...options, band }).plane(k), planes[k]);
  }
  for (const k of [0, 4, 10]) {
    for (let i = 0; i < size; i++) {
      const place = [i % 9 * 24, Math.floor(i / 9) * 24, k * 8] as const;
      if (!grid.mask[k * size + i]) {
        assert.ok(Number.isNaN(planes[k]![i * 2]!), "outside of tissue is NaN");
        continue;
      }
      const alone = await readPatch(volume, place, patch, window);
      const said = await model.say(await model.encode(alone.pixels), [alone]);
      for (const g of [0, 1]) assert.ok(Math.abs(said[g]! - planes[k]![i * 2 + g]!) <= 1e-5 * Math.abs(said[g]!));
    }
  }
  const box = await layGrid(volume, patch, { ...GRID, box: [48, 72, 32, 168, 144, 64] }, window);
  const [[, ny, nx], [z0, y0, x0]] = [box.shape, box.first];
  const part = await new DensePredictor(model, { ...options, grid: box }).plane(1);
  let seen = 0;
  for (let i = 0; i < ny * nx; i++) {
    const whole = planes[z0 + 1]!.subarray(((y0 + Math.floor(i / nx)) * 9 + x0 + i % nx) * 2);
    assert.deepEqual([...part.subarray(2 * i, 2 * i + 2)], [...whole.subarray(0, 2)]);
    if (!Number.isNaN(part[2 * i]!)) seen++;
  }
  assert.ok(seen > 0 && seen < ny * nx, `${seen} of a box's plane`);
  const needed = neededSlices(grid).reduce((sum, of) => sum + of.reduce((a, b) => a + b, 0), 0);
  assert.equal(needed, costOf(grid).encodings);
});

Deno.test("blending keeps constants and what is outside, and smooths the rest", () => {
  const plane = Float32Array.from({ length: 25 }, () => 3);
  plane[7] = NaN;
  const even = blended(plane, [5, 5], 1, { stride: 10, field: 40 });
  even.forEach((value, i) => assert.ok(i === 7 ? Number.isNaN(value) : Math.abs(value - 3) < 1e-6));
  plane[12] = 12;
  const [peak, side] = [12, 13].map((i) => blended(plane, [5, 5], 1, { stride: 10, field: 40 })[i]!);
  assert.ok(peak! > side! && side! > 3 && peak! < 12);
});

const folder = Deno.makeTempDirSync({ prefix: "vortex_dense_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
const main = async (...words: string[]) => await ended((await launched(words)).output());
const setting = { job: VOLUME_JOB, inputs: folder, out: `${folder}/out` };
await VOLUME_JOB.prepare(folder);
const args = (out: string, ...more: string[]) => [
  ...VOLUME_JOB.args(folder, `${folder}/${out}`).filter((word) => word !== "--quiet"),
  ...more,
];
const voxels = async (path: string, options = {}) => {
  const volume = await openVolume(disk, `${folder}/${path}`, options);
  const [d, h, w] = volume.shape;
  const values = await volume.readBox(0, d, 0, h, 0, w);
  return { volume, values };
};
const json = (path: string) => JSON.parse(Deno.readTextFileSync(`${folder}/${path}`));

Deno.test("predict --volume: killed between slabs and anywhere, resumed to the same bytes; OME-Zarr with NaN outside", async () => {
  const whole = await runWhole(setting);
  const between = await killBetweenSlabs(setting, whole, { kills: 4, seed: 1 });
  assert.deepEqual([between.at.length, between.wrong], [4, []]);
  assert.ok(
    between.at.every((planes, i) => planes > 0 && planes < 56 && planes > (between.at[i - 1] ?? 0)),
    `${between.at}`,
  );
  const { kills, wrong } = await killAndResume(setting, whole, { kills: 2, seed: 1, rounds: 1 });
  assert.deepEqual([kills, wrong], [2, []]);
  const told = await main(...args("out"));
  assert.equal(told.code, 0, told.err);
  assert.match(told.err, /Grid: 56 x 12 x 12 places of 8 x 16 x 16 µm .* slices are encoded, \d+ without those shared/);
  assert.match(told.err, /Cost: about \d+ (s|min) for the slices, \d+ MiB at most/);
  const { volume, values } = await voxels("out/expression.ome.zarr");
  assert.deepEqual([volume.shape, volume.spacing, volume.channels.length], [[56, 12, 12], [8, 16, 16], 3]);
  const { places } = json("out/volume.json");
  assert.equal(values.filter((value: number) => !Number.isNaN(value)).length, 3 * places);
  assert.ok(places > 0 && places < 56 * 144);
  assert.ok(values.every((value: number) => Number.isNaN(value) || (value > -5 && value < 20)));
  const again = await main(...args("out"));
  assert.match(again.err, /out: is there/);
  const other = await main(...args("out", "--everywhere"));
  assert.equal(other.code, 2, other.err);
  assert.match(other.err, /--everywhere/);
  const anew = await main(...args("out", "--grid", "32", "--overwrite"));
  assert.equal(anew.code, 0, anew.err);
  assert.deepEqual((await voxels("out/expression.ome.zarr")).volume.shape, [56, 6, 6]);
  assert.deepEqual(Deno.readDirSync(`${folder}/out`).map(({ name }) => name).toArray().sort(), [
    "expression.ome.zarr",
    "volume.json",
  ]);
});

Deno.test("predict --volume: a box refined, voxels between places, retrieval, several runs and their spread", async () => {
  const box = ["--box", "64,64,80,160,200,200", "--refine", "8", "--grid-z", "16"];
  const refined = await main(...args("fine", ...box));
  assert.equal(refined.code, 0, refined.err);
  assert.deepEqual((await voxels("fine/expression.ome.zarr")).volume.shape, [28, 12, 12]);
  const part = await voxels("fine/refined.ome.zarr");
  assert.deepEqual([part.volume.shape, part.volume.spacing], [[8, 16, 13], [16, 8, 8]]);
  assert.deepEqual(json("fine/volume.json").refined.origin_um, [80, 64, 64]);
  // Every other place of the box is one of the whole at 16 µm.
  const coarse = await voxels("fine/expression.ome.zarr");
  let same = 0;
  for (let z = 0; z < 8; z++) {
    for (let y = 0; y < 16; y += 2) {
      for (let x = 0; x < 13; x += 2) {
        const one = part.values[((z * 16 + y) * 13 + x) * 3]!;
        const other = coarse.values[(((z + 5) * 12 + 4 + y / 2) * 12 + 4 + x / 2) * 3]!;
        if (Number.isNaN(one) || Number.isNaN(other)) continue;
        assert.ok(Math.abs(one - other) <= 1e-5 * Math.abs(other), `${one} ${other}`);
        same++;
      }
    }
  }
  assert.ok(same > 30, `${same} places are of both`);
  const between = await main(...args("between", "--resample", "4,8,8"));
  assert.equal(between.code, 0, between.err);
  assert.deepEqual((await voxels("between/expression.ome.zarr")).volume.shape, [111, 23, 23]);
});

Deno.test("predict --volume: by retrieval within what was measured; several runs by their mean and spread", async () => {
  const found = await main(...args("found", "--with", "retrieval"));
  assert.equal(found.code, 0, found.err);
  const checkpoint = `${folder}/run/checkpoints/last`;
  const { mean, std } = JSON.parse(Deno.readTextFileSync(`${checkpoint}/vortex.json`));
  const bank = readSafetensorsF32(Deno.readFileSync(`${checkpoint}/bank.safetensors`), "bank").tensors.get(
    "expression",
  )!;
  assert.deepEqual(bank.shape, [fewSpots(phantomOf(), 6, 8).length, 3]);
  const { values } = await voxels("found/expression.ome.zarr");
  const told = [...values.keys()].filter((i) => !Number.isNaN(values[i]!));
  for (const i of told) {
    const own = bank.data.filter((_, j) => j % 3 === i % 3).map((value) => value * std[i % 3] + mean[i % 3]);
    assert.ok(values[i]! >= Math.min(...own) - 1e-4 && values[i]! <= Math.max(...own) + 1e-4, `${values[i]}`);
  }
  assert.ok(new Set(told.map((i) => values[i])).size > 100, "places differ");
  for (const seed of [2, 3]) {
    const more = await main(...trainArgs(folder, `${folder}/seed${seed}`), `seed=${seed}`);
    assert.equal(more.code, 0, more.err);
  }
  const beside = ["--beside", `${folder}/seed2`, "--beside", `${folder}/seed3`, "--grid", "32", "--grid-z", "64"];
  const several = await main(...args("several", ...beside));
  assert.equal(several.code, 0, several.err);
  const each: ArrayLike<number>[] = [];
  for (const run of ["run", "seed2", "seed3"]) {
    const one = await main(...args(`of_${run}`, "--run", `${folder}/${run}`, "--grid", "32", "--grid-z", "64"));
    assert.equal(one.code, 0, one.err);
    each.push((await voxels(`of_${run}/expression.ome.zarr`)).values);
  }
  const [mean3, spread] = [await voxels("several/expression.ome.zarr"), await voxels("several/spread.ome.zarr")];
  let apart = 0;
  for (let i = 0; i < mean3.values.length; i++) {
    const said = each.map((of) => of[i]!);
    if (said.some(Number.isNaN)) {
      assert.ok(Number.isNaN(mean3.values[i]!) && Number.isNaN(spread.values[i]!));
      continue;
    }
    const middle = (said[0]! + said[1]! + said[2]!) / 3;
    const deviation = Math.sqrt(said.reduce((sum, value) => sum + (value - middle) ** 2, 0) / 2);
    assert.ok(Math.abs(mean3.values[i]! - middle) < 1e-4 && Math.abs(spread.values[i]! - deviation) < 1e-4);
    if (deviation > 1e-3) apart++;
  }
  assert.ok(apart > 10, `${apart} places differ between seeds`);
});

Deno.test("predict --volume: without tissue, in all of it or in a box, is status 3 and said, each time it is asked for", async () => {
  Deno.writeFileSync(`${folder}/even.raw`, new Uint8Array(new Float32Array(56 * 24 * 24).fill(0.5).buffer));
  disk.write(`${folder}/even.json`, JSON.stringify({ ...json("voi.json"), data: "even.raw" }));
  const even = args("even", "--volume", `${folder}/even.json`, "--grid", "64");
  for (const _ of ["predicted", "found"]) {
    const { code, err } = await main(...even);
    assert.match(err, /even\.json: no place of expression\.ome\.zarr lies in tissue, all of it is NaN/);
    assert.match(err, /--everywhere/);
    assert.equal(code, 3, err);
  }
  assert.deepEqual([json("even/volume.json").empty, json("even/volume.json").places], [["expression.ome.zarr"], 0]);
  assert.ok((await voxels("even/expression.ome.zarr")).values.every(Number.isNaN));
  const coarse = ["--grid", "64", "--grid-z", "64"];
  assert.equal((await main(...args("coarse", ...coarse))).code, 0);
  const { volume: { shape: [, ny, nx] }, values } = await voxels("coarse/expression.ome.zarr");
  const outside = values.findIndex((value: number) => Number.isNaN(value)) / 3;
  const place = [outside % nx, Math.floor(outside / nx) % ny, Math.floor(outside / nx / ny)].map((at) => 64 * at);
  const corner = await main(...args("corner", ...coarse, "--box", `${place},${place}`));
  assert.match(corner.err, /voi\.json: no place of expression\.ome\.zarr lies in tissue/);
  assert.equal(corner.code, 3, corner.err);
  const masked = await main("convert", "volume", `${folder}/even.json`, `${folder}/mask.nii`, "--mask");
  assert.match(masked.err, /mask\.nii: no tissue was found, all of it is 0/);
  assert.equal(masked.code, 3, masked.err);
});

Deno.test("predict --volume: what contradicts the volume, the run or the flags is named, and nothing is written", async () => {
  const few = await main(...trainArgs(folder, `${folder}/few`), "n_genes=2");
  assert.equal(few.code, 0, few.err);
  const refused = async (code: number, wanted: RegExp, ...more: string[]) => {
    const { code: found, err } = await main(...args("refused", ...more));
    assert.match(err, wanted);
    assert.equal(found, code, err);
    assert.equal(disk.look(`${folder}/refused`), undefined, `${more} left something`);
  };
  await refused(2, /every 5 µm along z: wanted a multiple of 8 µm/, "--grid-z", "5");
  await refused(2, /--box 1,2,3: wanted X0,Y0,Z0,X1,Y1,Z1/, "--box", "1,2,3");
  await refused(2, /no place of the grid lies there/, "--box", "1,1,1,2,2,2");
  await refused(2, /Cannot refine to 8 µm: wanted a --box/, "--refine", "8");
  await refused(2, /Cannot refine to 16 µm/, "--refine", "16", "--box", "0,0,0,99,99,99");
  await refused(2, /--with probe: wanted head or retrieval/, "--with", "probe");
  await refused(2, /--resample 4,8: wanted µm along z, y and x/, "--resample", "4,8");
  await refused(2, /--spacing 4,8,8 µm contradicts the file, which says 8,8,8/, "--spacing", "4,8,8");
  await refused(2, /it has intensity/, "--channels", "dna");
  await refused(
    4,
    /few beside .*: its genes are not the same, expected runs that differ in seed/,
    "--beside",
    `${folder}/few`,
  );
  const flat = json("voi.json");
  disk.write(`${folder}/flat.json`, JSON.stringify({ ...flat, shape: [1, 56 * 24, 24] }));
  await refused(4, /it has 1 slice, expected 2 or more/, "--volume", `${folder}/flat.json`);
  disk.write(`${folder}/swapped.json`, JSON.stringify({ ...flat, spacing_um: [8, 8, 4] }));
  await refused(4, /its axes seem to be swapped, x alone has another spacing/, "--volume", `${folder}/swapped.json`);
  const turned = await main(...args("turned", "--volume", `${folder}/swapped.json`, "--axes", "xyz", "--grid", "64"));
  assert.equal(turned.code, 0, turned.err);
  assert.equal(json("turned/volume.json").made.volume_shape, "24 24 56");
  const unread = new Float32Array(56 * 24 * 24).fill(0.5);
  unread[20 * 576 + 5 * 24 + 7] = Infinity;
  Deno.writeFileSync(`${folder}/holes.raw`, new Uint8Array(unread.buffer));
  disk.write(`${folder}/holes.json`, JSON.stringify({ ...flat, data: "holes.raw" }));
  const holes = ["--volume", `${folder}/holes.json`];
  // Where no tissue is looked for, voxels are looked at before anything is written all the same.
  for (const more of [[], ["--everywhere"], ["--everywhere", "--grid-z", "24"]]) {
    await refused(4, /holes\.json: a voxel at z 20, y 5, x 7 is not a finite number/, ...holes, ...more);
  }
  disk.write(`${folder}/fine.json`, JSON.stringify({ ...flat, spacing_um: [0.8, 0.8, 0.8] }));
  await refused(
    4,
    /fine\.json: it is 19\.2 x 19\.2 µm \(y, x\), expected more than a patch, 64 µm/,
    ...["--volume", `${folder}/fine.json`],
  );
});
