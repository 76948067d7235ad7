import assert from "node:assert/strict";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import { readback } from "../../src/gpu/readback.ts";
import { clamp } from "../../src/ops/activation.ts";
import { gather } from "../../src/ops/gather.ts";
import { f32FromF16 } from "../../src/core/dtype.ts";
import { deviceThat, kernelPaths, openGpu } from "./shared.ts";
import { weaken } from "./weak.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

/** What IEEE 754 rounds to the largest half, to infinities, and what it keeps; devices differ where WGSL is open. */
const GIVEN = [65504, 65519.99, 65520, -65520, 7e4, -1e30, 3e38, Infinity, -Infinity, NaN, 1, -0.5];
const STORED = [65504, 65504, Infinity, -Infinity, Infinity, -Infinity, Infinity, Infinity, -Infinity, NaN, 1, -0.5];

for (const { path, on } of kernelPaths(gpu)) {
  for (const D of [4, 3]) {
    Deno.test({
      name: `values beyond f16 are stored as infinities, clamped ones as the ends of f16, rows of ${D}, ${path}`,
      ignore: !gpu.caps.f16,
      fn: async () => {
        const n = GIVEN.length / D;
        const store = new Store(on);
        const x = store.from("input", "x", [n, D], Float32Array.from(GIVEN));
        const g = new Plan(on);
        const rows = Array.from({ length: n }, (_, i) => i);
        const plain = gather(g, x, rows, { dtype: "f16" });
        const kept = gather(g, clamp(g, x, -65504, 65504), rows, { dtype: "f16" });
        g.output(plain, kept);
        const program = await g.compile();
        program.run();
        const [first, second] = await readback(on, plain, kept);
        assert.deepEqual(Array.from(first!), STORED);
        const ends = STORED.map((v) => (Number.isNaN(v) ? v : Math.min(65504, Math.max(-65504, v))));
        assert.deepEqual(Array.from(second!), ends);
        program.destroy();
        store.destroy();
      },
    });
  }
}

for (const weak of [false, true]) {
  Deno.test(`every half that is stored as a weight is read exactly${weak ? " where subnormal ones unpack as 0" : ""}`, async () => {
    const on = await deviceThat((text) => weak ? weaken(text, "up") : text);
    const all = Float32Array.from({ length: 1 << 16 }, (_, bits) => f32FromF16(bits));
    const store = new Store(on);
    for (const D of [256, 1]) {
      const x = store.from(`halves ${D}`, "x", [all.length / D, D], all, "f16");
      const g = new Plan(on);
      const y = gather(g, x, Array.from({ length: all.length / D }, (_, i) => i), { dtype: "f32" });
      g.output(y);
      const program = await g.compile();
      program.run();
      const [got] = await readback(on, y);
      assert.deepEqual(got, all, `rows of ${D}`);
      program.destroy();
    }
    store.destroy();
    on.destroy();
  });
}
