/** Every case of every op, in all variants; writes the coverage table that `deno task test` prints. @seconds 45 */

import assert from "node:assert/strict";
import { requestGpu } from "../../src/gpu/device.ts";
import { index } from "../cases/index.gen.ts";
import type { OpCase } from "../case.ts";
import { type CaseResult, runCase } from "../runner.ts";

interface Row {
  op: string;
  cases: number;
  forward: boolean;
  gradient: string;
  f16: string;
  weights: string;
  poison: boolean;
  paths: string;
  nmse: number;
  gradNmse: number;
}

const gpu = await requestGpu(navigator.gpu, { subgroups: true });
const rows = new Map<string, Row>();

function note(op: string, result: CaseResult): void {
  const row = rows.get(op) ??
    {
      op,
      cases: 0,
      forward: true,
      gradient: "none",
      f16: "f32 only",
      weights: "-",
      poison: true,
      paths: "",
      nmse: 0,
      gradNmse: 0,
    };
  row.cases++;
  if (result.failures.length) row.forward = row.poison = false;
  if (result.gradient) row.gradient = "yes";
  if (result.f16) row.f16 = "yes";
  if (result.weights) row.weights = "f16 bf16";
  const paths = new Set([
    ...(row.paths === "one" ? ["flat"] : row.paths.split(" ")),
    ...result.variants.map((name) => name.split(" ")[0]!),
  ]);
  // An op whose kernels do not depend on the path runs once.
  const ran = [...paths].filter(Boolean).sort().join(" ");
  row.paths = ran === "flat" ? "one" : ran;
  row.nmse = Math.max(row.nmse, result.nmse);
  row.gradNmse = Math.max(row.gradNmse, result.gradNmse);
  rows.set(op, row);
}

for (const [op, cases] of Object.entries(index) as [string, readonly OpCase[]][]) {
  for (const test of cases) {
    if (test.benchOnly) continue;
    Deno.test(`${op} agrees with its f64 reference: ${test.name}`, async () => {
      const result = await runCase(gpu, test);
      note(op, result);
      assert.deepEqual(result.failures, []);
    });
  }
}

Deno.test.afterAll(() => {
  const path = new URL("../.coverage.json", import.meta.url);
  Deno.writeTextFileSync(path, JSON.stringify([...rows.values()], null, 1));
  gpu.destroy();
});
