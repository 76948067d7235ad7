/**
 * Arms on the world of patients, in short: what is measured at length by `scripts/methods/bulk/world.ts`.
 *
 * @seconds 60
 */

import assert from "node:assert/strict";
import type { Arm } from "../../../src/methods/bulk/model.ts";
import { DEFAULT_LIMITS, openGpu } from "../../gpu/shared.ts";
import { baseEncoder, dataOf, makeKw1, scoresOf, trainArm } from "./kw1.ts";
import { configOf } from "./world.ts";

const gpu = await openGpu({ limits: DEFAULT_LIMITS });
Deno.test.afterAll(() => gpu.destroy());

Deno.test("both arms gain over the encoder before; contrast does more than regression from torch's start, and nothing on exchanged patients", async () => {
  const world = makeKw1(1, { tuned: 200, probed: 200, tested: 100, abroad: 100 });
  const base = await baseEncoder(gpu, world, 1, 800);
  const data = dataOf(world);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const scores: Record<string, number> = {};
  for (const kind of ["base", "contrastive", "direct", "direct_torch", "shuffled"]) {
    const arm = kind === "base" || kind === "direct_torch" ? "direct" : kind;
    const config = configOf({
      ...{ train: "encoder", features: "[]", patches: "p", arms: arm, steps: 300 },
      ...(kind === "direct_torch" && { head_start: "torch" }),
      ...{ batch_size: 64, tiles: 8, lr: 1e-3, encoder_lr: 1e-3, rna_hidden: 64, width: 32, eval_every: 50 },
      ...{ log_every: 100 },
    });
    const trained = await trainArm(gpu, { base, data, config, arm: kind === "base" ? undefined : arm as Arm });
    scores[kind] = mean(await scoresOf(world, trained.embed));
    trained.close();
  }
  const text = JSON.stringify(scores);
  console.log(text);
  const gain = (arm: string) => scores[arm]! - scores.base!;
  assert.ok(gain("contrastive") > 0 && gain("direct") > 0, text);
  // A head that starts elsewhere than at zero costs regression much: only there contrast leads.
  assert.ok(gain("contrastive") - gain("direct_torch") >= 0.03, text);
  assert.ok(gain("direct") > gain("direct_torch"), text);
  assert.ok(gain("shuffled") <= 0.05, text);
});
