/**
 * The head on the frozen encoder as a source of `predict`.
 *
 * @seconds 15
 */

import assert from "node:assert/strict";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { column } from "../../../src/eval/linalg/table.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5ad } from "../../../src/io/hdf5/h5ad.ts";
import { openPatches } from "../../../src/io/patches.ts";
import { readSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { loadEncoder } from "../../../src/module/encoder.ts";
import { openGpu } from "../../gpu/shared.ts";
import { toDense } from "../../../src/io/sparse.ts";
import { inFolder, seal } from "../../cli/shared.ts";

const ENCODER = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=224&seed=3";

/** Expression in a file of predictions, by gene. */
async function predicted(path: string): Promise<Map<string, Float64Array>> {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const x = file.x;
    const table = { rows: x.rows, columns: x.columns, data: toDense(x.read(0, x.rows), x.columns) };
    return new Map(file.var.index.map((gene, g) => [gene, column(table, g)]));
  } finally {
    file.close();
  }
}

/** The head by plain loops on the encoder as it is without training, `[patches][genes]`. */
async function headOfFrozen(weights: string, patches: string): Promise<number[][]> {
  const { tensors } = readSafetensorsF32(Deno.readFileSync(weights), weights);
  const layer = (i: number, x: Float32Array | number[]) => {
    const [w, b] = [tensors.get(`decoder.decoder.${i}.weight`)!, tensors.get(`decoder.decoder.${i}.bias`)!];
    const [rows, columns] = w.shape as [number, number];
    return Array.from({ length: rows }, (_, r) => {
      let sum = b.data[r]!;
      for (let c = 0; c < columns; c++) sum += w.data[r * columns + c]! * x[c]!;
      return Math.max(0, sum);
    });
  };
  const file = await openPatches(disk.open(patches, "read"));
  const gpu = await openGpu();
  try {
    using encoder = await loadEncoder(ENCODER, { gpu });
    const images = Array.from({ length: file.count }, (_, i) => ({
      width: file.width,
      height: file.height,
      data: file.read(i, i + 1),
    }));
    const { data, dim } = await encoder.embed(images);
    return images.map((_, i) => layer(3, layer(0, data.subarray(i * dim, (i + 1) * dim) as Float32Array)));
  } finally {
    file.close();
    gpu.destroy();
  }
}

Deno.test("predict with the head says on new patches what the control said of them, on the encoder as it was", async () => {
  await inFolder(async (folder) => {
    const [data, out] = [`${folder}/data`, `${folder}/run`];
    await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
      makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
    });
    const trained = await seal(
      "train",
      ...["--data", data, "--encoder", ENCODER],
      ...["--out", out, "n_train_genes=120", "holdout_samples=SYN3", "cache_views=1", "epochs=3", "batch_size=18"],
      ...["control_head=true", "eval_every=0", "img_lr=1e-2", "gene_lr=1e-3"],
    );
    assert.equal(trained.code, 0, trained.err);
    const facts = JSON.parse(Deno.readTextFileSync(`${out}/evaluation/predictors.json`));
    assert.ok(["probe", "decoder", "head"].includes(facts.chosen));
    assert.ok(facts.head.fitted > facts.head.held_back, JSON.stringify(facts.head));
    assert.match(facts.why, /the head on the frozen encoder about/);
    const predict = async (source: string) => {
      const to = `${folder}/${source}`;
      const given = ["--run", out, "--checkpoint", "last", "--data", data, "--samples", "SYN3", "--out", to];
      const result = await seal("predict", ...given, "--with", source);
      assert.equal(result.code, 0, result.err);
      return { said: result.err + result.out, values: await predicted(`${to}/SYN3.h5ad`) };
    };
    const head = await predict("head");
    assert.match(head.said, /Predicting with the head on the frozen encoder: asked for by --with/);
    const wanted = await headOfFrozen(`${out}/evaluation/head.safetensors`, `${data}/patches/SYN3.h5`);
    const genes = [...head.values.keys()];
    assert.equal(genes.length, 120);
    genes.forEach((gene, g) => {
      head.values.get(gene)!.forEach((value, i) => {
        const own = wanted[i]![g]!;
        assert.ok(Math.abs(value - own) < 1e-4 * (1 + Math.abs(own)), `${gene} of ${i}: ${value}, by hand ${own}`);
      });
    });
    // The adapted encoder with its own decoder says something else.
    const decoder = await predict("decoder");
    const apart = genes.filter((gene) =>
      decoder.values.get(gene)!.some((value, i) => Math.abs(value - head.values.get(gene)![i]!) > 1e-2)
    );
    assert.ok(apart.length > 10, `${apart.length} genes`);
    Deno.removeSync(`${out}/evaluation/head.safetensors`);
    const gone = await seal("predict", "--run", out, "--checkpoint", "last", "--data", data, "--with", "head");
    assert.notEqual(gone.code, 0);
    assert.match(gone.err, /head\.safetensors is missing/);
  });
});
