/**
 * Patch embedding: a convolution whose stride is its kernel, straight from RGB bytes or from normalised images.
 *
 * y[b, t] = bias + sum over patch t of image b of ((x / 255 - mean) / std) * weight. Same as timm's `PatchEmbed` after
 * torchvision's `ToTensor` and `Normalize`. It is a matrix product whose first operand is gathered from the image as it
 * is loaded, so that neither a normalised image nor a matrix of patches ever exists.
 *
 * @module
 */

import { ConfigError, DtypeError } from "../core/errors.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { chooseMatmul } from "./matmul_choice.ts";
import { sumPartials } from "./partials.ts";

/** Options of {@linkcode patchEmbed}. */
export interface PatchEmbedOptions {
  /** Side of a patch, px. */
  readonly patch: number;
  /** Channel means of x/255; needed for bytes, not used for normalised images. */
  readonly mean?: readonly [number, number, number];
  /** Channel standard deviations of x/255; as `mean`. */
  readonly std?: readonly [number, number, number];
  /** Type of the result from bytes. Default f32; normalised images determine it themselves. */
  readonly dtype?: "f32" | "f16";
}

/** Rows one partial sum of the bias gradient covers. */
const BIAS_ROWS = 64;

/** The image operand of the kernels and the scalars that go with it. */
function operand(images: Tensor, { patch, mean, std }: PatchEmbedOptions) {
  const byte = images.dtype === "u8";
  const scales = [0, 1, 2].map((c) => (byte ? 1 / (255 * std![c]!) : 1));
  const shifts = [0, 1, 2].map((c) => (byte ? -mean![c]! / std![c]! : 0));
  const params = {
    side: patch,
    columns: images.dim(2) / patch,
    stride: images.dim(2) * 3,
    scale0: scales[0]!,
    scale1: scales[1]!,
    scale2: scales[2]!,
    shift0: shifts[0]!,
    shift1: shifts[1]!,
    shift2: shifts[2]!,
  };
  const flat = images.reshape([images.size]);
  return { tensors: byte ? { bytes: flat } : { pixels: flat }, params };
}

/** Whether the kernels read four elements at a time. */
function wide(weight: Tensor): boolean {
  return weight.dim(0) % 4 === 0 && weight.size / weight.dim(0) % 4 === 0;
}

function check(images: Tensor, weight: Tensor, bias: Tensor | undefined, options: PatchEmbedOptions): void {
  const { patch, mean, std } = options;
  if (!Number.isInteger(patch) || patch < 1) {
    throw new ConfigError(`Cannot run patchEmbed: patch is ${patch}, wanted a positive integer`);
  }
  expectShape("patchEmbed", "images", images.shape, [null, null, null, 3]);
  expectShape("patchEmbed", "weight", weight.shape, [null, 3, patch, patch]);
  if (bias) expectShape("patchEmbed", "bias", bias.shape, [weight.dim(0)]);
  const [, H = 0, W = 0] = images.shape;
  if (!H || !W || H % patch || W % patch) {
    throw new ConfigError(`Cannot run patchEmbed: images are ${H} x ${W} px, wanted multiples of the patch, ${patch}`, {
      hint: "Resize or crop the images first",
      context: { op: "patchEmbed", given: [H, W], wanted: patch },
    });
  }
  if (!["u8", "f32", "f16"].includes(images.dtype)) {
    throw new DtypeError(`Cannot run patchEmbed: images are ${images.dtype}, wanted u8, f32 or f16`);
  }
  if (images.dtype !== "u8") return;
  if (!mean?.every(Number.isFinite) || !std?.every((value) => value > 0 && Number.isFinite(value))) {
    throw new ConfigError(
      `Cannot run patchEmbed: mean is ${mean} and std ${std}, wanted three numbers each, std above zero`,
    );
  }
}

/**
 * Embeds the patches of images, row by row.
 *
 * @param images RGB bytes `[B, H, W, 3]`, or f32 or f16 of the same shape, already normalised.
 * @param weight `[D, 3, P, P]`, the layout of `nn.Conv2d`; frozen it may be f16 or bf16.
 * @param bias `[D]`, f32.
 * @returns `[B, (H/P) * (W/P), D]`.
 * @throws {ShapeError} If weight or bias does not fit the patch.
 * @throws {ConfigError} If H or W is no multiple of P, or bytes come without mean and std.
 * @throws {DtypeError} If the images have another type.
 * @throws {LimitError} If there are more than 1,048,576 patches.
 */
export function patchEmbed(
  g: Plan,
  images: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  options: PatchEmbedOptions,
): Tensor {
  check(images, weight, bias, options);
  const { patch, dtype = "f32" } = options;
  const { flat, invocations, largestTile } = g.gpu.caps;
  const [B = 0, H = 0, W = 0] = images.shape;
  const D = weight.dim(0);
  const K = weight.size / D;
  const tokens = (H / patch) * (W / patch);
  const M = B * tokens;
  const { tensors, params } = operand(images, options);
  const out = g.tensor([1, M, D], images.dtype === "u8" ? dtype : images.dtype, "patch_embed.y");
  const b = weight.reshape([1, D, K]);
  const { tune } = chooseMatmul({ B: 1, M, N: D, K }, {
    flat,
    invocations,
    largestTile,
    wide: wide(weight),
    pair: false,
  });
  g.run(flat ? k.patch_embed_flat : k.patch_embed, { ...tensors, b, bias, y: out }, { ...params, alpha: 1, tune });
  const y = out.reshape([B, tokens, D]);
  g.record("patchEmbed", [images, weight, bias], [y], ([dy], [needImages, needWeight, needBias]) => {
    const a = dy!.reshape([1, M, D]);
    return [
      needImages ? imageGradient(g, images, weight, a, params) : undefined,
      needWeight ? weightGradient(g, images, weight, a, options) : undefined,
      needBias ? biasGradient(g, a) : undefined,
    ];
  });
  return y;
}

function imageGradient(
  g: Plan,
  images: Tensor,
  weight: Tensor,
  a: Tensor,
  { side, columns, stride }: { side: number; columns: number; stride: number },
): Tensor {
  const { flat, invocations, largestTile } = g.gpu.caps;
  const D = weight.dim(0);
  const N = weight.size / D;
  const dpixels = g.tensor(images.shape, images.dtype, "patch_embed.dimages");
  const { tune } = chooseMatmul({ B: 1, M: a.dim(1), N, K: D }, {
    flat,
    invocations,
    largestTile,
    wide: wide(weight),
    pair: false,
  });
  const kernel = flat ? k.patch_embed_bwd_image_flat : k.patch_embed_bwd_image;
  const tensors = { a, b: weight.reshape([1, D, N]), dpixels: dpixels.reshape([dpixels.size]) };
  g.run(kernel, tensors, { side, columns, stride, tune });
  return dpixels;
}

function weightGradient(g: Plan, images: Tensor, weight: Tensor, a: Tensor, options: PatchEmbedOptions): Tensor {
  const { flat, invocations, largestTile } = g.gpu.caps;
  const { tensors, params } = operand(images, options);
  const [, rows = 0, D = 0] = a.shape;
  const N = weight.size / D;
  const { tune, slices } = chooseMatmul({ B: 1, M: D, N, K: rows }, {
    flat,
    invocations,
    largestTile,
    wide: wide(weight),
    pair: false,
  });
  const part = g.tensor([slices, D, N], "f32", "patch_embed.dweight");
  const kernel = flat ? k.patch_embed_bwd_weight_flat : k.patch_embed_bwd_weight;
  g.run(kernel, { ...tensors, a, part }, { ...params, alpha: 1, tune });
  return sumPartials(g, part).reshape(weight.shape);
}

function biasGradient(g: Plan, a: Tensor): Tensor {
  const dy = a.reshape([a.dim(1), a.dim(2)]);
  const part = g.tensor([Math.max(1, Math.ceil(dy.dim(0) / BIAS_ROWS)), dy.dim(1)], "f32", "patch_embed.dbias");
  g.run(k.matmul_bwd_columns, { dy, part }, { zero0: 0, zero1: 0 });
  return sumPartials(g, part);
}

/** Cost of the forward pass for byte images `[B, H, W, 3]` and a weight `[D, 3, P, P]`. */
export function patchEmbedCost(images: Shape, weight: Shape): Cost {
  const [D = 0, , P = 1] = weight;
  const rows = sizeOf(images) / (3 * P * P);
  return { flops: 2 * rows * sizeOf(weight), bytes: sizeOf(images) + 4 * sizeOf(weight) + 4 * rows * D };
}
