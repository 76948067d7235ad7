import assert from "node:assert/strict";
import { poorFits } from "../../../src/methods/seal/evidence.ts";
import type { Results } from "../../../src/report/run_evidence.ts";

Deno.test("probes that miss by far are one warning, the worst first; those that do not are none", () => {
  const scored = (label: string, probe: number | null, benchmark: number) => ({
    label,
    probe: { protocol: "depth-cv/1", ...(probe !== null && { r2: { mean: probe } }) },
    benchmark: { protocol: "hest-bench/1", r2: { mean: benchmark } },
  });
  const all = [scored("Frozen", 0.1, -0.78), scored("SEAL", -0.6, -0.4), scored("Depth only", null, -3.13)];
  assert.deepEqual(poorFits(all as unknown as Results["encoders"]), [{
    text: "R2 is far below 0: Depth only by hest-bench/1 -3.13, Frozen by hest-bench/1 -0.78, SEAL by depth-cv/1 -0.60",
    reason:
      "the squared error is up to 4.1 times that of the mean of the held-out spots; such predictions may rank spots, " +
      "their values are not to be read",
  }]);
  assert.deepEqual(poorFits([scored("Frozen", 0.1, -0.4)] as unknown as Results["encoders"]), []);
});
