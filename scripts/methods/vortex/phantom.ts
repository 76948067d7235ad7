/**
 * Volumes whose expression is known everywhere, to judge models of volumes by: glands F, a texture that glands have where a
 * hidden field H is positive, and genes of three kinds, each of unit variance over its volume.
 *
 * | genes | are |
 * |---|---|
 * | generic 0 to 3 | F smoothed |
 * | depth 0 to 3 | laterally smoothed F, mean of the next 3 slices less that of the 3 before |
 * | specific 0 to 3 | F smoothed, positive with the texture, negative without, times a sign that is the volume's own |
 *
 * F is 1 where a Gaussian field (sigma 2.5, 4, 4 voxels) is above its 55 % quantile, H another (4, 8, 8); the image is
 * .3 + .35 F + .2 F (H > 0) checker + .05 noise, times a gain from .8 to 1.2 of the volume. The texture is there or not: the phase of
 * a checker, which the place of a patch and its flips change, tells nothing.
 */

import { Rng, streamOf } from "../../../src/core/rng.ts";
import { memoryVolume, type Volume, type Zyx } from "../../../src/volumes/volume.ts";

/** Voxels of a volume. */
export const PHANTOM_SHAPE: Zyx = [28, 96, 96];

/** µm between voxels along z, y, x. */
export const PHANTOM_SPACING: Zyx = [8, 8, 8];

/** Kinds of genes, four each. */
export const KINDS = ["generic", "depth", "specific"] as const;

/** Names of the genes. */
export const PHANTOM_GENES: readonly string[] = KINDS.flatMap((kind) => [0, 1, 2, 3].map((i) => `${kind} ${i}`));

/** Places of the genes of a kind. */
export function genesOf(kind: (typeof KINDS)[number]): number[] {
  return PHANTOM_GENES.flatMap((name, g) => (name.startsWith(kind) ? [g] : []));
}

/** Smooths along an axis by a normal kernel, reflected at the ends. */
function smoothed(values: Float32Array, shape: Zyx, axis: 0 | 1 | 2, sigma: number): Float32Array {
  const reach = Math.ceil(4 * sigma);
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const total = weights.reduce((a, b) => a + b, 0);
  const n = shape[axis];
  const stride = axis === 0 ? shape[1] * shape[2] : axis === 1 ? shape[2] : 1;
  const out = new Float32Array(values.length);
  const line = new Float64Array(n + 2 * reach);
  const from = Int32Array.from(line, (_, i) => {
    const at = (((i - reach) % (2 * n)) + 2 * n) % (2 * n);
    return at < n ? at : 2 * n - 1 - at;
  });
  for (let first = 0; first < values.length; first++) {
    if (Math.floor(first / stride) % n !== 0) continue;
    for (let i = 0; i < line.length; i++) line[i] = values[first + from[i]! * stride]!;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let k = 0; k <= 2 * reach; k++) sum += weights[k]! * line[i + k]!;
      out[first + i * stride] = sum / total;
    }
  }
  return out;
}

function blurred(values: Float32Array, shape: Zyx, sigmas: Zyx): Float32Array {
  let out = values;
  for (const axis of [0, 1, 2] as const) if (sigmas[axis] > 0) out = smoothed(out, shape, axis, sigmas[axis]);
  return out;
}

/** Mean 0, variance 1. */
function standard(values: Float32Array): Float32Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance));
}

/** A volume with the expression of every voxel. */
export interface Phantom {
  readonly name: string;
  readonly volume: Volume;
  readonly sign: 1 | -1;
  /** Expression without noise of each gene, `[z, y, x]`. */
  readonly genes: readonly Float32Array[];
}

/** Difference of the means of 3 slices behind and 3 before, as far as there are any. */
function ahead(values: Float32Array, [depth, rows, columns]: Zyx): Float32Array {
  const size = rows * columns;
  const mean = (z: number, i: number, way: 1 | -1) => {
    let [sum, count] = [0, 0];
    for (let k = 1; k <= 3; k++) {
      const at = z + way * k;
      if (at < 0 || at >= depth) continue;
      sum += values[at * size + i]!;
      count++;
    }
    return count ? sum / count : values[z * size + i]!;
  };
  return values.map((_, at) => mean(Math.floor(at / size), at % size, 1) - mean(Math.floor(at / size), at % size, -1));
}

/** Makes a volume by its name. @param sign Of its specific genes. */
export function makePhantom(name: string, seed: number, sign: 1 | -1, shape: Zyx = PHANTOM_SHAPE): Phantom {
  const size = shape[0] * shape[1] * shape[2];
  const rng = new Rng(seed, streamOf(`phantom ${name}`));
  const field = (sigmas: Zyx) => blurred(rng.normals(size), shape, sigmas);
  const glands = field([2.5, 4, 4]);
  const edge = glands.slice().sort()[Math.floor(0.55 * size)]!;
  const F = glands.map((value) => (value > edge ? 1 : 0));
  const H = field([4, 8, 8]).map((value) => (value > 0 ? 1 : 0));
  const gain = 0.8 + 0.4 * rng.uniform();
  const noise = rng.normals(size, 0.05);
  const voxels = F.map((f, at) => {
    const x = at % shape[2];
    const y = Math.floor(at / shape[2]) % shape[1];
    return gain * (0.3 + 0.35 * f + 0.2 * f * H[at]! * ((x + y) % 2 ? -1 : 1) + noise[at]!);
  });
  const lateral = blurred(F, shape, [0, 3, 3]);
  const kinds = {
    generic: standard(blurred(F, shape, [1.5, 3, 3])),
    depth: standard(ahead(lateral, shape)),
    specific: standard(blurred(F.map((f, at) => f * (2 * H[at]! - 1) * sign), shape, [1.5, 3, 3])),
  };
  const volume = memoryVolume(voxels as Float32Array<ArrayBuffer>, { name, shape, spacing: PHANTOM_SPACING });
  return { name, volume, sign, genes: KINDS.flatMap((kind) => Array.from({ length: 4 }, () => kinds[kind])) };
}

/** A spot of a phantom. */
export interface PhantomSpot {
  /** Voxel. */
  readonly at: Zyx;
  /** Of each gene. */
  readonly values: Float32Array;
}

/** Spots of a section at depth `z`, 14 x 14. @param noise Deviation of what is added to expression. */
export function sectionOf({ genes, volume, name }: Phantom, z: number, noise: number, seed: number): PhantomSpot[] {
  const [, rows, columns] = volume.shape;
  const rng = new Rng(seed, streamOf(`spots of ${name} at ${z}`));
  const place = (i: number, extent: number) => Math.round((i + 0.5) * extent / 14 - 0.5);
  return Array.from({ length: 196 }, (_, i) => {
    const at: Zyx = [z, place(Math.floor(i / 14), rows), place(i % 14, columns)];
    const index = (at[0] * rows + at[1]) * columns + at[2];
    return { at, values: Float32Array.from(genes, (gene) => gene[index]! + (noise ? noise * rng.normal() : 0)) };
  });
}
