/**
 * The tuner: times the variants of products and attention for the classes of shapes that an encoder's plans have, each once
 * for an adapter, and says which is fastest. Which is taken follows from the times alone; of equal ones it is the rule's.
 *
 * @module
 */

import { FormatError, KernelError, LimitError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import { backward } from "../autodiff/backward.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import type { TunedClass, TuningFile } from "../gpu/tuning.ts";
import { tuningOf } from "../gpu/tuning_of.ts";
import { Plan } from "../graph/plan.ts";
import type { Program } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { crossAttention, selfAttention } from "../ops/attention.ts";
import { ATTENTION_VARIANTS, attentionVariants, parseAttentionClass } from "../ops/attention_choice.ts";
import { parseMatmulClass } from "../ops/matmul_choice.ts";
import { runMatmul } from "../ops/matmul_run.ts";
import { MATMUL_VARIANTS, matmulVariants } from "../ops/matmul_variants.ts";
import type { RecordedPlan } from "./plans.ts";
import type { TuneClock } from "./tune_clock.ts";

/** What the rule takes where that has no name of its own. */
const BY_RULE = "rule";
/** Rounds in which every variant is timed; the least of its times counts. */
const ROUNDS = 5;
/** A variant must be faster than the rule's by this share to be taken. */
const MARGIN = 0.03;
/** Share of a plan's operations from which on a class is worth measuring. */
const SHARE = 0.02;
/** Sums of another order differ by rounding; more is another result. In units of the root mean square. */
const AGREE = { f32: 1e-3, f16: 3e-2 } as const;

/** A class of shapes, as a plan that can be timed for each variant. */
interface Workload {
  readonly variants: readonly string[];
  /** Records it; what `output` says is compared between variants. */
  record(g: Plan, store: Store): Tensor;
  /** Whether a dispatch is what is timed. */
  timed(kernel: string): boolean;
  /** Floating-point operations. */
  readonly flops: number;
  readonly dtype: "f32" | "f16";
}

function matmulLoad(name: string, variants: readonly string[] = []): Workload | undefined {
  const found = parseMatmulClass(name);
  if (!found) return undefined;
  const { kind: { layout, a, b, pair }, extents: { B, M, N, K } } = found;
  return {
    variants,
    flops: 2 * B * M * N * K,
    dtype: a as "f32" | "f16",
    timed: (kernel) => kernel.startsWith("matmul_"),
    record(g, store) {
      const operand = (label: string, shape: number[], dtype: typeof a) =>
        store.from(label, label, shape, new Rng(1, label.length).uniforms(shape.reduce((x, y) => x * y), -1, 1), dtype);
      const A = operand("a", layout === "tn" ? [B, K, M] : [B, M, K], a);
      const W = operand("weight", layout === "nt" ? [B, N, K] : [B, K, N], b);
      const y = g.tensor([B, M, pair ? N / 2 : N], a, "y");
      runMatmul(g, layout, { a: A, b: W, y }, { alpha: 1 / Math.sqrt(K), act: pair ? "swiglu" : "none" });
      return y;
    },
  };
}

const ATTENTION_KERNELS = { forward: "attention_fwd", query: "attention_bwd_query", key: "attention_bwd_key" } as const;

function attentionLoad(name: string, gpu?: Gpu): Workload | undefined {
  const found = parseAttentionClass(name);
  if (!found) return undefined;
  const { part, dtype, extents: { B, H, E, Nq, Nk } } = found;
  return {
    variants: gpu ? attentionVariants(gpu, part) : [],
    flops: { forward: 4, query: 6, key: 8 }[part] * B * H * E * Nq * Nk,
    dtype,
    timed: (kernel) => kernel.startsWith(ATTENTION_KERNELS[part]),
    record(g, store) {
      const of = (label: string, shape: number[]) => {
        const values = new Rng(2, label.length).normals(shape.reduce((x, y) => x * y));
        const tensor = store.from(label, label, shape, values, dtype);
        tensor.requiresGrad = part !== "forward" && label !== "dy";
        return tensor;
      };
      const D = H * E;
      const self = Nq === Nk;
      const kv = of("kv", [B, Nk, (self ? 3 : 2) * D]);
      const y = self
        ? selfAttention(g, kv, { heads: H })
        : crossAttention(g, of("query", [B, Nq, D]), kv, { heads: H });
      if (part === "forward") return y;
      return backward(g, [{ tensor: y, grad: of("dy", [B, Nq, D]) }]).of(kv)!;
    },
  };
}

/**
 * Makes sure that a file names ways there are.
 *
 * @throws {FormatError} Naming the first that is none.
 */
export function checkPicks({ classes }: TuningFile, file: string): void {
  for (const { class: name, pick } of classes) {
    const known = parseMatmulClass(name) ? MATMUL_VARIANTS : parseAttentionClass(name) ? ATTENTION_VARIANTS : undefined;
    if (known && (pick === BY_RULE || Object.hasOwn(known, pick))) continue;
    const expected = known ? `${Object.keys(known).join(", ")} or ${BY_RULE}` : "a class of products or attention";
    throw new FormatError(`Cannot read ${file}: "${name}" is computed by "${pick}", expected ${expected}`, {
      code: "tuning",
      hint: "Make it again with deno task tune --out FILE",
      context: { path: file, class: name, pick },
    });
  }
}

/** The classes of plans that are worth measuring, most work first. */
export function classesOf(gpu: Gpu, plansOn: (gpu: Gpu) => readonly RecordedPlan[]): string[] {
  const calls = new Map<string, number>();
  const note = (name: string) => void calls.set(name, (calls.get(name) ?? 0) + 1);
  const picks = { get: (name: string) => (note(name), undefined) };
  for (const plan of plansOn(gpu.withTuning({ file: "", mark: "", picks }))) plan.destroy();
  const work = [...calls].flatMap(([name, count]) => {
    const load = matmulLoad(name) ?? attentionLoad(name, gpu);
    // A product asks twice.
    return load ? [{ name, flops: load.flops * (name.startsWith("matmul") ? count / 2 : count) }] : [];
  });
  const all = work.reduce((sum, { flops }) => sum + flops, 0);
  return work.filter(({ flops }) => flops >= SHARE * all).sort((a, b) =>
    b.flops - a.flops || (a.name < b.name ? -1 : 1)
  )
    .map(({ name }) => name);
}

/** A variant that runs. */
interface Candidate {
  readonly name: string;
  readonly program: Program;
  /** Dispatches that are timed. */
  readonly timed: readonly number[];
  ms: number;
}

/** What tells one way to compute from another: kernels and constants. */
function waysOf(g: Plan): string {
  return JSON.stringify(g.dispatches.map(({ kernel, variant, groups }) => [kernel.name, variant.tune, groups]));
}

/** Compiles a variant and runs it; undefined where that fails or gives other numbers than `wanted`. */
async function candidate(
  { g, y }: { g: Plan; y: Tensor },
  name: string,
  load: Workload,
  wanted: ArrayLike<number> | undefined,
): Promise<{ made: Candidate; values: ArrayLike<number> } | undefined> {
  g.output(y);
  let program: Program;
  try {
    program = await g.compile();
  } catch (error) {
    if (error instanceof KernelError || error instanceof LimitError) return undefined;
    throw error;
  }
  program.run();
  const [values] = await readback(g.gpu, y);
  if (wanted && !agree(values!, wanted, AGREE[load.dtype])) {
    program.destroy();
    return undefined;
  }
  const timed = program.dispatches.flatMap(({ kernel }, i) => (load.timed(kernel.name) ? [i] : []));
  return { made: { name, program, timed, ms: Infinity }, values: values! };
}

function agree(a: ArrayLike<number>, b: ArrayLike<number>, most: number): boolean {
  let [worst, squares] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const off = Math.abs(a[i]! - b[i]!);
    if (!(off <= worst)) worst = off;
    squares += b[i]! * b[i]!;
  }
  return worst <= most * Math.sqrt(squares / Math.max(1, b.length));
}

/** Three digits: more are noise. */
const digits = (ms: number): number => Number(ms.toPrecision(3));

/** What was measured of one class. */
interface Measured {
  readonly one: TunedClass;
  /** What is picked on a device that was not asked for subgroups. */
  readonly plain: string;
}

const bySubgroups = (way: string): boolean =>
  Object.hasOwn(ATTENTION_VARIANTS, way) && ATTENTION_VARIANTS[way]!.subgroups === true;

/** The class of a file that is computed by subgroups; undefined where none is, so that no device needs to be asked for them. */
export function subgroupClass({ classes }: TuningFile): string | undefined {
  return classes.find(({ pick }) => bySubgroups(pick))?.class;
}

/** Measures one class. */
async function tuneClass(gpu: Gpu, name: string, clock: TuneClock, signal?: AbortSignal): Promise<Measured> {
  const load = (matmulLoad(name, matmulVariants(gpu)) ?? attentionLoad(name, gpu))!;
  const ways = new Map<string, string>();
  const stores: Store[] = [];
  const record = (on: Gpu) => {
    const store = new Store(on);
    stores.push(store);
    const g = new Plan(on);
    const y = load.record(g, store);
    store.allocate();
    return { g, y, store };
  };
  const candidates: Candidate[] = [];
  const ms: Record<string, number | null> = {};
  try {
    const byRule = record(gpu.withTuning(undefined));
    const rule = waysOf(byRule.g);
    const first = (await candidate(byRule, BY_RULE, load, undefined))!;
    candidates.push(first.made);
    for (const variant of load.variants) {
      signal?.throwIfAborted();
      const recorded = record(gpu.withTuning({ file: "", mark: "", picks: new Map([[name, variant]]) }));
      const way = waysOf(recorded.g);
      // Two names of one way are one: its first, which the rule's own takes too.
      if (way === rule && candidates[0]!.name === BY_RULE) candidates[0] = { ...candidates[0]!, name: variant };
      if (way === rule || ways.has(way)) continue;
      ways.set(way, variant);
      const found = await candidate(recorded, variant, load, first.values);
      if (found) candidates.push(found.made);
      else ms[variant] = null;
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const each of candidates) {
        signal?.throwIfAborted();
        each.ms = Math.min(each.ms, await clock.measure(each.program, each.timed));
      }
    }
    for (const each of candidates) ms[each.name] = digits(each.ms);
    const fixed = candidates[0]!;
    const pickOf = (of: readonly Candidate[]) => {
      const best = of.reduce((a, b) => (b.ms < a.ms ? b : a));
      return (best.ms < fixed.ms * (1 - MARGIN) ? best : fixed).name;
    };
    const plain = pickOf(candidates.filter((each) => !bySubgroups(each.name)));
    return { one: { class: name, pick: pickOf(candidates), rule: fixed.name, ms }, plain };
  } finally {
    for (const { program } of candidates) program.destroy();
    for (const store of stores) store.destroy();
  }
}

/** A device and what it is timed by. */
interface Timed {
  readonly gpu: Gpu;
  readonly clock: TuneClock;
}

/**
 * Milliseconds of a call of each class, which blocks of an encoder make once each, as picked and on a device that was not asked
 * for subgroups, in turn: asking may cost more in all kernels than the picked ones gain.
 */
async function askingFor(
  found: readonly Measured[],
  own: Timed,
  plain: Timed,
): Promise<{ with: number; without: number }> {
  const sums = { with: 0, without: 0 };
  for (const { one: { class: name, pick }, plain: other } of found) {
    const load = (matmulLoad(name) ?? attentionLoad(name))!;
    const made: (Timed & { readonly way: keyof typeof sums; readonly store: Store; readonly one: Candidate })[] = [];
    for (const [way, on, variant] of [["with", own, pick], ["without", plain, other]] as const) {
      const gpu = on.gpu.withTuning({ file: "", mark: "", picks: new Map([[name, variant]]) });
      const [store, g] = [new Store(gpu), new Plan(gpu)];
      const y = load.record(g, store);
      store.allocate();
      made.push({ ...on, way, store, one: (await candidate({ g, y }, variant, load, undefined))!.made });
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const { clock, one } of made) one.ms = Math.min(one.ms, await clock.measure(one.program, one.timed));
    }
    for (const { way, store, one } of made) {
      sums[way] += one.ms;
      one.program.destroy();
      store.destroy();
    }
  }
  return { with: digits(sums.with), without: digits(sums.without) };
}

/** Options of {@linkcode tune}. */
export interface TuneOptions {
  /** Told of each class that was measured. */
  readonly onClass?: (found: TunedClass, done: number, total: number) => void;
  readonly signal?: AbortSignal;
  /** Opens a device that is not asked for subgroups; what they gain must then be more than asking costs. */
  readonly plain?: <T>(use: (timed: Timed) => Promise<T>) => Promise<T>;
}

/**
 * Measures all variants of the given classes on a device.
 *
 * @param classes As {@linkcode classesOf} gives them.
 * @throws {DeviceError} If the device is lost.
 */
export async function tune(
  gpu: Gpu,
  classes: readonly string[],
  clock: TuneClock,
  { onClass, signal, plain }: TuneOptions = {},
): Promise<TuningFile> {
  const found: Measured[] = [];
  for (const [i, name] of classes.entries()) {
    const measured = await tuneClass(gpu, name, clock, signal);
    found.push(measured);
    onClass?.(measured.one, i + 1, classes.length);
  }
  const made: TuningFile = { format: 1, ...tuningOf(gpu), classes: found.map(({ one }) => one) };
  if (plain === undefined || subgroupClass(made) === undefined) return made;
  const subgroups = await plain((timed) => askingFor(found, { gpu, clock }, timed));
  if (subgroups.with < subgroups.without) return { ...made, subgroups };
  return { ...made, subgroups, classes: found.map(({ one, plain }) => ({ ...one, pick: plain })) };
}
