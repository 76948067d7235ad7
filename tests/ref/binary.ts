/** Operations on two tensors with NumPy's broadcasting, in float64. */

const functions = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  min: Math.min,
  max: Math.max,
};

/** Place in a tensor of `shape` of the element at `index` of a broadcast result. */
function place(shape: readonly number[], index: readonly number[]): number {
  let at = 0;
  shape.forEach((extent, i) => {
    const j = index[index.length - shape.length + i]!;
    at = at * extent + (extent === 1 ? 0 : j);
  });
  return at;
}

/** Applies an operation to every pair of elements. */
export function binaryRef(
  f: keyof typeof functions,
  a: Float64Array,
  aShape: readonly number[],
  b: Float64Array,
  bShape: readonly number[],
): Float64Array {
  const rank = Math.max(aShape.length, bShape.length);
  const extents = Array.from({ length: rank }, (_, i) => {
    const extent = aShape[aShape.length - rank + i] ?? 1;
    return extent === 1 ? bShape[bShape.length - rank + i] ?? 1 : extent;
  });
  const out = new Float64Array(extents.reduce((n, extent) => n * extent, 1));
  const index = new Array<number>(rank).fill(0);
  for (let i = 0; i < out.length; i++) {
    out[i] = functions[f](a[place(aShape, index)]!, b[place(bShape, index)]!);
    for (let d = rank - 1; d >= 0; d--) {
      index[d]!++;
      if (index[d]! < extents[d]!) break;
      index[d] = 0;
    }
  }
  return out;
}
