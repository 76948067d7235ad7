/**
 * Training on small phantoms: batches over volumes, overlapping patches, views, what has no gradient, gradient caching, resuming,
 * the head in closed form.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import { SILENT } from "../../../src/core/reporter.ts";
import { NO_NEGATIVE } from "../../../src/losses/masked_clip.ts";
import { balancedBatches } from "../../../src/methods/vortex/balance.ts";
import { depthValues, drawView, geneValues, sliceRows, viewed } from "../../../src/methods/vortex/batch.ts";
import type { VortexConfig } from "../../../src/methods/vortex/config.ts";
import { headsOf, pairsOf, type VortexData } from "../../../src/methods/vortex/data.ts";
import { rowsOf } from "../../../src/methods/vortex/evidence.ts";
import { DensePredictor } from "../../../src/methods/vortex/dense.ts";
import { layGrid } from "../../../src/methods/vortex/grid.ts";
import { denseModel } from "../../../src/methods/vortex/trained.ts";
import { retrieve } from "../../../src/methods/vortex/retrieval.ts";
import { fitPart } from "../../../src/methods/vortex/ridge.ts";
import { openSession, rateOf, type VortexSession } from "../../../src/methods/vortex/session.ts";
import { standing } from "../../../src/methods/vortex/tubelets.ts";
import { vortexStep, vortexTraining } from "../../../src/methods/vortex/training.ts";
import { NO_KEY } from "../../../src/nn/masked_attention.ts";
import { hostOf } from "../../../src/run/host.ts";
import { makeWorld, phantomConfig, phantomData } from "../../../scripts/methods/vortex/phantom_data.ts";
import { Step } from "../../../src/train/step.ts";
import { trainIn, Watched } from "../../train/driver.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const SMALL = {
  ...{ encoder: "random:vit_small_patch16_224?dim=16&depth=1&heads=2&patch=4&img=8&seed=1", field: 64, slices: 4 },
  ...{
    width: 16,
    pool_heads: 2,
    gene_hidden: 8,
    batch_2d: 12,
    batch_3d: 12,
    batch_voi: 6,
    log_every: 1,
    eval_every: 1,
  },
  ...{ epochs_2d: 1, epochs_3d: 1, voi_steps: 3, lr_warmup_steps: 2 },
};

const world = makeWorld(3, { count: 3, shape: [12, 24, 24] });
const depths = { train: () => [5], voi: [4], test: [8] };

/** A few spots of each volume. */
function few(given: VortexData, most: number): VortexData {
  const kept = given.volumes.flatMap((_, v) => [
    ...pairsOf(given, v, "train").filter((_, i) => i % 8 === 0).slice(0, most),
    ...pairsOf(given, v, "test").filter((_, i) => i % 8 === 0),
  ]);
  const G = given.genes.length;
  const of = (x: Float32Array) => Float32Array.from(kept.flatMap((p) => [...x.subarray(p * G, (p + 1) * G)]));
  return { ...given, pairs: kept.map((p) => given.pairs[p]!), x: of(given.x), measured: of(given.measured) };
}
const data = few(phantomData(world, { seed: 3, depths }), 24);

async function opened(config: VortexConfig, of: VortexData = data): Promise<VortexSession> {
  return await openSession(gpu, config, of, hostOf(SILENT));
}

const FILES = ["vortex.safetensors", "vision.safetensors", "optimizer.safetensors", "vortex.json"];

Deno.test("every other batch is of one volume, the others of all in equal parts; an order is the seed's and the epoch's", () => {
  const volumes = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12], [13, 14, 15, 16, 17], []];
  const { count, order } = balancedBatches(volumes, { batch: 6, seed: 1 });
  assert.equal(count, 18);
  const of = (item: number) => (item < 10 ? 0 : item < 13 ? 1 : 2);
  const items = order!(0);
  assert.equal(items.length, 18);
  for (const b of [0, 2]) {
    const tally = [0, 0, 0];
    for (const item of items.slice(b * 6, b * 6 + 6)) tally[of(item)]!++;
    assert.deepEqual(tally, [2, 2, 2]);
  }
  assert.equal(new Set([...items.slice(6, 12)].map(of)).size, 1);
  assert.deepEqual(order!(0), items);
  assert.notDeepEqual(order!(1), items);
  assert.notDeepEqual(balancedBatches(volumes, { batch: 6, seed: 2 }).order!(0), items);
});

Deno.test("patches nearer than a pitch are no negatives, of other volumes all are; heads go by volume", () => {
  const place = (x: number) => [x, 0, 0] as const;
  const pairs = [[0, 0], [0, 40], [0, 120], [1, 0], [2, 0]].map(([volume, x]) => {
    return { volume: volume!, section: "", part: "train" as const, place: place(x!) };
  });
  const of = {
    pairs,
    genes: ["a", "b"],
    x: new Float32Array(10).map((_, i) => i),
    measured: new Float32Array(10).fill(1),
  };
  of.measured[3] = 0;
  const heads = headsOf({ volumes: data.volumes.slice(0, 3), voi: 1 });
  assert.deepEqual(heads, [0, -1, 1]);
  const { overlap, volume, x, inverse } = geneValues(of, [0, 1, 2, 3, 4], { near: 100, heads });
  const no = Math.fround(NO_NEGATIVE);
  assert.deepEqual([...overlap.slice(0, 5)], [0, no, 0, 0, 0]);
  assert.deepEqual([...overlap.slice(5, 10)], [no, 0, no, 0, 0]);
  assert.deepEqual([...volume], [1, 0, 1, 0, 1, 0, 0, 0, 0, 1]);
  assert.deepEqual([...x], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(inverse[0], Math.fround(1 / 9));
});

Deno.test("slices beyond the volume are no keys; a mean is over those within, the centre is the spot's own", () => {
  const patch = { distance: [-8, 0, 8, 16], inside: [true, true, true, false] };
  const mean = depthValues([patch], { dim: 4, aggregate: "mean", room: 2 });
  const third = Math.fround(1 / 3);
  assert.deepEqual([...mean.weight], [third, third, third, 0, third, third, third, 0]);
  assert.deepEqual([...mean.blind.slice(0, 4)], [0, 0, 0, Math.fround(NO_KEY)]);
  assert.deepEqual([...depthValues([patch], { dim: 4, aggregate: "centre" }).weight], [0, 1, 0, 0]);
});

Deno.test("the 8 views of a slice are its symmetries, the same for all slices of a patch, whose order stays", () => {
  const slice = Float32Array.from({ length: 9 }, (_, i) => i / 10);
  const all = Array.from(
    { length: 8 },
    (_, turn) => viewed(slice, { side: 3, channels: 1 }, { turn, gain: 1, offset: 0 }),
  );
  assert.deepEqual(all[0], slice);
  assert.equal(new Set(all.map(String)).size, 8);
  for (const view of all) assert.deepEqual([...view].sort(), [...slice].sort());
  const pixels = new Float32Array(18);
  pixels.set(slice);
  pixels.set(slice.map((value) => value / 2), 9);
  const patch = { pixels, distance: [0, 8], inside: [true, true] };
  const [first, second] = sliceRows([patch], { side: 3 }, 1, [{ turn: 5, gain: 1, offset: 0 }]);
  assert.deepEqual(second, first!.map((value) => Math.fround(value / 2)));
  const view = drawView({ flips: true, jitter: true } as VortexConfig["patch"], { seed: 1, epoch: 2, pair: 3 });
  assert.deepEqual(
    drawView({ flips: true, jitter: true } as VortexConfig["patch"], { seed: 1, epoch: 2, pair: 3 }),
    view,
  );
  assert.ok(view.gain >= 0.9 && view.gain <= 1.1 && Math.abs(view.offset) <= 0.05);
});

Deno.test("retrieval averages the nearest by similarity", () => {
  const bank = {
    x: Float32Array.of(1, 10, 2, 20, 3, 30),
    embedded: Float32Array.of(1, 0, 0, 1, -1, 0),
    temperature: 0.5,
  };
  const found = retrieve(bank, Float32Array.of(1, 0), 2, 2);
  const w = 1 / (1 + Math.exp(-2));
  assert.ok(Math.abs(found[0]! - (w + 2 * (1 - w))) < 1e-6 && Math.abs(found[1]! - 10 * (w + 2 * (1 - w))) < 1e-5);
});

for (const [aggregate, micro_batch] of [["depth", 20], ["tubelets", 5]] as const) {
  Deno.test(`stopped in any stage, a run goes on to the same bytes: ${aggregate}`, () =>
    stopAndGoOn(aggregate, micro_batch));
}

async function stopAndGoOn(aggregate: string, micro_batch: number): Promise<void> {
  const config = phantomConfig({ ...SMALL, aggregate, micro_batch, save_every_steps: 2 });
  const run = async (folder: string, after: number) => {
    const session = await opened(config);
    const { reason } = await trainIn(folder, vortexTraining(session), new Watched(after));
    return { session, reason };
  };
  const [whole, broken] = ["whole", "broken"].map((name) => Deno.makeTempDirSync({ prefix: `vortex_${name}_` }));
  const done = await run(whole!, Infinity);
  assert.equal(done.reason, "finished");
  let stops = 0;
  for (const after of [2, 5, 3, Infinity]) {
    const { session, reason } = await run(broken!, after);
    session.close();
    if (reason === "interrupted") stops++;
  }
  assert.ok(stops >= 2, `${stops} stops`);
  for (const kind of ["last", "best"]) {
    for (const file of FILES.filter((name) => kind === "last" || name !== "optimizer.safetensors")) {
      const bytes = (folder: string) => Deno.readFileSync(`${folder}/checkpoints/${kind}/${file}`);
      assert.deepEqual(bytes(broken!), bytes(whole!), `${kind}/${file}`);
    }
  }
  const { rows, sections } = await rowsOf(done.session);
  assert.deepEqual(rows.map(({ id }) => id), ["shared", "voi", "retrieval"]);
  assert.deepEqual(sections.map(({ away }) => away), [32]);
  assert.ok(rows.every(({ scores }) => scores[0]!.every((value) => value !== null && Math.abs(value) <= 1)));
  const { fit, held } = fitPart(done.session);
  assert.equal(held.length, Math.round(0.2 * (fit.length + held.length)));
  const apart = ([0, 1] as const).some((axis) => {
    const at = (of: readonly number[]) => of.map((pair) => data.pairs[pair]!.place[axis]);
    return Math.max(...at(fit)) <= Math.min(...at(held));
  });
  assert.ok(apart, "what is held out is one end of the section");
  await sameOnGrid(done.session);
  done.session.close();
  for (const folder of [whole!, broken!]) Deno.removeSync(folder, { recursive: true });
}

/** A place of a grid is told what a spot there is told. */
async function sameOnGrid(session: VortexSession): Promise<void> {
  const [pair] = pairsOf(data, data.voi!, "test");
  const { place } = data.pairs[pair!]!;
  const { volume, window } = data.volumes[data.voi!]!;
  const { shape: patch } = session;
  const grid = await layGrid(
    volume,
    patch,
    { stride: 8, depth: 1, everywhere: true, box: [...place, ...place] },
    window,
  );
  assert.deepEqual(grid.shape, [1, 1, 1]);
  const made = await denseModel(gpu, { ...session, patch }, data.genes.length, ({ heads }) => heads.voi!);
  const plane = await new DensePredictor(made, { volume, grid, patch, window }).plane(0);
  made.close();
  const said = (await session.say([pair!])).heads.voi!;
  said.forEach((value, g) => assert.ok(Math.abs(plane[g]! - value) <= 1e-5, `${g}: ${plane[g]}, ${value}`));
}

Deno.test("slices whose encoder does not train are encoded once, to the weights of encoding them in every step", async () => {
  const keys = { flips: false, jitter: false, partial_blocks: 0, epochs_2d: 0, voi_steps: 0, batch_3d: 6 };
  const run = async (once: boolean) => {
    const session = await opened(phantomConfig({ ...SMALL, ...keys }));
    assert.equal(session.patchEncoder.trains(), false);
    let encoded = 0;
    const patchEncoder = { ...session.patchEncoder, ...(!once && { trains: () => true }) };
    const encode: VortexSession["encode"] = (pairs, slices) => {
      encoded++;
      return session.encode(pairs, slices);
    };
    const folder = Deno.makeTempDirSync({ prefix: "vortex_once_" });
    await trainIn(folder, vortexTraining({ ...session, patchEncoder, encode }), new Watched(Infinity));
    Deno.removeSync(folder, { recursive: true });
    const names = ["depth.blocks.0.attn.qkv.weight", "head.shared.weight", "pool_regression.query"];
    const values = await session.parameters.read(names);
    session.close();
    return { encoded, values: names.flatMap((name) => [...values.get(name)!]) };
  };
  const [once, each] = [await run(true), await run(false)];
  assert.deepEqual([once.encoded, each.encoded], [1, 0]);
  once.values.forEach((value, i) => assert.ok(Math.abs(value - each.values[i]!) <= 1e-5, `${i}`));
  const turned = await opened(phantomConfig({ ...SMALL, ...keys, partial_blocks: -1 }));
  assert.equal(turned.patchEncoder.trains(), true);
  turned.close();
});

Deno.test("on the volume of interest the encoder trains where it is given a rate, and only there", async () => {
  const run = async (lr_voi_encoder: number) => {
    const keys = { voi: "voi", epochs_2d: 0, epochs_3d: 0, partial_blocks: -1, lr_voi_encoder };
    const session = await opened(phantomConfig({ ...SMALL, ...keys }));
    const of = session.parameters.state().map(([own]) => own).find((own) => own.endsWith("blocks.0.attn.qkv.weight"))!;
    const [before, folder] = [await session.parameters.read([of]), Deno.makeTempDirSync({ prefix: "vortex_rate_" })];
    await trainIn(folder, vortexTraining(session), new Watched(Infinity));
    Deno.removeSync(folder, { recursive: true });
    const after = await session.parameters.read([of]);
    session.close();
    return Math.max(...before.get(of)!.map((value, i) => Math.abs(value - after.get(of)![i]!)));
  };
  assert.equal(await run(0), 0);
  assert.ok(await run(1e-3) > 1e-4);
});

Deno.test("a tubelet beyond the volume is of slices within, reflected; a single slice is its own tubelet", () => {
  const of = (inside: boolean[]) => standing({ inside }, 2);
  assert.deepEqual(of([true, true, true, true]), [0, 1, 2, 3]);
  assert.deepEqual(of([true, true, true, false]), [0, 1, 2, 1]);
  assert.deepEqual(of([false, true, true, true]), [2, 1, 2, 3]);
  assert.deepEqual(of([false, true, false, false]), [1, 1, 1, 1]);
  assert.deepEqual(of([true]), [0, 0]);
});

Deno.test("genes that a panel lacks have no gradient; a step in parts is the whole step; rates are by name", async () => {
  const G = data.genes.length;
  const lacking = {
    ...data,
    measured: data.measured.map((_, i) => (i % G === 2 ? 0 : 1)),
    x: data.x.map((v, i) => i % G === 2 ? 0 : v),
  };
  const chosen = pairsOf(data, 0, "train").slice(0, 6);
  const one = async (micro: number | undefined) => {
    const session = await opened(phantomConfig(SMALL), lacking);
    const { sizes } = session.model;
    const size = { batch: 6, slices: 4, ...sizes };
    const made = vortexStep(session, size, ["shared", "volume"]);
    const step = await Step.compile(made, session.optimizer, { batch: 6, rows: 24, micro, seed: 1 });
    const names = session.parameters.state().map(([name]) => name);
    const start = await session.parameters.read(names);
    const patches = await session.patches(chosen);
    const rates = { encoder: 1e-3, depth: 1e-3, pool: 1e-3, gene: 1e-3, shared: 1e-3, volume: 1e-3, voi: 0 };
    await step.submit(rates, () => ({
      rows: session.patchEncoder.rows(patches),
      fields: {
        ...depthValues(patches, { dim: sizes.dim, aggregate: "depth" }),
        ...geneValues(lacking, chosen, { near: 48, heads: session.heads }),
      },
    }));
    const [metrics] = await step.readMetrics();
    const end = await session.parameters.read(names);
    step.destroy();
    session.close();
    return { start, end, metrics: metrics! };
  };
  const whole = await one(undefined);
  const head = (of: Map<string, Float32Array>) => of.get("head.shared.weight")!;
  const row = (of: Map<string, Float32Array>, g: number) => [...head(of).subarray(g * 16, (g + 1) * 16)];
  // Weight decay alone moves the head of a gene that nobody measured.
  const decayed = row(whole.start, 2).map((value) => value * (1 - 1e-3 * 0.01));
  row(whole.end, 2).forEach((value, i) => assert.ok(Math.abs(value - decayed[i]!) < 1e-7));
  assert.notDeepEqual(row(whole.end, 1), row(whole.start, 1));
  assert.deepEqual(whole.end.get("head.voi.weight"), whole.start.get("head.voi.weight"));
  for (
    const name of ["depth.blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight", "temperature", "pool_contrast.query"]
  ) {
    assert.notDeepEqual(whole.end.get(name), whole.start.get(name), name);
  }
  const parts = await one(7);
  for (const [name, value] of Object.entries(whole.metrics)) {
    assert.ok(
      Math.abs(parts.metrics[name]! - value) <= 1e-5 * Math.abs(value),
      `${name}: ${parts.metrics[name]}, ${value}`,
    );
  }
  assert.deepEqual(["blocks.0.norm1.weight", "gene.1.weight", "head.voi.bias", "image.weight"].map(rateOf), [
    ...["encoder", "gene", "voi", "pool"],
  ]);
});
