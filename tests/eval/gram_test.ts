/** Products on the GPU next to those of the host. */

import assert from "node:assert/strict";
import { gram } from "../../src/eval/linalg/gram.ts";
import { fitPca } from "../../src/eval/linalg/pca.ts";
import { probe } from "../../src/eval/probe.ts";
import { fitStandardizer, standardize } from "../../src/eval/linalg/standardize.ts";
import { openGpu } from "../gpu/shared.ts";
import { features, noise, rowsOf, targets } from "./inputs.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

Deno.test("gram() on the GPU is within 1e-6 of the largest entry of f64, at and off the edges of blocks", async () => {
  for (const [kind, rows, columns] of [["random", 1024, 33], ["ill", 1500, 40], ["offset", 700, 64]] as const) {
    const x = features(kind, 1, rows, columns);
    const seen = standardize(x, fitStandardizer(x));
    const [host, device] = [await gram(seen), await gram(seen, { gpu, gpuFrom: 0 })];
    assert.match(host.solver, /host/);
    assert.match(device.solver, /GPU/);
    const scale = host.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = host.data.reduce((most, value, i) => Math.max(most, Math.abs(value - device.data[i]!)), 0);
    assert.ok(worst < 1e-6 * scale, `${kind}: ${worst / scale}`);
    assert.ok(worst > 0);
    for (let i = 0; i < columns; i++) assert.equal(device.data[i], device.data[i * columns]);
  }
});

Deno.test("a probe by products of the GPU predicts the same", async () => {
  const x = features("random", 1, 1500, 40);
  const y = targets(x, 2, 4);
  const side = (from: number, to: number) => ({ features: rowsOf(x, from, to), targets: rowsOf(y, from, to) });
  const input = { train: side(0, 1200), test: side(1200, 1500), genes: ["A", "B", "C", "D"] };
  const protocol = "hest-bench/1";
  const host = await probe(input, protocol);
  const device = await probe(input, protocol, { gpu, gpuFrom: 0 });
  assert.match(device.model.solver, /GPU/);
  assert.ok(Math.abs(host.pearsonMean - device.pearsonMean) < 1e-6);
  host.perGene.forEach((gene, j) => assert.ok(Math.abs(gene.pearson! - device.perGene[j]!.pearson!) < 1e-5));
});

Deno.test("small products stay on the host, though a GPU is there", async () => {
  const x = noise(1, 50, 8);
  const { solver } = await fitPca(standardize(x, fitStandardizer(x)), 4, { gpu });
  assert.equal(solver, "pca f64 on the host");
});
