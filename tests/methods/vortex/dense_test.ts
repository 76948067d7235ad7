/**
 * Volumes predicted on a grid: tissue, slices encoded once, planes in any order, next to windows by themselves; then by the
 * command, killed and resumed.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import { blended, type DenseModel, DensePredictor } from "../../../src/methods/vortex/dense.ts";
import { costOf, layGrid, neededSlices } from "../../../src/methods/vortex/grid.ts";
import { readPatch } from "../../../src/methods/vortex/sampler.ts";
import { disk } from "../../../src/io/fs.ts";
import { openVolume } from "../../../src/volumes/open.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { makePhantom } from "../../../scripts/methods/vortex/phantom.ts";
import { ended, launched } from "../../cli/command.ts";
import { fewSpots, voxelsOf, writeSection, writeVolume } from "./files.ts";

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
  assert.equal(costOf(boxed).places, 2 * 2 * 2);
  const sparse = await layGrid(volume, patch, { ...GRID, depth: 3, everywhere: true }, window);
  assert.equal(sparse.shape[0], 4);
  assert.deepEqual(sparse.windows[1]!.slices, [1, 2, 3, 4]);
  assert.deepEqual(sparse.windows[3]!.slices, [7, 8, 9, 10]);
  await assert.rejects(
    layGrid(volume, patch, { ...GRID, everywhere: false, box: [1, 1, 1, 2, 2, 2] }, window),
    /no place of the grid lies there/,
  );
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

Deno.test("predict --volume: killed and resumed to the same bytes; OME-Zarr with NaN outside; refusals that leave nothing", async () => {
  const voi = makePhantom("voi", 8, 1, [20, 24, 24]);
  const path = writeVolume(folder, voi, await voxelsOf(voi));
  await writeSection(`${folder}/s.h5ad`, voi, fewSpots(voi, 6, 8));
  disk.write(`${folder}/v.tsv`, "volume\tpath\tpatient\texpression\nvoi\tvoi.json\tp\ts.h5ad\n");
  const run = `${folder}/run`;
  const trained = await main(
    ...[
      "train",
      "--quiet",
      "method=vortex",
      "--out",
      run,
      `volumes=${folder}/v.tsv`,
      "voi=voi",
      "field=64",
      "slices=4",
    ],
    ...["encoder=random:vit_small_patch16_224?dim=16&depth=1&heads=2&patch=4&img=8&seed=1", "width=16", "pool_heads=2"],
    ...["gene_hidden=8", "epochs_2d=0", "epochs_3d=0", "n_genes=3", "use_lora=false", "partial_tune=false"],
  );
  assert.equal(trained.code, 0, trained.err);
  const args = (_: string, out: string) => [
    ...["predict", "--run", run, "--volume", path, "--out", out, "--grid", "16", "--checkpoint", "last"],
  ];
  const job = {
    prepare: () => Promise.resolve(),
    args,
    timeless: (_: string, bytes: Uint8Array) => bytes,
    isStray: (name: string) => /slabs\.json|\.partial\.json|\.tmp/.test(name),
  };
  const setting = { job, inputs: folder, out: `${folder}/out` };
  const whole = await runWhole(setting);
  const { kills, wrong } = await killAndResume(setting, whole, { kills: 2, seed: 1, rounds: 1 });
  assert.deepEqual([kills, wrong], [2, []]);
  assert.equal((await main(...args("", setting.out))).code, 0);
  const made = await openVolume(disk, `${setting.out}/expression.ome.zarr`);
  assert.deepEqual([made.shape, made.spacing, made.channels.length], [[20, 12, 12], [8, 16, 16], 3]);
  const voxels = await made.readBox(0, 20, 0, 12, 0, 12);
  const result = JSON.parse(Deno.readTextFileSync(`${setting.out}/volume.json`));
  assert.equal(voxels.filter((value) => !Number.isNaN(value)).length, 3 * result.places);
  assert.ok(result.places > 0 && result.places < 20 * 144);
  assert.ok(voxels.every((value) => Number.isNaN(value) || (value > -5 && value < 20)));
  await made.close();
  const told = await main(...args("", `${folder}/again`));
  assert.match(told.err, /Grid: 20 x 12 x 12 places of 8 x 16 x 16 µm .* slices are encoded, \d+ without those shared/);
  assert.match(told.err, /Cost: about \d+ (s|min) for the slices, \d+ MiB at most/);
  const refused = async (code: number, wanted: RegExp, ...more: string[]) => {
    const out = `${folder}/refused`;
    const { code: found, err } = await main(...args("", out), ...more);
    assert.match(err, wanted);
    assert.equal(found, code, err);
    assert.equal(disk.look(`${out}/volume.json`), undefined);
    assert.equal(disk.look(`${out}/expression.ome.zarr`), undefined);
  };
  await refused(2, /every 5 µm along z: wanted a multiple of 8 µm/, "--grid-z", "5");
  await refused(2, /--box 1,2,3: wanted X0,Y0,Z0,X1,Y1,Z1/, "--box", "1,2,3");
  await refused(2, /no place of the grid lies there/, "--box", "1,1,1,2,2,2");
});
