/**
 * Tolerances of the cases against what WGSL promises: the cases of each op whose kernels call a built-in function with an
 * accuracy of its own, or store halves, pass on the worst device that conforms (see weak.ts), so that no conforming GPU can fail them.
 *
 * @seconds 30
 */

import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { caseTexts, type References, runCase } from "../runner.ts";
import { deviceThat } from "./shared.ts";
import { bare, inaccurate, weaken, type Weakness } from "./weak.ts";

/** Ops with rows that differ in tiles alone, which call the same functions and take long to compile; of others all are run. */
const TILED: ReadonlySet<string> = new Set(["attention", "layernorm", "linear", "matmul", "patch_embed"]);

/** What of a text is left when tiles are, which unroll the same lines: its distinct lines without their numbers. */
function lines(text: string): Set<string> {
  return new Set(bare(text).split("\n").map((line) => line.replace(/\d+/g, "")).filter((line) => /\w\(/.test(line)));
}

/**
 * The cases of an op with inaccurate texts. Where many differ in tiles alone, those that run lines which none before them
 * runs, and those whose numbers are there for what they do.
 */
function casesToRun(gpu: Gpu, op: string, cases: readonly OpCase[]): OpCase[] {
  const run = new Set<string>();
  return cases.filter((test) => {
    if (test.benchOnly) return false;
    const texts = (["flat", "gpu"] as const).flatMap((path) => [...caseTexts(gpu, test, path)]).filter(
      inaccurate,
    );
    const before = run.size;
    for (const text of texts) for (const line of lines(text)) run.add(line);
    const odd = Object.values(test.inputs).some(({ chosen, dtype = "f32" }) => chosen && dtype === "f32");
    return texts.length > 0 && (!TILED.has(op) || odd || run.size > before);
  });
}

/** Cases to run by op, found by what the first device would compile. */
const chosen = new Map<string, OpCase[]>();

/** The f64 references by op, the same for both devices. */
const references = new Map<string, References>(Object.keys(index).map((op) => [op, new Map()]));

for (const kind of ["up", "mixed"] as Weakness[]) {
  const device = await deviceThat((text) => weaken(text, kind));
  Deno.test.afterAll(() => device.destroy());
  for (const [op, cases] of Object.entries(index) as [string, readonly OpCase[]][]) {
    Deno.test(`${op} meets its tolerances where WGSL's accuracies are used up, errors ${kind}`, async () => {
      const run = chosen.get(op) ?? casesToRun(device, op, cases);
      chosen.set(op, run);
      for (const test of run) {
        const { failures } = await runCase(device, test, { references: references.get(op)! });
        assert.deepEqual(failures, [], test.name);
      }
    });
  }
}

Deno.test("a text is weakened call by call, inner ones too, and what has no accuracy of its own is left", () => {
  const text = "let a = exp(log(x[1]) + f(y, z)); // exp(1)\nlet b = my_exp(fma(a, vec4f(b), c));";
  const sum = "((a) * (f(b, c)) + (d))";
  assert.equal(
    weaken("tanh(fma(a, f(b, c), d))", "mixed"),
    `(tanh(${sum}) + sign(fract((${sum}) * 977.0) - 0.5) * 1e-5)`,
  );
  assert.equal(weaken("q = my_exp(fma(a, b, c));", "up"), "q = my_exp(fma(a, b, c));");
  assert.ok(inaccurate(text) && !inaccurate("let b = my_exp(a); // exp(1)"));
  assert.throws(() => weaken("exp(a", "up"), SyntaxError);
});
