/**
 * The op cases under Node and Dawn. Bundled and started by `scripts/test_platform.ts`; knows nothing of Deno.
 *
 * Runs with values on whatever driver Dawn finds; with `--validate` on Dawn's null backend, which executes nothing but
 * validates everything, f16 kernels included (software drivers rarely have `shader-f16`).
 *
 * @module
 */

import process from "node:process";
import { DEFAULT_METHOD, loadMethod } from "../../src/methods/index.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import { verify } from "../../src/verify/verify.ts";
import type { OpCase } from "../case.ts";
import { index } from "../cases/index.gen.ts";
import { runCase } from "../runner.ts";

/** The part of the npm package `webgpu` that is used here. */
interface Dawn {
  create(options: string[]): GPU;
  globals: Record<string, unknown>;
}

/**
 * Without `--all`: cases per op that run with values, the largest of those with few elements, since SwiftShader takes
 * seconds for a big kernel; and the elements a case may have to be validated.
 */
const SUBSET = { cases: 2, elements: 4096, validated: 1 << 20 };

function elements(test: OpCase): number {
  return Object.values(test.inputs).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** Cases to run, by op. */
function chosen(filter: string | undefined, all: boolean, values: boolean): [op: string, test: OpCase][] {
  return (Object.entries(index) as [string, readonly OpCase[]][]).flatMap(([op, cases]) => {
    if (filter !== undefined && !op.includes(filter)) return [];
    const usable = cases.filter((test) => !test.benchOnly).sort((a, b) => elements(a) - elements(b));
    const below = usable.filter((test) => elements(test) <= (values ? SUBSET.elements : SUBSET.validated));
    const few = values ? below.slice(-SUBSET.cases) : below;
    return (all ? usable : few.length > 0 ? few : usable.slice(0, 1)).map((test): [string, OpCase] => [op, test]);
  });
}

/** The sentence that says what went wrong, or undefined. */
async function attempt(gpu: Gpu, test: OpCase, values: boolean): Promise<string | undefined> {
  try {
    // Without values the reference is left out: the run then only shows what Dawn refuses.
    const { refGrad: _, ...rest } = test;
    const result = await runCase(gpu, values ? test : { ...rest, ref: () => [] });
    gpu.check();
    return values && result.failures.length > 0 ? result.failures.join("\n    ") : undefined;
  } catch (error) {
    const { message, context } = error as Error & { context?: { message?: string; text?: string } };
    return [message, context?.message, context?.text].filter((part, i) => part && (i === 0 || part !== message)).join(
      "\n",
    );
  }
}

/** A barrier only half of the workgroup reaches: Tint must refuse it, or this whole run proves nothing. */
const DIVERGENT = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
var<workgroup> w: array<f32, 64>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
  w[i] = f32(i);
  if (i < 32u) { workgroupBarrier(); }
  y[i] = w[63u - i];
}`;

async function refusesDivergence(gpu: Gpu): Promise<string | undefined> {
  gpu.device.pushErrorScope("validation");
  gpu.device.createShaderModule({ code: DIVERGENT });
  const error = await gpu.device.popErrorScope();
  return error === null ? "a divergent barrier was accepted" : undefined;
}

/** What `verify` finds on Dawn's adapter, of a small encoder; a sentence if anything is wrong. */
async function proved(gpu: Gpu): Promise<string | undefined> {
  const { spec } = randomEncoder("random:vit-s16?dim=64&depth=2&heads=1&img=96");
  const found = await verify(gpu, {
    training: { method: DEFAULT_METHOD, proof: await (await loadMethod(DEFAULT_METHOD)).proof?.() },
    encoder: spec,
    batch: 2,
    genes: 24,
    paths: ["gpu"],
  });
  const kernels = found.kernels.filter(({ fault }) => fault !== undefined);
  console.log(
    `    ${found.kernels.length} texts and shapes; losses of ${found.training ?? "no method"} within ${
      found.steps[0]?.error
    }`,
  );
  if (found.ok && found.skipped.length === (found.training === null ? 1 : 0)) return undefined;
  return [
    ...kernels.map(({ kernel, shapes, fault, error }) => `${kernel} on ${shapes}: ${fault} (${error})`),
    ...found.steps.filter(({ ok }) => !ok).map(({ error, worst, repeats }) => `${worst}: ${error}, repeats ${repeats}`),
    ...found.skipped,
  ].join("\n    ");
}

/** Keeps Dawn alive: collected, it is torn down under its devices. */
let dawn: GPU;

async function main(argv: readonly string[]): Promise<number> {
  const at = argv.indexOf("--filter");
  const values = !argv.includes("--validate");
  // The name is computed so that neither the bundler nor the type checker looks for the package.
  const { create, globals } = await import(["web", "gpu"].join("")) as Dawn;
  Object.assign(globalThis, globals);
  dawn = create(values ? [] : ["backend=null"]);
  let gpu = await requestGpu(dawn, { subgroups: true });
  const { f16 } = gpu.caps;
  const how = values ? "values" : "validation only";
  console.log(
    `Node ${process.version}, Dawn on ${gpu.description || "null"}, ${how} (f16 ${f16})`,
  );
  let passed = 0;
  let failed = 0;
  async function check(name: string, body: () => Promise<string | undefined>): Promise<void> {
    const started = performance.now();
    const complaint = await body();
    const ms = (performance.now() - started).toFixed(0);
    console.log(`${name}, ${how} ... ${complaint === undefined ? "ok" : "FAILED"} (${ms} ms)`);
    if (complaint === undefined) {
      passed++;
      return;
    }
    failed++;
    console.log(`    ${complaint}`);
    // An error stays with its device.
    gpu = await requestGpu(dawn, { subgroups: true });
  }
  await check("Dawn refuses a divergent barrier", () => refusesDivergence(gpu));
  // Minutes on SwiftShader, whose compiler is slow.
  if (values && argv.includes("--verify")) {
    await check("verify proves the kernels of a small encoder", () => proved(gpu));
  }
  const cases = chosen(at < 0 ? undefined : argv[at + 1], argv.includes("--all"), values);
  if (cases.length === 0 && !argv.includes("--verify")) {
    failed++;
    console.log(`Cannot run cases: no op is called ${argv[at + 1]}, wanted one of ${Object.keys(index).join(", ")}`);
  }
  for (const [op, test] of cases) {
    await check(`${op}: ${test.name}`, () => attempt(gpu, test, values));
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

// Dawn keeps the process alive as long as its objects live.
process.exit(await main(process.argv.slice(2)));
