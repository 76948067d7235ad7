/** Losses where their formulas are at the edge: genes and spots that do not vary, one spot; and what they reject. */

import assert from "node:assert/strict";
import { ConfigError, LimitError, ShapeError } from "../../src/core/errors.ts";
import { Plan } from "../../src/graph/plan.ts";
import { barlowTwins } from "../../src/losses/contrastive/barlow.ts";
import { cca } from "../../src/losses/contrastive/cca.ts";
import { clip } from "../../src/losses/contrastive/clip.ts";
import { CONTRASTIVE_KEYS, type ContrastiveLoss } from "../../src/losses/contrastive_loss.ts";
import { CONTRASTIVE_LOSSES, GENE_LOSSES } from "../../src/losses/registry.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { s2l } from "../../src/losses/contrastive/s2l.ts";
import { softClip } from "../../src/losses/contrastive/soft_clip.ts";
import { mmd } from "../../src/ops/mmd.ts";
import { proximity } from "../../src/ops/proximity.ts";
import { type Build, evaluate, gpu, type M } from "./evaluate.ts";

/** First gene constant in both, second constant in the prediction, third in the target, second spot constant in both. */
const EDGE: Record<string, M> = {
  y: [[0.7, 0.3, 1.1], [0.7, 0.7, 0.7], [0.7, 0.3, 0.2]],
  x: [[0.2, 0.9, 0.4], [0.2, 0.2, 0.2], [0.2, 1.3, 0.4]],
};
const ALL_EQUAL: Record<string, M> = { y: [[0.5, 0.5], [0.5, 0.5]], x: [[0, 0], [0, 0]] };

for (const [name, { loss, rows }] of Object.entries(GENE_LOSSES)) {
  Deno.test(`${name} is finite, with its gradient, where genes or spots do not vary`, async () => {
    for (const pair of [EDGE, ALL_EQUAL, ...(rows === 1 ? [{ y: [[0.4, 0.1]], x: [[0, 2]] }] : [])]) {
      const std = [pair.x![0]!.map((_, j) => (j ? 0.5 : 0))];
      for (const { value, grads } of await evaluate({ ...pair, std }, ["y"], (g, t) => loss(g, t.y!, t.x!, t))) {
        assert.ok(Number.isFinite(value) && grads[0]!.every(Number.isFinite), `${value}: ${grads[0]}`);
      }
    }
  });
  Deno.test(`${name} is NaN, and no number, where a prediction or a target is`, async () => {
    const [y, x, std] = [[[1, 0, 2, 1], [0, 1, 1, 2], [2, 1, 0, 0]], [[0, 1, 1, 2], [1, 2, 0, 1], [3, 0, 1, 0]], [[
      1,
      1,
      2,
      1,
    ]]];
    const broken = y.with(1, [0, 1, NaN, 2]);
    for (const pair of [{ y: broken, x }, { y: x, x: broken }]) {
      for (const { value, grads } of await evaluate({ ...pair, std }, ["y"], (g, t) => loss(g, t.y!, t.x!, t))) {
        // The slope of |NaN| is 0, as PyTorch's.
        assert.ok(Number.isNaN(value) && (name === "l1" || grads[0]!.some(Number.isNaN)), `${value}: ${grads[0]}`);
      }
    }
  });
  if (rows === 1) continue;
  Deno.test(`${name} rejects one spot`, () => {
    const g = new Plan(gpu);
    const [y, x, std] = [g.tensor([1, 4]), g.tensor([1, 4]), g.tensor([4])];
    assert.throws(() => loss(g, y, x, { std }), ShapeError);
    assert.equal(g.dispatches.length, 0);
  });
}

/** Options as they are where nothing is said. */
const DEFAULTS = Object.fromEntries(
  [CONTRASTIVE_KEYS, ...Object.values(CONTRASTIVE_LOSSES).map(({ keys }) => keys)]
    .flatMap((keys) => Object.entries(keys).map(([key, row]) => [key, (row as { default: unknown }).default])),
);

for (const [name, { create }] of Object.entries(CONTRASTIVE_LOSSES)) {
  const build: Build = (g, t) => {
    const parameters = new Parameters(g.gpu);
    const loss = (create as (values: unknown, of: Parameters) => ContrastiveLoss)(DEFAULTS, parameters);
    parameters.allocate();
    return loss(g, t.a!, t.b!);
  };
  Deno.test(`${name} is NaN, and no number, where an embedding is`, async () => {
    const [whole, broken] = [[[1, 2], [0, 1], [2, 3]], [[1, 2], [NaN, 1], [2, -3]]];
    for (const pair of [{ a: whole, b: broken }, { a: broken, b: whole }]) {
      for (const { value, grads } of await evaluate(pair, ["a", "b"], build)) {
        assert.ok(Number.isNaN(value) && grads.every((grad) => grad.some(Number.isNaN)), `${value}: ${grads}`);
      }
    }
  });
  Deno.test(`${name} of equal embeddings is finite, with its gradients`, async () => {
    const equal = [[1, 2], [1, 2], [1, 2]];
    for (const { value, grads } of await evaluate({ a: equal, b: equal }, ["a", "b"], build)) {
      assert.ok(Number.isFinite(value) && grads.flat().every(Number.isFinite), `${value}: ${grads}`);
    }
  });
}

Deno.test("standardized_mse limits the weight of a gene that never varies", async () => {
  const { loss } = GENE_LOSSES.standardized_mse;
  const inputs = { y: [[0.01, 0.5]], x: [[0, 0]], std: [[0, 1]] };
  const [limited] = await evaluate(inputs, [], (g, t) => loss(g, t.y!, t.x!, { std: t.std }));
  const [plain] = await evaluate(inputs, [], (g, t) => loss(g, t.y!, t.x!, { std: t.std, floor: 0 }));
  assert.ok(Math.abs(limited!.value - 50.124) < 1e-2, String(limited!.value));
  assert.ok(plain!.value > 4e11, String(plain!.value));
});

Deno.test("losses reject what does not fit before anything is recorded", () => {
  const g = new Plan(gpu);
  const [a, b, one] = [g.tensor([3, 4]), g.tensor([3, 5]), g.tensor([1, 4])];
  for (const { loss } of Object.values(GENE_LOSSES)) {
    assert.throws(() => loss(g, a, b, { std: g.tensor([4]) }), ShapeError);
    assert.throws(() => loss(g, g.tensor([0, 4]), g.tensor([0, 4]), { std: g.tensor([4]) }), ShapeError);
  }
  for (const loss of [clip, softClip, s2l, barlowTwins]) assert.throws(() => loss(g, a, b), ShapeError);
  assert.throws(() => cca(g, one, one), ShapeError);
  assert.throws(() => cca(g, a, b, { form: "trace", regularisation: 0 }), LimitError);
  assert.throws(() => cca(g, a, b), LimitError);
  assert.throws(() => clip(g, a, a, { temperature: 0 }), LimitError);
  assert.throws(() => softClip(g, a, a, { targetTemperature: -1 }), LimitError);
  assert.throws(() => s2l(g, a, a, { scale: g.tensor([2]) }), ShapeError);
  for (const { loss, needsStd } of Object.values(GENE_LOSSES)) {
    if (needsStd) assert.throws(() => loss(g, a, a), ConfigError);
  }
  assert.throws(() => mmd(g, a, b), ShapeError);
  assert.throws(() => proximity(g, a), ShapeError);
  assert.throws(() => proximity(g, g.tensor([2, 2]), { range: 0 }), ConfigError);
  assert.equal(g.dispatches.length, 0);
});
