/** The module from end to end: an encoder, features, HEST, pairs, training, an adapter, a run in use. */

import { listEncoders, loadEncoder, openHest, openRun, requestGpu, train } from "../../../../mod.ts";

const gpu = await requestGpu();
console.log(listEncoders({ pathology: true }).map(({ name }) => name).join(" "));

// Features: one call, any number of images, and streams in constant memory.
await using encoder = await loadEncoder("random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32", { gpu });
const { dim, input } = encoder;
console.log(dim, input.size, input.mpp, input.mean, input.std);
const features = await encoder.embed(["patch.png", await Deno.readFile("patch.png")]);
console.log(features.rows, features.data.length === features.rows * dim);

// HEST: samples as they lie, and pairs of patch and expression with donors held out.
const hest = await openHest("data/hest", { organs: ["Breast", "Synthetic"] });
const sample = await hest.sample(hest.samples[0]!.id);
console.log(sample.barcodes[2], sample.coords[4], sample.pixelSize, (await sample.patch(2)).width);
let rows = 0;
for await (const part of encoder.embedStream(sample.images())) rows += part.rows;
console.log(rows === sample.count);
const pairs = await hest.pairs({ genes: 64, panelGenes: 8, holdOut: { donors: 1 }, seed: 1 });
for await (const { images, expression } of pairs.batches({ part: "train", batchSize: 32 })) {
  console.log(images.length, expression.length === 32 * pairs.genes.length);
  break;
}

// Training: the method by name, a configuration typed by it, events, an abort signal.
const run = await train("seal", {
  gpu,
  encoder,
  data: pairs,
  out: "runs/use",
  config: { epochs: 1, batch_size: 16, hidden_dims: [16], use_lora: true, log_every: 1, workers: 0 },
  signal: AbortSignal.timeout(3_600_000),
  onStep: ({ step, loss }) => console.log(step, loss),
});
await run.saveAdapter("runs/use-lora");

// A run in use: expression of images, spots by genes or an image, scores.
await using model = await openRun("runs/use", { gpu, checkpoint: "best" });
const expression = await model.predict([await sample.patch(0), await sample.patch(1)]);
console.log(expression.rows, expression.genes.length);
const [a, b] = model.genes as [string, string];
const [found] = await model.retrieve({ genes: { [a]: 3, [b]: 1 } }, { among: pairs, k: 10 });
console.log(found!.sample, found!.barcode, found!.score);
console.log((await model.evaluate(pairs)).pearson.mean);
const scores = await model.evaluate(pairs, { protocol: "hest-bench/1", panelGenes: 8, leaveOut: "donor" });
console.log(scores.pearson.mean, scores.frozen.pearson.mean);
gpu.destroy();
console.log("used");
