/**
 * The plans of a training step: one for a whole batch, or the three of gradient caching.
 *
 * @module
 */

import { backward, backwardFrom } from "../autodiff/backward.ts";
import { ConfigError } from "../core/errors.ts";
import type { Caps } from "../gpu/device.ts";
import { Plan } from "../graph/plan.ts";
import type { CompileOptions, Program } from "../graph/program.ts";
import type { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { affine } from "../ops/scale.ts";
import { ringWrite } from "../ops/ring.ts";
import type { AdamW } from "../optim/adamw.ts";
import { OverflowWatch } from "../nn/overflow.ts";
import type { Fields, Losses, StepModel, StepOptions } from "./step_model.ts";

/** Everything a compiled step holds. */
export interface Compiled {
  readonly store: Store;
  readonly inputs: readonly Tensor[];
  readonly fields: Fields;
  readonly random: Tensor;
  readonly ring: Tensor;
  readonly metrics: readonly string[];
  /** What f16 could not hold in the forward pass. */
  readonly overflow: OverflowWatch;
  /** One plan for all, or the three of gradient caching. */
  readonly programs: { readonly whole: Program } | {
    readonly forward: Program;
    readonly head: Program;
    readonly again: Program;
    readonly z: { readonly micro: Tensor; readonly all: Tensor };
    readonly dz: { readonly all: Tensor; readonly kept: Tensor; readonly micro: Tensor };
  };
}

/** Appends the writing of all scalars to a ring of its own. */
function measure(g: Plan, store: Store, losses: Losses, { ring = 128, accumulate = 1 }: StepOptions): Tensor {
  const names = Object.keys(losses);
  const tensor = store.tensor("ring", "ring", [ring * accumulate, names.length]);
  g.withoutTape(() => names.forEach((name, column) => ringWrite(g, tensor, losses[name]!, column)));
  return tensor;
}

/** Most bytes of a step's plan in main memory, which software adapters give without end. */
const SOFTWARE_BUDGET = 6 * 2 ** 30;

function compileOptions({ software }: Caps, options: StepOptions, only: boolean): CompileOptions {
  const { budgetBytes = software ? SOFTWARE_BUDGET : "device", onMemory, accumulate = 1 } = options;
  return {
    // The update clears gradients; where one plan makes them all, the first of each may be written, not added.
    clearGradients: only && accumulate === 1,
    budgetBytes,
    ...(onMemory && { onMemory }),
  };
}

/** How rows are embedded in training. */
function forward({ recompute }: StepOptions): { training: true; recompute?: readonly boolean[] } {
  return { training: true, ...(recompute && { recompute }) };
}

/** Records and compiles the one plan of a batch that fits. */
export async function compileWhole<Row>(
  model: StepModel<Row>,
  { lossScale }: AdamW,
  store: Store,
  options: StepOptions,
): Promise<Compiled> {
  const { batch, rows = batch, accumulate = 1 } = options;
  const random = store.tensor("random", "random", [4], "u32");
  const inputs = model.rows?.input.tensors(store, rows) ?? [];
  const fields = model.fields?.(store) ?? {};
  const g = new Plan(model.parameters.gpu);
  g.random = random;
  const overflow = g.overflow = new OverflowWatch(g.gpu);
  const losses = model.objective(g, model.rows?.input.record(g, inputs, forward(options)), fields);
  const ring = measure(g, store, losses, options);
  store.allocate();
  backwardFrom(g, losses.loss, 1 / accumulate, lossScale?.state.slice(0, [1]));
  const whole = await g.compile(compileOptions(g.gpu.caps, options, true));
  return { store, inputs, fields, random, ring, overflow, metrics: Object.keys(losses), programs: { whole } };
}

/** Records and compiles the plans of gradient caching. @param micro Rows in memory at a time. */
export async function compileCached<Row>(
  model: StepModel<Row>,
  { lossScale }: AdamW,
  store: Store,
  options: StepOptions,
  micro: number,
): Promise<Compiled> {
  const { batch, rows = batch, accumulate = 1 } = options;
  const { gpu } = model.parameters;
  const { input, dim } = model.rows!;
  const whole = Math.ceil(rows / micro) * micro;
  const random = store.tensor("random", "random", [4], "u32");
  const inputs = input.tensors(store, micro);
  const fields = model.fields?.(store) ?? {};
  const all = store.tensor("z", "z", [whole, dim]);
  const dMicro = store.tensor("dz", "dz of a micro-batch", [micro, dim]);
  const kept = store.tensor("dz.kept", "dz", [whole, dim]);
  const embed = (g: Plan): Tensor => {
    g.random = random;
    return input.record(g, inputs, forward(options));
  };
  const first = new Plan(gpu);
  const overflow = first.overflow = new OverflowWatch(gpu);
  // A copy, so that the embedding lies in memory of its own whatever the last layer is.
  const zMicro = first.withoutTape(() => affine(first, embed(first), 1));
  first.output(zMicro);

  const middle = new Plan(gpu);
  middle.random = random;
  const seen = all.slice(0, [rows, dim]);
  seen.requiresGrad = true;
  const losses = model.objective(middle, seen, fields);
  const ring = measure(middle, store, losses, options);
  const given = backwardFrom(middle, losses.loss, 1 / accumulate, lossScale?.state.slice(0, [1])).of(seen);
  if (!given) throw new ConfigError("Cannot train the image side: no term of the loss reaches it");
  middle.output(given);

  const second = new Plan(gpu);
  // Of a micro-batch the columns do not sum to 0, but gradients are added up over all of them.
  const zeros = middle.centred(given);
  second.noteCentred(dMicro, zeros.from, zeros.to);
  backward(second, [{ tensor: embed(second), grad: dMicro }]);
  store.allocate();
  const z = { micro: zMicro, all };
  // The largest first, so that a budget is exceeded before anything is built.
  const [again, before, head] = await compileAll([second, first, middle], compileOptions(gpu.caps, options, false));
  return {
    store,
    inputs,
    fields,
    random,
    ring,
    overflow,
    metrics: Object.keys(losses),
    programs: { forward: before!, head: head!, again: again!, z, dz: { all: given, kept, micro: dMicro } },
  };
}

/** Compiles plans; none is left if one fails. */
async function compileAll(plans: readonly Plan[], options: CompileOptions): Promise<Program[]> {
  const programs: Program[] = [];
  try {
    for (const plan of plans) programs.push(await plan.compile(options));
    return programs;
  } catch (error) {
    for (const program of programs) program.destroy();
    throw error;
  }
}
