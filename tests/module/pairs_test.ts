/** Pairs of opened data: those of a training set, read as they are wanted; a run that trains on them has their genes and their held-out samples. */

import assert from "node:assert/strict";
import { openTrainingSet } from "../../src/data/open_training_set.ts";
import { PatchReader } from "../../src/data/patch_reader.ts";
import { planSynth } from "../../src/data/synth/plan.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import type { Disk } from "../../src/io/disk.ts";
import { disk } from "../../src/io/fs.ts";
import { openHest } from "../../src/module/hest.ts";
import type { PairBatch, PairBatchOptions } from "../../src/module/pairs.ts";
import type { HestPairs } from "../../src/module/pairs.ts";
import { train } from "../../src/module/train.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "module_pairs_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});
const DATA = `${folder}/data`;
await writeSynth(disk, DATA, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});

async function all(pairs: HestPairs, options: PairBatchOptions): Promise<PairBatch[]> {
  return await Array.fromAsync(pairs.batches(options));
}

Deno.test("pairs are those of the training set of the same choices, bit for bit and pixel for pixel", async () => {
  const hest = await openHest(DATA);
  for (const layer of ["context", "own"] as const) {
    const pairs = await hest.pairs({ genes: 64, panelGenes: 8, layer, holdOut: { donors: 1 }, seed: 3 });
    const test = pairs.samples.filter(({ part }) => part === "test").map(({ id }) => id);
    const set = await openTrainingSet(disk, {
      folders: [DATA],
      holdOut: { test: { samples: test } },
      genes: { size: 64 },
      panel: { size: 8 },
      layer,
    });
    assert.deepEqual([pairs.genes.length, pairs.count], [64, set.count]);
    assert.deepEqual(pairs.panel, set.panel);
    assert.ok(test.length > 0 && test.length < pairs.samples.length);
    const donors = new Set(pairs.samples.filter(({ part }) => part === "test").map(({ donor }) => donor));
    assert.equal(donors.size, 1);
    assert.ok(pairs.samples.every(({ donor, part }) => donors.has(donor) === (part === "test")));
    const reader = new PatchReader(disk, set.patchTable());
    let at = 0;
    for (const batch of await all(pairs, { batchSize: 37 })) {
      const rows = Uint32Array.from({ length: batch.rows }, (_, i) => at + i);
      assert.deepEqual(batch.expression, set.gather(rows));
      const { data } = await reader.batch({ pairs: rows });
      const each = data.length / batch.rows;
      for (const [i, row] of rows.entries()) {
        const { sample, row: inside } = set.locate(row);
        const { id, barcodes, spatial: { xy } } = set.samples[sample]!;
        assert.deepEqual([batch.samples[i], batch.barcodes[i]], [id, barcodes[inside]]);
        assert.deepEqual([batch.coords[2 * i], batch.coords[2 * i + 1]], [xy[2 * inside], xy[2 * inside + 1]]);
        assert.deepEqual(batch.images[i]!.data, data.subarray(i * each, (i + 1) * each));
      }
      at += batch.rows;
    }
    reader.close();
    assert.equal(at, set.count);
    for (const part of ["train", "test"] as const) {
      const batches = await all(pairs, { part, batchSize: 50 });
      assert.ok(batches.slice(0, -1).every(({ rows }) => rows === 50));
      assert.equal(batches.reduce((sum, { rows }) => sum + rows, 0), set.pairs(part).length);
    }
  }
});

Deno.test("genes are in the order given, in the spelling of the data; what is left early leaves no file open", async () => {
  let [open, most] = [0, 0];
  const counting: Pick<Disk, "look" | "open"> = {
    look: disk.look,
    open(path, how) {
      const file = disk.open(path, how);
      most = Math.max(most, ++open);
      const close = () => (open--, file.close());
      return new Proxy(file, {
        get: (of, key) => {
          if (key === "close") return close;
          const value = of[key as keyof typeof of] as unknown;
          return typeof value === "function" ? value.bind(of) : value;
        },
      });
    },
  };
  const hest = await openHest(DATA, { disk: counting });
  const some = (await hest.sample(hest.samples[0]!.id)).genes.slice(20, 23).toReversed();
  const pairs = await hest.pairs({ genes: some.map((name) => name.toLowerCase()) });
  assert.deepEqual(pairs.genes.map((name) => name.toUpperCase()), some);
  assert.ok(pairs.samples.every(({ part }) => part === "train"));
  for await (const { expression, rows } of pairs.batches({ batchSize: 10 })) {
    assert.equal(expression.length, rows * 3);
    assert.ok(open > 0);
    break;
  }
  assert.equal(open, 0);
  assert.ok(most <= 2, `${most} files at once`);
  await assert.rejects(train("seal", { gpu, data: pairs, out: `${folder}/none`, config: {} }), /disk of one's own/);
});

Deno.test("a run that trains on pairs has their genes and their held-out samples, and refuses keys that say otherwise", async () => {
  const pairs = await (await openHest(DATA)).pairs({ genes: 64, panelGenes: 8, holdOut: { donors: 1 }, seed: 5 });
  const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32";
  const config = { steps: 1, batch_size: 8, hidden_dims: [16] } as const;
  const out = `${folder}/run`;
  await assert.rejects(train("seal", { gpu, data: pairs, encoder, out, config: { ...config, n_train_genes: 65 } }), {
    name: "ConfigError",
    message: /n_train_genes of config/,
  });
  await train("seal", { gpu, data: pairs, encoder, out, config: { ...config, n_train_genes: 64 } });
  const { genes } = JSON.parse(Deno.readTextFileSync(`${out}/checkpoints/last/genes.json`)) as { genes: string[] };
  assert.deepEqual(genes, pairs.genes.map((name) => name.toUpperCase()));
  const written = Deno.readTextFileSync(`${out}/config.yaml`);
  for (const { id, part } of pairs.samples) {
    const line = written.split("\n").find((text) => text.includes("holdout_samples"))!;
    assert.equal(line.includes(id), part === "test", line);
  }
});

Deno.test("wrong choices are told by what is wrong", async () => {
  const hest = await openHest(DATA);
  const bad = { name: "ConfigError" };
  await assert.rejects(hest.pairs({ genes: 0 }), { ...bad, message: /genes is 0/ });
  await assert.rejects(hest.pairs({ genes: [] }), { ...bad, message: /genes is 0/ });
  await assert.rejects(hest.pairs({ panelGenes: 1.5 }), { ...bad, message: /panelGenes/ });
  await assert.rejects(hest.pairs({ holdOut: { donors: 99 } }), { ...bad, message: /99 of \d+ donors/ });
  await assert.rejects(hest.pairs({ holdOut: { donors: ["nobody"] } }), bad);
  await assert.rejects(hest.pairs({ holdOut: { samples: ["SYN99"] } }), bad);
  await assert.rejects(hest.pairs({ genes: ["NOGENE"] }), { name: "DataError", message: /NOGENE/ });
  await assert.rejects(hest.pairs({ genes: ["A"], include: ["B"] }), bad);
  await assert.rejects(hest.pairs({ signal: AbortSignal.abort() }), { name: "AbortError" });
  const pairs = await hest.pairs({ genes: 16, panelGenes: 4 });
  await assert.rejects(all(pairs, { batchSize: 0 }), bad);
  // @ts-expect-error No such part.
  await assert.rejects(all(pairs, { part: "validation" }), bad);
});
