/**
 * Runs a recorded plan on a device and checks its kernels one by one, each on the very tensors the plan gives it: against
 * the barrier-free kernel of the same interface, and against sampled elements in f64.
 * All that a kernel wrote is poisoned first, so that what it leaves out shows.
 *
 * @module
 */

import { decode, roundTo } from "../core/dtype.ts";
import { Rng, streamOf } from "../core/rng.ts";
import { formatShape } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import { expand } from "../gpu/expand.ts";
import type { Kernel } from "../gpu/kernel.ts";
import * as kernels from "../gpu/kernels.gen.ts";
import { readRanges } from "../gpu/readback.ts";
import { type Dispatch, Plan } from "../graph/plan.ts";
import type { Program } from "../graph/program.ts";
import { Storage, Tensor } from "../graph/tensor.ts";
import { upload } from "../graph/store.ts";
import { beforeName, difference, type Sample, type Values } from "./sample.ts";
import { samplerOf } from "./samples.ts";
import { scaledTo, STRESS_TOLERANCE, stressOf } from "./stress.ts";
import type { RecordedPlan } from "./plans.ts";

/** How a kernel was checked. `rerun`: it has no second implementation here; two runs gave the same bits. */
export type CheckKind = "barrier-free" | "f64" | "rerun";

/** What was found of one kernel text at one shape. */
export interface KernelFinding {
  readonly kernel: string;
  /** Options, types and constants of the text. */
  readonly variant: string;
  /** Shapes of its tensors, by name. */
  readonly shapes: string;
  /** The plan it was taken from. */
  readonly plan: string;
  readonly checks: readonly CheckKind[];
  /** Largest difference in units of the root mean square of the right values; infinite where a number is missing. */
  readonly error: number;
  /** Largest difference allowed. */
  readonly tolerance: number;
  /** What is wrong, or undefined. */
  readonly fault: string | undefined;
}

/** Options of {@linkcode checkPlan}. */
export interface CheckOptions {
  /** Texts and shapes checked before, which are left out; those checked are added. */
  readonly seen?: Set<string>;
  /** Kernels to check; all unless given. */
  readonly only?: (kernel: string) => boolean;
  /** Told of each finding. */
  readonly onFinding?: (finding: KernelFinding) => void;
}

/** Largest difference allowed, by the narrowest type of a kernel's results. */
const TOLERANCE = { f32: 1e-4, f16: 1e-2 } as const;
/**
 * Results whose size says nothing of their rounding, and what their differences are measured by instead: a logarithm of a sum
 * near one is as exact as the sum.
 */
const LEAST_SCALE: Readonly<Record<string, number>> = { logdet: 1 };
/** Tune constants that say something of the shape; the others are the flat kernel's own smallest. */
const SHAPED: ReadonlySet<string> = new Set(["E4", "GV"]);

/** Kernels that use up what they change: it is of no use to another run, and their results stay as they are. */
const CONSUMING: ReadonlySet<string> = new Set(["segments_place"]);

const flatKernels: ReadonlyMap<string, Kernel> = new Map(
  Object.values(kernels as unknown as Record<string, Kernel>).filter(({ name }) => name.endsWith("_flat")).map((
    kernel,
  ) => [kernel.name.slice(0, -5), kernel]),
);

/** Bytes of tensors on the host, in one wait. */
async function bytesOf(gpu: Gpu, tensors: readonly Tensor[]): Promise<Uint8Array[]> {
  return await readRanges(
    gpu,
    tensors.map(({ storage, byteOffset, bytes }) => ({
      buffer: storage.buffer!,
      offset: storage.offset + byteOffset,
      bytes,
    })),
  );
}

/** The same memory, as a plan of its own may read it. */
function alias({ shape, dtype, storage, byteOffset }: Tensor): Tensor {
  const kept = new Storage(storage.label, storage.bytes, "persistent");
  kept.buffer = storage.buffer;
  kept.offset = storage.offset;
  return new Tensor(shape, dtype, kept, byteOffset);
}

/** A copy of a tensor in a buffer of its own. */
function copyOf(gpu: Gpu, tensor: Tensor, owned: GPUBuffer[]): Tensor {
  const { storage, byteOffset, bytes, shape, dtype } = tensor;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const kept = new Storage(`${storage.label}, checked`, bytes, "persistent");
  kept.buffer = gpu.buffer(kept.label, bytes, usage);
  owned.push(kept.buffer);
  const encoder = gpu.device.createCommandEncoder();
  encoder.copyBufferToBuffer(storage.buffer!, storage.offset + byteOffset, kept.buffer, 0, bytes);
  gpu.queue.submit([encoder.finish()]);
  return new Tensor(shape, dtype, kept, 0);
}

/** Copies of what a dispatch writes, by name. Where other kernels write the same tensor, their part stays as it is. */
function copiesOf(gpu: Gpu, { bound }: Dispatch, owned: GPUBuffer[]): Map<string, Tensor> {
  const written = bound.filter(({ slot }) => slot.access !== "in");
  return new Map(written.map(({ slot, tensor }) => [slot.name, copyOf(gpu, tensor, owned)]));
}

/** Runs a kernel on what another reads and writes, but for these tensors. */
async function runAlone(
  gpu: Gpu,
  kernel: Kernel,
  { bound, options }: Dispatch,
  instead: ReadonlyMap<string, Tensor>,
  tune: Readonly<Record<string, number>>,
): Promise<void> {
  const tensors = Object.fromEntries(
    bound.map(({ slot, tensor }) => [slot.name, instead.get(slot.name) ?? alias(tensor)]),
  );
  const plan = new Plan(gpu);
  plan.run(
    kernel as Kernel<Record<string, never>, Record<string, number>>,
    tensors as Record<string, never>,
    { ...options, tune } as never,
  );
  const program = await plan.compile();
  program.run();
  await gpu.queue.onSubmittedWorkDone();
  program.destroy();
}

/** Runs the barrier-free kernel on copies of what the other wrote. @returns The tensors it wrote, by name. */
async function runFlat(gpu: Gpu, flat: Kernel, dispatch: Dispatch, owned: GPUBuffer[]): Promise<Map<string, Tensor>> {
  const { variant } = dispatch;
  const written = copiesOf(gpu, dispatch, owned);
  const tune: Record<string, number> = {};
  for (const [name, values] of Object.entries(flat.tune)) {
    const given = variant.tune[name];
    tune[name] = SHAPED.has(name) && given !== undefined
      ? given
      : name === "LN" || name === "WG"
      ? values[0]!
      : Math.min(...values);
  }
  await runAlone(gpu.withCaps({ flat: true }), flat, dispatch, written, tune);
  return written;
}

/** What a dispatch wrote, by name; where the plan has changed it since, what the kernel writes when it runs by itself. */
async function resultsOf(
  gpu: Gpu,
  dispatch: Dispatch,
  changed: ReadonlySet<Storage>,
  owned: GPUBuffer[],
): Promise<Map<string, Tensor>> {
  const { kernel, bound, variant } = dispatch;
  const written = bound.filter(({ slot }) => slot.access !== "in");
  if (!written.some(({ tensor }) => changed.has(tensor.storage))) {
    return new Map(written.map(({ slot, tensor }) => [slot.name, tensor]));
  }
  const copies = copiesOf(gpu, dispatch, owned);
  await runAlone(gpu, kernel, dispatch, copies, variant.tune);
  return copies;
}

/** Numbers of tensors by the names of their slots. */
async function numbersOf(gpu: Gpu, tensors: ReadonlyMap<string, Tensor>): Promise<Record<string, ArrayLike<number>>> {
  const bytes = await bytesOf(gpu, [...tensors.values()]);
  return Object.fromEntries(
    [...tensors].map(([name, { dtype, size }], i) => [name, decode(bytes[i]!, dtype, size)]),
  );
}

/** Puts numbers where nothing but zeros is: what a run cleared would hide what a kernel does. */
function fillZeros(gpu: Gpu, name: string, tensor: Tensor, now: ArrayLike<number>): ArrayLike<number> {
  if (tensor.dtype !== "f32" || !Array.prototype.every.call(now, (value: number) => value === 0)) return now;
  const noise = new Rng(streamOf(name), 1).uniforms(tensor.size, 0.01, 1);
  upload(gpu, tensor, noise);
  return noise;
}

/**
 * What a dispatch read and wrote. Where the plan has changed any of it in place, the kernel runs once more, by itself, on what
 * is there now.
 *
 * @param changed Memory that the plan changes in place.
 */
async function valuesOf(
  gpu: Gpu,
  dispatch: Dispatch,
  changed: ReadonlySet<Storage>,
  owned: GPUBuffer[],
): Promise<Values> {
  const { kernel, bound, variant } = dispatch;
  const now: Record<string, ArrayLike<number>> = await numbersOf(
    gpu,
    new Map(bound.map(({ slot, tensor }) => [slot.name, tensor])),
  );
  const moved = bound.filter(({ tensor }) => changed.has(tensor.storage));
  if (moved.length === 0 || CONSUMING.has(kernel.name)) return now;
  const written = copiesOf(gpu, dispatch, owned);
  const instead = new Map(written);
  for (const { slot: { name, access }, tensor } of moved) {
    if (access === "out") continue;
    const copy = written.get(name) ?? copyOf(gpu, tensor, owned);
    instead.set(name, copy);
    now[access === "inout" ? beforeName(name) : name] = fillZeros(gpu, name, copy, now[name]!);
  }
  await runAlone(gpu, kernel, dispatch, instead, variant.tune);
  return { ...now, ...await numbersOf(gpu, written) };
}

/** Samples of a kernel that is given numbers whose exponentials overflow; none where that says nothing of it. */
async function stressed(gpu: Gpu, dispatch: Dispatch, owned: GPUBuffer[]): Promise<Sample[]> {
  const { kernel, bound, variant } = dispatch;
  const [stress, sample] = [stressOf(kernel.name), samplerOf(kernel.name)];
  if (!stress || !sample) return [];
  const given = bound.find(({ slot }) => slot.name === stress.input)!.tensor;
  const now = await numbersOf(gpu, new Map(bound.map(({ slot, tensor }) => [slot.name, tensor])));
  const values = roundTo(scaledTo(now[stress.input]!, stress.most), given.dtype);
  const input = copyOf(gpu, given, owned);
  upload(gpu, input, values);
  const written = copiesOf(gpu, dispatch, owned);
  await runAlone(gpu, kernel, dispatch, new Map([...written, [stress.input, input]]), variant.tune);
  const before = bound.filter(({ slot }) => slot.access === "inout").map(({ slot: { name } }) =>
    [beforeName(name), now[name]!] as const
  );
  const after = await numbersOf(gpu, written);
  return sample({ ...now, ...Object.fromEntries(before), ...after, [stress.input]: values }, dispatch);
}

/** What identifies a text at a shape. */
function keyOf({ kernel, variant, dims }: Dispatch): string {
  return `${expand(kernel, variant)}\n${JSON.stringify(dims)}`;
}

function variantText({ variant: { T, weights, options, tune, vec } }: Dispatch): string {
  const parts = [
    T,
    ...Object.entries(weights).map(([name, dtype]) => `${name} ${dtype}`),
    ...Object.entries(options).map(([name, value]) => `${name}=${value}`),
    ...Object.entries(tune).map(([name, value]) => `${name}=${value}`),
    `vec ${vec}`,
  ];
  return parts.join(" ");
}

async function checkDispatch(
  gpu: Gpu,
  dispatch: Dispatch,
  plan: string,
  { again, changed }: { readonly again: Fault | undefined; readonly changed: ReadonlySet<Storage> },
): Promise<KernelFinding> {
  const { kernel, bound } = dispatch;
  const written = bound.filter(({ slot }) => slot.access !== "in");
  // Matrix units round what they multiply.
  const byUnits = kernel.name.endsWith("_matrix");
  const narrow = byUnits || written.some(({ tensor }) => tensor.dtype === "f16");
  const tolerance = TOLERANCE[narrow ? "f16" : "f32"];
  const checks: CheckKind[] = [];
  let [error, fault] = [0, again?.text];
  const look = (off: number, text: string): void => {
    if (!(off <= tolerance)) fault ??= text;
    error = Math.max(error, off);
  };
  const flat = flatKernels.get(kernel.name.replace(/_matrix$/, ""));
  const owned: GPUBuffer[] = [];
  try {
    if (flat && written.every(({ slot }) => slot.access === "out")) {
      checks.push("barrier-free");
      const right = await runFlat(gpu, flat, dispatch, owned);
      const got = await resultsOf(gpu, dispatch, changed, owned);
      const bytes = await bytesOf(gpu, [...got.values(), ...right.values()]);
      [...got].forEach(([name, { dtype, size }], i) => {
        const [a, b] = [decode(bytes[i]!, dtype, size), decode(bytes[got.size + i]!, dtype, size)];
        look(difference(a, b, LEAST_SCALE[name]), `${name} differs from the barrier-free kernel's`);
      });
    }
    const sample = samplerOf(kernel.name);
    if (sample) {
      checks.push("f64");
      for (const { name, got, right, terms } of sample(await valuesOf(gpu, dispatch, changed, owned), dispatch)) {
        look(difference(got, right, terms || undefined), `${name} differs from sampled sums in f64`);
      }
      for (const { name, got, right } of await stressed(gpu, dispatch, owned)) {
        const off = difference(got, right);
        if (!(off <= STRESS_TOLERANCE)) {
          look(off, `${name} is wrong where its inputs, or exponentials of them, overflow`);
        }
      }
    }
  } finally {
    for (const buffer of owned) buffer.destroy();
  }
  if (!checks.length) checks.push("rerun");
  return {
    kernel: kernel.name,
    variant: variantText(dispatch),
    shapes: bound.map(({ slot, tensor }) => `${slot.name} ${formatShape(tensor.shape)}`).join(", "),
    plan,
    checks,
    error,
    tolerance,
    fault,
  };
}

/** A dispatch whose results two runs disagree in. */
interface Fault {
  readonly dispatch: Dispatch;
  readonly text: string;
}

/** Memory that a plan changes in place. */
function changedInPlace({ dispatches }: Program): Set<Storage> {
  const inout = dispatches.flatMap(({ bound }) => bound.filter(({ slot }) => slot.access === "inout"));
  return new Set(inout.map(({ tensor }) => tensor.storage));
}

/**
 * Results that must be the same in every run: all but those that depend on tensors which a run changes on top of what was
 * there, such as gradients that are added to.
 */
function steadyResults(program: Program): { dispatch: Dispatch; tensor: Tensor }[] {
  const { dispatches } = program;
  const moving = changedInPlace(program);
  return dispatches.flatMap((dispatch) => {
    const written = dispatch.bound.filter(({ slot }) => slot.access === "out").map(({ tensor }) => tensor);
    if (dispatch.bound.some(({ slot, tensor }) => slot.access !== "out" && moving.has(tensor.storage))) {
      for (const { storage } of written) moving.add(storage);
    }
    return written.filter(({ storage }) => !moving.has(storage)).map((tensor) => ({ dispatch, tensor }));
  });
}

/** The first dispatch whose results differ between two runs from the same poisoned memory. */
async function rerun(gpu: Gpu, program: Program): Promise<Fault | undefined> {
  const results = steadyResults(program);
  // Hashes, since two copies of everything a plan makes may be too much.
  const hashes: string[][] = [];
  for (let run = 0; run < 2; run++) {
    program.poison();
    program.run();
    const row: string[] = [];
    for (const { tensor } of results) {
      const [bytes] = await bytesOf(gpu, [tensor]);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
      row.push(digest.slice(0, 12).join("."));
    }
    hashes.push(row);
  }
  const at = hashes[0]!.findIndex((hash, i) => hash !== hashes[1]![i]);
  if (at < 0) return undefined;
  return { dispatch: results[at]!.dispatch, text: "two runs on the same numbers differ" };
}

/**
 * Checks every kernel text of a plan at every shape it has there.
 *
 * @throws {LimitError | DeviceError} If the plan does not fit the device.
 */
export async function checkPlan(
  gpu: Gpu,
  recorded: RecordedPlan,
  options: CheckOptions = {},
): Promise<KernelFinding[]> {
  const { seen = new Set(), only = () => true, onFinding } = options;
  const { plan, name } = recorded;
  recorded.fill();
  const program = await plan.compile({ keep: true });
  try {
    const fault = await rerun(gpu, program);
    const changed = changedInPlace(program);
    const findings: KernelFinding[] = [];
    for (const dispatch of program.dispatches) {
      const key = keyOf(dispatch);
      if (!only(dispatch.kernel.name) || (seen.has(key) && fault?.dispatch !== dispatch)) continue;
      seen.add(key);
      const finding = await checkDispatch(gpu, dispatch, name, {
        again: fault?.dispatch === dispatch ? fault : undefined,
        changed,
      });
      findings.push(finding);
      onFinding?.(finding);
    }
    return findings;
  } finally {
    program.destroy();
  }
}
