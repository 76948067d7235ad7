/** Training and trained runs as a program sees them: events, abort, going on, adapters, prediction, retrieval, scores. */

import assert from "node:assert/strict";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { disk } from "../../../src/io/fs.ts";
import { readAdapter } from "../../../src/io/torch/peft.ts";
import { openFolder } from "../../../src/io/fs.ts";
import { openHest, openRun, train, type TrainingEvent } from "../../../mod.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "module_run_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
const data = `${folder}/hest`;
await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});
const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32&seed=3";
const config = {
  epochs: 1,
  batch_size: 16,
  n_train_genes: 64,
  panel_genes: 8,
  hidden_dims: [16],
  log_every: 1,
  workers: 0,
  save_every_steps: 1,
} as const;
const out = `${folder}/run`;

Deno.test("training stops by a signal, goes on by the same call, and leaves the device that it was handed", async () => {
  await assert.rejects(
    train("seal", { gpu, encoder, data, out, config, signal: AbortSignal.abort() }),
    { name: "InterruptedError", hint: /same call/ },
  );
  const stop = new AbortController();
  const before: TrainingEvent[] = [];
  await assert.rejects(
    train("seal", {
      gpu,
      encoder,
      data,
      out,
      config,
      signal: stop.signal,
      onStep(event) {
        before.push(event);
        if (event.step === 2) stop.abort();
      },
    }),
    { name: "InterruptedError" },
  );
  assert.ok(before.length >= 2 && before.every(({ loss }) => Number.isFinite(loss)));
  const [steps, epochs]: [TrainingEvent[], TrainingEvent[]] = [[], []];
  const run = await train("seal", {
    gpu,
    encoder,
    data: await openHest(data),
    out,
    config: { ...config, samples: null },
    onStep: (event) => steps.push(event),
    onEpoch: (event) => epochs.push(event),
  }).catch((error: Error) => error);
  // The folder is of all samples; named ones are another configuration.
  assert.match(String(run), /ConfigError/);
  const done = await train("seal", {
    gpu,
    encoder,
    data,
    out,
    config,
    onStep: (event) => steps.push(event),
    onEpoch: (event) => epochs.push(event),
  });
  assert.equal(steps[0]!.step, before.at(-1)!.step + 1);
  assert.equal(epochs.at(-1)!.stage, steps.at(-1)!.stage);
  assert.ok(Number.isFinite(epochs.at(-1)!.values.pearson_mean));
  assert.equal(done.result.steps, steps.at(-1)!.step);
  gpu.check();
  const adapter = `${folder}/lora`;
  await done.saveAdapter(adapter);
  assert.ok((await readAdapter(openFolder(adapter))).modules.size > 0);
  await assert.rejects(done.saveAdapter(adapter), { name: "ConfigError", message: /there is/ });
});

Deno.test("an open run predicts images as its data's patches, finds spots and is scored on what it held out", async () => {
  const run = await openRun(out, { gpu, batchSize: 16 });
  const hest = await openHest(data);
  const sample = await hest.sample(hest.samples[0]!.id);
  const images = [await sample.patch(0), await sample.patch(1), await sample.patch(2)];
  const all = await run.predict(images);
  assert.deepEqual([all.rows, all.genes.length, all.data.length], [3, 64, 192]);
  const one = await run.predict(images[1]!);
  const close = all.data.slice(64, 128).every((value, i) => Math.abs(value - one.data[i]!) < 1e-5);
  assert.ok(close, "alone as among others");
  const gene = run.genes[0]!;
  const among = await openHest(data, { samples: [sample.id] });
  const found = await run.retrieve({ genes: { [gene]: 3 } }, { among, k: 4 });
  assert.equal(found.length, 4);
  assert.ok(found.every((spot, i) => spot.sample === sample.id && (i === 0 || spot.score <= found[i - 1]!.score)));
  const at = sample.barcodes.indexOf(found[0]!.barcode);
  assert.deepEqual([...sample.coords.slice(2 * at, 2 * at + 2)], [found[0]!.x, found[0]!.y]);
  assert.equal((await run.retrieve({ image: images[0]! }, { among, k: 2 })).length, 2);
  const scores = await run.evaluate();
  assert.ok(scores.spots > 0 && scores.pearson.mean! >= -1 && scores.pearson.mean! <= 1);
  assert.deepEqual(Object.keys(scores.pearson.genes), run.genes);
  await assert.rejects(run.retrieve({ genes: { NOGENE: 1 } }, { among }), { name: "ConfigError" });
  await assert.rejects(run.evaluate(data, { genes: ["NOGENE"] }), { name: "ConfigError", hint: /run\.genes/ });
  const wide = { width: 40, height: 32, data: new Uint8Array(40 * 32 * 3) };
  await assert.rejects(run.predict(wide), { name: "DataError", hint: /squares of 112/ });
  await run.close();
  await assert.rejects(run.predict(images), { name: "ConfigError", hint: /openRun/ });
  gpu.check();
});

Deno.test("calls at once give what they give one after another, and a run that is closed meanwhile ends them typed", async () => {
  const run = await openRun(out, { gpu, batchSize: 4 });
  const sample = await (await openHest(data)).sample((await openHest(data)).samples[0]!.id);
  const images = await Array.fromAsync(sample.images());
  const sets = [images.slice(0, 9), images.slice(9, 20), images.slice(20, 23)];
  const wanted = [];
  for (const set of sets) wanted.push((await run.predict(set)).data);
  const ask = { genes: { [run.genes[1]!]: 2 } };
  const found = await run.retrieve(ask, { among: sample, k: 3 });
  const together = await Promise.all([
    ...sets.map((set) => run.predict(set)),
    run.retrieve(ask, { among: sample, k: 3 }),
  ]);
  assert.deepEqual(together.pop(), found);
  assert.deepEqual((together as { data: Float32Array }[]).map(({ data }) => data), wanted);
  const late = [run.predict(images), run.evaluate(sample), run.retrieve(ask, { among: sample })];
  const told = Promise.allSettled(late);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await run.close();
  for (const one of await told) {
    if (one.status === "rejected") assert.match(`${one.reason.name}: ${one.reason.message}`, /^ConfigError: .*closed/);
  }
  gpu.check();
});

Deno.test("samples and arrays in hand are found and scored as their folder is", async () => {
  await using run = await openRun(out, { gpu, batchSize: 16 });
  const hest = await openHest(data);
  const sample = await hest.sample(hest.samples[0]!.id);
  const other = await hest.sample(hest.samples[1]!.id);
  const layer = "context";
  const arrays = async (of: typeof sample) => ({
    id: of.id,
    images: await Array.fromAsync(of.images()),
    genes: of.genes,
    expression: of.expression(of.genes, layer),
    barcodes: of.barcodes,
    coords: of.coords,
  });
  const folder = await openHest(data, { samples: [sample.id, other.id] });
  const hand = [await arrays(sample), await arrays(other)];
  const image = hand[1]!.images[3]!;
  for (const query of [{ genes: { [run.genes[1]!]: 2 } }, { image }]) {
    const wanted = await run.retrieve(query, { among: folder, k: 5 });
    assert.deepEqual(await run.retrieve(query, { among: [sample, other], k: 5 }), wanted);
    const found = await run.retrieve(query, { among: hand, k: 5 });
    assert.deepEqual(
      found.map(({ sample, barcode, x }) => [sample, barcode, x]),
      wanted.map(({ sample, barcode, x }) => [sample, barcode, x]),
    );
    found.forEach(({ score }, i) => assert.ok(Math.abs(score - wanted[i]!.score) < 1e-5));
  }
  const genes = run.genes.slice(0, 5);
  const wanted = await run.evaluate(folder, { genes });
  assert.equal(wanted.spots, sample.count + other.count);
  assert.deepEqual(await run.evaluate([sample, other], { genes }), wanted);
  const scored = await run.evaluate(hand, { genes });
  assert.ok(Math.abs(scored.pearson.mean! - wanted.pearson.mean!) < 1e-4);
  // Pairs are scored on what they hold out, and searched as a whole.
  const pairs = await hest.pairs({ genes: 16, panelGenes: 4, holdOut: { samples: [other.id] } });
  assert.equal((await run.evaluate(pairs, { genes })).spots, other.count);
  assert.equal((await run.retrieve({ image }, { among: pairs, k: 10_000 })).length, pairs.count);
  const one = { id: "mine", images: [image, image] };
  assert.deepEqual(
    (await run.retrieve({ genes: { [run.genes[1]!]: 2 } }, { among: one })).map(({ barcode }) => barcode).sort(),
    ["0", "1"],
  );
  const refused: [object, RegExp][] = [
    [one, /nothing was measured/],
    [{ ...one, genes: ["A"], expression: new Float32Array(2) }, /none of the run's 64 genes/],
    [{ ...one, genes, expression: new Float32Array(3) }, /3 numbers, 10 for 2 images and 5 genes/],
    [{ ...one, genes, expression: new Float32Array(10).fill(NaN) }, /NaN of .* at spot 0/],
    [{ ...one, genes, expression: new Float64Array(10) }, /no Float32Array/],
    [{ ...one, genes: [genes[0], genes[0]], expression: new Float32Array(4) }, /stands twice/],
    [{ ...one, genes }, /genes or expression/],
    [{ ...one, barcodes: ["a"] }, /1 barcodes/],
    [{ ...one, coords: [1] }, /1 coords/],
    [{ id: "none", images: [] }, /have no images/],
    [{ images: [image] }, /id is missing/],
    [{ ...one, images: [new Uint8Array(9)], genes, expression: new Float32Array(5) }, /image 0/],
  ];
  for (const [given, message] of refused) {
    await assert.rejects(run.evaluate(given as typeof one, { genes }), (error: Error) => {
      assert.match(error.message, message);
      return ["DataError", "FormatError"].includes(error.name);
    });
  }
  for (const wrong of [[], {}, 7, null, [{}], ["", 3], { samples: [] }, [sample, one]]) {
    await assert.rejects(run.evaluate(wrong as never), (error: Error) => /Config|Data/.test(error.name));
  }
  await assert.rejects(run.evaluate(one, { protocol: "hest-bench/1" }), { name: "ConfigError", hint: /openHest/ });
  gpu.check();
});

Deno.test("wrong use is told before anything is written", async () => {
  const none = `${folder}/none`;
  // deno-lint-ignore no-explicit-any
  const wrong = train as any;
  await assert.rejects(wrong("sael", { data, out: none }), { name: "ConfigError", message: /method "sael"/ });
  await assert.rejects(wrong("seal", { data, out: none, config: { epohcs: 1 } }), /did you mean epochs/);
  await assert.rejects(wrong("seal", { data, out: none, config: { epochs: "many" } }), /Cannot use epochs/);
  await assert.rejects(wrong("seal", { data, out: none, config: { epochs: {} } }), /wanted a number/);
  await assert.rejects(wrong("seal", { data }), /out is missing/);
  await assert.rejects(train("seal", { gpu, data, out: none, encoder: "conhc" }), { code: "encoder-unknown" });
  assert.throws(() => Deno.statSync(none), Deno.errors.NotFound);
  await assert.rejects(openRun(none), { name: "ConfigError", message: /Cannot open the run/ });
  const old = `${folder}/old`;
  for (const { name } of Deno.readDirSync(out)) {
    if (Deno.statSync(`${out}/${name}`).isFile) {
      Deno.mkdirSync(old, { recursive: true });
      Deno.copyFileSync(`${out}/${name}`, `${old}/${name}`);
    }
  }
  const yaml = Deno.readTextFileSync(`${old}/config.yaml`);
  Deno.writeTextFileSync(`${old}/config.yaml`, `${yaml}future:\n  unknown_key: 3\n`);
  await assert.rejects(openRun(old), (error: Error & { hint?: string }) => /Config|Data/.test(error.name));
});
