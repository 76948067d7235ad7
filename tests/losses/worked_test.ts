/** The published worked examples of all losses: values and gradients on the device, to the six digits given. */

import assert from "node:assert/strict";
import type { Plan } from "../../src/graph/plan.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { barlowTwins } from "../../src/losses/contrastive/barlow.ts";
import { cca } from "../../src/losses/contrastive/cca.ts";
import { clip } from "../../src/losses/contrastive/clip.ts";
import { GENE_LOSSES } from "../../src/losses/registry.ts";
import { s2l } from "../../src/losses/contrastive/s2l.ts";
import { softClip } from "../../src/losses/contrastive/soft_clip.ts";
import { canonicalRef, s2lWeightsRef, softTargetsRef } from "../ref/losses.ts";
import { evaluate, type M } from "./evaluate.ts";

function near(given: ArrayLike<number>, wanted: ArrayLike<number>, digits: number, relative = 1e-5): void {
  assert.equal(given.length, wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const bound = digits + relative * Math.abs(wanted[i]!);
    assert.ok(Math.abs(given[i]! - wanted[i]!) <= bound, `element ${i} is ${given[i]}, wanted ${wanted[i]}`);
  }
}

const Y: M = [[0.5, 1.2, 0.1], [1, 0.3, 0.7], [0.2, 0.9, 1.5], [1.4, 0.6, 0.4]];
const X: M = [[0.4, 1, 0], [1.2, 0, 0.9], [0, 1.1, 1.3], [1.5, 0.8, 0]];
const STD: M = [[0.694622, 0.499166, 0.655744]];

/** Value, then gradient times `unit`, row by row. */
const GENE: Readonly<Record<string, { value: number; digits?: number; unit?: number; gradient?: number[] }>> = {
  mse: { value: 0.046667 },
  l1: { value: 0.2 },
  huber: { value: 0.023333 },
  standardized_mse: { value: 0.135955 },
  pcc: {
    value: 0.036197,
    // deno-fmt-ignore
    gradient: [-.010552, .003837, .006715, .046212, .034659, -.080871, .033713, -.073044, .039331, .018734, -.093672, .074937],
  },
  pls: {
    value: -6.570790e-5,
    digits: 1e-11,
    unit: 1e6,
    // deno-fmt-ignore
    gradient: [3.785694, -7.964542, 5.776830, -9.657642, 11.515612, -.699645, 23.878831, -8.142096, -22.627502, -18.006883, 4.591026, 17.550317],
  },
  barlow_soft: {
    value: 0.001363,
    unit: 1e3,
    // deno-fmt-ignore
    gradient: [.015528, 5.557862, -.184649, -.109912, 5.810492, -2.070706, .024991, -5.305232, .514379, .069392, -6.063122, 1.740975],
  },
  barlow: {
    value: 0.001710,
    unit: 1e3,
    // deno-fmt-ignore
    gradient: [.150776, 5.525060, -.025544, -.034832, 5.857017, -2.206474, -.101471, -5.193104, .594799, -.014472, -6.188974, 1.637219],
  },
  barlow_mse: { value: 0.048029 },
  barlow_std_mse: {
    value: 0.681137,
    // deno-fmt-ignore
    gradient: [.172727, .674454, .193614, -.345533, 1.009155, -.389668, .345448, -.674202, .388111, -.172642, -.674959, .776935],
  },
  mmd: {
    value: 0.006943,
    // deno-fmt-ignore
    gradient: [.019563, .017738, .019988, -.005949, -.001861, -.004172, .011593, .008055, .007956, .002436, .005326, .007739],
  },
  negbin: {
    value: 2.142257,
    // deno-fmt-ignore
    gradient: [.004438, .002966, .044888, -.004364, .025005, -.006627, .031669, -.004903, .002433, -.001495, -.008080, .021006],
  },
};

for (const [name, wanted] of Object.entries(GENE)) {
  Deno.test(`${name} has the published value${wanted.gradient ? " and gradient" : ""}`, async () => {
    const inputs = { y: Y, x: X, std: STD };
    const runs = await evaluate(
      inputs,
      ["y"],
      (g, t) => GENE_LOSSES[name as keyof typeof GENE_LOSSES].loss(g, t.y!, t.x!, { std: t.std }),
    );
    for (const { value, grads } of runs) {
      near([value], [wanted.value], wanted.digits ?? 6e-7);
      const unit = wanted.unit ?? 1;
      if (wanted.gradient) near(grads[0]!.map((v) => v * unit), wanted.gradient, 1.2e-6);
    }
  });
}

Deno.test("of raw counts negbin is the likelihood of counts, with and without a mean of its own", async () => {
  const x = [[0, 1, 2, 3, 4, 5, 6]];
  const runs = await evaluate({ y: x, x }, [], (g, t) => GENE_LOSSES.negbin.loss(g, t.y!, t.x!, { space: "counts" }));
  // Mean of -scipy.stats.nbinom.logpmf(t, 0.1, 0.1 / (max(t, 1e-8) + 0.1)) over t = 0 .. 6.
  for (const { value } of runs) near([value], [3.1724257], 1e-6);
});

Deno.test("gene losses have the published factors", () => {
  const published = {
    ...{ mse: 10, standardized_mse: 10, l1: 10, huber: 10, pcc: 5, pls: 1, mmd: 1, negbin: 10 },
    ...{ barlow: 0.1, barlow_soft: 0.1, barlow_mse: 0.1, barlow_std_mse: 0.1 },
  };
  for (const name of Object.keys(published) as (keyof typeof published)[]) {
    assert.equal(GENE_LOSSES[name].scale, published[name], name);
  }
});

Deno.test("original Barlow Twins has the published value at eps 1e-9", async () => {
  const runs = await evaluate({ y: Y, x: X }, [], (g, t) => barlowTwins(g, t.y!, t.x!, { eps: 1e-9 }));
  for (const { value } of runs) near([value], [0.034197], 6e-7);
});

const IMAGE: M = [[1, 0, 0.5], [0.8, 0.3, 0.6], [-0.5, 1, 0.2]];
const EXPRESSION: M = [[0.9, 0.2, 0.3], [1, 0.1, 0.4], [0.2, 0.9, -0.4]];
const PAIR = { a: IMAGE, b: EXPRESSION };

const CONTRASTIVE: readonly [string, number, (g: Plan, t: Record<string, Tensor>) => Tensor][] = [
  ["clip at temperature 0.5", 0.654119, (g, t) => clip(g, t.a!, t.b!, { temperature: 0.5 })],
  ["clip without normalisation", 0.785340, (g, t) => clip(g, t.a!, t.b!, { temperature: 1, l2Norm: false })],
  ["soft_clip", 0.512328, (g, t) => softClip(g, t.a!, t.b!)],
  ["soft_clip at temperature 0.5", 0.846800, (g, t) => softClip(g, t.a!, t.b!, { temperature: 0.5 })],
  ["s2l", 3.092483, (g, t) => s2l(g, t.a!, t.b!)],
];

for (const [name, wanted, build] of CONTRASTIVE) {
  Deno.test(`${name} has the published value`, async () => {
    for (const { value } of await evaluate(PAIR, [], build)) near([value], [wanted], 6e-7);
  });
}

Deno.test("clip has the published value and gradients, that of a learned scale included", async () => {
  const runs = await evaluate(
    { ...PAIR, t: [[Math.log(20)]] },
    ["a", "b", "t"],
    (g, v) => clip(g, v.a!, v.b!, { logScale: v.t }),
  );
  // deno-fmt-ignore
  const da = [-.041270, -.259395, .082540, -.187479, .506309, -.003182, -.000178, -.000127, .000191];
  // deno-fmt-ignore
  const db = [-.338333, .983249, .359500, .316889, -1.122528, -.511590, .000550, -.000082, .000091];
  for (const { value, grads } of runs) {
    near([value], [0.568073], 6e-7);
    near(grads[0]!, da, 2e-6);
    near(grads[1]!, db, 2e-6);
    near(grads[2]!, [0.128812], 1e-6);
  }
});

Deno.test("a scale above 100 counts as 100 and still gets a gradient", async () => {
  const at = (t: number) => evaluate({ ...PAIR, t: [[t]] }, ["t"], (g, v) => clip(g, v.a!, v.b!, { logScale: v.t }));
  const [bound, above] = [(await at(Math.log(100)))[0]!, (await at(6))[0]!];
  near([above.value], [bound.value], 1e-6, 1e-4);
  near(above.grads[0]!, bound.grads[0]!, 1e-6, 1e-4);
  assert.notEqual(above.grads[0]![0], 0);
});

Deno.test("soft_clip holds its targets unless told otherwise", async () => {
  const runs = [true, false].map((detachTargets) =>
    evaluate(PAIR, ["a"], (g, t) => softClip(g, t.a!, t.b!, { temperature: 0.5, detachTargets }))
  );
  const [held, free] = (await Promise.all(runs)).map((run) => run[0]!);
  near([held!.value], [free!.value], 1e-6);
  assert.notDeepEqual(held!.grads[0], free!.grads[0]);
});

const CCA = {
  a: [[0.1, 1], [0.9, -0.4], [-1.2, 0.3], [0.4, 0.7], [-0.3, -1.5]],
  b: [[0.3, 0.8], [1, 0.1], [-0.9, -0.2], [0.1, 0.9], [-0.5, -1]],
};

Deno.test("cca has the published values in both forms", async () => {
  for (const [form, wanted] of [["nuclear", -1.898992], ["trace", -1.807941]] as const) {
    for (const { value } of await evaluate(CCA, [], (g, t) => cca(g, t.a!, t.b!, { form }))) {
      near([value], [wanted], 1e-6);
    }
  }
});

Deno.test("Barlow Twins has the published value on the pair of cca", async () => {
  for (const { value } of await evaluate(CCA, [], (g, t) => barlowTwins(g, t.a!, t.b!))) {
    near([value], [0.012995], 6e-7);
  }
});

Deno.test("references have the published intermediate values", () => {
  const T = softTargetsRef(IMAGE, EXPRESSION, 0.05);
  near(T.flat(), [0.659108, 0.340892, 0, 0.340892, 0.659108, 0, 0, 0, 1], 1e-6);
  near(s2lWeightsRef(EXPRESSION).flat(), [1, 0.929545, 0, 0.929545, 1, 0, 0, 0, 1], 6e-7);
  near(canonicalRef(CCA.a, CCA.b, 1e-3).sort().reverse(), [0.998768, 0.900225], 6e-7);
});
