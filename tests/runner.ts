/**
 * Runs one case of an op in all its variants on a device. Knows neither Deno nor Node: the same code checks kernels under
 * Deno and under Dawn.
 */

import { backward } from "../src/autodiff/backward.ts";
import { type Dtype, roundTo } from "../src/core/dtype.ts";
import { Rng } from "../src/core/rng.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { expand, type Variant as Expansion } from "../src/gpu/expand.ts";
import { readback } from "../src/gpu/readback.ts";
import { Plan } from "../src/graph/plan.ts";
import { Store, upload } from "../src/graph/store.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import type { RecordedPlan } from "../src/verify/plans.ts";
import type { OpCase, Tolerance, Values } from "./case.ts";
import { compare, compareRounded, sameBits } from "./close.ts";

/** What was checked in a case, over all variants. */
export interface CaseResult {
  /** Each failure, as a sentence. */
  readonly failures: string[];
  readonly variants: string[];
  readonly gradient: boolean;
  readonly f16: boolean;
  readonly weights: boolean;
  /** Largest normalised error of the outputs and of the gradients in the plain variants. */
  readonly nmse: number;
  readonly gradNmse: number;
}

/** What the f64 reference says of a case whose inputs have certain types. */
interface Reference {
  readonly outputs: readonly Float64Array[];
  /** Gradients by a formula, of cases that have one. */
  readonly formula: Values | undefined;
  /** Slopes of the loss by input, along a direction where that is compared, and at elements. */
  readonly slopes: Map<
    string,
    { along: ReturnType<typeof directional> | undefined; at: ReturnType<typeof differences> }
  >;
}

/**
 * References by case and types: kernels of both paths, and of several devices that share them, are compared with the same
 * numbers, which take longer than the kernels. Names of cases are unique within an op, whose cases may share one.
 */
export type References = Map<string, Reference>;

/** Receives a result and what the reference has in its place. */
export type OnCompared = (got: ArrayLike<number>, wanted: ArrayLike<number>) => void;

interface Variant {
  readonly name: string;
  readonly flat: boolean;
  readonly dtypes: Readonly<Record<string, Dtype>>;
  readonly half: boolean;
  readonly wrt: readonly string[];
}

const TINY = 2 ** -14;
const TOL = { plain: { nmse: 1e-10, max: 1e-4, tiny: 0 }, half: { nmse: 1e-6, max: 1e-2, tiny: TINY } };
const GRAD_TOL = { plain: { nmse: 1e-8, max: 1e-3, tiny: 0 }, half: { nmse: 1e-5, max: 3e-2, tiny: TINY } };
/** Milliseconds of central differences a case may cost, and most elements of one input. */
const DIFFERENCE_MS = 300;
const DIFFERENCE_ELEMENTS = 10_000;

function variantsOf(test: OpCase, gpu: Gpu, paths: readonly boolean[]): Variant[] {
  const plain = Object.fromEntries(Object.entries(test.inputs).map(([name, input]) => [name, input.dtype ?? "f32"]));
  const out: Variant[] = [];
  for (const flat of paths) {
    const path = flat ? "flat" : "gpu";
    out.push({ name: path, flat, dtypes: plain, half: false, wrt: test.wrt });
    if (test.f16 && gpu.caps.f16) {
      const dtypes = { ...plain, ...Object.fromEntries(test.f16.map((name) => [name, "f16" as Dtype])) };
      out.push({ name: `${path} f16`, flat, dtypes, half: true, wrt: test.wrt });
    }
    // What precision f16 is: both at once.
    if (test.f16 && test.weights?.some((name) => !test.f16!.includes(name)) && gpu.caps.f16) {
      const halves = [...test.f16, ...test.weights];
      const dtypes = { ...plain, ...Object.fromEntries(halves.map((name) => [name, "f16" as Dtype])) };
      const wrt = test.wrt.filter((name) => !test.weights!.includes(name) || test.f16!.includes(name));
      out.push({ name: `${path} f16 weights f16`, flat, dtypes, half: true, wrt });
    }
    for (const dtype of test.weights ? ["f16", "bf16"] as const : []) {
      const dtypes = { ...plain, ...Object.fromEntries(test.weights!.map((name) => [name, dtype])) };
      const wrt = test.wrt.filter((name) => !test.weights!.includes(name));
      out.push({ name: `${path} weights ${dtype}`, flat, dtypes, half: false, wrt });
    }
  }
  return out;
}

const list = <X>(value: X | readonly X[]): readonly X[] => (Array.isArray(value) ? value : [value as X]);

function isFloat(dtype: Dtype): boolean {
  return dtype === "f32" || dtype === "f16" || dtype === "bf16";
}

interface Recorded {
  readonly plan: Plan;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Tensor[];
  readonly grads: readonly (Tensor | undefined)[];
  readonly cotangents: readonly (Float64Array | undefined)[];
  readonly text: string;
}

/** Records forward and backward of a case in one variant. */
function record(gpu: Gpu, store: Store, test: OpCase, variant: Variant, values: Values): Recorded {
  const inputs: Record<string, Tensor> = {};
  for (const [name, { shape }] of Object.entries(test.inputs)) {
    // Every input has a buffer of its own, since an op may change one in place.
    inputs[name] = store.from(`input ${name}`, name, shape, values[name]!, variant.dtypes[name]!);
    inputs[name]!.requiresGrad = variant.wrt.includes(name);
  }
  const plan = new Plan(gpu);
  const outputs = list(test.run(plan, inputs));
  const rng = new Rng(7, 1);
  const cotangents = outputs.map((out) => {
    if (!variant.wrt.length || !isFloat(out.dtype) || !out.requiresGrad) return undefined;
    return roundTo(rng.normals(out.size), out.dtype);
  });
  const seeds = outputs.flatMap((tensor, i) =>
    cotangents[i] ? [{ tensor, grad: store.from("seed", `seed ${i}`, tensor.shape, cotangents[i], tensor.dtype) }] : []
  );
  const all = seeds.length ? backward(plan, seeds) : undefined;
  const grads = variant.wrt.map((name) => all?.of(inputs[name]!));
  plan.output(...outputs, ...grads.flatMap((grad) => (grad ? [grad] : [])));
  const text = plan.dispatches.map(({ kernel, variant }) => expand(kernel, variant)).join("\n");
  return { plan, inputs, outputs, grads, cotangents, text };
}

/** Values of the inputs of a case in one variant. */
function valuesOf(test: OpCase, variant: Variant): Values {
  const rng = new Rng(3, 0);
  const values: Values = {};
  for (const [name, input] of Object.entries(test.inputs)) {
    values[name] = roundTo(input.make(rng), variant.dtypes[name]!);
  }
  return values;
}

/** A device as a case and its variant want it. */
function deviceOf(gpu: Gpu, test: OpCase, variant: Variant): Gpu {
  const limits = { ...gpu.caps.limits, ...test.limits };
  const device = gpu.withCaps({ flat: variant.flat, limits, invocations: test.invocations ?? gpu.caps.invocations });
  const { tuned } = test;
  if (tuned === undefined) return device;
  return device.withCaps({ software: false }).withTuning({ file: "", mark: "", picks: { get: () => tuned } });
}

/** Every kernel text that a case runs on one path, by kernel, found by recording it. */
export function caseKernels(gpu: Gpu, test: OpCase, path: "flat" | "gpu"): Map<string, Set<string>> {
  const kernels = new Map<string, Set<string>>();
  const paths = test.paths && !test.paths.includes(path) ? [] : [path === "flat"];
  for (const variant of variantsOf(test, gpu, paths)) {
    const device = deviceOf(gpu, test, variant);
    const store = new Store(device);
    const { plan } = record(device, store, test, variant, valuesOf(test, variant));
    for (const { kernel, variant } of plan.dispatches) {
      const texts = kernels.get(kernel.name) ?? new Set();
      kernels.set(kernel.name, texts.add(expand(kernel, variant)));
    }
    store.destroy();
  }
  return kernels;
}

/** Every kernel that a case runs on one path, with its variant. */
export function caseVariants(gpu: Gpu, test: OpCase, path: "flat" | "gpu"): { name: string; variant: Expansion }[] {
  const paths = test.paths && !test.paths.includes(path) ? [] : [path === "flat"];
  return variantsOf(test, gpu, paths).flatMap((variant) => {
    const device = deviceOf(gpu, test, variant);
    const store = new Store(device);
    const { plan } = record(device, store, test, variant, valuesOf(test, variant));
    store.destroy();
    return plan.dispatches.map(({ kernel: { name }, variant }) => ({ name, variant }));
  });
}

/** Every kernel text that a case runs on one path. */
export function caseTexts(gpu: Gpu, test: OpCase, path: "flat" | "gpu" = "gpu"): Set<string> {
  return new Set([...caseKernels(gpu, test, path).values()].flatMap((texts) => [...texts]));
}

/** A case recorded on one path with its plain types, as `verify` takes plans. */
export function recordedCase(gpu: Gpu, test: OpCase, path: "flat" | "gpu"): RecordedPlan {
  const variant = variantsOf(test, gpu, [path === "flat"])[0]!;
  const device = deviceOf(gpu, test, variant);
  const store = new Store(device);
  const values = valuesOf(test, variant);
  const { plan, inputs } = record(device, store, test, variant, values);
  const fill = () => {
    for (const [name, tensor] of Object.entries(inputs)) upload(device, tensor, values[name]!);
  };
  return { name: `${test.name}, ${path}`, plan, fill, destroy: () => store.destroy() };
}

/** Gradient of sum(cotangent * output) by central differences of the f64 reference, at up to `budget` elements. */
function differences(
  loss: (a: Values) => number,
  values: Values,
  name: string,
  deadline: number,
): { index: number[]; slope: number[] } {
  const x = values[name]!;
  const order = new Rng(11, x.length).permutation(x.length);
  const index: number[] = [];
  const slope: number[] = [];
  const moved = { ...values, [name]: x.slice() };
  for (const i of order) {
    if (index.length >= DIFFERENCE_ELEMENTS || (index.length >= 4 && Date.now() > deadline)) break;
    const h = 1e-5 * Math.max(1, Math.abs(x[i]!));
    moved[name]![i] = x[i]! + h;
    const up = loss(moved);
    moved[name]![i] = x[i]! - h;
    const down = loss(moved);
    moved[name]![i] = x[i]!;
    index.push(i);
    slope.push((up - down) / (2 * h));
  }
  return { index, slope };
}

/** Derivative along a random direction, which sees every element. */
function directional(loss: (a: Values) => number, values: Values, name: string): { v: Float64Array; slope: number } {
  const x = values[name]!;
  const rng = new Rng(13, x.length);
  const v = Float64Array.from({ length: x.length }, () => rng.normal());
  const h = 1e-6;
  const at = (sign: number) => loss({ ...values, [name]: x.map((value, i) => value + sign * h * v[i]!) });
  return { v, slope: (at(1) - at(-1)) / (2 * h) };
}

function merge(tol: Tolerance | undefined, half: boolean, defaults: typeof TOL): Required<Tolerance> {
  return half ? defaults.half : { ...defaults.plain, ...tol };
}

/** What the reference says of a case in one variant: outputs, and slopes of their sum weighted with the cotangents. */
function referenceOf(
  test: OpCase,
  variant: Variant,
  values: Values,
  { outputs, cotangents }: Pick<Recorded, "outputs" | "cotangents">,
  references: References,
): Reference {
  // Cotangents follow from shapes and types of the outputs that have one.
  const drawn = outputs.map(({ shape, dtype }, i) => [shape, dtype, cotangents[i] !== undefined]);
  const key = JSON.stringify([test.name, variant.dtypes, variant.wrt, drawn]);
  const known = references.get(key);
  if (known) return known;
  const loss = (a: Values): number => {
    let total = 0;
    list(test.ref(a)).forEach((y, i) => {
      const c = cotangents[i];
      if (c) { for (let j = 0; j < y.length; j++) total += y[j]! * c[j]!; }
    });
    return total;
  };
  const slopes: Reference["slopes"] = new Map();
  for (const name of variant.wrt) {
    // One direction over all elements would drown in the rounding of halves; sampled elements are compared instead.
    const along = variant.half || test.refGrad ? undefined : directional(loss, values, name);
    const at = differences(loss, values, name, Date.now() + DIFFERENCE_MS / variant.wrt.length);
    slopes.set(name, { along, at });
  }
  // Differences are of the formula without rounding, whose steps would show in them.
  const { ref, refGrad } = variant.half ? test.halfRefs ?? test : test;
  const formula = variant.wrt.length > 0 ? refGrad?.(values, cotangents.filter((c) => c !== undefined)) : undefined;
  const reference = { outputs: list(ref(values)), formula, slopes };
  references.set(key, reference);
  return reference;
}

function checkGradients(
  test: OpCase,
  variant: Variant,
  { formula, slopes }: Reference,
  got: readonly (ArrayLike<number> | undefined)[],
  fail: (what: string) => void,
): number {
  const tol = merge(test.gradTol, variant.half, GRAD_TOL);
  let worst = 0;
  variant.wrt.forEach((name, n) => {
    const grad = got[n];
    if (!grad) return fail(`no gradient of ${name}`);
    if (formula) {
      const full = compare(grad, formula[name]!, tol);
      worst = Math.max(worst, full.nmse);
      if (full.text) fail(`gradient of ${name} against its formula: ${full.text}`);
    }
    const { along: direction, at: { index, slope: slopesAt } } = slopes.get(name)!;
    if (direction) {
      const { v, slope } = direction;
      let along = 0;
      let norm = 0;
      for (let i = 0; i < v.length; i++) {
        along += grad[i]! * v[i]!;
        norm += (grad[i]! * v[i]!) ** 2;
      }
      // Where the slope is exactly 0, terms of order 1 cancel, each a few units off.
      const error = Math.abs(along - slope) / Math.max(Math.sqrt(norm), slope === 0 ? 1e-4 : 1e-6);
      if (!(error <= 10 * tol.max)) fail(`gradient of ${name} along a direction is ${along}, wanted ${slope}`);
    }
    const sampled = compare(index.map((i) => (formula ? formula[name]![i]! : grad[i]!)), slopesAt, tol);
    if (!formula) worst = Math.max(worst, sampled.nmse);
    if (sampled.text) {
      fail(`gradient of ${name}${formula ? " (its formula)" : ""} at elements ${index.slice(0, 3)}…: ${sampled.text}`);
    }
  });
  return worst;
}

async function runVariant(
  gpu: Gpu,
  test: OpCase,
  variant: Variant,
  seen: Set<string>,
  references: References,
  onCompared?: OnCompared,
): Promise<{ failures: string[]; nmse: number; gradNmse: number } | undefined> {
  const failures: string[] = [];
  const fail = (what: string) => void failures.push(`${variant.name}: ${what}`);
  const device = deviceOf(gpu, test, variant);
  const store = new Store(device);
  const values = valuesOf(test, variant);
  const recorded = record(device, store, test, variant, values);
  const { plan, inputs, outputs, grads, text } = recorded;
  // An op without a path of its own for this capability gives the same text: nothing new to run.
  if (seen.has(text)) {
    store.destroy();
    return undefined;
  }
  seen.add(text);
  const program = await plan.compile({ guard: 256 });
  const tensors = [...outputs, ...grads.flatMap((grad) => (grad ? [grad] : []))];
  try {
    const results: ArrayLike<number>[][] = [];
    for (let pass = 0; pass < 2; pass++) {
      for (const [name, tensor] of Object.entries(inputs)) upload(device, tensor, values[name]!);
      program.poison();
      program.run();
      results.push(await readback(device, ...tensors));
      if (!pass) { for (const label of await program.damagedGuards()) fail(`guard words of ${label} were written`); }
    }
    results[0]!.forEach((first, i) => {
      if (!sameBits(first, results[1]![i]!)) fail(`output ${i} differs between two runs`);
    });
    const reference = referenceOf(test, variant, values, recorded, references);
    const wanted = reference.outputs;
    if (wanted.length !== outputs.length) fail(`${outputs.length} outputs, the reference has ${wanted.length}`);
    let nmse = 0;
    wanted.forEach((output, i) => {
      const exact = !isFloat(outputs[i]!.dtype);
      if (exact && test.rounded !== undefined) {
        const text = compareRounded(results[0]![i]!, output, test.rounded);
        if (text) fail(`output ${i}: ${text}`);
        return;
      }
      const tol = exact ? { nmse: 0, max: 0, tiny: 0 } : merge(test.tol, variant.half, TOL);
      const close = compare(results[0]![i]!, output, tol);
      onCompared?.(results[0]![i]!, output);
      nmse = Math.max(nmse, close.nmse);
      if (close.text) fail(`output ${i}: ${close.text}`);
    });
    let next = outputs.length;
    const gotGrads = grads.map((grad) => (grad ? results[0]![next++] : undefined));
    const gradNmse = variant.wrt.length ? checkGradients(test, variant, reference, gotGrads, fail) : 0;
    variant.wrt.forEach((name, i) => {
      if (reference.formula && gotGrads[i]) onCompared?.(gotGrads[i], reference.formula[name]!);
    });
    return { failures, nmse, gradNmse };
  } finally {
    program.destroy();
    store.destroy();
  }
}

/**
 * Runs all variants of a case. Throws only when recording or compiling throws.
 *
 * @param options `paths` to run, those of the case by default; `references` shared with other runs of cases of this op;
 * `halves`: only with activations in f16; `onCompared` is given each result that has a reference of all its elements.
 */
export async function runCase(
  gpu: Gpu,
  test: OpCase,
  options: {
    paths?: readonly ("flat" | "gpu")[];
    references?: References;
    halves?: boolean;
    onCompared?: OnCompared;
  } = {},
): Promise<CaseResult> {
  const references = options.references ?? new Map();
  const own = test.paths ?? ["flat", "gpu"];
  const paths = (options.paths ?? own).filter((path) => own.includes(path)).map((path) => path === "flat");
  const failures: string[] = [];
  const variants: string[] = [];
  const seen = new Set<string>();
  let nmse = 0;
  let gradNmse = 0;
  for (const variant of variantsOf(test, gpu, paths).filter(({ half }) => half || !options.halves)) {
    const result = await runVariant(gpu, test, variant, seen, references, options.onCompared);
    if (!result) continue;
    variants.push(variant.name);
    failures.push(...result.failures);
    if (!variant.half) {
      nmse = Math.max(nmse, result.nmse);
      gradNmse = Math.max(gradNmse, result.gradNmse);
    }
  }
  return {
    failures,
    variants,
    gradient: test.wrt.length > 0,
    f16: variants.some((name) => name.endsWith(" f16") && !name.includes("weights")),
    weights: variants.some((name) => name.includes("weights")),
    nmse,
    gradNmse,
  };
}
