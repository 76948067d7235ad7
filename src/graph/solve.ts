/**
 * Solves a kernel card against the tensors it is given: dimensions, variant, workgroup counts. Nobody passes `M` or `D` by
 * hand, so they cannot be swapped.
 *
 * @module
 */

import { ConfigError, DtypeError, LimitError, ShapeError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import type { Caps, DeviceLimits } from "../gpu/device.ts";
import type { Variant } from "../gpu/expand.ts";
import type { Kernel, TensorSlot } from "../gpu/kernel.ts";
import type { Tensor } from "./tensor.ts";

/** Scalars and options of one dispatch, untyped. */
export type RunOptions = Readonly<Record<string, number | string | Readonly<Record<string, number>> | undefined>>;

/** A dispatch with everything known but its memory. */
export interface Solved {
  /** What its text depends on. */
  readonly variant: Variant;
  /** Tensors in binding order. */
  readonly bound: readonly { slot: TensorSlot; tensor: Tensor }[];
  /** Values of the card's dimensions. */
  readonly dims: Readonly<Record<string, number>>;
  /** Workgroups in x, y and z. */
  readonly groups: readonly [number, number, number];
}

const ELEM_DTYPES: Record<string, readonly string[]> = {
  T: ["f32", "f16"],
  W: ["f32", "f16", "bf16"],
  f32: ["f32"],
  u32: ["u32"],
  i32: ["i32"],
  u8: ["u8"],
};

interface Bound {
  readonly slot: TensorSlot;
  readonly tensor: Tensor;
}

/** Extents of a tensor as the card counts them: leading dimensions are folded into the first. */
function cardShape(kernel: Kernel, slot: TensorSlot, tensor: Tensor): number[] {
  const rank = slot.dims.length;
  const shape = [...tensor.shape];
  if (shape.length < rank) {
    throw new ShapeError(
      `Cannot run ${kernel.name}: ${slot.name} is ${formatShape(shape)}, wanted ${rank} dimensions`,
      { context: { op: kernel.name, tensor: slot.name, given: shape, wanted: rank } },
    );
  }
  const lead = shape.slice(0, shape.length - rank + 1).reduce((a, b) => a * b, 1);
  return [lead, ...shape.slice(shape.length - rank + 1)];
}

function solveDims(kernel: Kernel, bound: Solved["bound"]): Record<string, number> {
  const dims: Record<string, number> = {};
  for (const { slot, tensor } of bound) {
    const shape = cardShape(kernel, slot, tensor);
    slot.dims.forEach(({ coef, name }, i) => {
      const extent = shape[i] as number;
      const value = extent / coef;
      const known = name ? dims[name] : 1;
      if (Number.isInteger(value) && (known === undefined || known === value)) {
        if (name) dims[name] = value;
        return;
      }
      const wanted = known === undefined ? `a multiple of ${coef}` : known * coef;
      const label = name || String(coef);
      throw new ShapeError(
        `Cannot run ${kernel.name}: ${slot.name} is ${
          formatShape(tensor.shape)
        }, dimension ${label} is ${extent}, wanted ${wanted}`,
        { context: { op: kernel.name, tensor: slot.name, dim: label, given: extent, wanted } },
      );
    });
  }
  for (const name of kernel.dims) dims[name] ??= 0;
  return dims;
}

function solveVariant(kernel: Kernel, bound: Solved["bound"], options: RunOptions, caps: Caps): Variant {
  let T: "f32" | "f16" | undefined;
  const weights: Record<string, Tensor["dtype"]> = {};
  let vec: 1 | 4 = 4;
  for (const { slot, tensor } of bound) {
    if (!ELEM_DTYPES[slot.elem]!.includes(tensor.dtype) || (slot.elem === "T" && T && T !== tensor.dtype)) {
      const wanted = slot.elem === "T" && T ? T : ELEM_DTYPES[slot.elem]!.join(" or ");
      throw new DtypeError(`Cannot run ${kernel.name}: ${slot.name} is ${tensor.dtype}, wanted ${wanted}`, {
        context: { op: kernel.name, tensor: slot.name, given: tensor.dtype, wanted },
      });
    }
    if (slot.elem === "T") T = tensor.dtype as "f32" | "f16";
    if (slot.elem === "W") weights[slot.name] = tensor.dtype;
    // An empty tensor has one word of memory, too little for wide elements.
    if (slot.pack === 4 && (tensor.dim(-1) % 4 !== 0 || tensor.size === 0)) vec = 1;
  }
  if (T === "f16" && !caps.f16) {
    throw new DtypeError(`Cannot run ${kernel.name} on f16 tensors: the device lacks shader-f16`, {
      hint: "Use f32 activations; weights may stay f16",
      context: { op: kernel.name, given: "f16", wanted: "f32" },
    });
  }
  const chosen: Record<string, string> = {};
  for (const [name, values] of Object.entries(kernel.options)) {
    const value = options[name] ?? values[0];
    if (!values.includes(value as string)) {
      throw new ConfigError(`Cannot run ${kernel.name}: option ${name} is "${value}", wanted ${values.join(" or ")}`, {
        context: { op: kernel.name, key: name, given: value, wanted: values },
      });
    }
    chosen[name] = value as string;
  }
  const tune: Record<string, number> = {};
  const asked = (options.tune ?? {}) as Readonly<Record<string, number>>;
  for (const [name, values] of Object.entries(kernel.tune)) {
    const value = asked[name] ?? (values[0] as number);
    if (!values.includes(value)) {
      throw new ConfigError(`Cannot run ${kernel.name}: ${name} is ${value}, wanted ${values.join(" or ")}`);
    }
    tune[name] = value;
  }
  return { T: T ?? "f32", weights, present: bound.map(({ slot }) => slot.name), options: chosen, tune, vec };
}

/** Names a caller may pass: params, options and `tune`. */
function checkNames(kernel: Kernel, tensors: Readonly<Record<string, unknown>>, options: RunOptions): void {
  for (const key of Object.keys(options)) {
    if (key !== "tune" && !(key in kernel.options) && !kernel.params.some((param) => param.name === key)) {
      throw new ConfigError(`Cannot run ${kernel.name}: it has no option "${key}"`, {
        context: { op: kernel.name, key },
      });
    }
  }
  for (const { name } of kernel.params) {
    const value = options[name];
    if (typeof value !== "number" || Number.isNaN(value)) {
      throw new ConfigError(`Cannot run ${kernel.name}: ${name} is ${value}, wanted a number`, {
        context: { op: kernel.name, key: name, given: String(value) },
      });
    }
  }
  for (const key of Object.keys(tensors)) {
    if (!kernel.tensors.some((slot) => slot.name === key)) {
      throw new ConfigError(`Cannot run ${kernel.name}: it has no tensor "${key}"`, {
        context: { op: kernel.name, key },
      });
    }
  }
}

/** Tensors in binding order, each small enough to bind. */
function bind(kernel: Kernel, tensors: Readonly<Record<string, Tensor | undefined>>, limits: DeviceLimits): Bound[] {
  const bound: Bound[] = [];
  const max = limits.maxStorageBufferBindingSize;
  for (const slot of kernel.tensors) {
    const tensor = tensors[slot.name];
    if (!tensor) {
      if (slot.optional) continue;
      throw new ConfigError(`Cannot run ${kernel.name}: tensor ${slot.name} is missing`, {
        context: { op: kernel.name },
      });
    }
    if (tensor.bytes > max) {
      const what = `${slot.name} ${formatShape(tensor.shape)} to ${kernel.name}`;
      throw new LimitError(`Cannot bind ${what}: ${tensor.bytes} bytes, the device binds at most ${max}`, {
        hint: "Lower the batch size",
        context: { op: kernel.name, limit: "maxStorageBufferBindingSize", given: tensor.bytes, max },
      });
    }
    bound.push({ slot, tensor });
  }
  const most = limits.maxStorageBuffersPerShaderStage;
  if (bound.length > most) {
    throw new LimitError(`Cannot run ${kernel.name}: ${bound.length} tensors, the device binds at most ${most}`, {
      context: { op: kernel.name, limit: "maxStorageBuffersPerShaderStage", given: bound.length, max: most },
    });
  }
  return bound;
}

/** The conditions the card states. */
function checkLimits(kernel: Kernel, env: Readonly<Record<string, number>>): void {
  const names = [...kernel.dims, ...kernel.params.map((param) => param.name), ...Object.keys(kernel.tune)];
  for (const { text, holds } of kernel.limits) {
    if (holds(env)) continue;
    const words = new Set(text.match(/[A-Za-z_]\w*/g));
    const given = names.filter((name) => words.has(name)).map((name) => `${name} = ${env[name]}`);
    throw new LimitError(`Cannot run ${kernel.name}: ${given.join(", ")}, wanted ${text}`, {
      context: { op: kernel.name, limit: text, given: env },
    });
  }
}

/** Workgroups in each dimension. */
function workgroups(kernel: Kernel, env: Readonly<Record<string, number>>, most: number): [number, number, number] {
  const [x = 1, y = 1, z = 1] = kernel.grid(env);
  if (kernel.fold) {
    const wide = Math.min(x, most);
    return [wide, wide ? Math.ceil(x / wide) : 0, 1];
  }
  if (Math.max(x, y, z) > most) {
    throw new LimitError(
      `Cannot run ${kernel.name}: ${x} x ${y} x ${z} workgroups, the device allows ${most} a dimension`,
      {
        context: { op: kernel.name, limit: "maxComputeWorkgroupsPerDimension", given: [x, y, z], max: most },
      },
    );
  }
  return [x, y, z];
}

/**
 * Everything about a dispatch that shapes, types and options decide.
 *
 * @throws {ShapeError | DtypeError | ConfigError | LimitError} Before anything reaches the device.
 */
export function solve(
  kernel: Kernel,
  tensors: Readonly<Record<string, Tensor | undefined>>,
  options: RunOptions,
  caps: Caps,
): Solved {
  checkNames(kernel, tensors, options);
  const bound = bind(kernel, tensors, caps.limits);
  const dims = solveDims(kernel, bound);
  const variant = solveVariant(kernel, bound, options, caps);
  const env: Record<string, number> = { ...dims, ...variant.tune };
  for (const { name } of kernel.params) env[name] = options[name] as number;
  checkLimits(kernel, env);
  return { variant, bound, dims, groups: workgroups(kernel, env, caps.limits.maxComputeWorkgroupsPerDimension) };
}
