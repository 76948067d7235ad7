/** The module's data folders: spots, patches and expression of one sample fit each other. */

import assert from "node:assert/strict";
import { planSynth } from "../../src/data/synth/plan.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import { disk } from "../../src/io/fs.ts";
import { openHest } from "../../src/module/hest.ts";

const folder = Deno.makeTempDirSync({ prefix: "module_hest_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
await writeSynth(disk, folder, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});

Deno.test("a sample has a row, a patch and a place for each spot, and expression is of its counts", async () => {
  const hest = await openHest(folder);
  assert.ok(hest.samples.length >= 3 && hest.samples.every(({ hasPatches }) => hasPatches));
  const { id } = hest.samples[0]!;
  const sample = await hest.sample(id);
  const { count, counts, genes } = sample;
  assert.equal(sample.barcodes.length, count);
  assert.equal(sample.coords.length, 2 * count);
  assert.deepEqual([counts.rows, counts.columns], [count, genes.length]);
  assert.ok(sample.pixelSize! > 0.1 && sample.pixelSize! < 2);
  const image = await sample.patch(3);
  assert.equal(image.data.length, sample.patchSize ** 2 * 3);
  let i = 0;
  for await (const each of sample.images()) if (i++ === 3) assert.deepEqual(each, image);
  assert.equal(i, count);
  // ln(1 + counts per ten thousand), of the counts as they are.
  const gene = counts.indices[counts.indptr[5]!]!;
  const name = genes[gene]!;
  const row = counts.data.subarray(counts.indptr[5]!, counts.indptr[6]!);
  const total = row.reduce((a, b) => a + b);
  const own = sample.expression([name.toLowerCase()]);
  assert.ok(Math.abs(own[5]! - Math.log1p(row[0]! / total * 1e4)) < 1e-2, `${own[5]}`);
  assert.notDeepEqual(sample.expression([name], "context"), own);
  assert.equal(sample.expression().length, count * genes.length);
});

Deno.test("samples are chosen by what the metadata say, and unknown names are told", async () => {
  const all = await openHest(folder);
  const [first] = all.samples;
  const organ = String(first!.metadata.organ);
  assert.equal((await openHest(folder, { organs: [organ.toUpperCase()] })).samples.length, all.samples.length);
  assert.equal((await openHest(folder, { organs: ["Nowhere"] })).samples.length, 0);
  assert.deepEqual((await openHest([folder], { samples: [first!.id] })).samples.map(({ id }) => id), [first!.id]);
  await assert.rejects(openHest(folder, { samples: ["SYN99"] }), { name: "ConfigError", hint: /SYN/ });
  await assert.rejects(all.sample("SIN1"), { name: "ConfigError", hint: /SYN/ });
  const sample = await all.sample(first!.id);
  assert.throws(() => sample.expression(["NOGENE"]), { name: "ConfigError" });
  await assert.rejects(sample.patch(sample.count), /counted from 0/);
  await assert.rejects(openHest(`${folder}/none`), { name: "DataError" });
});
