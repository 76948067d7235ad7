/** What is proved of training: the steps a method brings, and that it brings none where it does. */

import assert from "node:assert/strict";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import type { KnownSteps, MethodProof } from "../../src/verify/proof.ts";
import { proveSteps, verify } from "../../src/verify/verify.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const { spec } = randomEncoder("random:vit-s16?dim=32&depth=1&heads=1&img=32");
const SMALL = { encoder: spec, batch: 2, genes: 12, paths: ["gpu"] } as const;

/** A method whose losses are off by `error`, and differ from run to run or not. */
function proofOf(error: number, steady: boolean): MethodProof & { asked: number[] } {
  const asked: number[] = [];
  return {
    label: "ours",
    asked,
    steps: (_, steps) => {
      asked.push(steps);
      const last = { loss: steady ? "3f800000" : `3f80000${asked.length}` };
      return Promise.resolve<KnownSteps>({ steps, error, worst: "loss of step 3", last });
    },
    step: () => Promise.reject(new Error("nothing is profiled")),
    plans: () => [],
  };
}

Deno.test("a method without steps: the rest is proved, and that nothing was trained is said", async () => {
  const found = await verify(gpu, { ...SMALL, training: { method: "theirs" } });
  assert.deepEqual(found.skipped, ["training: method theirs brings no steps whose losses are known"]);
  assert.deepEqual([found.training, found.steps, found.ok], [null, [], true]);
  assert.ok(found.kernels.length > 10 && found.vectors.length > 5);
});

Deno.test("a method's steps are trained twice; losses that are off, or not the same again, are no proof", async () => {
  for (const [error, steady, ok] of [[1e-9, true, true], [0.5, true, false], [1e-9, false, false]] as const) {
    const proof = proofOf(error, steady);
    const found = await proveSteps(gpu, proof, "gpu");
    assert.deepEqual([found.ok, found.repeats, found.path, found.worst], [ok, steady, "gpu", "loss of step 3"]);
    assert.deepEqual(proof.asked, [30, 30]);
  }
});
