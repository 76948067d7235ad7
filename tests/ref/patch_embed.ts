/** Patch embedding in float64, from the formula. */

/** What the reference needs to know beside the values. */
export interface PatchEmbedShape {
  readonly B: number;
  readonly H: number;
  readonly W: number;
  readonly P: number;
  readonly D: number;
}

/** `x` is the normalised image `[B, H, W, 3]`, `w` is `[D, 3, P, P]`. */
export function patchEmbedRef(
  x: Float64Array,
  w: Float64Array,
  bias: Float64Array | undefined,
  { B, H, W, P, D }: PatchEmbedShape,
): Float64Array {
  const y: number[] = [];
  for (let b = 0; b < B; b++) {
    for (let top = 0; top < H; top += P) {
      for (let left = 0; left < W; left += P) {
        for (let d = 0; d < D; d++) {
          let sum = bias?.[d] ?? 0;
          for (let c = 0; c < 3; c++) {
            for (let i = 0; i < P; i++) {
              for (let j = 0; j < P; j++) {
                sum += x[((b * H + top + i) * W + left + j) * 3 + c]! * w[((d * 3 + c) * P + i) * P + j]!;
              }
            }
          }
          y.push(sum);
        }
      }
    }
  }
  return Float64Array.from(y);
}
