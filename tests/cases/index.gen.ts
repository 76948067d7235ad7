// Written by scripts/gen_kernels.ts from the file names of this folder; do not edit.
// deno-fmt-ignore-file
import { cases as abs } from "./abs.ts";
import { cases as adamw } from "./adamw.ts";
import { cases as attention } from "./attention.ts";
import { cases as batchnorm } from "./batchnorm.ts";
import { cases as binary } from "./binary.ts";
import { cases as clamp } from "./clamp.ts";
import { cases as concat } from "./concat.ts";
import { cases as cross_entropy } from "./cross_entropy.ts";
import { cases as dropout } from "./dropout.ts";
import { cases as exp } from "./exp.ts";
import { cases as gather } from "./gather.ts";
import { cases as gelu } from "./gelu.ts";
import { cases as gradient_reversal } from "./gradient_reversal.ts";
import { cases as info_nce } from "./info_nce.ts";
import { cases as l2_normalize } from "./l2_normalize.ts";
import { cases as layernorm } from "./layernorm.ts";
import { cases as leaky_relu } from "./leaky_relu.ts";
import { cases as linear } from "./linear.ts";
import { cases as log } from "./log.ts";
import { cases as matmul } from "./matmul.ts";
import { cases as negative_binomial } from "./negative_binomial.ts";
import { cases as normalize_image } from "./normalize_image.ts";
import { cases as patch_embed } from "./patch_embed.ts";
import { cases as permute } from "./permute.ts";
import { cases as random } from "./random.ts";
import { cases as reduce } from "./reduce.ts";
import { cases as relu } from "./relu.ts";
import { cases as resample_positions } from "./resample_positions.ts";
import { cases as resize } from "./resize.ts";
import { cases as scale } from "./scale.ts";
import { cases as scatter } from "./scatter.ts";
import { cases as sigmoid } from "./sigmoid.ts";
import { cases as silu } from "./silu.ts";
import { cases as slice } from "./slice.ts";
import { cases as softmax } from "./softmax.ts";
import { cases as softplus } from "./softplus.ts";
import { cases as sqrt } from "./sqrt.ts";
import { cases as square } from "./square.ts";
import { cases as tanh } from "./tanh.ts";
import { cases as token } from "./token.ts";
import { cases as topk } from "./topk.ts";

/** Every file of this folder, by name. */
export const index = { abs, adamw, attention, batchnorm, binary, clamp, concat, cross_entropy, dropout, exp, gather, gelu, gradient_reversal, info_nce, l2_normalize, layernorm, leaky_relu, linear, log, matmul, negative_binomial, normalize_image, patch_embed, permute, random, reduce, relu, resample_positions, resize, scale, scatter, sigmoid, silu, slice, softmax, softplus, sqrt, square, tanh, token, topk } as const;
