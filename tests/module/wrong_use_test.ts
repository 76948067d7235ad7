/** What programs hand in wrongly, where types do not hold: a typed error each, and the device stays sound. */

import assert from "node:assert/strict";

import type { SealError } from "../../src/core/errors.ts";
import { planSynth } from "../../src/data/synth/plan.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import { disk } from "../../src/io/fs.ts";
import { isTyped } from "../../src/io/system_error.ts";
import * as entry from "../../mod.ts";
import * as page from "../../src/module/page_encoder.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "module_wrong_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
const data = `${folder}/data`;
await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});
// deno-lint-ignore no-explicit-any
const { listEncoders, loadEncoder, mergeAdapter, openHest, openRun, train } = entry as any;
// deno-lint-ignore no-explicit-any
const { loadEncoder: loadInPage } = page as any;
const NAME = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32&seed=3";

/** What is done, and what the message says. */
type Row = readonly [act: () => Promise<unknown>, message: RegExp];

async function allTyped(rows: readonly Row[]): Promise<void> {
  for (const [act, message] of rows) {
    await assert.rejects(act(), (error: Error) => {
      assert.ok(isTyped(error), `${error.name}: ${error.message}, wanted ${message}`);
      assert.match(error.message, message);
      const { hint = "" } = error as SealError;
      // Commands may be named, whole.
      assert.doesNotMatch(
        hint.replaceAll(/(deno task [a-z]+( \w+=\w+)?|predict) --[a-z]+/g, ""),
        /(?<!\w)--\w/,
        `${error.message} has a hint of the command line: ${hint}`,
      );
      return true;
    });
  }
  // A later flush of the queue would tell of what was refused too late.
  await gpu.queue.onSubmittedWorkDone();
  gpu.check();
}

Deno.test("images that are none", async () => {
  using encoder = await loadEncoder(NAME, { gpu });
  const pixels = (data: unknown) => () => encoder.embed({ width: 4, height: 4, data });
  const stream = (images: unknown) => () => Array.fromAsync(encoder.embedStream(images));
  await allTyped([
    ...[new Float32Array(48), new Uint16Array(48), Array(48).fill(1)].map((data): Row => [pixels(data), /Uint8Array/]),
    ...[null, undefined, 7, {}, [null], new DataView(new ArrayBuffer(12))].map((image): Row => [
      () => encoder.embed(image),
      /Cannot use image 0/,
    ]),
    [() => encoder.embed({ width: -4, height: -4, data: new Uint8Array(48) }), /width -4/],
    [() => encoder.embed({ width: 2 ** 30, height: 2 ** 30, data: new Uint8Array(48) }), /48 bytes/],
    [() => encoder.embed(new Uint8Array()), /an empty file/],
    [() => encoder.embed(`${folder}/none.png`), /no such file/],
    [() => encoder.embed(folder), /it is a folder/],
    ...[5, null, "patch.png", new Uint8Array(9)].map((images): Row => [stream(images), /a list or generator/]),
  ]);
  assert.equal((await encoder.embed({ width: 2, height: 2, data: new Uint8Array(12) })).rows, 1);
});

Deno.test("encoders, devices and options that are none", async () => {
  const load = (options: object) => () => loadEncoder(NAME, { gpu, ...options });
  const from = (source: unknown) => () => loadEncoder(source, { gpu });
  await allTyped([
    [load({ dtype: "f64" }), /dtype is "f64", wanted "f32" or "f16"/],
    [load({ pooling: "max" }), /pooling is "max"/],
    [load({ imageSize: -1 }), /imageSize is -1/],
    [load({ imageSize: 33 }), /33 px/],
    [load({ batchSize: 1.5 }), /batchSize is 1.5/],
    [load({ adapter: `${folder}/none` }), /Cannot put adapter/],
    [load({ gpu: {} }), /gpu is neither/],
    [() => loadEncoder(NAME, null), /options is null/],
    [load({ dtyp: "f16" }), /dtyp is not known, wanted some of gpu, dtype, adapter, .*onProgress$/],
    [load({ adaptor: "x" }), /adaptor is not known/],
    [from({ weights: new Uint8Array(4), preprocesor: {} }), /files.preprocesor is not known/],
    [() => loadInPage(NAME, null), /options is null/],
    [() => loadInPage(NAME, { gpu, dtyp: "f16" }), /dtyp is not known/],
    [
      () => Promise.try(() => listEncoders({ patology: true })),
      /patology is not known, wanted some of pathology, gated$/,
    ],
    [() => mergeAdapter(NAME, "x", "y.safetensors", { overwite: true }), /Cannot merge: overwite is not known/],
    ...[5, null, undefined, {}, { weights: "x" }].map((source): Row => [from(source), /neither a name or path/]),
    [from({ weights: new Uint8Array(4) }), /expected safetensors/],
    [from({ weights: new Blob([]) }), /begins nothing/],
    ...["", "  ", "random:", "random:nope", `${folder}/none`].map((source): Row => [from(source), /Cannot/]),
  ]);
});

Deno.test("folders, samples and pairs that are none", async () => {
  const hest = await openHest(data);
  const pairs = (options: unknown) => () => hest.pairs(options);
  const small = { genes: 16, panelGenes: 2 };
  await allTyped([
    ...[5, null, undefined, [5]].map((folders): Row => [() => openHest(folders), /wanted a list of texts/]),
    ...["", []].map((folders): Row => [() => openHest(folders), /no folder is named/]),
    [() => openHest(data, { samples: "SYN0" }), /samples is "SYN0"/],
    [() => openHest(data, { organs: "Breast" }), /organs is "Breast"/],
    [() => openHest(data, { counts: 3 }), /counts is 3/],
    [() => openHest(data, null), /options is null/],
    [() => hest.sample(), /id is undefined/],
    [() => openHest(data, { sample: ["SYN0"] }), /sample is not known, wanted some of samples/],
    [pairs(null), /options is null/],
    [pairs({ ...small, holdout: { donors: 1 } }), /holdout is not known/],
    [pairs({ ...small, holdOut: { donor: 1 } }), /holdOut.donor is not known, wanted some of donors, samples, share$/],
    [pairs({ ...small, holdOut: null }), /holdOut is null/],
    [async () => await Array.fromAsync((await pairs(small)()).batches({ batch: 2 })), /batch is not known/],
    [pairs({ genes: "EPCAM" }), /genes is "EPCAM"/],
    [pairs({ genes: NaN }), /genes is NaN/],
    [pairs({ genes: 1e9 }), /1000000000 genes/],
    [pairs({ ...small, layer: "x" }), /layer is "x"/],
    [pairs({ ...small, criterion: "x" }), /criterion is "x"/],
    [pairs({ ...small, seed: "x", holdOut: { donors: 1 } }), /Cannot seed/],
    [pairs({ ...small, holdOut: { donors: "x" } }), /holdOut.donors is "x"/],
    [pairs({ ...small, holdOut: { share: 1 } }), /Cannot hold out 1/],
    [pairs({ ...small, signal: 5 }), /signal is 5/],
    [pairs({ genes: ["SYNHK187", "synhk187"], panelGenes: 1 }), /each once/],
  ]);
});

Deno.test("runs and training that are none; nothing is written", async () => {
  const out = `${folder}/out`;
  const open = (options: object) => () => openRun(folder, { gpu, ...options });
  const learn = (options: object) => () => train("seal", { gpu, data, encoder: NAME, out, ...options });
  await allTyped([
    ...["", 5, null].map((run): Row => [() => openRun(run, { gpu }), /folder is/]),
    [open({ batchSize: 0 }), /batchSize is 0/],
    [open({ with: "x" }), /with is "x"/],
    [open({ checkpoint: "first" }), /checkpoint is "first"/],
    [open({ precision: "f64" }), /precision is "f64"/],
    [open({ batchsize: 8 }), /batchsize is not known/],
    [open({ expression: { count: "raw" } }), /expression.count is not known/],
    [open({}), /config.yaml cannot be read/],
    [() => train("seal"), /options is undefined/],
    [() => train(null, { gpu, data, out }), /neither a name nor made/],
    [learn({ out: "" }), /out is missing/],
    [learn({ signal: 5 }), /signal is 5/],
    [learn({ onstep: () => {} }), /onstep is not known/],
    [learn({ data: 5 }), /data is 5/],
    [learn({ data: {} }), /neither a folder nor opened/],
    [learn({ data: [] }), /no data folder/],
    [learn({ config: [1] }), /no such key/],
    [learn({ config: { optim: { lr: 1 } } }), /Cannot use optim/],
    [learn({ config: { lr_img: NaN } }), /given NaN/],
    [learn({ out: `${data}/st` }), /Cannot/],
  ]);
  assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
});
