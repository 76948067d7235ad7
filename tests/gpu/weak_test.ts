/**
 * Tolerances of the cases against what WGSL promises: every case whose kernels call a built-in function with an accuracy
 * of its own passes on the worst device that conforms (see weak.ts), so a conforming GPU cannot fail it.
 */

import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { caseTexts, runCase } from "../runner.ts";
import { openGpu } from "./shared.ts";
import { inaccurate, weaken, type Weakness } from "./weak.ts";

/** A device that compiles every text as `change` makes it. */
async function deviceThat(change: (text: string) => string): Promise<Gpu> {
  const gpu = await openGpu();
  const compile = gpu.device.createShaderModule.bind(gpu.device);
  gpu.device.createShaderModule = (descriptor) => compile({ ...descriptor, code: change(descriptor.code) });
  return gpu;
}

for (const kind of ["up", "mixed"] as Weakness[]) {
  const device = deviceThat((text) => weaken(text, kind));
  Deno.test.afterAll(async () => (await device).destroy());
  for (const [op, cases] of Object.entries(index) as [string, readonly OpCase[]][]) {
    Deno.test(`${op} meets its tolerances where WGSL's accuracies are used up, errors ${kind}`, async () => {
      const gpu = await device;
      const failures: string[] = [];
      const t0 = Date.now();
      let n = 0;
      for (const test of cases) {
        if (test.benchOnly) continue;
        const texts = ["flat", "gpu"].flatMap((path) => [...caseTexts(gpu, test, path as "flat" | "gpu").keys()]);
        if (!texts.some(inaccurate)) continue;
        n++;
        const { failures: some } = await runCase(gpu, test);
        failures.push(...some.map((what) => `${test.name}: ${what}`));
      }
      console.log(op, n, Date.now() - t0);
      assert.deepEqual(failures, []);
    });
  }
}
