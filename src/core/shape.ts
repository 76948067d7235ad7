/**
 * Shape algebra: sizes, broadcasting, text.
 *
 * @module
 */

import { ShapeError } from "./errors.ts";

/** Extents of a tensor, outermost first; row-major. */
export type Shape = readonly number[];

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Text of a shape as in `[2, 197, 768]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/**
 * Shape of an elementwise operation on `a` and `b` by NumPy's broadcasting rule.
 *
 * @throws {ShapeError} If an extent pair is neither equal nor contains a 1.
 */
export function broadcastShapes(a: Shape, b: Shape, op = "broadcast"): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(
        `Cannot ${op} ${formatShape(a)} with ${formatShape(b)}: dimension ${i} is ${x} against ${y}`,
        {
          context: { op, given: [a, b], dim: i },
        },
      );
    }
    out.push(x === 1 ? y : x);
  }
  return out;
}

/**
 * Resolves one `-1` extent of a reshape.
 *
 * @throws {ShapeError} If the element counts cannot agree.
 */
export function resolveReshape(from: Shape, to: Shape): number[] {
  const total = sizeOf(from);
  const holes = to.filter((extent) => extent === -1).length;
  const known = to.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  const shape = to.map((extent) => (extent === -1 ? total / known : extent));
  if (holes > 1 || sizeOf(shape) !== total || shape.some((extent) => !Number.isInteger(extent) || extent < 0)) {
    throw new ShapeError(`Cannot reshape ${formatShape(from)} to ${formatShape(to)}: ${total} elements do not fit`, {
      context: { op: "reshape", given: from, wanted: to },
    });
  }
  return shape;
}

/**
 * Throws unless `shape` equals `wanted`; `null` entries of `wanted` accept any extent.
 *
 * @throws {ShapeError} Naming `op`, `tensor` and the first dimension that differs.
 */
export function expectShape(op: string, tensor: string, shape: Shape, wanted: readonly (number | null)[]): void {
  const ok = shape.length === wanted.length && wanted.every((extent, i) => extent === null || extent === shape[i]);
  if (ok) return;
  const text = `[${wanted.map((extent) => extent ?? "any").join(", ")}]`;
  const dim = wanted.findIndex((extent, i) => extent !== null && extent !== shape[i]);
  throw new ShapeError(`Cannot run ${op}: ${tensor} is ${formatShape(shape)}, wanted ${text}`, {
    context: { op, tensor, dim, given: shape, wanted },
  });
}
