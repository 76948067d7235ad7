/**
 * Elementwise operations on two tensors with NumPy's broadcasting.
 *
 * Three kernels: equal shapes; one operand that lacks one run of dimensions (a bias, one number a row, a device scalar); any
 * other pattern by strides. Gradients of broadcast operands are summed in stages. Ties of min and max share their gradient,
 * as in torch.
 *
 * @module
 */

import { type Middle, middleOf, type Operand, type Run, runsOf, strideParams } from "../core/broadcast.ts";
import { LimitError } from "../core/errors.ts";
import { broadcastShapes, formatShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { middlePlaces, reduceMiddle } from "./partials.ts";

/** Operations on two tensors. */
export type Binary = "add" | "sub" | "mul" | "div" | "min" | "max";

/** Sums a gradient of the result's shape over the runs that operand `of` lacks. */
function sumMissing(g: Plan, grad: Tensor, runs: readonly Run[], of: Operand, to: Tensor, scale = 1): Tensor {
  const left = runs.map((run) => ({ extent: run.extent, missing: !run[of] }));
  const product = (some: typeof left) => some.reduce((n, run) => n * run.extent, 1);
  for (let i = left.findLastIndex((run) => run.missing); i >= 0;) {
    const middle: Middle = [product(left.slice(0, i)), left[i]!.extent, product(left.slice(i + 1))];
    left.splice(i, 1);
    i = left.findLastIndex((run) => run.missing);
    grad = reduceMiddle(g, "sum", grad, middle, i < 0 ? { scale, dtype: gradType(to) } : {});
  }
  return grad.reshape(to.shape);
}

function gradType(tensor: Tensor): "f32" | "f16" {
  return tensor.dtype === "f16" ? "f16" : "f32";
}

/** Gradient of operand `of`, at the shape of the result. */
function spreadGradient(
  g: Plan,
  f: Binary,
  a: Tensor,
  b: Tensor,
  dy: Tensor,
  runs: readonly Run[],
  of: Operand,
): Tensor {
  const { rank, params } = strideParams(runs);
  const own = of === "a" ? a : b;
  const d = g.tensor([dy.size], own.size === dy.size ? gradType(own) : "f32", `${f}.d${of}`);
  const flat = (t: Tensor) => t.reshape([t.size]);
  g.run(k.binary_broadcast_bwd, { a: flat(a), b: flat(b), dy: flat(dy), d }, { f, rank, of, ...params });
  return own.size === dy.size ? d.reshape(own.shape) : d;
}

/** Equal shapes. */
function same(g: Plan, f: Binary, a: Tensor, b: Tensor, shape: Shape): Tensor {
  const flat = (t: Tensor | undefined) => t?.reshape([t.size]);
  const y = g.tensor(shape, a.dtype, `${f}.y`);
  g.run(k.binary_fwd, { a: flat(a)!, b: flat(b)!, y: flat(y)! }, { f });
  g.record(f, [a, b], [y], ([dy], [needA, needB]) => {
    if (f === "add" || (f === "sub" && !needB)) return [dy, dy];
    const da = needA && f !== "sub" ? g.tensor(a.shape, a.dtype, `${f}.da`) : undefined;
    const db = needB ? g.tensor(b.shape, b.dtype, `${f}.db`) : undefined;
    g.run(k.binary_bwd, { a: flat(a)!, b: flat(b)!, dy: flat(dy)!, da: flat(da), db: flat(db) }, { f });
    return [f === "sub" ? dy : da, db];
  });
  return y;
}

/** `x` has the shape of the result; `v` lacks the middle dimension. */
function middle(
  g: Plan,
  f: Binary,
  x: Tensor,
  v: Tensor,
  shape: Shape,
  at: Middle,
  left: "x" | "v",
  runs: Run[],
): Tensor {
  const flat = (t: Tensor) => t.reshape([t.size]);
  const run = (f: Binary, x: Tensor, left: "x" | "v") => {
    const y = g.tensor(shape, x.dtype, `${f}.y`);
    const places = middlePlaces(at);
    const tensors = { x: flat(x), y: flat(y), ...(places.quad === "next" ? { v4: flat(v) } : { v: flat(v) }) };
    g.run(k.binary_middle, tensors, { f, left, ...places });
    return y;
  };
  const y = run(f, x, left);
  const [a, b] = left === "x" ? [x, v] : [v, x];
  const [ofX, ofV]: Operand[] = left === "x" ? ["a", "b"] : ["b", "a"];
  g.record(f, [x, v], [y], ([dy], [needX, needV]) => {
    let dx: Tensor | undefined;
    if (needX && (f === "add" || (f === "sub" && left === "x"))) dx = dy;
    else if (needX && (f === "mul" || (f === "div" && left === "x"))) dx = run(f, dy!, "x");
    else if (needX) dx = spreadGradient(g, f, a, b, dy!, runs, ofX!);
    if (!needV) return [dx];
    if (f !== "add" && f !== "sub" && f !== "mul") {
      return [dx, sumMissing(g, spreadGradient(g, f, a, b, dy!, runs, ofV!), runs, ofV!, v)];
    }
    const scale = f === "sub" && left === "x" ? -1 : 1;
    const dv = reduceMiddle(g, "sum", dy!, at, { w: f === "mul" ? x : undefined, scale, dtype: gradType(v) });
    return [dx, dv.reshape(v.shape)];
  });
  return y;
}

/**
 * Applies an operation by name.
 *
 * @param a Any shape, f32 or f16; also bf16 where it is broadcast.
 * @param b A shape that broadcasts with that of `a`; of the same type where neither is broadcast.
 * @returns The broadcast shape, with the type of the operand that has it (of `a` where both are broadcast).
 * @throws {ShapeError} If the shapes do not broadcast.
 * @throws {DtypeError} If two tensors of the result's shape differ in type.
 * @throws {LimitError} If the pattern alternates more than six times.
 */
export function binary(g: Plan, f: Binary, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(a.shape, b.shape, f);
  const runs = runsOf(shape, a.shape, b.shape);
  if (a.size === b.size && a.size === sizeOf(shape)) return same(g, f, a, b, shape);
  const right = middleOf(runs, "a", "b");
  if (right) return middle(g, f, a, b, shape, right, "x", runs);
  const left = middleOf(runs, "b", "a");
  if (left) return middle(g, f, b, a, shape, left, "v", runs);
  if (runs.length > 6) {
    throw new LimitError(
      `Cannot ${f} ${formatShape(a.shape)} with ${
        formatShape(b.shape)
      }: ${runs.length} runs of dimensions, wanted at most 6`,
      { context: { op: f, limit: "broadcast runs", given: runs.length, max: 6 } },
    );
  }
  const { rank, params } = strideParams(runs);
  const y = g.tensor(shape, b.size === sizeOf(shape) ? b.dtype : a.dtype, `${f}.y`);
  const flat = (t: Tensor) => t.reshape([t.size]);
  g.run(k.binary_broadcast, { a: flat(a), b: flat(b), y: flat(y) }, { f, rank, ...params });
  g.record(f, [a, b], [y], ([dy], needs) =>
    (["a", "b"] as const).map((of, i) => {
      if (!needs[i]) return undefined;
      const own = of === "a" ? a : b;
      const plain = f === "add" || (f === "sub" && (of === "a" || own.size < y.size));
      const d = plain ? dy! : spreadGradient(g, f, a, b, dy!, runs, of);
      return sumMissing(g, d, runs, of, own, plain && f === "sub" && of === "b" ? -1 : 1);
    }));
  return y;
}

/** a + b; {@linkcode binary} has the rules. */
export function add(g: Plan, a: Tensor, b: Tensor): Tensor {
  return binary(g, "add", a, b);
}

/** a - b. */
export function sub(g: Plan, a: Tensor, b: Tensor): Tensor {
  return binary(g, "sub", a, b);
}

/** a b, element by element. */
export function mul(g: Plan, a: Tensor, b: Tensor): Tensor {
  return binary(g, "mul", a, b);
}

/** a / b. */
export function div(g: Plan, a: Tensor, b: Tensor): Tensor {
  return binary(g, "div", a, b);
}

/** Cost of the forward pass at the shape of the result, operands of that shape. */
export function binaryCost(shape: Shape): Cost {
  const n = sizeOf(shape);
  return { flops: n, bytes: 12 * n };
}
