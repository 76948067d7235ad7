/**
 * Patches by tubelets: the same place in a few slices is one token, and all tokens of a patch attend to each other in the encoder.
 *
 * token = mean over the tubelet of E(slice) + sum of dE_i(slice i) + position in the slice + s code(mean depth), where E is the
 * encoder's embedding of patches and dE begins at zero: to begin with, a stack of equal slices has the tokens of one of them
 * (inflation by averages). Pooled in the same row, since a patch has hundreds of tokens.
 *
 * A single slice is its own tubelet. Slices beyond the volume are those within, reflected, at their own depths.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { Encoder } from "../../models/encoder.ts";
import { sidesOf } from "../../models/vit.ts";
import { constant } from "../../nn/init.ts";
import { tubeletEmbed } from "../../nn/tubelet_embed.ts";
import { add } from "../../ops/binary.ts";
import { affine, scale } from "../../ops/scale.ts";
import { slice } from "../../ops/slice.ts";
import { sliceRows, type View } from "./batch.ts";
import { writeDepthCode } from "./depth_code.ts";
import { type Patch, reflected } from "./sampler.ts";
import { createColours } from "./colours.ts";
import type { PatchEncoder } from "./slices.ts";

/** Slices that stand where those of a patch do, each tubelet's one behind the other: those beyond the volume reflected. */
export function standing({ inside }: Pick<Patch, "inside">, tubelet: number): number[] {
  if (inside.length === 1) return new Array<number>(tubelet).fill(0);
  const first = inside.indexOf(true);
  const count = inside.lastIndexOf(true) - first + 1;
  return inside.map((_, k) => first + reflected(k - first, count));
}

/** A patch as a row: pixels of its slices, and the code of each tubelet's depth. */
function rowOf(patch: Patch, slices: readonly Float32Array[], tubelet: number, dim: number): Float32Array<ArrayBuffer> {
  const order = standing(patch, tubelet);
  const size = slices[0]!.length;
  const row = new Float32Array(order.length * size + order.length / tubelet * dim);
  order.forEach((k, i) => row.set(slices[k]!, i * size));
  for (let n = 0; n < order.length / tubelet; n++) {
    const own = order.slice(n * tubelet, (n + 1) * tubelet);
    const depth = own.reduce((sum, k) => sum + patch.distance[k]!, 0) / tubelet;
    const at = order.length * size + n * dim;
    writeDepthCode(depth, row.subarray(at, at + dim));
  }
  return row;
}

/**
 * Encodes patches whole.
 *
 * @param pool Appends the poolers: tokens `[R, N, D]` to `[R, dim]`.
 * @throws {ConfigError} If slices are no multiple of a tubelet.
 */
export function tubeletEncoder(
  encoder: Encoder,
  channels: number,
  { tubelet, slices, dim, pool }: {
    readonly tubelet: number;
    readonly slices: number;
    readonly dim: number;
    readonly pool: (g: Plan, tokens: Tensor) => Tensor;
  },
): PatchEncoder {
  if (slices % tubelet !== 0) {
    throw new ConfigError(`Cannot make tubelets of ${tubelet} slices: patches have ${slices}, wanted a multiple`, {
      hint: `slices=${tubelet * Math.ceil(slices / tubelet)}`,
      context: { key: "tubelet", given: String(tubelet) },
    });
  }
  const { vit, parameters } = encoder;
  const [side] = sidesOf(encoder.imageSize);
  const { patch, width, normAfterPool } = vit.config;
  const colours = createColours(encoder, channels);
  const own = { trainable: true, init: constant(0) };
  const change = parameters.add("depth.tubelet", [tubelet, width, 3, patch, patch], own);
  const factor = parameters.add("depth.scale", [1], { trainable: true, init: constant(1) });
  const size = side * side * channels;
  const filled = (count: number) => (count === 1 ? tubelet : count);
  return {
    ...{ side, channels, dim, whole: true },
    trains: () => true,
    rowsOf: () => 1,
    size: (count) => filled(count) * size + filled(count) / tubelet * width,
    rows(patches, views?: readonly View[]) {
      const all = sliceRows(patches, { side }, channels, views);
      const each = all.length / patches.length;
      return patches.map((of, b) => rowOf(of, all.slice(b * each, (b + 1) * each), tubelet, width));
    },
    record(g, x, count, options = { training: false }) {
      const [R, Z] = [x.dim(0), filled(count)];
      const n = Z / tubelet;
      const pixels = slice(g, x, 1, 0, Z * size).reshape([R * Z * side * side, channels]);
      const images = colours(g, pixels).reshape([R, Z, side, side, 3]);
      const apart = images.reshape([R * n, tubelet, side * side * 3]);
      const sum = Array.from({ length: tubelet }, (_, i) => slice(g, apart, 1, i, 1)).reduce((a, b) => add(g, a, b));
      const mean = affine(g, sum, 1 / tubelet).reshape([R * n, side, side, 3]);
      const changes = g.module("depth", () => tubeletEmbed(g, images, change, undefined));
      const code = scale(g, slice(g, x, 1, Z * size, n * width).reshape([R * n, 1, width]), factor);
      const more = add(g, changes.reshape([R * n, -1, width]), code);
      return g.module("encoder", () => {
        const { x: tokens } = vit.forward(g, mean, options, { count: n, more });
        return pool(g, normAfterPool ? vit.normalise(g, tokens) : tokens);
      });
    },
  };
}
