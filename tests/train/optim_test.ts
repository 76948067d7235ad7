/** The optimiser's keys mean the same to every method: rates by step, and what is refused. */

import assert from "node:assert/strict";
import { ConfigError } from "../../src/core/errors.ts";
import { loadMethod, METHOD_NAMES } from "../../src/methods/index.ts";
import { learningRate } from "../../src/train/config/optim.ts";

const optim = { lr: 8, scheduler: "cosine", lr_warmup_steps: 2, min_lr: 2 } as const;

Deno.test("a rate rises, then falls by a cosine or stays; a stage of no steps has one, and a rise ends with the stage", () => {
  const steps = (of: (step: number) => number) => [0, 1, 2, 4, 6].map(of);
  const cosine = steps(learningRate(optim, 6));
  [4, 8, 8, 5, 2].forEach((rate, i) => assert.ok(Math.abs(cosine[i]! - rate) < 1e-12, `${cosine}`));
  assert.deepEqual(steps(learningRate({ ...optim, scheduler: "constant" }, 6)), [4, 8, 8, 8, 8]);
  assert.equal(learningRate({ ...optim, lr_warmup_steps: 9 }, 4)(3), 8);
  assert.equal(learningRate(optim, 0)(0), 8);
});

for (const name of METHOD_NAMES) {
  Deno.test(`${name} refuses a rate that rises to its end, unless it is constant, and steps of too many tiles`, async () => {
    const { config } = await loadMethod(name);
    const rates: [string, string][] = config.names.filter((key) => /^((img|gene)_)?lr$/.test(key)).map((
      key,
    ) => [key, "1"]);
    assert.ok(rates.length > 0);
    const read = (...given: [string, string][]) => config.read([], [...rates, ...given]);
    read(["min_lr", "1"]);
    read(["min_lr", "2"], ["scheduler", "constant"]);
    assert.throws(() => read(["min_lr", "2"]), ConfigError);
    if (!config.names.includes("tiles")) return;
    read(["batch_size", "1024"], ["tiles", "1024"]);
    assert.throws(() => read(["batch_size", "1025"], ["tiles", "1024"]), /1025 bags of 1024 tiles/);
  });
}
