/**
 * Products by matrix units, under Deno with Dawn; started by `scripts/test_matrix.ts` on an adapter that has such units.
 *
 * Every case of matmul, linear and attention with activations in f16, beside f64 of the same operands: values and gradients,
 * poisoned outputs, guard words, two runs bit for bit; whole encoders beside PyTorch; 50 steps of SEAL beside PyTorch's losses;
 * whether texts for units of other sizes are valid.
 */

import { f16FromF32, f32FromF16 } from "../../src/core/dtype.ts";
import { openDawn } from "../../src/host/gpu.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { describeMatrix } from "../../src/gpu/matrix_units.ts";
import { DEFAULT_METHOD } from "../../src/methods/index.ts";
import { compareVectors, VECTOR_ENCODERS } from "../../src/verify/vectors.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { caseVariants, runCase } from "../runner.ts";
import { readTexts } from "./matrix_texts.ts";

/** Smallest cosine of an embedding to PyTorch's, and largest relative difference of a loss. */
const LEAST_COSINE = 0.9999;
const LOSSES = 1e-2;

/** How the cases of an op are run: what is stored as f16. */
interface Halved {
  /** Inputs that are activations; those of the case where not given. */
  readonly f16?: readonly string[];
  /** Frozen weights. */
  readonly weights?: readonly string[];
  /** Inputs in f32 that matrix units read as f16: given so that f16 holds them. */
  readonly operands?: readonly string[];
}

/** Largest error in units of a result's largest element: twice the rounding of f16. The reference keeps in f16 what the op does. */
const ALLOWED = 2 ** -10;

const HALVES: Readonly<Record<string, Halved>> = {
  matmul: { f16: ["a", "b"] },
  linear: { f16: ["x", "xl", "residual"], weights: ["weight"], operands: ["la", "lb"] },
  attention: {},
};

let [passed, failed] = [0, 0];

function tell(name: string, complaints: readonly string[], measured: string): void {
  if (complaints.length > 0) failed++;
  else passed++;
  console.log(`${name} ... ${complaints.length > 0 ? "FAILED" : "ok"} (${measured})`);
  for (const complaint of complaints) console.log(`    ${complaint}`);
}

/** The nearest values that f16 holds. */
function asHalves(values: ArrayLike<number>): Float32Array {
  return Float32Array.from(values, (value) => f32FromF16(f16FromF32(value)));
}

/** A case with all that can be in f16 so. */
function halved(op: string, test: OpCase): OpCase {
  const { tol: _tol, gradTol: _gradTol, ...rest } = test;
  const has = (names: readonly string[] = []) => names.filter((name) => Object.hasOwn(test.inputs, name));
  const { f16 = test.f16, weights, operands } = HALVES[op]!;
  const inputs = { ...test.inputs };
  for (const name of has(operands)) {
    inputs[name] = {
      ...inputs[name]!,
      make: (rng) => asHalves(test.inputs[name]!.make(rng)),
    };
  }
  return { ...rest, inputs, f16: has(f16), paths: ["gpu"], ...(weights && { weights: has(weights) }) };
}

/** Largest error in units of the largest element. What is no number is compared by the case. */
function farthest(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    if (!Number.isFinite(wanted[i])) continue;
    error = Math.max(error, Math.abs(got[i]! - wanted[i]!));
    size = Math.max(size, Math.abs(wanted[i]!));
  }
  return size > 0 ? error / size : error;
}

async function runCases(gpu: Gpu, op: string, cases: readonly OpCase[]): Promise<void> {
  for (const each of cases) {
    const test = halved(op, each);
    let worst = 0;
    const texts = caseVariants(gpu, test, "gpu").filter(({ variant }) => variant.T === "f16");
    const units = new Set(texts.map(({ name }) => name).filter((name) => name.endsWith("_matrix")));
    const { failures, variants } = await runCase(gpu, test, {
      halves: true,
      onCompared: (got, wanted) => worst = Math.max(worst, farthest(got, wanted)),
    });
    const far = worst <= ALLOWED ? [] : [`error ${worst.toExponential(2)}, allowed ${ALLOWED.toExponential(2)}`];
    const by = units.size > 0 ? [...units].sort().join(", ") : "no matrix units";
    tell(`${op}: ${test.name}`, [...failures, ...far], `${worst.toExponential(1)}; ${variants.length} ways; ${by}`);
  }
}

async function runEncoders(gpu: Gpu): Promise<void> {
  for (const encoder of VECTOR_ENCODERS) {
    const found = await compareVectors(gpu, { encoder, dtype: "f16", images: 3, path: "matrix" });
    const complaints = found.ok && found.cosine >= LEAST_COSINE ? [] : [`they part at ${found.parts}`];
    const difference = found.difference.toExponential(1);
    tell(`embeddings of ${encoder} beside PyTorch's`, complaints, `cosine ${found.cosine}, difference ${difference}`);
  }
}

/** Training steps of the default method with f16 activations and weights. */
async function runSteps(gpu: Gpu): Promise<void> {
  const name = `../methods/${DEFAULT_METHOD}/half_steps.ts`;
  const { halfSteps } = await import(name) as { halfSteps(gpu: Gpu): Promise<{ steps: number; worst: number }> };
  const { steps, worst } = await halfSteps(gpu);
  const complaints = worst <= LOSSES ? [] : [`losses are off by ${worst}, allowed ${LOSSES}`];
  tell(`${steps} steps in f16 beside PyTorch's losses`, complaints, `within ${worst.toExponential(1)}`);
}

/** Texts for units of other sizes are read, which is all that an adapter without such can show. */
async function runTexts(gpu: Gpu): Promise<void> {
  for (const { units, count, complaints } of await readTexts(gpu.device)) {
    tell(`texts for units of ${units} are valid`, complaints, `${count} texts; not run`);
  }
}

/** Without the feature the same device computes by the ordinary kernels. */
async function runWithout(dawn: GPU): Promise<void> {
  const gpu = await requestGpu(dawn, { without: ["chromium-experimental-subgroup-matrix"], flat: false });
  const test = halved("matmul", index.matmul.find(({ name }) => name === "nt 64x68x36")!);
  const used = caseVariants(gpu, test, "gpu").map(({ name }) => name).filter((name) => name.endsWith("_matrix"));
  tell("without the feature products go by the ordinary kernels", used, gpu.withoutMatrix);
  gpu.destroy();
}

const [folder, ...words] = Deno.args;
const valueOf = (flag: string) => words.includes(flag) ? words[words.indexOf(flag) + 1]! : undefined;
const only = valueOf("--only");
/** Every n-th case, from the i-th. */
const [part, parts] = (valueOf("--part") ?? "1/1").split("/").map(Number) as [number, number];
/** What names of cases begin with. */
const named = valueOf("--case") ?? "";
/** Kept: what Dawn made lives no longer than it. */
const dawn = await openDawn(`file://${folder}/index.js`);
const gpu = await requestGpu(dawn, { flat: false });
const { matrix } = gpu.caps;
if (matrix === undefined) {
  console.log(`${gpu.description} has no matrix units: ${gpu.withoutMatrix}`);
  Deno.exit(1);
}
const shape = describeMatrix({ ...matrix, operands: "f16", sums: "f32" });
console.log(`${gpu.description}: matrix units of ${shape}, subgroups of ${matrix.subgroup}`);
for (const op of Object.keys(HALVES)) {
  if (only !== undefined && only !== op) continue;
  const cases = (index as Record<string, readonly OpCase[]>)[op]!.filter(({ name, benchOnly, f16 }) =>
    name.startsWith(named) && !benchOnly && (f16 !== undefined || HALVES[op]!.f16 !== undefined)
  );
  await runCases(gpu, op, cases.filter((_, i) => i % parts === part - 1));
}
if (only === undefined || only === "encoders") await runEncoders(gpu);
if (only === undefined || only === "steps") await runSteps(gpu);
if (only === undefined || only === "texts") await runTexts(gpu);
if (only === undefined || only === "without") await runWithout(dawn);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed > 0 ? 1 : 0);
