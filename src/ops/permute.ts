/**
 * Reordering of dimensions. Same as torch.permute followed by contiguous.
 *
 * Dimensions that stay neighbours are merged first, so that most cases become the transpose of matrices, or of matrices
 * of whole rows; what only moves extents of 1 is a view.
 *
 * @module
 */

import { ConfigError, LimitError, ShapeError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** A dimension of the result: its extent and the distance of neighbours in the source, elements. */
interface Axis {
  extent: number;
  stride: number;
}

const MAX_RANK = 6;
/** Smallest side for which tiles pay. */
const TILED = 8;

/** Dimensions of the result without extents of 1, neighbours merged; outermost first. */
function collapse(shape: Shape, axes: readonly number[]): Axis[] {
  const out: Axis[] = [];
  for (const axis of axes) {
    const extent = shape[axis]!;
    if (extent === 1) continue;
    const stride = sizeOf(shape.slice(axis + 1));
    const last = out.at(-1);
    if (last && last.stride === extent * stride) {
      last.extent *= extent;
      last.stride = stride;
    } else out.push({ extent, stride });
  }
  return out;
}

/** The permutation without a tape. */
function move(g: Plan, x: Tensor, axes: readonly number[]): Tensor {
  const shape = axes.map((axis) => x.shape[axis]!);
  const list = collapse(x.shape, axes);
  if (list.length < 2 || x.size === 0) return x.reshape(shape);
  if (list.length > MAX_RANK) {
    throw new LimitError(
      `Cannot permute ${formatShape(x.shape)}: ${list.length} dimensions move, wanted at most ${MAX_RANK}`,
      {
        context: { op: "permute", given: list.length, max: MAX_RANK },
      },
    );
  }
  const y = g.tensor(shape, x.dtype, "permute.y");
  const [c, r] = list.slice(-2) as [Axis, Axis];
  const outer = list.length === 2 || (list.length === 3 && list[0]!.stride === c.extent * r.extent);
  const matrices = c.stride === 1 && r.stride === c.extent && outer;
  if (matrices && !g.gpu.caps.flat && Math.min(c.extent, r.extent) >= TILED) {
    g.run(k.permute_tiled, { x: x.reshape([-1, r.extent, c.extent]), y: y.reshape([-1, c.extent, r.extent]) });
    return y;
  }
  const u = r.stride === 1 && r.extent % 4 === 0 ? 4 : 1;
  const e = list.map(({ extent }) => extent).reverse();
  const s = list.map(({ stride }) => stride / u).reverse();
  e[0]! /= u;
  if (u === 4) s[0] = 1;
  const outermost = s.pop()!;
  const at = (values: number[], i: number): number => values[i] ?? 0;
  g.run(k.permute, { x: x.reshape([-1, u]), y: y.reshape([-1, u]) }, {
    ...{ e0: at(e, 0), e1: at(e, 1), e2: at(e, 2), e3: at(e, 3), e4: at(e, 4) },
    ...{ s0: at(s, 0), s1: at(s, 1), s2: at(s, 2), s3: at(s, 3), s4: at(s, 4) },
    s_outer: outermost,
    tune: { INNER: s.length },
  });
  return y;
}

/**
 * Reorders dimensions.
 *
 * @param x Any shape in which, after merging, at most six dimensions move.
 * @param axes Dimension of `x` that each dimension of the result is: `[0, 2, 1, 3]` swaps the middle two.
 * @returns Shape `axes.map((a) => x.shape[a])`; a view where no element moves.
 * @throws {ShapeError} If the number of axes differs from the rank.
 * @throws {ConfigError} If the axes are no permutation.
 * @throws {LimitError} If more than six dimensions move.
 */
export function permute(g: Plan, x: Tensor, axes: readonly number[]): Tensor {
  if (axes.length !== x.shape.length) {
    throw new ShapeError(`Cannot permute ${formatShape(x.shape)}: ${axes.length} axes, wanted ${x.shape.length}`, {
      context: { op: "permute", given: axes, wanted: x.shape.length },
    });
  }
  const inverse = axes.map((_, i) => axes.indexOf(i));
  if (inverse.includes(-1)) {
    throw new ConfigError(`Cannot permute ${formatShape(x.shape)} by ${formatShape(axes)}: wanted each axis once`, {
      context: { op: "permute", given: axes },
    });
  }
  const y = move(g, x, axes);
  if (y.id !== x.id) g.record("permute", [x], [y], ([dy]) => [move(g, dy!, inverse)]);
  return y;
}

/**
 * Swaps the last two dimensions.
 *
 * @param x `[..., R, C]`.
 * @returns `[..., C, R]`.
 * @throws {ShapeError} If there are fewer than two dimensions.
 */
export function transpose(g: Plan, x: Tensor): Tensor {
  const rank = x.shape.length;
  if (rank < 2) throw new ShapeError(`Cannot transpose ${formatShape(x.shape)}: wanted two dimensions or more`);
  const axes = x.shape.map((_, i) => i);
  return permute(g, x, [...axes.slice(0, -2), rank - 1, rank - 2]);
}

/** Cost of the forward pass. */
export function permuteCost(shape: Shape): Cost {
  return { flops: 0, bytes: 8 * sizeOf(shape) };
}
