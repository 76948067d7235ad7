/**
 * A batch of patches for the device: pixels of slices, codes of their depths, expression, and which patches overlap.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import { NO_NEGATIVE } from "../../losses/masked_clip.ts";
import { inverseCount } from "../../losses/masked_mse.ts";
import { NO_KEY } from "../../nn/masked_attention.ts";
import type { VortexConfig } from "./config.ts";
import { writeDepthCode } from "./depth_code.ts";
import type { Patch, PatchDepths, PatchShape } from "./sampler.ts";
import type { VortexData } from "./data.ts";

/** Values of the fields that say where slices lie. */
export interface DepthValues {
  readonly code: Float32Array<ArrayBuffer>;
  readonly blind: Float32Array<ArrayBuffer>;
  readonly weight: Float32Array<ArrayBuffer>;
}

/** Where the slices of patches lie, as fields of a plan for `room` patches; rows behind the last repeat the first. */
export function depthValues(
  patches: readonly PatchDepths[],
  { dim, aggregate, room = patches.length }: {
    readonly dim: number;
    readonly aggregate: VortexConfig["model"]["aggregate"];
    readonly room?: number;
  },
): DepthValues {
  const Z = patches[0]!.distance.length;
  const code = new Float32Array(room * Z * dim);
  const [blind, weight] = [new Float32Array(room * Z), new Float32Array(room * Z)];
  for (let b = 0; b < room; b++) {
    const { distance, inside } = patches[b < patches.length ? b : 0]!;
    const seen = inside.filter(Boolean).length;
    const own = nearestOf(distance, inside);
    for (let k = 0; k < Z; k++) {
      const at = b * Z + k;
      writeDepthCode(distance[k]!, code.subarray(at * dim, (at + 1) * dim));
      blind[at] = inside[k] ? 0 : NO_KEY;
      weight[at] = aggregate === "mean" ? (inside[k] ? 1 / seen : 0) : k === own ? 1 : 0;
    }
  }
  return { code, blind, weight };
}

/** The slice of the spot's plane, or the nearest to it. */
export function nearestOf(distance: readonly number[], inside: readonly boolean[]): number {
  let best = inside.indexOf(true);
  distance.forEach((d, k) => {
    if (inside[k] && Math.abs(d) < Math.abs(distance[best]!)) best = k;
  });
  return best;
}

/** How a patch is seen in a step: turned within the slice, brighter or darker. */
export interface View {
  /** One of the 8 flips and quarter turns. */
  readonly turn: number;
  readonly gain: number;
  readonly offset: number;
}

/** The view of a pair in an epoch. */
export function drawView(
  { flips, jitter }: VortexConfig["patch"],
  { seed, epoch, pair }: { readonly seed: number; readonly epoch: number; readonly pair: number },
): View {
  const rng = new Rng(seed, streamOf(`view ${epoch} of ${pair}`));
  const turn = flips ? rng.below(8) : 0;
  const [gain, offset] = [0.9 + 0.2 * rng.uniform(), 0.1 * rng.uniform() - 0.05];
  return jitter ? { turn, gain, offset } : { turn, gain: 1, offset: 0 };
}

/** A slice `[side, side, channels]` as a view has it. Order of slices is never changed. */
export function viewed(
  slice: Float32Array,
  { side, channels }: { readonly side: number; readonly channels: number },
  { turn, gain, offset }: View,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(slice.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      // Transposed, then mirrored along either axis: all 8 symmetries of the square.
      const [p, q] = turn & 4 ? [x, y] : [y, x];
      const row = turn & 1 ? side - 1 - p : p;
      const column = turn & 2 ? side - 1 - q : q;
      for (let c = 0; c < channels; c++) {
        const value = slice[(row * side + column) * channels + c]! * gain + offset;
        out[(y * side + x) * channels + c] = Math.min(1, Math.max(0, value));
      }
    }
  }
  return out;
}

/** Slices of patches as rows of a step, patch by patch. */
export function sliceRows(
  patches: readonly Patch[],
  { side }: Pick<PatchShape, "side">,
  channels: number,
  views?: readonly View[],
): Float32Array<ArrayBuffer>[] {
  const size = side * side * channels;
  return patches.flatMap(({ pixels }, b) =>
    Array.from({ length: pixels.length / size }, (_, k) => {
      const slice = pixels.subarray(k * size, (k + 1) * size);
      return views ? viewed(slice, { side, channels }, views[b]!) : slice;
    })
  );
}

/** Fields of the expression of pairs. @param columns Number of the head of each volume, -1 without one. */
export function geneValues(
  { x, measured, genes, pairs }: Pick<VortexData, "x" | "measured" | "genes" | "pairs">,
  chosen: ArrayLike<number>,
  { near, heads }: { readonly near: number; readonly heads: readonly number[] },
) {
  const [B, G] = [chosen.length, genes.length];
  const V = Math.max(1, heads.filter((head) => head >= 0).length);
  const values = {
    x: new Float32Array(B * G),
    measured: new Float32Array(B * G),
    volume: new Float32Array(B * V),
    overlap: new Float32Array(B * B),
  };
  for (let b = 0; b < B; b++) {
    const pair = chosen[b]!;
    values.x.set(x.subarray(pair * G, (pair + 1) * G), b * G);
    values.measured.set(measured.subarray(pair * G, (pair + 1) * G), b * G);
    const head = heads[pairs[pair]!.volume]!;
    if (head >= 0) values.volume[b * V + head] = 1;
    for (let c = 0; c < B; c++) {
      const [one, other] = [pairs[pair]!, pairs[chosen[c]!]!];
      if (b === c || one.volume !== other.volume) continue;
      const apart = Math.hypot(...one.place.map((value, axis) => value - other.place[axis]!));
      if (apart < near) values.overlap[b * B + c] = NO_NEGATIVE;
    }
  }
  return { ...values, inverse: inverseCount(values.measured) };
}
