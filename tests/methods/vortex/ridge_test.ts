/** The head of the volume of interest in closed form: what it shrinks to, what it does with genes that were not measured, what is left out. */

import assert from "node:assert/strict";
import { Rng } from "../../../src/core/rng.ts";
import { pearson } from "../../../src/eval/correlation.ts";
import { fitHead, leftOutGroups } from "../../../src/methods/vortex/ridge.ts";
import type { VortexSession } from "../../../src/methods/vortex/session.ts";

const [N, TEST, W, G] = [16, 200, 24, 3];
const rng = new Rng(22);
const normal = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
const pooled = normal((N + TEST) * W);
interface Linear {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** What other volumes taught. */
const shared: Linear = { weight: normal(G * W), bias: normal(G) };

const tell = ({ weight, bias }: Linear, i: number, g: number) =>
  bias[g]! + Array.from({ length: W }, (_, k) => pooled[i * W + k]! * weight[g * W + k]!).reduce((a, b) => a + b);

/** Fits a head to spots whose expression is `truth` with noise, the last gene not measured. */
async function fitted(truth: Linear, others: number) {
  const pairs = Array.from({ length: N }, (_, i) => ({
    ...{ volume: others, section: "s", part: "train" as const, place: [10 * i, 5 * (i % 3), 8] as const },
  }));
  const x = Float32Array.from({ length: N * G }, (_, at) => {
    const [i, g] = [Math.floor(at / G), at % G];
    return g === G - 1 ? 0 : tell(truth, i, g) + 0.5 * Math.sin(7 * at);
  });
  const found = new Map<string, Float32Array>();
  await fitHead({
    data: { pairs, x, measured: Float32Array.from(x, (_, at) => (at % G === G - 1 ? 0 : 1)), genes: ["A", "B", "C"] },
    ...{ heads: [...Array(others).keys(), -1], voiPairs: [...pairs.keys()] },
    config: { model: { width: W }, stages: { voi_steps: 0, val_fraction: 0.2 } },
    say: (rows: readonly number[]) =>
      Promise.resolve({
        pooled: Float32Array.from(rows.flatMap((i) => [...pooled.subarray(i * W, (i + 1) * W)])),
        heads: { shared: Float32Array.from(rows.flatMap((i) => [0, 1, 2].map((g) => tell(shared, i, g)))) },
      }),
    parameters: {
      read: () => Promise.resolve(new Map([["head.shared.weight", shared.weight], ["head.shared.bias", shared.bias]])),
      load(values: ReadonlyMap<string, { data: Float32Array }>, wanted: (name: string) => boolean) {
        for (const [name, { data }] of values) if (wanted(name)) found.set(name, data);
      },
    },
  } as unknown as VortexSession);
  const head = { weight: found.get("head.voi.weight")!, bias: found.get("head.voi.bias")! };
  const score = (g: number) => {
    const [a, b] = [head, truth].map((of) => Array.from({ length: TEST }, (_, i) => tell(of, N + i, g)));
    return pearson(a!, b!).value!;
  };
  return { head, score };
}

Deno.test("behind other volumes the head shrinks to what they share, where that tells left-out spots better", async () => {
  // Much is as elsewhere, a little is the volume's own.
  const own = normal(G * W);
  const truth = { ...shared, weight: shared.weight.map((value, at) => value + 0.3 * own[at]!) };
  const [behind, alone] = [await fitted(truth, 2), await fitted(truth, 0)];
  for (const g of [0, 1]) {
    assert.ok(behind.score(g) > 0.93 && behind.score(g) > alone.score(g) + 0.1, `${behind.score(g)} ${alone.score(g)}`);
  }
  // A gene that was not measured is told as elsewhere.
  const row = (of: Float32Array) => [...of.subarray((G - 1) * W)].map((value) => Math.round(value * 1e4));
  assert.deepEqual(row(behind.head.weight), row(shared.weight));
  assert.ok(row(alone.head.weight).every((value) => value === 0));
});

Deno.test("where the volume is the opposite of others the head shrinks to none", async () => {
  const truth = { weight: shared.weight.map((value) => -value), bias: shared.bias };
  const [behind, alone] = [await fitted(truth, 2), await fitted(truth, 0)];
  assert.deepEqual(behind.head, alone.head);
});

Deno.test("left out together are sections, or stripes of the one there is", () => {
  const of = (...sections: string[]) => ({
    pairs: sections.map((section, i) => ({
      ...{ volume: 0, section, part: "train" as const, place: [i, 0, 0] as const },
    })),
  });
  const names = ["a", "a", "b", "c", "c", "c"];
  assert.deepEqual(leftOutGroups(of(...names), [0, 2, 3, 5]), ["a", "b", "c", "c"]);
  assert.deepEqual(leftOutGroups(of("a", "a", "a", "a", "a", "a"), [5, 4, 3, 2, 1, 0]), [4, 3, 2, 1, 0, 0]);
});
