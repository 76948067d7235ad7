// Written by scripts/gen_kernels.ts from the cards of kernels/*.wgsl; do not edit.
// deno-fmt-ignore-file
import type { Kernel } from "./kernel.ts";
import accumulate_wgsl from "../../kernels/accumulate.wgsl" with { type: "text" };
import activation_bwd_wgsl from "../../kernels/activation_bwd.wgsl" with { type: "text" };
import activation_fwd_wgsl from "../../kernels/activation_fwd.wgsl" with { type: "text" };
import adamw_wgsl from "../../kernels/adamw.wgsl" with { type: "text" };
import adamw_prepare_wgsl from "../../kernels/adamw_prepare.wgsl" with { type: "text" };
import affine_wgsl from "../../kernels/affine.wgsl" with { type: "text" };
import attention_bwd_key_wgsl from "../../kernels/attention_bwd_key.wgsl" with { type: "text" };
import attention_bwd_key_flat_wgsl from "../../kernels/attention_bwd_key_flat.wgsl" with { type: "text" };
import attention_bwd_key_matrix_wgsl from "../../kernels/attention_bwd_key_matrix.wgsl" with { type: "text" };
import attention_bwd_query_wgsl from "../../kernels/attention_bwd_query.wgsl" with { type: "text" };
import attention_bwd_query_flat_wgsl from "../../kernels/attention_bwd_query_flat.wgsl" with { type: "text" };
import attention_bwd_query_matrix_wgsl from "../../kernels/attention_bwd_query_matrix.wgsl" with { type: "text" };
import attention_delta_wgsl from "../../kernels/attention_delta.wgsl" with { type: "text" };
import attention_fwd_wgsl from "../../kernels/attention_fwd.wgsl" with { type: "text" };
import attention_fwd_flat_wgsl from "../../kernels/attention_fwd_flat.wgsl" with { type: "text" };
import attention_fwd_matrix_wgsl from "../../kernels/attention_fwd_matrix.wgsl" with { type: "text" };
import attention_fwd_tall_wgsl from "../../kernels/attention_fwd_tall.wgsl" with { type: "text" };
import attention_repitch_wgsl from "../../kernels/attention_repitch.wgsl" with { type: "text" };
import augment_apply_wgsl from "../../kernels/augment_apply.wgsl" with { type: "text" };
import augment_columns_wgsl from "../../kernels/augment_columns.wgsl" with { type: "text" };
import augment_grey_wgsl from "../../kernels/augment_grey.wgsl" with { type: "text" };
import batchnorm_bwd_wgsl from "../../kernels/batchnorm_bwd.wgsl" with { type: "text" };
import batchnorm_eval_wgsl from "../../kernels/batchnorm_eval.wgsl" with { type: "text" };
import batchnorm_train_wgsl from "../../kernels/batchnorm_train.wgsl" with { type: "text" };
import binary_broadcast_wgsl from "../../kernels/binary_broadcast.wgsl" with { type: "text" };
import binary_broadcast_bwd_wgsl from "../../kernels/binary_broadcast_bwd.wgsl" with { type: "text" };
import binary_bwd_wgsl from "../../kernels/binary_bwd.wgsl" with { type: "text" };
import binary_fwd_wgsl from "../../kernels/binary_fwd.wgsl" with { type: "text" };
import binary_middle_wgsl from "../../kernels/binary_middle.wgsl" with { type: "text" };
import copy_block_wgsl from "../../kernels/copy_block.wgsl" with { type: "text" };
import cross_entropy_bwd_wgsl from "../../kernels/cross_entropy_bwd.wgsl" with { type: "text" };
import cross_entropy_mean_wgsl from "../../kernels/cross_entropy_mean.wgsl" with { type: "text" };
import cross_entropy_rows_wgsl from "../../kernels/cross_entropy_rows.wgsl" with { type: "text" };
import cross_entropy_rows_flat_wgsl from "../../kernels/cross_entropy_rows_flat.wgsl" with { type: "text" };
import dropout_wgsl from "../../kernels/dropout.wgsl" with { type: "text" };
import ema_wgsl from "../../kernels/ema.wgsl" with { type: "text" };
import fill_wgsl from "../../kernels/fill.wgsl" with { type: "text" };
import gather_wgsl from "../../kernels/gather.wgsl" with { type: "text" };
import gather_columns_wgsl from "../../kernels/gather_columns.wgsl" with { type: "text" };
import info_nce_columns_wgsl from "../../kernels/info_nce_columns.wgsl" with { type: "text" };
import info_nce_grad_wgsl from "../../kernels/info_nce_grad.wgsl" with { type: "text" };
import info_nce_grad_flat_wgsl from "../../kernels/info_nce_grad_flat.wgsl" with { type: "text" };
import info_nce_loss_wgsl from "../../kernels/info_nce_loss.wgsl" with { type: "text" };
import info_nce_rows_wgsl from "../../kernels/info_nce_rows.wgsl" with { type: "text" };
import info_nce_rows_flat_wgsl from "../../kernels/info_nce_rows_flat.wgsl" with { type: "text" };
import instance_targets_wgsl from "../../kernels/instance_targets.wgsl" with { type: "text" };
import l2_normalize_bwd_wgsl from "../../kernels/l2_normalize_bwd.wgsl" with { type: "text" };
import l2_normalize_bwd_flat_wgsl from "../../kernels/l2_normalize_bwd_flat.wgsl" with { type: "text" };
import l2_normalize_fwd_wgsl from "../../kernels/l2_normalize_fwd.wgsl" with { type: "text" };
import l2_normalize_fwd_flat_wgsl from "../../kernels/l2_normalize_fwd_flat.wgsl" with { type: "text" };
import layernorm_bwd_affine_wgsl from "../../kernels/layernorm_bwd_affine.wgsl" with { type: "text" };
import layernorm_bwd_input_wgsl from "../../kernels/layernorm_bwd_input.wgsl" with { type: "text" };
import layernorm_bwd_input_flat_wgsl from "../../kernels/layernorm_bwd_input_flat.wgsl" with { type: "text" };
import layernorm_fwd_wgsl from "../../kernels/layernorm_fwd.wgsl" with { type: "text" };
import layernorm_fwd_flat_wgsl from "../../kernels/layernorm_fwd_flat.wgsl" with { type: "text" };
import matmul_bwd_act_wgsl from "../../kernels/matmul_bwd_act.wgsl" with { type: "text" };
import matmul_bwd_columns_wgsl from "../../kernels/matmul_bwd_columns.wgsl" with { type: "text" };
import matmul_nn_wgsl from "../../kernels/matmul_nn.wgsl" with { type: "text" };
import matmul_nn_flat_wgsl from "../../kernels/matmul_nn_flat.wgsl" with { type: "text" };
import matmul_nn_matrix_wgsl from "../../kernels/matmul_nn_matrix.wgsl" with { type: "text" };
import matmul_nt_wgsl from "../../kernels/matmul_nt.wgsl" with { type: "text" };
import matmul_nt_flat_wgsl from "../../kernels/matmul_nt_flat.wgsl" with { type: "text" };
import matmul_nt_matrix_wgsl from "../../kernels/matmul_nt_matrix.wgsl" with { type: "text" };
import matmul_reduce_wgsl from "../../kernels/matmul_reduce.wgsl" with { type: "text" };
import matmul_tn_wgsl from "../../kernels/matmul_tn.wgsl" with { type: "text" };
import matmul_tn_flat_wgsl from "../../kernels/matmul_tn_flat.wgsl" with { type: "text" };
import matmul_tn_matrix_wgsl from "../../kernels/matmul_tn_matrix.wgsl" with { type: "text" };
import mmd_bwd_wgsl from "../../kernels/mmd_bwd.wgsl" with { type: "text" };
import mmd_kernel_wgsl from "../../kernels/mmd_kernel.wgsl" with { type: "text" };
import negative_binomial_bwd_wgsl from "../../kernels/negative_binomial_bwd.wgsl" with { type: "text" };
import negative_binomial_fwd_wgsl from "../../kernels/negative_binomial_fwd.wgsl" with { type: "text" };
import negative_binomial_fwd_flat_wgsl from "../../kernels/negative_binomial_fwd_flat.wgsl" with { type: "text" };
import normalize_image_wgsl from "../../kernels/normalize_image.wgsl" with { type: "text" };
import overflow_wgsl from "../../kernels/overflow.wgsl" with { type: "text" };
import pad_block_wgsl from "../../kernels/pad_block.wgsl" with { type: "text" };
import patch_embed_wgsl from "../../kernels/patch_embed.wgsl" with { type: "text" };
import patch_embed_bwd_image_wgsl from "../../kernels/patch_embed_bwd_image.wgsl" with { type: "text" };
import patch_embed_bwd_image_flat_wgsl from "../../kernels/patch_embed_bwd_image_flat.wgsl" with { type: "text" };
import patch_embed_bwd_weight_wgsl from "../../kernels/patch_embed_bwd_weight.wgsl" with { type: "text" };
import patch_embed_bwd_weight_flat_wgsl from "../../kernels/patch_embed_bwd_weight_flat.wgsl" with { type: "text" };
import patch_embed_flat_wgsl from "../../kernels/patch_embed_flat.wgsl" with { type: "text" };
import permute_wgsl from "../../kernels/permute.wgsl" with { type: "text" };
import permute_tiled_wgsl from "../../kernels/permute_tiled.wgsl" with { type: "text" };
import planar_flow_bwd_wgsl from "../../kernels/planar_flow_bwd.wgsl" with { type: "text" };
import planar_flow_bwd_flat_wgsl from "../../kernels/planar_flow_bwd_flat.wgsl" with { type: "text" };
import planar_flow_columns_wgsl from "../../kernels/planar_flow_columns.wgsl" with { type: "text" };
import planar_flow_fwd_wgsl from "../../kernels/planar_flow_fwd.wgsl" with { type: "text" };
import planar_flow_fwd_flat_wgsl from "../../kernels/planar_flow_fwd_flat.wgsl" with { type: "text" };
import proximity_wgsl from "../../kernels/proximity.wgsl" with { type: "text" };
import random_wgsl from "../../kernels/random.wgsl" with { type: "text" };
import rank_count_wgsl from "../../kernels/rank_count.wgsl" with { type: "text" };
import rank_count_flat_wgsl from "../../kernels/rank_count_flat.wgsl" with { type: "text" };
import rank_keys_wgsl from "../../kernels/rank_keys.wgsl" with { type: "text" };
import rank_sum_wgsl from "../../kernels/rank_sum.wgsl" with { type: "text" };
import reduce_bwd_wgsl from "../../kernels/reduce_bwd.wgsl" with { type: "text" };
import reduce_middle_wgsl from "../../kernels/reduce_middle.wgsl" with { type: "text" };
import reduce_rows_wgsl from "../../kernels/reduce_rows.wgsl" with { type: "text" };
import reduce_rows_flat_wgsl from "../../kernels/reduce_rows_flat.wgsl" with { type: "text" };
import resample_positions_wgsl from "../../kernels/resample_positions.wgsl" with { type: "text" };
import resize_axis_wgsl from "../../kernels/resize_axis.wgsl" with { type: "text" };
import resize_axis_bytes_wgsl from "../../kernels/resize_axis_bytes.wgsl" with { type: "text" };
import ring_write_wgsl from "../../kernels/ring_write.wgsl" with { type: "text" };
import segment_pool_bwd_rows_wgsl from "../../kernels/segment_pool_bwd_rows.wgsl" with { type: "text" };
import segment_pool_bwd_weights_wgsl from "../../kernels/segment_pool_bwd_weights.wgsl" with { type: "text" };
import segment_pool_partial_wgsl from "../../kernels/segment_pool_partial.wgsl" with { type: "text" };
import segment_softmax_apply_wgsl from "../../kernels/segment_softmax_apply.wgsl" with { type: "text" };
import segment_softmax_bwd_wgsl from "../../kernels/segment_softmax_bwd.wgsl" with { type: "text" };
import segment_softmax_dot_wgsl from "../../kernels/segment_softmax_dot.wgsl" with { type: "text" };
import segment_softmax_partial_wgsl from "../../kernels/segment_softmax_partial.wgsl" with { type: "text" };
import segment_softmax_stats_wgsl from "../../kernels/segment_softmax_stats.wgsl" with { type: "text" };
import segments_bounds_wgsl from "../../kernels/segments_bounds.wgsl" with { type: "text" };
import segments_carry_wgsl from "../../kernels/segments_carry.wgsl" with { type: "text" };
import segments_columns_wgsl from "../../kernels/segments_columns.wgsl" with { type: "text" };
import segments_count_wgsl from "../../kernels/segments_count.wgsl" with { type: "text" };
import segments_place_wgsl from "../../kernels/segments_place.wgsl" with { type: "text" };
import segments_scan_wgsl from "../../kernels/segments_scan.wgsl" with { type: "text" };
import segments_sum_wgsl from "../../kernels/segments_sum.wgsl" with { type: "text" };
import softmax_bwd_wgsl from "../../kernels/softmax_bwd.wgsl" with { type: "text" };
import softmax_bwd_flat_wgsl from "../../kernels/softmax_bwd_flat.wgsl" with { type: "text" };
import softmax_fwd_wgsl from "../../kernels/softmax_fwd.wgsl" with { type: "text" };
import softmax_fwd_flat_wgsl from "../../kernels/softmax_fwd_flat.wgsl" with { type: "text" };
import sum_block_wgsl from "../../kernels/sum_block.wgsl" with { type: "text" };
import sum_pair_wgsl from "../../kernels/sum_pair.wgsl" with { type: "text" };
import sum_partials_wgsl from "../../kernels/sum_partials.wgsl" with { type: "text" };
import sum_squares_wgsl from "../../kernels/sum_squares.wgsl" with { type: "text" };
import sum_squares_flat_wgsl from "../../kernels/sum_squares_flat.wgsl" with { type: "text" };
import sum_vector_wgsl from "../../kernels/sum_vector.wgsl" with { type: "text" };
import topk_merge_wgsl from "../../kernels/topk_merge.wgsl" with { type: "text" };
import topk_segments_wgsl from "../../kernels/topk_segments.wgsl" with { type: "text" };
import lib_activation from "../../kernels/lib/activation.wgsl" with { type: "text" };
import lib_attention_products from "../../kernels/lib/attention_products.wgsl" with { type: "text" };
import lib_attention_sums from "../../kernels/lib/attention_sums.wgsl" with { type: "text" };
import lib_attention_units from "../../kernels/lib/attention_units.wgsl" with { type: "text" };
import lib_augment_colour from "../../kernels/lib/augment_colour.wgsl" with { type: "text" };
import lib_augment_mirror from "../../kernels/lib/augment_mirror.wgsl" with { type: "text" };
import lib_augment_place from "../../kernels/lib/augment_place.wgsl" with { type: "text" };
import lib_binary from "../../kernels/lib/binary.wgsl" with { type: "text" };
import lib_cross_entropy from "../../kernels/lib/cross_entropy.wgsl" with { type: "text" };
import lib_fold from "../../kernels/lib/fold.wgsl" with { type: "text" };
import lib_gradient_range from "../../kernels/lib/gradient_range.wgsl" with { type: "text" };
import lib_l2_norm from "../../kernels/lib/l2_norm.wgsl" with { type: "text" };
import lib_logarithm from "../../kernels/lib/logarithm.wgsl" with { type: "text" };
import lib_logits from "../../kernels/lib/logits.wgsl" with { type: "text" };
import lib_marks from "../../kernels/lib/marks.wgsl" with { type: "text" };
import lib_matmul_a_cols from "../../kernels/lib/matmul_a_cols.wgsl" with { type: "text" };
import lib_matmul_a_rows from "../../kernels/lib/matmul_a_rows.wgsl" with { type: "text" };
import lib_matmul_b_cols from "../../kernels/lib/matmul_b_cols.wgsl" with { type: "text" };
import lib_matmul_b_rows from "../../kernels/lib/matmul_b_rows.wgsl" with { type: "text" };
import lib_matmul_epilogue from "../../kernels/lib/matmul_epilogue.wgsl" with { type: "text" };
import lib_matmul_flat from "../../kernels/lib/matmul_flat.wgsl" with { type: "text" };
import lib_matmul_matrix from "../../kernels/lib/matmul_matrix.wgsl" with { type: "text" };
import lib_matmul_store from "../../kernels/lib/matmul_store.wgsl" with { type: "text" };
import lib_matmul_tile from "../../kernels/lib/matmul_tile.wgsl" with { type: "text" };
import lib_matmul_tiled from "../../kernels/lib/matmul_tiled.wgsl" with { type: "text" };
import lib_matrix_units from "../../kernels/lib/matrix_units.wgsl" with { type: "text" };
import lib_middle from "../../kernels/lib/middle.wgsl" with { type: "text" };
import lib_negative_binomial from "../../kernels/lib/negative_binomial.wgsl" with { type: "text" };
import lib_patch from "../../kernels/lib/patch.wgsl" with { type: "text" };
import lib_patch_a_rows from "../../kernels/lib/patch_a_rows.wgsl" with { type: "text" };
import lib_patch_b_cols from "../../kernels/lib/patch_b_cols.wgsl" with { type: "text" };
import lib_patch_load from "../../kernels/lib/patch_load.wgsl" with { type: "text" };
import lib_patch_put from "../../kernels/lib/patch_put.wgsl" with { type: "text" };
import lib_planar_flow from "../../kernels/lib/planar_flow.wgsl" with { type: "text" };
import lib_quotient from "../../kernels/lib/quotient.wgsl" with { type: "text" };
import lib_rank_compare from "../../kernels/lib/rank_compare.wgsl" with { type: "text" };
import lib_rank_rows from "../../kernels/lib/rank_rows.wgsl" with { type: "text" };
import lib_reduce from "../../kernels/lib/reduce.wgsl" with { type: "text" };
import lib_reduce_pair from "../../kernels/lib/reduce_pair.wgsl" with { type: "text" };
import lib_root from "../../kernels/lib/root.wgsl" with { type: "text" };
import lib_row_exchange from "../../kernels/lib/row_exchange.wgsl" with { type: "text" };
import lib_rows from "../../kernels/lib/rows.wgsl" with { type: "text" };
import lib_scores from "../../kernels/lib/scores.wgsl" with { type: "text" };
import lib_segment from "../../kernels/lib/segment.wgsl" with { type: "text" };
import lib_softmax from "../../kernels/lib/softmax.wgsl" with { type: "text" };
import lib_strides from "../../kernels/lib/strides.wgsl" with { type: "text" };
import lib_threefry from "../../kernels/lib/threefry.wgsl" with { type: "text" };
import lib_turn from "../../kernels/lib/turn.wgsl" with { type: "text" };
import lib_unit from "../../kernels/lib/unit.wgsl" with { type: "text" };

/** add a gradient to the one a parameter already has. */
export const accumulate: Kernel<{ y: "inout"; x: "in" }, Record<never, never>, Record<never, never>> = {
  name: "accumulate",
  source: accumulate_wgsl,
  libs: [],
  tensors: [{"name":"y","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1}],
  dims: ["n"],
  params: [],
  options: {},
  tune: {"WG":[256,64]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => d.n!,
  touch: {},
};

/** gradient of an elementwise function from its input or its output, four elements an invocation. */
export const activation_bwd: Kernel<{ s: "in"; dy: "in"; dx: "out" }, { a: number; b: number }, { f: "gelu" | "silu" | "relu" | "leaky_relu" | "tanh" | "sigmoid" | "softplus" | "exp" | "log" | "sqrt" | "square" | "abs" | "clamp" }> = {
  name: "activation_bwd",
  source: activation_bwd_wgsl,
  libs: [lib_activation, lib_quotient],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["n"],
  params: [{"name":"a","type":"f32"},{"name":"b","type":"f32"}],
  options: {"f":["gelu","silu","relu","leaky_relu","tanh","sigmoid","softplus","exp","log","sqrt","square","abs","clamp"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => 20*d.n!,
  touch: {},
};

/** elementwise function of one tensor, four elements an invocation. */
export const activation_fwd: Kernel<{ x: "in"; y: "out" }, { a: number; b: number }, { f: "gelu" | "silu" | "relu" | "leaky_relu" | "tanh" | "sigmoid" | "softplus" | "exp" | "log" | "sqrt" | "square" | "abs" | "clamp" }> = {
  name: "activation_fwd",
  source: activation_fwd_wgsl,
  libs: [lib_activation, lib_marks, lib_logarithm, lib_root],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["n"],
  params: [{"name":"a","type":"f32"},{"name":"b","type":"f32"}],
  options: {"f":["gelu","silu","relu","leaky_relu","tanh","sigmoid","softplus","exp","log","sqrt","square","abs","clamp"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => 20*d.n!,
  touch: {},
};

/** one AdamW step over all parameters of a buffer, in place; gradients are cleared for the next step. */
export const adamw: Kernel<{ w: "inout"; m: "inout"; v: "inout"; grad: "inout"; group: "in"; hyper: "in"; state: "in"; rate: "in" }, { beta1: number; beta2: number; rest1: number; rest2: number; eps: number }, Record<never, never>> = {
  name: "adamw",
  source: adamw_wgsl,
  libs: [lib_root],
  tensors: [{"name":"w","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"m","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"v","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"grad","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"group","access":"in","optional":false,"dims":[{"coef":1,"name":"G"}],"elem":"u32","pack":1},{"name":"hyper","access":"in","optional":false,"dims":[{"coef":1,"name":"H"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"state","access":"in","optional":false,"dims":[{"coef":8,"name":""}],"elem":"f32","pack":1},{"name":"rate","access":"in","optional":false,"dims":[{"coef":1,"name":"H"}],"elem":"f32","pack":1}],
  dims: ["n","G","H"],
  params: [{"name":"beta1","type":"f32"},{"name":"beta2","type":"f32"},{"name":"rest1","type":"f32"},{"name":"rest2","type":"f32"},{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => 14*d.n!,
  touch: {},
};

/** gradient norm, clip factor, whether the step counts, and bias corrections, all left on the device. */
export const adamw_prepare: Kernel<{ part: "in"; state: "inout"; scale?: "inout" }, { clip: number; log_beta1: number; log_beta2: number; interval: number; least: number; most: number }, Record<never, never>> = {
  name: "adamw_prepare",
  source: adamw_prepare_wgsl,
  libs: [lib_reduce, lib_gradient_range, lib_root],
  tensors: [{"name":"part","access":"in","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1},{"name":"state","access":"inout","optional":false,"dims":[{"coef":8,"name":""}],"elem":"f32","pack":1},{"name":"scale","access":"inout","optional":true,"dims":[{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["S"],
  params: [{"name":"clip","type":"f32"},{"name":"log_beta1","type":"f32"},{"name":"log_beta2","type":"f32"},{"name":"interval","type":"f32"},{"name":"least","type":"f32"},{"name":"most","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: false,
  grid: (_d) => [1],
  flops: (d) => d.S!,
  touch: {},
};

/** scale by a number and by a device scalar, then shift; four elements an invocation. */
export const affine: Kernel<{ x: "in"; s?: "in"; y: "out" }, { a: number; b: number }, Record<never, never>> = {
  name: "affine",
  source: affine_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"s","access":"in","optional":true,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["n"],
  params: [{"name":"a","type":"f32"},{"name":"b","type":"f32"}],
  options: {},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => 2*d.n!,
  touch: {},
};

/** gradients of attention with respect to k and v, a workgroup a tile of 32 keys. */
export const attention_bwd_key: Kernel<{ q: "in"; kv: "in"; dy: "in"; lse: "in"; delta: "in"; dkv: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_bwd_key",
  source: attention_bwd_key_wgsl,
  libs: [lib_attention_products, lib_attention_sums, lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"delta","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"dkv","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"EC4":[8,4,5,6,7],"CU":[2,1],"EG":[2,1,3,4],"WX":[8,4]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nk!/32), d.H!, d.B!],
  flops: (d) => 8*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D!, dkv: (d) => 2*d.B!*d.Nk!*d.D! },
};

/** attention_bwd_key without barriers, LR keys an invocation. */
export const attention_bwd_key_flat: Kernel<{ q: "in"; kv: "in"; dy: "in"; lse: "in"; delta: "in"; dkv: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_bwd_key_flat",
  source: attention_bwd_key_flat_wgsl,
  libs: [lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"delta","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"dkv","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"LR":[2,1,3,4,5]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nk!/(8*d.LR!)), d.H!, d.B!],
  flops: (d) => 8*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D!, dkv: (d) => 2*d.B!*d.Nk!*d.D! },
};

/** attention_bwd_key by matrix units: operands, p and ds in f16, sums in f32, a subgroup SM keys. */
export const attention_bwd_key_matrix: Kernel<{ q: "in"; kv: "in"; dy: "in"; lse: "in"; delta: "in"; dkv: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_bwd_key_matrix",
  source: attention_bwd_key_matrix_wgsl,
  libs: [lib_attention_units, lib_matrix_units, lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"delta","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"dkv","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"SM":[16,8],"SN":[16,8],"SK":[16,8],"SG":[32,8,16,64],"W":[2,4],"E4":[16,4,6,8,10,12,14,18,20,24,28,32],"BK":[16],"EK":[4,1,2,3,5,6,7,8,9,10,12,14,16],"EN":[4,1,2,3,5,6,7,8,9,10,12,14,16],"PAD":[8,0]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nk!/(d.W!*d.SM!)), d.H!, d.B!],
  flops: (d) => 8*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D!, dkv: (d) => 2*d.B!*d.Nk!*d.D! },
};

/** gradient of attention with respect to q, a workgroup a tile of 32 queries. */
export const attention_bwd_query: Kernel<{ q: "in"; kv: "in"; dy: "in"; lse: "in"; delta: "in"; dq?: "out"; part?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_bwd_query",
  source: attention_bwd_query_wgsl,
  libs: [lib_attention_products, lib_attention_sums, lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"delta","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"dq","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"f32","pack":4}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"EC4":[8,4,5,6,7],"CU":[2,1],"EG":[2,1,3,4],"WX":[8,4]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/32), d.H!, d.B!],
  flops: (d) => 6*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D!, dq: (d) => d.B!*d.Nq!*d.D!, part: (d) => d.B!*d.Nq!*d.D! },
};

/** attention_bwd_query without barriers, LR queries an invocation. */
export const attention_bwd_query_flat: Kernel<{ q: "in"; kv: "in"; dy: "in"; lse: "in"; delta: "in"; dq?: "out"; part?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_bwd_query_flat",
  source: attention_bwd_query_flat_wgsl,
  libs: [lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"delta","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"dq","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"f32","pack":4}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"LR":[3,1,2,4,5]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/(8*d.LR!)), d.H!, d.B!],
  flops: (d) => 6*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D!, dq: (d) => d.B!*d.Nq!*d.D!, part: (d) => d.B!*d.Nq!*d.D! },
};

/** attention_bwd_query by matrix units: operands and ds in f16, sums in f32, a subgroup SM queries. */
export const attention_bwd_query_matrix: Kernel<{ q: "in"; kv: "in"; dy: "in"; lse: "in"; delta: "in"; dq?: "out"; part?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_bwd_query_matrix",
  source: attention_bwd_query_matrix_wgsl,
  libs: [lib_attention_units, lib_matrix_units, lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"delta","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1},{"name":"dq","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"f32","pack":4}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"SM":[16,8],"SN":[16,8],"SK":[16,8],"SG":[32,8,16,64],"W":[2,4],"E4":[16,4,6,8,10,12,14,18,20,24,28,32],"BK":[16],"EK":[4,1,2,3,5,6,7,8,9,10,12,14,16],"EN":[4,1,2,3,5,6,7,8,9,10,12,14,16],"PAD":[8,0]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/(d.W!*d.SM!)), d.H!, d.B!],
  flops: (d) => 6*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D!, dq: (d) => d.B!*d.Nq!*d.D!, part: (d) => d.B!*d.Nq!*d.D! },
};

/** what the softmax's gradient subtracts from every row, one invocation a row and head. */
export const attention_delta: Kernel<{ o: "in"; dy: "in"; delta: "out" }, Record<never, never>, Record<never, never>> = {
  name: "attention_delta",
  source: attention_delta_wgsl,
  libs: [],
  tensors: [{"name":"o","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"delta","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1}],
  dims: ["B","Nq","D","H"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [{ text: "D % (4*H) == 0", holds: (d) => d.D! % (4*d.H!) == 0 }],
  fold: true,
  grid: (d) => [Math.ceil(d.B!*d.Nq!*d.H!/d.WG!)],
  flops: (d) => 2*d.B!*d.Nq!*d.D!,
  touch: {},
};

/** softmax attention of all heads, online over tiles of 32 keys, a workgroup a tile of 32 queries. */
export const attention_fwd: Kernel<{ q: "in"; kv: "in"; o: "out"; lse?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_fwd",
  source: attention_fwd_wgsl,
  libs: [lib_attention_products, lib_attention_sums, lib_row_exchange, lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"o","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"EC4":[8,4,5,6,7],"CU":[2,1],"EG":[2,1,3,4],"WX":[8,2,4],"KEEP":[0,1],"SUBGROUPS":[0,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/32), d.D!/(4*d.E4!), d.B!],
  flops: (d) => 4*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D! },
};

/** attention_fwd without barriers, LR queries an invocation, all of them in registers. */
export const attention_fwd_flat: Kernel<{ q: "in"; kv: "in"; o: "out"; lse?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_fwd_flat",
  source: attention_fwd_flat_wgsl,
  libs: [lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"o","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"LR":[5,1,2,3,4]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/(8*d.LR!)), d.D!/(4*d.E4!), d.B!],
  flops: (d) => 4*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D! },
};

/** attention_fwd by matrix units: operands and weights in f16, sums in f32, a subgroup SM queries. */
export const attention_fwd_matrix: Kernel<{ q: "in"; kv: "in"; o: "out"; lse?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_fwd_matrix",
  source: attention_fwd_matrix_wgsl,
  libs: [lib_attention_units, lib_matrix_units, lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"o","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"SM":[16,8],"SN":[16,8],"SK":[16,8],"SG":[32,8,16,64],"W":[2,4],"E4":[16,4,6,8,10,12,14,18,20,24,28,32],"BK":[32],"EK":[4,1,2,3,5,6,7,8,9,10,12,14,16],"EN":[4,1,2,3,5,6,7,8,9,10,12,14,16],"PAD":[8,0]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/(d.W!*d.SM!)), d.D!/(4*d.E4!), d.B!],
  flops: (d) => 6*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 3*d.B!*d.Nk!*d.D! },
};

/** attention_fwd with 64 queries a workgroup, for which keys and values are read half as often. */
export const attention_fwd_tall: Kernel<{ q: "in"; kv: "in"; o: "out"; lse?: "out" }, { first: number; scale: number }, Record<never, never>> = {
  name: "attention_fwd_tall",
  source: attention_fwd_tall_wgsl,
  libs: [lib_row_exchange, lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"q","access":"in","optional":false,"dims":[{"coef":1,"name":"Bq"},{"coef":1,"name":"Nq"},{"coef":1,"name":"QC"}],"elem":"T","pack":4},{"name":"kv","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nk"},{"coef":1,"name":"KC"}],"elem":"T","pack":4},{"name":"o","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"Nq"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"lse","access":"out","optional":true,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"H"},{"coef":1,"name":"Nq"}],"elem":"f32","pack":1}],
  dims: ["Bq","Nq","QC","B","Nk","KC","D","H"],
  params: [{"name":"first","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"E4":[16,4,5,6,8,10,12,14,18,20,24,28,32],"EC4":[4,1,2,3],"EG":[2,1,3,4],"WX":[4,2],"SUBGROUPS":[0,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.Nq!/64), d.D!/(4*d.E4!), d.B!],
  flops: (d) => 4*d.B!*d.Nq!*d.Nk!*d.D!,
  touch: { q: (d) => d.Bq!*d.Nq!*d.D!, kv: (d) => 2*d.B!*d.Nk!*d.D! },
};

/** packed heads of width a as heads of width b, zero-filled or cut. */
export const attention_repitch: Kernel<{ x: "in"; y: "out" }, { a: number; b: number }, Record<never, never>> = {
  name: "attention_repitch",
  source: attention_repitch_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"P"}],"elem":"T","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"Q"}],"elem":"T","pack":1}],
  dims: ["M","P","Q"],
  params: [{"name":"a","type":"u32"},{"name":"b","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [{ text: "P/a == Q/b", holds: (d) => d.P!/d.a! == d.Q!/d.b! }],
  fold: true,
  grid: (d) => [Math.ceil(d.M!*d.Q!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** patches turned, enlarged, coloured and blurred, rounded once, four pixels an invocation. */
export const augment_apply: Kernel<{ bytes: "in"; changes: "in"; grey?: "in"; columns?: "in"; y: "out" }, { first: number; count: number }, { upto: "colour" | "turn" }> = {
  name: "augment_apply",
  source: augment_apply_wgsl,
  libs: [lib_augment_place, lib_augment_colour, lib_augment_mirror],
  tensors: [{"name":"bytes","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"S"},{"coef":1,"name":"S"},{"coef":3,"name":""}],"elem":"u8","pack":1},{"name":"changes","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":33,"name":""}],"elem":"u32","pack":1},{"name":"grey","access":"in","optional":true,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"columns","access":"in","optional":true,"dims":[{"coef":1,"name":"G"},{"coef":1,"name":"S"},{"coef":1,"name":"S"},{"coef":3,"name":""}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"S"},{"coef":1,"name":"S"},{"coef":3,"name":""}],"elem":"u8","pack":1}],
  dims: ["B","S","G"],
  params: [{"name":"first","type":"u32"},{"name":"count","type":"u32"}],
  options: {"upto":["colour","turn"]},
  tune: {"WG":[64,8]},
  limits: [{ text: "S <= 32768", holds: (d) => d.S! <= 32768 }],
  fold: true,
  grid: (d) => [Math.ceil(d.count!*d.S!*d.S!/(4*d.WG!))],
  flops: (d) => 60*d.count!*d.S!*d.S!,
  touch: { y: (d) => d.count!*d.S!*d.S!*3 },
};

/** patches that are blurred, turned, enlarged, coloured, and blurred along their columns. */
export const augment_columns: Kernel<{ bytes: "in"; changes: "in"; grey: "in"; columns: "out" }, { first: number }, Record<never, never>> = {
  name: "augment_columns",
  source: augment_columns_wgsl,
  libs: [lib_augment_place, lib_augment_colour, lib_augment_mirror],
  tensors: [{"name":"bytes","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"S"},{"coef":1,"name":"S"},{"coef":3,"name":""}],"elem":"u8","pack":1},{"name":"changes","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":33,"name":""}],"elem":"u32","pack":1},{"name":"grey","access":"in","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"columns","access":"out","optional":false,"dims":[{"coef":1,"name":"G"},{"coef":1,"name":"S"},{"coef":1,"name":"S"},{"coef":3,"name":""}],"elem":"f32","pack":1}],
  dims: ["B","S","G"],
  params: [{"name":"first","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [{ text: "S <= 32768", holds: (d) => d.S! <= 32768 }],
  fold: true,
  grid: (d) => [Math.ceil(d.G!*d.S!*d.S!/d.WG!)],
  flops: (d) => 60*d.G!*d.S!*d.S!,
  touch: {},
};

/** grey of a patch summed by column, as it is where the contrast is changed; 0 where it is not. */
export const augment_grey: Kernel<{ bytes: "in"; changes: "in"; sums: "out" }, Record<never, never>, Record<never, never>> = {
  name: "augment_grey",
  source: augment_grey_wgsl,
  libs: [lib_augment_place, lib_augment_colour],
  tensors: [{"name":"bytes","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"S"},{"coef":1,"name":"S"},{"coef":3,"name":""}],"elem":"u8","pack":1},{"name":"changes","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":33,"name":""}],"elem":"u32","pack":1},{"name":"sums","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["B","S"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [{ text: "S <= 32768", holds: (d) => d.S! <= 32768 }],
  fold: true,
  grid: (d) => [Math.ceil(d.B!*d.S!/d.WG!)],
  flops: (d) => 12*d.B!*d.S!*d.S!,
  touch: {},
};

/** gradients of batch normalisation, one invocation a column. */
export const batchnorm_bwd: Kernel<{ x: "in"; gamma?: "in"; stats: "in"; dy: "in"; dx?: "out"; dgamma?: "out"; dbeta?: "out" }, Record<never, never>, { mode: "train" | "eval" }> = {
  name: "batchnorm_bwd",
  source: batchnorm_bwd_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"stats","access":"in","optional":false,"dims":[{"coef":2,"name":""},{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"dx","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"dgamma","access":"out","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"dbeta","access":"out","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [],
  options: {"mode":["train","eval"]},
  tune: {"WG":[64,8,32]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.D!/d.WG!)],
  flops: (d) => 9*d.M!*d.D!,
  touch: {},
};

/** normalise each column by running statistics, one invocation a column of a block of rows. */
export const batchnorm_eval: Kernel<{ x: "in"; gamma?: "in"; beta?: "in"; running_mean: "in"; running_var: "in"; y: "out"; stats?: "out" }, { eps: number }, Record<never, never>> = {
  name: "batchnorm_eval",
  source: batchnorm_eval_wgsl,
  libs: [lib_root],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"beta","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"running_mean","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"running_var","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"stats","access":"out","optional":true,"dims":[{"coef":2,"name":""},{"coef":1,"name":"D"}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,8,32]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.D!/d.WG!), Math.max(1, Math.ceil(d.M!/16))],
  flops: (d) => 4*d.M!*d.D!,
  touch: {},
};

/** normalise each column by its own mean and biased variance, one invocation a column. */
export const batchnorm_train: Kernel<{ x: "in"; gamma?: "in"; beta?: "in"; y: "out"; stats?: "out"; running_mean?: "inout"; running_var?: "inout"; tracked?: "inout" }, { eps: number; momentum: number }, Record<never, never>> = {
  name: "batchnorm_train",
  source: batchnorm_train_wgsl,
  libs: [lib_root],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"beta","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"stats","access":"out","optional":true,"dims":[{"coef":2,"name":""},{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"running_mean","access":"inout","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"running_var","access":"inout","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"tracked","access":"inout","optional":true,"dims":[{"coef":1,"name":""}],"elem":"u32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"},{"name":"momentum","type":"f32"}],
  options: {},
  tune: {"WG":[64,8,32]},
  limits: [{ text: "M >= 2", holds: (d) => d.M! >= 2 }],
  fold: false,
  grid: (d) => [Math.ceil(d.D!/d.WG!)],
  flops: (d) => 7*d.M!*d.D!,
  touch: {},
};

/** operation on two tensors by NumPy's broadcasting rule, any pattern. */
export const binary_broadcast: Kernel<{ a: "in"; b: "in"; y: "out" }, { e1: number; e2: number; e3: number; e4: number; e5: number; a0: number; a1: number; a2: number; a3: number; a4: number; a5: number; b0: number; b1: number; b2: number; b3: number; b4: number; b5: number }, { f: "add" | "sub" | "mul" | "div" | "min" | "max"; rank: "2" | "1" | "3" | "4" | "5" | "6" }> = {
  name: "binary_broadcast",
  source: binary_broadcast_wgsl,
  libs: [lib_quotient, lib_binary, lib_strides],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"ka"}],"elem":"W","pack":1},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"kb"}],"elem":"W","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1}],
  dims: ["ka","kb","n"],
  params: [{"name":"e1","type":"u32"},{"name":"e2","type":"u32"},{"name":"e3","type":"u32"},{"name":"e4","type":"u32"},{"name":"e5","type":"u32"},{"name":"a0","type":"u32"},{"name":"a1","type":"u32"},{"name":"a2","type":"u32"},{"name":"a3","type":"u32"},{"name":"a4","type":"u32"},{"name":"a5","type":"u32"},{"name":"b0","type":"u32"},{"name":"b1","type":"u32"},{"name":"b2","type":"u32"},{"name":"b3","type":"u32"},{"name":"b4","type":"u32"},{"name":"b5","type":"u32"}],
  options: {"f":["add","sub","mul","div","min","max"],"rank":["2","1","3","4","5","6"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => d.n!,
  touch: {},
};

/** gradient of one operand of binary_broadcast before the sum over its broadcast dimensions. */
export const binary_broadcast_bwd: Kernel<{ a: "in"; b: "in"; dy: "in"; d: "out" }, { e1: number; e2: number; e3: number; e4: number; e5: number; a0: number; a1: number; a2: number; a3: number; a4: number; a5: number; b0: number; b1: number; b2: number; b3: number; b4: number; b5: number }, { f: "add" | "sub" | "mul" | "div" | "min" | "max"; rank: "2" | "1" | "3" | "4" | "5" | "6"; of: "a" | "b" }> = {
  name: "binary_broadcast_bwd",
  source: binary_broadcast_bwd_wgsl,
  libs: [lib_quotient, lib_binary, lib_strides],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"ka"}],"elem":"W","pack":1},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"kb"}],"elem":"W","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"W","pack":1},{"name":"d","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1}],
  dims: ["ka","kb","n"],
  params: [{"name":"e1","type":"u32"},{"name":"e2","type":"u32"},{"name":"e3","type":"u32"},{"name":"e4","type":"u32"},{"name":"e5","type":"u32"},{"name":"a0","type":"u32"},{"name":"a1","type":"u32"},{"name":"a2","type":"u32"},{"name":"a3","type":"u32"},{"name":"a4","type":"u32"},{"name":"a5","type":"u32"},{"name":"b0","type":"u32"},{"name":"b1","type":"u32"},{"name":"b2","type":"u32"},{"name":"b3","type":"u32"},{"name":"b4","type":"u32"},{"name":"b5","type":"u32"}],
  options: {"f":["add","sub","mul","div","min","max"],"rank":["2","1","3","4","5","6"],"of":["a","b"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => 2*d.n!,
  touch: {},
};

/** gradients of an operation on two tensors of the same shape, four elements an invocation. */
export const binary_bwd: Kernel<{ a: "in"; b: "in"; dy: "in"; da?: "out"; db?: "out" }, Record<never, never>, { f: "mul" | "div" | "min" | "max" | "add" | "sub" }> = {
  name: "binary_bwd",
  source: binary_bwd_wgsl,
  libs: [lib_quotient, lib_binary],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"da","access":"out","optional":true,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"db","access":"out","optional":true,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["n"],
  params: [],
  options: {"f":["mul","div","min","max","add","sub"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => 2*d.n!,
  touch: {},
};

/** operation on two tensors of the same shape, four elements an invocation. */
export const binary_fwd: Kernel<{ a: "in"; b: "in"; y: "out" }, Record<never, never>, { f: "add" | "sub" | "mul" | "div" | "min" | "max" }> = {
  name: "binary_fwd",
  source: binary_fwd_wgsl,
  libs: [lib_quotient, lib_binary],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["n"],
  params: [],
  options: {"f":["add","sub","mul","div","min","max"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => d.n!,
  touch: {},
};

/** operation on a tensor [A, R, C] and one that lacks the middle dimension, four elements an invocation. */
export const binary_middle: Kernel<{ x: "in"; v?: "in"; v4?: "in"; y: "out" }, { R: number; C: number }, { f: "add" | "sub" | "mul" | "div" | "min" | "max"; left: "x" | "v"; over: "first" | "last" | "middle"; quad: "same" | "next" | "any" }> = {
  name: "binary_middle",
  source: binary_middle_wgsl,
  libs: [lib_quotient, lib_binary, lib_middle],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"v","access":"in","optional":true,"dims":[{"coef":1,"name":"m"}],"elem":"W","pack":1},{"name":"v4","access":"in","optional":true,"dims":[{"coef":1,"name":"m"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["n","m"],
  params: [{"name":"R","type":"u32"},{"name":"C","type":"u32"}],
  options: {"f":["add","sub","mul","div","min","max"],"left":["x","v"],"over":["first","last","middle"],"quad":["same","next","any"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => d.n!,
  touch: {},
};

/** copy a block of each row of one tensor into a block of each row of another. */
export const copy_block: Kernel<{ x: "in"; y: "out" }, { R: number; C: number; x_step: number; x_at: number; y_step: number; y_at: number }, Record<never, never>> = {
  name: "copy_block",
  source: copy_block_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"T","pack":4}],
  dims: ["X","U","Y"],
  params: [{"name":"R","type":"u32"},{"name":"C","type":"u32"},{"name":"x_step","type":"u32"},{"name":"x_at","type":"u32"},{"name":"y_step","type":"u32"},{"name":"y_at","type":"u32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*d.C!/d.WG!)],
  flops: (_d) => 0,
  touch: { x: (d) => d.R!*d.C!*d.U!, y: (d) => d.R!*d.C!*d.U! },
};

/** gradient of the mean cross-entropy with respect to the logits. */
export const cross_entropy_bwd: Kernel<{ x: "in"; labels: "in"; stats: "in"; share: "in"; dloss: "in"; dx: "out" }, { smoothing: number; ignore: number }, Record<never, never>> = {
  name: "cross_entropy_bwd",
  source: cross_entropy_bwd_wgsl,
  libs: [lib_rows, lib_logits],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"labels","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"share","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"dloss","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"smoothing","type":"f32"},{"name":"ignore","type":"u32"}],
  options: {},
  tune: {"WG":[64,8,32]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 4*d.M!*d.D!,
  touch: {},
};

/** mean over the rows that count, by one workgroup. */
export const cross_entropy_mean: Kernel<{ terms: "in"; loss: "out"; share?: "out" }, Record<never, never>, Record<never, never>> = {
  name: "cross_entropy_mean",
  source: cross_entropy_mean_wgsl,
  libs: [lib_reduce, lib_reduce_pair, lib_gradient_range],
  tensors: [{"name":"terms","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"loss","access":"out","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"share","access":"out","optional":true,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1}],
  dims: ["M"],
  params: [],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: false,
  grid: (_d) => [1],
  flops: (d) => 2*d.M!,
  touch: {},
};

/** cross-entropy of each row of logits against its label. */
export const cross_entropy_rows: Kernel<{ x: "in"; labels: "in"; terms: "out"; stats?: "out" }, { smoothing: number; ignore: number }, Record<never, never>> = {
  name: "cross_entropy_rows",
  source: cross_entropy_rows_wgsl,
  libs: [lib_reduce, lib_reduce_pair, lib_rows, lib_logits, lib_logarithm, lib_cross_entropy],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"labels","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1},{"name":"terms","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"stats","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"smoothing","type":"f32"},{"name":"ignore","type":"u32"}],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 6*d.M!*d.D!,
  touch: {},
};

/** cross_entropy_rows without barriers, one invocation a row. */
export const cross_entropy_rows_flat: Kernel<{ x: "in"; labels: "in"; terms: "out"; stats?: "out" }, { smoothing: number; ignore: number }, Record<never, never>> = {
  name: "cross_entropy_rows_flat",
  source: cross_entropy_rows_flat_wgsl,
  libs: [lib_rows, lib_logits, lib_logarithm, lib_cross_entropy],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"labels","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1},{"name":"terms","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"stats","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"smoothing","type":"f32"},{"name":"ignore","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 6*d.M!*d.D!,
  touch: {},
};

/** zero random elements and scale the others; the same call is its own backward. */
export const dropout: Kernel<{ x: "in"; random: "in"; y: "out" }, { stream: number; threshold: number; scale: number }, Record<never, never>> = {
  name: "dropout",
  source: dropout_wgsl,
  libs: [lib_threefry],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"T","pack":4},{"name":"random","access":"in","optional":false,"dims":[{"coef":4,"name":""}],"elem":"u32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"T","pack":4}],
  dims: ["R","C"],
  params: [{"name":"stream","type":"u32"},{"name":"threshold","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*Math.ceil(d.C!/4)/d.WG!)],
  flops: (d) => d.R!*d.C!,
  touch: {},
};

/** running mean of the weights of a buffer, in place. */
export const ema: Kernel<{ w: "in"; mean: "inout" }, { keep: number; rest: number }, Record<never, never>> = {
  name: "ema",
  source: ema_wgsl,
  libs: [],
  tensors: [{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"mean","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1}],
  dims: ["n"],
  params: [{"name":"keep","type":"f32"},{"name":"rest","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => 3*d.n!,
  touch: {},
};

/** set every element to one value. */
export const fill: Kernel<{ y: "out" }, { value: number }, Record<never, never>> = {
  name: "fill",
  source: fill_wgsl,
  libs: [],
  tensors: [{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1}],
  dims: ["n"],
  params: [{"name":"value","type":"f32"}],
  options: {},
  tune: {"WG":[256,64]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** rows of a table by index; a row that does not exist reads as NaN, or as zeros. */
export const gather: Kernel<{ x: "in"; index: "in"; y: "out" }, { V: number; D: number }, { outside: "nan" | "zero" }> = {
  name: "gather",
  source: gather_wgsl,
  libs: [lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"W","pack":4},{"name":"index","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"T","pack":4}],
  dims: ["X","U","n","Y"],
  params: [{"name":"V","type":"u32"},{"name":"D","type":"u32"}],
  options: {"outside":["nan","zero"]},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Y!/d.WG!)],
  flops: (_d) => 0,
  touch: { x: (d) => d.Y!*d.U! },
};

/** columns of a matrix by index; a column that does not exist reads as NaN. */
export const gather_columns: Kernel<{ x: "in"; index: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "gather_columns",
  source: gather_columns_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"C"}],"elem":"T","pack":1},{"name":"index","access":"in","optional":false,"dims":[{"coef":1,"name":"K"}],"elem":"u32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":1}],
  dims: ["M","C","K"],
  params: [],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!*d.K!/d.WG!)],
  flops: (_d) => 0,
  touch: { x: (d) => d.M!*d.K! },
};

/** carries the running log-sum-exp of each column over one more block of rows, one invocation a column. */
export const info_nce_columns: Kernel<{ s: "in"; scale: "in"; run: "inout" }, { at: number }, Record<never, never>> = {
  name: "info_nce_columns",
  source: info_nce_columns_wgsl,
  libs: [lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"scale","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"run","access":"inout","optional":false,"dims":[{"coef":2,"name":""},{"coef":1,"name":"B"}],"elem":"f32","pack":1}],
  dims: ["R","B"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.B!/d.WG!)],
  flops: (d) => 4*d.R!*d.B!,
  touch: {},
};

/** gradient of a block of similarities, and its products with the similarities by row. */
export const info_nce_grad: Kernel<{ s: "in"; scale: "in"; r: "in"; c: "in"; dloss: "in"; ds: "out"; dscale: "inout" }, { at: number }, Record<never, never>> = {
  name: "info_nce_grad",
  source: info_nce_grad_wgsl,
  libs: [lib_reduce, lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"scale","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"r","access":"in","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"c","access":"in","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"dloss","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"ds","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"dscale","access":"inout","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1}],
  dims: ["R","B"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.R!],
  flops: (d) => 10*d.R!*d.B!,
  touch: { r: (d) => d.R!, dscale: (d) => d.R! },
};

/** info_nce_grad without barriers, one invocation a row. */
export const info_nce_grad_flat: Kernel<{ s: "in"; scale: "in"; r: "in"; c: "in"; dloss: "in"; ds: "out"; dscale: "inout" }, { at: number }, Record<never, never>> = {
  name: "info_nce_grad_flat",
  source: info_nce_grad_flat_wgsl,
  libs: [lib_scores, lib_marks, lib_logits],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"scale","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"r","access":"in","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"c","access":"in","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"dloss","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"ds","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"dscale","access":"inout","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1}],
  dims: ["R","B"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!/d.WG!)],
  flops: (d) => 10*d.R!*d.B!,
  touch: { r: (d) => d.R!, dscale: (d) => d.R! },
};

/** loss of each pair from both log-sum-exps; also turns the running column sums into log-sum-exps. */
export const info_nce_loss: Kernel<{ a: "in"; b: "in"; scale: "in"; r: "in"; run: "in"; c: "out"; loss: "out" }, Record<never, never>, Record<never, never>> = {
  name: "info_nce_loss",
  source: info_nce_loss_wgsl,
  libs: [lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"E"}],"elem":"f32","pack":1},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"E"}],"elem":"f32","pack":1},{"name":"scale","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"r","access":"in","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"run","access":"in","optional":false,"dims":[{"coef":2,"name":""},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"c","access":"out","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"loss","access":"out","optional":false,"dims":[{"coef":1,"name":"B"}],"elem":"f32","pack":1}],
  dims: ["B","E"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.B!/d.WG!)],
  flops: (d) => 2*d.B!*d.E!,
  touch: {},
};

/** log-sum-exp of each row of a block of scaled similarities. */
export const info_nce_rows: Kernel<{ s: "in"; scale: "in"; lse: "inout" }, { at: number }, Record<never, never>> = {
  name: "info_nce_rows",
  source: info_nce_rows_wgsl,
  libs: [lib_reduce, lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"scale","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"lse","access":"inout","optional":false,"dims":[{"coef":1,"name":"L"}],"elem":"f32","pack":1}],
  dims: ["R","B","L"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.R!],
  flops: (d) => 4*d.R!*d.B!,
  touch: { lse: (d) => d.R! },
};

/** info_nce_rows without barriers, one invocation a row. */
export const info_nce_rows_flat: Kernel<{ s: "in"; scale: "in"; lse: "inout" }, { at: number }, Record<never, never>> = {
  name: "info_nce_rows_flat",
  source: info_nce_rows_flat_wgsl,
  libs: [lib_scores, lib_marks, lib_logits, lib_logarithm],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"scale","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"lse","access":"inout","optional":false,"dims":[{"coef":1,"name":"L"}],"elem":"f32","pack":1}],
  dims: ["R","B","L"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!/d.WG!)],
  flops: (d) => 4*d.R!*d.B!,
  touch: { lse: (d) => d.R! },
};

/** targets of the highest and lowest rows of each segment. */
export const instance_targets: Kernel<{ s: "in"; bound: "in"; w: "in"; t: "out" }, { k: number }, Record<never, never>> = {
  name: "instance_targets",
  source: instance_targets_wgsl,
  libs: [lib_segment],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"R"}],"elem":"f32","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"C"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"t","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"C"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["R","E","B","C"],
  params: [{"name":"k","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!/d.WG!)],
  flops: (d) => d.R!,
  touch: {},
};

/** gradient of l2_normalize. */
export const l2_normalize_bwd: Kernel<{ x: "in"; norm: "in"; dy: "in"; dx: "out" }, { eps: number }, Record<never, never>> = {
  name: "l2_normalize_bwd",
  source: l2_normalize_bwd_wgsl,
  libs: [lib_reduce, lib_rows],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"norm","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 5*d.M!*d.D!,
  touch: {},
};

/** l2_normalize_bwd without barriers, one invocation a row. */
export const l2_normalize_bwd_flat: Kernel<{ x: "in"; norm: "in"; dy: "in"; dx: "out" }, { eps: number }, Record<never, never>> = {
  name: "l2_normalize_bwd_flat",
  source: l2_normalize_bwd_flat_wgsl,
  libs: [lib_rows],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"norm","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 5*d.M!*d.D!,
  touch: {},
};

/** divide each row by its Euclidean norm. */
export const l2_normalize_fwd: Kernel<{ x: "in"; y: "out"; norm?: "out" }, { eps: number }, Record<never, never>> = {
  name: "l2_normalize_fwd",
  source: l2_normalize_fwd_wgsl,
  libs: [lib_reduce_pair, lib_rows, lib_root, lib_l2_norm],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"norm","access":"out","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 3*d.M!*d.D!,
  touch: {},
};

/** l2_normalize_fwd without barriers, one invocation a row. */
export const l2_normalize_fwd_flat: Kernel<{ x: "in"; y: "out"; norm?: "out" }, { eps: number }, Record<never, never>> = {
  name: "l2_normalize_fwd_flat",
  source: l2_normalize_fwd_flat_wgsl,
  libs: [lib_rows, lib_root, lib_l2_norm],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"norm","access":"out","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 3*d.M!*d.D!,
  touch: {},
};

/** partial gradients of gamma and beta over blocks of rows, one invocation a column. */
export const layernorm_bwd_affine: Kernel<{ x: "in"; stats: "in"; dy: "in"; dgamma: "out"; dbeta: "out" }, Record<never, never>, Record<never, never>> = {
  name: "layernorm_bwd_affine",
  source: layernorm_bwd_affine_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"dgamma","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"dbeta","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"D"}],"elem":"f32","pack":1}],
  dims: ["M","D","S"],
  params: [],
  options: {},
  tune: {"WG":[64,8,32]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.D!/d.WG!), d.S!],
  flops: (d) => 5*d.M!*d.D!,
  touch: {},
};

/** gradient of layernorm with respect to its input. */
export const layernorm_bwd_input: Kernel<{ x: "in"; gamma?: "in"; stats: "in"; dy: "in"; dx: "out" }, Record<never, never>, Record<never, never>> = {
  name: "layernorm_bwd_input",
  source: layernorm_bwd_input_wgsl,
  libs: [lib_reduce_pair, lib_rows],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [],
  options: {},
  tune: {"WG":[64,32,128,256],"KEEP":[4,1,2,3]},
  limits: [{ text: "D <= 4*WG*KEEP", holds: (d) => d.D! <= 4*d.WG!*d.KEEP! }],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 10*d.M!*d.D!,
  touch: {},
};

/** layernorm_bwd_input without barriers, one invocation a row. */
export const layernorm_bwd_input_flat: Kernel<{ x: "in"; gamma?: "in"; stats: "in"; dy: "in"; dx: "out" }, Record<never, never>, Record<never, never>> = {
  name: "layernorm_bwd_input_flat",
  source: layernorm_bwd_input_flat_wgsl,
  libs: [lib_rows],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 10*d.M!*d.D!,
  touch: {},
};

/** normalise each row of x, then scale and shift. */
export const layernorm_fwd: Kernel<{ x: "in"; gamma?: "in"; beta?: "in"; y: "out"; stats?: "out" }, { eps: number }, Record<never, never>> = {
  name: "layernorm_fwd",
  source: layernorm_fwd_wgsl,
  libs: [lib_reduce, lib_reduce_pair, lib_rows, lib_root],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"beta","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"stats","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,32,128,256],"KEEP":[4,1,2,3]},
  limits: [{ text: "D <= 4*WG*KEEP", holds: (d) => d.D! <= 4*d.WG!*d.KEEP! }],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 8*d.M!*d.D!,
  touch: {},
};

/** layernorm_fwd without barriers, one invocation a row. */
export const layernorm_fwd_flat: Kernel<{ x: "in"; gamma?: "in"; beta?: "in"; y: "out"; stats?: "out" }, { eps: number }, Record<never, never>> = {
  name: "layernorm_fwd_flat",
  source: layernorm_fwd_flat_wgsl,
  libs: [lib_rows, lib_root],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"beta","access":"in","optional":true,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"stats","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 8*d.M!*d.D!,
  touch: {},
};

/** gradient before the activation of a linear layer, four columns an invocation. */
export const matmul_bwd_act: Kernel<{ dy: "in"; gamma?: "in"; pre?: "in"; dz: "out" }, Record<never, never>, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_bwd_act",
  source: matmul_bwd_act_wgsl,
  libs: [lib_activation],
  tensors: [{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"pre","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"dz","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4}],
  dims: ["M","F","N"],
  params: [],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!*Math.ceil(d.F!/4)/d.WG!)],
  flops: (d) => 20*d.M!*d.N!,
  touch: {},
};

/** partial column sums over blocks of rows, four columns an invocation. */
export const matmul_bwd_columns: Kernel<{ dy: "in"; pre?: "in"; part: "out" }, { zero0: number; zero1: number }, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_bwd_columns",
  source: matmul_bwd_columns_wgsl,
  libs: [lib_activation],
  tensors: [{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"F"}],"elem":"f32","pack":4}],
  dims: ["M","F","N","S"],
  params: [{"name":"zero0","type":"u32"},{"name":"zero1","type":"u32"}],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"WG":[64,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.F!/(d.WG!*4)), d.S!],
  flops: (d) => 2*d.M!*d.F!,
  touch: {},
};

/** product of two matrices as they are stored; the input gradient of a linear layer. */
export const matmul_nn: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_nn",
  source: matmul_nn_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_tile, lib_matmul_a_rows, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1],"K8":[2,1,4],"AHEAD":[1,0],"OWN":[0,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K! + 2*d.M!*d.N!*d.R!,
  touch: {},
};

/** matmul_nn without barriers, MG*4 rows by NG*4 columns an invocation. */
export const matmul_nn_flat: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_nn_flat",
  source: matmul_nn_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_rows, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.LM!*d.MG!*4)), Math.ceil(d.N!/(d.LN!*d.NG!*4)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K! + 2*d.M!*d.N!*d.R!,
  touch: {},
};

/** matmul_nn by matrix units: operands rounded to f16, sums in f32. */
export const matmul_nn_matrix: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_nn_matrix",
  source: matmul_nn_matrix_wgsl,
  libs: [lib_matmul_matrix, lib_matrix_units, lib_matmul_a_rows, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"SM":[16,8],"SN":[16,8],"SK":[16,8],"SG":[32,4,8,16,64],"WM":[2,1,4],"WN":[2,1,4],"RM":[2,1,4,8],"RN":[2,1,4,8],"GV":[1],"PAD":[8,0],"LOADS":[1,2,4,8,16]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.WN!*d.RN!*d.SN!)), Math.ceil(d.M!/(d.WM!*d.RM!*d.SM!)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K! + 2*d.M!*d.N!*d.R!,
  touch: {},
};

/** product with a stored transposed, as nn.Linear keeps weights, and everything that may follow it. */
export const matmul_nt: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; bias?: "in"; gamma?: "in"; residual?: "in"; y?: "out"; pre?: "out"; part?: "out" }, { alpha: number }, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_nt",
  source: matmul_nt_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_tile, lib_matmul_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"R"}],"elem":"f32","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"residual","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","F","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1,2],"LOADS":[2,1],"K8":[2,1,4],"AHEAD":[1,0],"OWN":[0,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*d.GV!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K! + 2*d.M!*d.N!*d.R!,
  touch: {},
};

/** matmul_nt without barriers, MG*4 rows by NG*GV*4 columns an invocation. */
export const matmul_nt_flat: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; bias?: "in"; gamma?: "in"; residual?: "in"; y?: "out"; pre?: "out"; part?: "out" }, { alpha: number }, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_nt_flat",
  source: matmul_nt_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"R"}],"elem":"f32","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"residual","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","F","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1,2],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.LM!*d.MG!*4)), Math.ceil(d.N!/(d.LN!*d.NG!*d.GV!*4)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K! + 2*d.M!*d.N!*d.R!,
  touch: {},
};

/** matmul_nt by matrix units: operands rounded to f16, sums in f32. */
export const matmul_nt_matrix: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; bias?: "in"; gamma?: "in"; residual?: "in"; y?: "out"; pre?: "out"; part?: "out" }, { alpha: number }, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_nt_matrix",
  source: matmul_nt_matrix_wgsl,
  libs: [lib_matmul_matrix, lib_matrix_units, lib_matmul_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"R"}],"elem":"f32","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"residual","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","F","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"SM":[16,8],"SN":[16,8],"SK":[16,8],"SG":[32,4,8,16,64],"WM":[2,1,4],"WN":[2,1,4],"RM":[2,1,4,8],"RN":[2,1,4,8],"GV":[1,2],"PAD":[8,0],"LOADS":[1,2,4,8,16]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.WN!*d.RN!*d.GV!*d.SN!)), Math.ceil(d.M!/(d.WM!*d.RM!*d.SM!)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K! + 2*d.M!*d.N!*d.R!,
  touch: {},
};

/** adds the slices of a split matmul in order, then what may follow it; four columns an invocation. */
export const matmul_reduce: Kernel<{ part: "in"; bias?: "in"; gamma?: "in"; residual?: "in"; y: "out"; pre?: "out" }, Record<never, never>, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_reduce",
  source: matmul_reduce_wgsl,
  libs: [lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"part","access":"in","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"residual","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4}],
  dims: ["S","M","N","F"],
  params: [],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!*Math.ceil(d.F!/4)/d.WG!)],
  flops: (d) => d.S!*d.M!*d.N!,
  touch: {},
};

/** product with the first matrix stored transposed; the weight gradient of a linear layer. */
export const matmul_tn: Kernel<{ a: "in"; b: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_tn",
  source: matmul_tn_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_tile, lib_matmul_a_cols, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","K","M","N","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1],"K8":[2,1,4],"AHEAD":[1,0],"OWN":[0,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K!,
  touch: {},
};

/** matmul_tn without barriers, MG*4 rows by NG*4 columns an invocation. */
export const matmul_tn_flat: Kernel<{ a: "in"; b: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_tn_flat",
  source: matmul_tn_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_cols, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","K","M","N","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.LM!*d.MG!*4)), Math.ceil(d.N!/(d.LN!*d.NG!*4)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K!,
  touch: {},
};

/** matmul_tn by matrix units: operands rounded to f16, sums in f32. */
export const matmul_tn_matrix: Kernel<{ a: "in"; b: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_tn_matrix",
  source: matmul_tn_matrix_wgsl,
  libs: [lib_matmul_matrix, lib_matrix_units, lib_matmul_a_cols, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_activation],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","K","M","N","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"SM":[16,8],"SN":[16,8],"SK":[16,8],"SG":[32,4,8,16,64],"WM":[2,1,4],"WN":[2,1,4],"RM":[2,1,4,8],"RN":[2,1,4,8],"GV":[1],"PAD":[8,0],"LOADS":[1,2,4,8,16]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.WN!*d.RN!*d.SN!)), Math.ceil(d.M!/(d.WM!*d.RM!*d.SM!)), d.Z!],
  flops: (d) => 2*d.B!*d.M!*d.N!*d.K!,
  touch: {},
};

/** gradient of the discrepancy with respect to a block of points. */
export const mmd_bwd: Kernel<{ y: "in"; ru: "in"; rv: "in"; uy: "in"; vx: "in"; dloss: "in"; dy: "out" }, { at: number; factor: number }, Record<never, never>> = {
  name: "mmd_bwd",
  source: mmd_bwd_wgsl,
  libs: [],
  tensors: [{"name":"y","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"E"}],"elem":"f32","pack":1},{"name":"ru","access":"in","optional":false,"dims":[{"coef":1,"name":"R"}],"elem":"f32","pack":1},{"name":"rv","access":"in","optional":false,"dims":[{"coef":1,"name":"R"}],"elem":"f32","pack":1},{"name":"uy","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"E"}],"elem":"f32","pack":1},{"name":"vx","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"E"}],"elem":"f32","pack":1},{"name":"dloss","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"out","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"E"}],"elem":"f32","pack":1}],
  dims: ["N","E","R"],
  params: [{"name":"at","type":"u32"},{"name":"factor","type":"f32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*d.E!/d.WG!)],
  flops: (d) => 4*d.R!*d.E!,
  touch: { y: (d) => d.R!*d.E!, dy: (d) => d.R!*d.E! },
};

/** Gaussian kernels of a block of points, in place of their dot products. */
export const mmd_kernel: Kernel<{ s: "inout"; na: "in"; nb: "in" }, Record<never, never>, { f: "value" | "slope" }> = {
  name: "mmd_kernel",
  source: mmd_kernel_wgsl,
  libs: [lib_marks],
  tensors: [{"name":"s","access":"inout","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"N"}],"elem":"f32","pack":1},{"name":"na","access":"in","optional":false,"dims":[{"coef":1,"name":"R"}],"elem":"f32","pack":1},{"name":"nb","access":"in","optional":false,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":1}],
  dims: ["R","N"],
  params: [],
  options: {"f":["value","slope"]},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*d.N!/d.WG!)],
  flops: (d) => 20*d.R!*d.N!,
  touch: {},
};

/** gradient of the mean negative log-likelihood with respect to y. */
export const negative_binomial_bwd: Kernel<{ y: "in"; x: "in"; dloss: "in"; dy: "out" }, { alpha: number }, { space: "log1p" | "counts" }> = {
  name: "negative_binomial_bwd",
  source: negative_binomial_bwd_wgsl,
  libs: [lib_logarithm, lib_marks, lib_negative_binomial],
  tensors: [{"name":"y","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"dloss","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1}],
  dims: ["n"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"space":["log1p","counts"]},
  tune: {"WG":[256,64]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => 60*d.n!,
  touch: {},
};

/** sums of the negative log-likelihood over blocks of 4096 elements, without ln Gamma(alpha). */
export const negative_binomial_fwd: Kernel<{ y: "in"; x: "in"; part: "out" }, { alpha: number }, { space: "log1p" | "counts" }> = {
  name: "negative_binomial_fwd",
  source: negative_binomial_fwd_wgsl,
  libs: [lib_reduce, lib_logarithm, lib_marks, lib_negative_binomial],
  tensors: [{"name":"y","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"space":["log1p","counts"]},
  tune: {"WG":[64,256]},
  limits: [{ text: "S == ceil(n / 4096)", holds: (d) => d.S! == Math.ceil(d.n! / 4096) }],
  fold: true,
  grid: (d) => [d.S!],
  flops: (d) => 90*d.n!,
  touch: {},
};

/** negative_binomial_fwd without barriers, one invocation a block of 512. */
export const negative_binomial_fwd_flat: Kernel<{ y: "in"; x: "in"; part: "out" }, { alpha: number }, { space: "log1p" | "counts" }> = {
  name: "negative_binomial_fwd_flat",
  source: negative_binomial_fwd_flat_wgsl,
  libs: [lib_logarithm, lib_marks, lib_negative_binomial],
  tensors: [{"name":"y","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"space":["log1p","counts"]},
  tune: {"WG":[8,32]},
  limits: [{ text: "S == ceil(n / 512)", holds: (d) => d.S! == Math.ceil(d.n! / 512) }],
  fold: true,
  grid: (d) => [Math.ceil(d.S!/d.WG!)],
  flops: (d) => 90*d.n!,
  touch: {},
};

/** RGB bytes to normalised numbers, four an invocation. */
export const normalize_image: Kernel<{ bytes: "in"; y: "out" }, { scale0: number; scale1: number; scale2: number; shift0: number; shift1: number; shift2: number }, Record<never, never>> = {
  name: "normalize_image",
  source: normalize_image_wgsl,
  libs: [],
  tensors: [{"name":"bytes","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u8","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":4}],
  dims: ["n"],
  params: [{"name":"scale0","type":"f32"},{"name":"scale1","type":"f32"},{"name":"scale2","type":"f32"},{"name":"shift0","type":"f32"},{"name":"shift1","type":"f32"},{"name":"shift2","type":"f32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(4*d.WG!))],
  flops: (d) => 2*d.n!,
  touch: {},
};

/** how many elements of a tensor are not finite, added to what was found before. */
export const overflow: Kernel<{ x: "in"; found: "inout" }, { slot: number }, Record<never, never>> = {
  name: "overflow",
  source: overflow_wgsl,
  libs: [lib_reduce],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"found","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"G"}],"elem":"u32","pack":1}],
  dims: ["N","S","G"],
  params: [{"name":"slot","type":"u32"}],
  options: {},
  tune: {"WG":[256,8]},
  limits: [{ text: "N <= 4294967295", holds: (d) => d.N! <= 4294967295 }],
  fold: false,
  grid: (d) => [d.G!],
  flops: (_d) => 0,
  touch: { found: (d) => d.G! },
};

/** zeros everywhere but in one range of the middle dimension, which is filled from another tensor. */
export const pad_block: Kernel<{ x: "in"; y: "out" }, { L: number; C: number; start: number; count: number; x_row: number; x_step: number; scale: number }, Record<never, never>> = {
  name: "pad_block",
  source: pad_block_wgsl,
  libs: [lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"T","pack":4}],
  dims: ["X","U","Y"],
  params: [{"name":"L","type":"u32"},{"name":"C","type":"u32"},{"name":"start","type":"u32"},{"name":"count","type":"u32"},{"name":"x_row","type":"u32"},{"name":"x_step","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Y!/d.WG!)],
  flops: (d) => d.Y!*d.U!,
  touch: {},
};

/** each patch of an image times a matrix: a convolution whose stride is its kernel. */
export const patch_embed: Kernel<{ bytes?: "in"; pixels?: "in"; b: "in"; bias?: "in"; y: "out" }, { alpha: number; side: number; columns: number; stride: number; scale0: number; scale1: number; scale2: number; shift0: number; shift1: number; shift2: number }, Record<never, never>> = {
  name: "patch_embed",
  source: patch_embed_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_tile, lib_patch, lib_patch_load, lib_patch_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue],
  tensors: [{"name":"bytes","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"u8","pack":1},{"name":"pixels","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"T","pack":1},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4}],
  dims: ["I","B","N","K","Z","M"],
  params: [{"name":"alpha","type":"f32"},{"name":"side","type":"u32"},{"name":"columns","type":"u32"},{"name":"stride","type":"u32"},{"name":"scale0","type":"f32"},{"name":"scale1","type":"f32"},{"name":"scale2","type":"f32"},{"name":"shift0","type":"f32"},{"name":"shift1","type":"f32"},{"name":"shift2","type":"f32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1],"K8":[2],"AHEAD":[1],"OWN":[0]},
  limits: [{ text: "M <= 1048576", holds: (d) => d.M! <= 1048576 }],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** gradient of patch_embed with respect to normalised images. */
export const patch_embed_bwd_image: Kernel<{ a: "in"; b: "in"; dpixels: "out" }, { side: number; columns: number; stride: number }, Record<never, never>> = {
  name: "patch_embed_bwd_image",
  source: patch_embed_bwd_image_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_tile, lib_matmul_a_rows, lib_matmul_b_cols, lib_patch, lib_patch_put],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"dpixels","access":"out","optional":false,"dims":[{"coef":1,"name":"I"}],"elem":"T","pack":1}],
  dims: ["B","M","K","N","I"],
  params: [{"name":"side","type":"u32"},{"name":"columns","type":"u32"},{"name":"stride","type":"u32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1],"K8":[2],"AHEAD":[1],"OWN":[0]},
  limits: [{ text: "M <= 1048576", holds: (d) => d.M! <= 1048576 }],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.B!],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** patch_embed_bwd_image without barriers, MG*4 rows by NG*4 columns an invocation. */
export const patch_embed_bwd_image_flat: Kernel<{ a: "in"; b: "in"; dpixels: "out" }, { side: number; columns: number; stride: number }, Record<never, never>> = {
  name: "patch_embed_bwd_image_flat",
  source: patch_embed_bwd_image_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_rows, lib_matmul_b_cols, lib_patch, lib_patch_put],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"dpixels","access":"out","optional":false,"dims":[{"coef":1,"name":"I"}],"elem":"T","pack":1}],
  dims: ["B","M","K","N","I"],
  params: [{"name":"side","type":"u32"},{"name":"columns","type":"u32"},{"name":"stride","type":"u32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [{ text: "M <= 1048576", holds: (d) => d.M! <= 1048576 }],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.LM!*d.MG!*4)), Math.ceil(d.N!/(d.LN!*d.NG!*4)), d.B!],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** gradient of patch_embed with respect to its matrix, over slices of the patches. */
export const patch_embed_bwd_weight: Kernel<{ bytes?: "in"; pixels?: "in"; a: "in"; part: "out" }, { alpha: number; side: number; columns: number; stride: number; scale0: number; scale1: number; scale2: number; shift0: number; shift1: number; shift2: number }, Record<never, never>> = {
  name: "patch_embed_bwd_weight",
  source: patch_embed_bwd_weight_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_tile, lib_matmul_a_cols, lib_patch, lib_patch_load, lib_patch_b_cols, lib_matmul_store],
  tensors: [{"name":"bytes","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"u8","pack":1},{"name":"pixels","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"T","pack":1},{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["I","B","K","M","Z","N"],
  params: [{"name":"alpha","type":"f32"},{"name":"side","type":"u32"},{"name":"columns","type":"u32"},{"name":"stride","type":"u32"},{"name":"scale0","type":"f32"},{"name":"scale1","type":"f32"},{"name":"scale2","type":"f32"},{"name":"shift0","type":"f32"},{"name":"shift1","type":"f32"},{"name":"shift2","type":"f32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1],"K8":[2],"AHEAD":[1],"OWN":[0]},
  limits: [{ text: "K <= 1048576", holds: (d) => d.K! <= 1048576 }],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** patch_embed_bwd_weight without barriers, MG*4 rows by NG*4 columns an invocation. */
export const patch_embed_bwd_weight_flat: Kernel<{ bytes?: "in"; pixels?: "in"; a: "in"; part: "out" }, { alpha: number; side: number; columns: number; stride: number; scale0: number; scale1: number; scale2: number; shift0: number; shift1: number; shift2: number }, Record<never, never>> = {
  name: "patch_embed_bwd_weight_flat",
  source: patch_embed_bwd_weight_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_cols, lib_patch, lib_patch_load, lib_patch_b_cols, lib_matmul_store],
  tensors: [{"name":"bytes","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"u8","pack":1},{"name":"pixels","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"T","pack":1},{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["I","B","K","M","Z","N"],
  params: [{"name":"alpha","type":"f32"},{"name":"side","type":"u32"},{"name":"columns","type":"u32"},{"name":"stride","type":"u32"},{"name":"scale0","type":"f32"},{"name":"scale1","type":"f32"},{"name":"scale2","type":"f32"},{"name":"shift0","type":"f32"},{"name":"shift1","type":"f32"},{"name":"shift2","type":"f32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [{ text: "K <= 1048576", holds: (d) => d.K! <= 1048576 }],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.LM!*d.MG!*4)), Math.ceil(d.N!/(d.LN!*d.NG!*4)), d.Z!],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** patch_embed without barriers, MG*4 rows by NG*4 columns an invocation. */
export const patch_embed_flat: Kernel<{ bytes?: "in"; pixels?: "in"; b: "in"; bias?: "in"; y: "out" }, { alpha: number; side: number; columns: number; stride: number; scale0: number; scale1: number; scale2: number; shift0: number; shift1: number; shift2: number }, Record<never, never>> = {
  name: "patch_embed_flat",
  source: patch_embed_flat_wgsl,
  libs: [lib_matmul_flat, lib_patch, lib_patch_load, lib_patch_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue],
  tensors: [{"name":"bytes","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"u8","pack":1},{"name":"pixels","access":"in","optional":true,"dims":[{"coef":1,"name":"I"}],"elem":"T","pack":1},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4}],
  dims: ["I","B","N","K","Z","M"],
  params: [{"name":"alpha","type":"f32"},{"name":"side","type":"u32"},{"name":"columns","type":"u32"},{"name":"stride","type":"u32"},{"name":"scale0","type":"f32"},{"name":"scale1","type":"f32"},{"name":"scale2","type":"f32"},{"name":"shift0","type":"f32"},{"name":"shift1","type":"f32"},{"name":"shift2","type":"f32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [{ text: "M <= 1048576", holds: (d) => d.M! <= 1048576 }],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.LM!*d.MG!*4)), Math.ceil(d.N!/(d.LN!*d.NG!*4)), d.Z!],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** reorder dimensions; one unit of U elements an invocation, written in order, read by strides. */
export const permute: Kernel<{ x: "in"; y: "out" }, { e0: number; e1: number; e2: number; e3: number; e4: number; s0: number; s1: number; s2: number; s3: number; s4: number; s_outer: number }, Record<never, never>> = {
  name: "permute",
  source: permute_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4}],
  dims: ["X","U"],
  params: [{"name":"e0","type":"u32"},{"name":"e1","type":"u32"},{"name":"e2","type":"u32"},{"name":"e3","type":"u32"},{"name":"e4","type":"u32"},{"name":"s0","type":"u32"},{"name":"s1","type":"u32"},{"name":"s2","type":"u32"},{"name":"s3","type":"u32"},{"name":"s4","type":"u32"},{"name":"s_outer","type":"u32"}],
  options: {},
  tune: {"INNER":[1,2,3,4,5],"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.X!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** transpose of matrices through workgroup memory, so that reads and writes are both contiguous. */
export const permute_tiled: Kernel<{ x: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "permute_tiled",
  source: permute_tiled_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"T","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"C"},{"coef":1,"name":"R"}],"elem":"T","pack":1}],
  dims: ["B","R","C"],
  params: [],
  options: {},
  tune: {"WG":[256]},
  limits: [],
  fold: true,
  grid: (d) => [d.B!*Math.ceil(d.R!/32)*Math.ceil(d.C!/32)],
  flops: (_d) => 0,
  touch: {},
};

/** gradient of a planar flow in its input, and what planar_flow_columns needs of each row. */
export const planar_flow_bwd: Kernel<{ dy: "in"; dlogdet?: "in"; u: "in"; w: "in"; act: "in"; dz?: "out"; sums?: "out" }, { eps: number }, Record<never, never>> = {
  name: "planar_flow_bwd",
  source: planar_flow_bwd_wgsl,
  libs: [lib_reduce_pair, lib_rows],
  tensors: [{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dlogdet","access":"in","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"u","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"act","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"dz","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"sums","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":3,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 8*d.M!*d.D!,
  touch: {},
};

/** planar_flow_bwd without barriers, one invocation a row. */
export const planar_flow_bwd_flat: Kernel<{ dy: "in"; dlogdet?: "in"; u: "in"; w: "in"; act: "in"; dz?: "out"; sums?: "out" }, { eps: number }, Record<never, never>> = {
  name: "planar_flow_bwd_flat",
  source: planar_flow_bwd_flat_wgsl,
  libs: [lib_rows],
  tensors: [{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dlogdet","access":"in","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"u","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"act","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"dz","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"sums","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":3,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 8*d.M!*d.D!,
  touch: {},
};

/** partial gradients of u, w and b over blocks of rows, one invocation a column. */
export const planar_flow_columns: Kernel<{ z: "in"; dy: "in"; sums: "in"; u: "in"; w: "in"; du?: "out"; dw?: "out"; db?: "out" }, Record<never, never>, Record<never, never>> = {
  name: "planar_flow_columns",
  source: planar_flow_columns_wgsl,
  libs: [],
  tensors: [{"name":"z","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"sums","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":3,"name":""}],"elem":"f32","pack":1},{"name":"u","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"du","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"dw","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"db","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D","S"],
  params: [],
  options: {},
  tune: {"WG":[64,8,32]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.D!/d.WG!), d.S!],
  flops: (d) => 8*d.M!*d.D!,
  touch: {},
};

/** one planar flow on each row. */
export const planar_flow_fwd: Kernel<{ z: "in"; u: "in"; w: "in"; b: "in"; y: "out"; logdet: "out"; act?: "out" }, { eps: number }, Record<never, never>> = {
  name: "planar_flow_fwd",
  source: planar_flow_fwd_wgsl,
  libs: [lib_reduce_pair, lib_rows, lib_activation, lib_logarithm, lib_planar_flow],
  tensors: [{"name":"z","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"u","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"logdet","access":"out","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"act","access":"out","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 6*d.M!*d.D!,
  touch: {},
};

/** planar_flow_fwd without barriers, one invocation a row. */
export const planar_flow_fwd_flat: Kernel<{ z: "in"; u: "in"; w: "in"; b: "in"; y: "out"; logdet: "out"; act?: "out" }, { eps: number }, Record<never, never>> = {
  name: "planar_flow_fwd_flat",
  source: planar_flow_fwd_flat_wgsl,
  libs: [lib_rows, lib_activation, lib_logarithm, lib_planar_flow],
  tensors: [{"name":"z","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"u","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"logdet","access":"out","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"act","access":"out","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 6*d.M!*d.D!,
  touch: {},
};

/** weights that fall with the distance of points on the unit sphere. */
export const proximity: Kernel<{ s: "in"; w: "out" }, { c: number; least: number }, { d: "squared" | "plain" }> = {
  name: "proximity",
  source: proximity_wgsl,
  libs: [lib_root, lib_marks],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"B"}],"elem":"f32","pack":1},{"name":"w","access":"out","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"B"}],"elem":"f32","pack":1}],
  dims: ["B"],
  params: [{"name":"c","type":"f32"},{"name":"least","type":"f32"}],
  options: {"d":["squared","plain"]},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.B!*d.B!/d.WG!)],
  flops: (d) => 20*d.B!*d.B!,
  touch: {},
};

/** noise by counter; uniform in [0, 1), standard normal by Box-Muller on pairs, or 1 with probability `rate`. */
export const random: Kernel<{ random: "in"; y: "out" }, { stream: number; threshold: number }, { kind: "uniform" | "normal" | "bernoulli" }> = {
  name: "random",
  source: random_wgsl,
  libs: [lib_threefry, lib_logarithm, lib_turn],
  tensors: [{"name":"random","access":"in","optional":false,"dims":[{"coef":4,"name":""}],"elem":"u32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"T","pack":1}],
  dims: ["A","R","C"],
  params: [{"name":"stream","type":"u32"},{"name":"threshold","type":"u32"}],
  options: {"kind":["uniform","normal","bernoulli"]},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.A!*d.R!*Math.ceil(d.C!/2)/d.WG!)],
  flops: (d) => 8*d.A!*d.R!*d.C!,
  touch: {},
};

/** counts the gallery rows that beat each query's partner, a workgroup a tile of queries and a slice of the gallery. */
export const rank_count: Kernel<{ a: "in"; b: "in"; partner: "in"; own?: "in"; key: "in"; ownKey?: "in"; partnerKey?: "inout"; score?: "inout"; above?: "out"; equal?: "out" }, { at: number; step: number }, Record<never, never>> = {
  name: "rank_count",
  source: rank_count_wgsl,
  libs: [lib_matmul_a_rows, lib_matmul_b_rows, lib_rank_rows, lib_rank_compare],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"f32","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"partner","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1},{"name":"own","access":"in","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"key","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":2,"name":""}],"elem":"u32","pack":1},{"name":"ownKey","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"u32","pack":1},{"name":"partnerKey","access":"inout","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"u32","pack":1},{"name":"score","access":"inout","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"above","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"equal","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"}],"elem":"f32","pack":1}],
  dims: ["M","K","N","S"],
  params: [{"name":"at","type":"u32"},{"name":"step","type":"u32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"LOADS":[2,1],"K8":[2]},
  limits: [{ text: "step < 16777216", holds: (d) => d.step! < 16777216 }],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.TY!*d.MG!*4)), Math.max(1, d.S!)],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** rank_count without barriers, MG*4 queries by NG*4 gallery rows at a time an invocation. */
export const rank_count_flat: Kernel<{ a: "in"; b: "in"; partner: "in"; own?: "in"; key: "in"; ownKey?: "in"; partnerKey?: "inout"; score?: "inout"; above?: "out"; equal?: "out" }, { at: number; step: number }, Record<never, never>> = {
  name: "rank_count_flat",
  source: rank_count_flat_wgsl,
  libs: [lib_matmul_a_rows, lib_matmul_b_rows, lib_rank_rows, lib_rank_compare],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"f32","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"partner","access":"in","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1},{"name":"own","access":"in","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"key","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":2,"name":""}],"elem":"u32","pack":1},{"name":"ownKey","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"u32","pack":1},{"name":"partnerKey","access":"inout","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"u32","pack":1},{"name":"score","access":"inout","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"above","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"equal","access":"out","optional":true,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"}],"elem":"f32","pack":1}],
  dims: ["M","K","N","S"],
  params: [{"name":"at","type":"u32"},{"name":"step","type":"u32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"LN":[8]},
  limits: [{ text: "step < 16777216", holds: (d) => d.step! < 16777216 }],
  fold: false,
  grid: (d) => [Math.ceil(d.M!/(d.MG!*4)), Math.ceil(Math.max(1, d.S!)/d.LN!)],
  flops: (d) => 2*d.M!*d.N!*d.K!,
  touch: {},
};

/** 64 bits that tell the rows of a matrix apart, from the bits of all its elements, one invocation a row. */
export const rank_keys: Kernel<{ b: "in"; key: "out" }, Record<never, never>, Record<never, never>> = {
  name: "rank_keys",
  source: rank_keys_wgsl,
  libs: [],
  tensors: [{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"key","access":"out","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":2,"name":""}],"elem":"u32","pack":1}],
  dims: ["N","K"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.N!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** adds the counts of all slices of a part of the gallery to those of the parts before it, one invocation a query. */
export const rank_sum: Kernel<{ more: "in"; same: "in"; above: "inout"; equal: "inout" }, { at: number }, Record<never, never>> = {
  name: "rank_sum",
  source: rank_sum_wgsl,
  libs: [],
  tensors: [{"name":"more","access":"in","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"same","access":"in","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"M"}],"elem":"f32","pack":1},{"name":"above","access":"inout","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1},{"name":"equal","access":"inout","optional":false,"dims":[{"coef":1,"name":"M"}],"elem":"u32","pack":1}],
  dims: ["S","M"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** gradient of a sum or maximum over the middle dimension of [A, R, C], four elements an invocation. */
export const reduce_bwd: Kernel<{ dy?: "in"; dy4?: "in"; x?: "in"; top?: "in"; count?: "in"; dx: "out" }, { scale: number; R: number; C: number }, { over: "first" | "last" | "middle"; quad: "same" | "next" | "any" }> = {
  name: "reduce_bwd",
  source: reduce_bwd_wgsl,
  libs: [lib_middle],
  tensors: [{"name":"dy","access":"in","optional":true,"dims":[{"coef":1,"name":"m"}],"elem":"W","pack":1},{"name":"dy4","access":"in","optional":true,"dims":[{"coef":1,"name":"m"}],"elem":"W","pack":4},{"name":"x","access":"in","optional":true,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4},{"name":"top","access":"in","optional":true,"dims":[{"coef":1,"name":"m"}],"elem":"W","pack":1},{"name":"count","access":"in","optional":true,"dims":[{"coef":1,"name":"m"}],"elem":"f32","pack":1},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":4}],
  dims: ["m","n"],
  params: [{"name":"scale","type":"f32"},{"name":"R","type":"u32"},{"name":"C","type":"u32"}],
  options: {"over":["first","last","middle"],"quad":["same","next","any"]},
  tune: {"WG":[64,8,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(d.WG!*4))],
  flops: (d) => d.n!,
  touch: {},
};

/** sum, maximum or count over blocks of 64 of the middle dimension, four columns an invocation. */
export const reduce_middle: Kernel<{ x: "in"; w?: "in"; top?: "in"; y: "out" }, { scale: number }, { f: "sum" | "max" | "count" }> = {
  name: "reduce_middle",
  source: reduce_middle_wgsl,
  libs: [lib_fold],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"W","pack":4},{"name":"w","access":"in","optional":true,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"W","pack":4},{"name":"top","access":"in","optional":true,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"C"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"A"},{"coef":1,"name":"C"}],"elem":"T","pack":4}],
  dims: ["A","R","C","S"],
  params: [{"name":"scale","type":"f32"}],
  options: {"f":["sum","max","count"]},
  tune: {"WG":[64,8,32]},
  limits: [{ text: "S*64 >= R", holds: (d) => d.S!*64 >= d.R! }],
  fold: false,
  grid: (d) => [Math.ceil(d.A!*Math.ceil(d.C!/4)/d.WG!), d.S!],
  flops: (d) => d.A!*d.R!*d.C!,
  touch: {},
};

/** sum, maximum or count over blocks of 4096 elements of each row. */
export const reduce_rows: Kernel<{ x: "in"; w?: "in"; top?: "in"; y: "out" }, { scale: number }, { f: "sum" | "max" | "count" }> = {
  name: "reduce_rows",
  source: reduce_rows_wgsl,
  libs: [lib_reduce, lib_fold],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"W","pack":4},{"name":"w","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"W","pack":4},{"name":"top","access":"in","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"W","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"S"}],"elem":"T","pack":1}],
  dims: ["M","D","S"],
  params: [{"name":"scale","type":"f32"}],
  options: {"f":["sum","max","count"]},
  tune: {"WG":[64,32,128,256]},
  limits: [{ text: "S*4096 >= D", holds: (d) => d.S!*4096 >= d.D! }],
  fold: true,
  grid: (d) => [d.M!*d.S!],
  flops: (d) => d.M!*d.D!,
  touch: {},
};

/** reduce_rows without barriers, one invocation a block; also for short rows on any device. */
export const reduce_rows_flat: Kernel<{ x: "in"; w?: "in"; top?: "in"; y: "out" }, { scale: number }, { f: "sum" | "max" | "count" }> = {
  name: "reduce_rows_flat",
  source: reduce_rows_flat_wgsl,
  libs: [lib_fold],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"W","pack":4},{"name":"w","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"W","pack":4},{"name":"top","access":"in","optional":true,"dims":[{"coef":1,"name":"M"}],"elem":"W","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"S"}],"elem":"T","pack":1}],
  dims: ["M","D","S"],
  params: [{"name":"scale","type":"f32"}],
  options: {"f":["sum","max","count"]},
  tune: {"WG":[8,32,64]},
  limits: [{ text: "S*4096 >= D", holds: (d) => d.S!*4096 >= d.D! }],
  fold: true,
  grid: (d) => [Math.ceil(d.M!*d.S!/d.WG!)],
  flops: (d) => d.M!*d.D!,
  touch: {},
};

/** a position table interpolated on its grid, rows before the grid copied; four columns an invocation. */
export const resample_positions: Kernel<{ x: "in"; sv: "in"; wv: "in"; su: "in"; wu: "in"; y: "out" }, { prefix: number; across: number }, Record<never, never>> = {
  name: "resample_positions",
  source: resample_positions_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"D"}],"elem":"W","pack":4},{"name":"sv","access":"in","optional":false,"dims":[{"coef":1,"name":"V"}],"elem":"u32","pack":1},{"name":"wv","access":"in","optional":false,"dims":[{"coef":1,"name":"V"},{"coef":1,"name":"I"}],"elem":"f32","pack":1},{"name":"su","access":"in","optional":false,"dims":[{"coef":1,"name":"U"}],"elem":"u32","pack":1},{"name":"wu","access":"in","optional":false,"dims":[{"coef":1,"name":"U"},{"coef":1,"name":"J"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"D"}],"elem":"f32","pack":4}],
  dims: ["R","D","V","I","U","J","Q"],
  params: [{"name":"prefix","type":"u32"},{"name":"across","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.D!/(4*d.WG!)), d.Q!],
  flops: (d) => 2*d.V!*d.U!*d.I!*d.J!*d.D!,
  touch: {},
};

/** interpolation along one axis, one element an invocation. */
export const resize_axis: Kernel<{ x?: "in"; bytes?: "in"; start: "in"; weight: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "resize_axis",
  source: resize_axis_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":true,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"N"},{"coef":1,"name":"C"}],"elem":"f32","pack":1},{"name":"bytes","access":"in","optional":true,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"N"},{"coef":1,"name":"C"}],"elem":"u8","pack":1},{"name":"start","access":"in","optional":false,"dims":[{"coef":1,"name":"O"}],"elem":"u32","pack":1},{"name":"weight","access":"in","optional":false,"dims":[{"coef":1,"name":"O"},{"coef":1,"name":"K"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"O"},{"coef":1,"name":"C"}],"elem":"f32","pack":1}],
  dims: ["A","N","C","O","K"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.A!*d.O!*d.C!/d.WG!)],
  flops: (d) => 2*d.A!*d.O!*d.C!*d.K!,
  touch: {},
};

/** interpolation along one axis in Pillow's integer arithmetic, four bytes an invocation. */
export const resize_axis_bytes: Kernel<{ x: "in"; start: "in"; weight: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "resize_axis_bytes",
  source: resize_axis_bytes_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"N"},{"coef":1,"name":"C"}],"elem":"u8","pack":1},{"name":"start","access":"in","optional":false,"dims":[{"coef":1,"name":"O"}],"elem":"u32","pack":1},{"name":"weight","access":"in","optional":false,"dims":[{"coef":1,"name":"O"},{"coef":1,"name":"K"}],"elem":"i32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"A"},{"coef":1,"name":"O"},{"coef":1,"name":"C"}],"elem":"u8","pack":1}],
  dims: ["A","N","C","O","K"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.A!*d.O!*d.C!/(4*d.WG!))],
  flops: (d) => 2*d.A!*d.O!*d.C!*d.K!,
  touch: {},
};

/** keep a scalar of this step on the device, to be read many steps later. */
export const ring_write: Kernel<{ ring: "inout"; x: "in"; random: "in" }, { column: number }, Record<never, never>> = {
  name: "ring_write",
  source: ring_write_wgsl,
  libs: [],
  tensors: [{"name":"ring","access":"inout","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"f32","pack":1},{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"random","access":"in","optional":false,"dims":[{"coef":4,"name":""}],"elem":"u32","pack":1}],
  dims: ["R","C"],
  params: [{"name":"column","type":"u32"}],
  options: {},
  tune: {"WG":[1]},
  limits: [],
  fold: false,
  grid: (_d) => [1],
  flops: (_d) => 0,
  touch: { ring: (_d) => 1 },
};

/** gradient of the rows of a weighted sum over segments. */
export const segment_pool_bwd_rows: Kernel<{ w: "in"; bound: "in"; dy: "in"; dx: "out" }, { D: number }, Record<never, never>> = {
  name: "segment_pool_bwd_rows",
  source: segment_pool_bwd_rows_wgsl,
  libs: [lib_segment, lib_unit],
  tensors: [{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"f32","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4}],
  dims: ["R","H","E","Y","U","X"],
  params: [{"name":"D","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.X!/d.WG!)],
  flops: (d) => 2*d.X!*d.U!*d.H!,
  touch: {},
};

/** gradient of the weights of a weighted sum over segments. */
export const segment_pool_bwd_weights: Kernel<{ x: "in"; bound: "in"; dy: "in"; dw: "out" }, { D: number }, Record<never, never>> = {
  name: "segment_pool_bwd_weights",
  source: segment_pool_bwd_weights_wgsl,
  libs: [lib_segment, lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"f32","pack":4},{"name":"dw","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1}],
  dims: ["X","U","E","Y","R","H"],
  params: [{"name":"D","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*d.H!/d.WG!)],
  flops: (d) => 2*d.R!*d.H!*d.D!*d.U!,
  touch: {},
};

/** weighted sum of the rows of each segment, a share of them. */
export const segment_pool_partial: Kernel<{ x: "in"; w: "in"; bound: "in"; part: "out" }, { D: number; S: number }, Record<never, never>> = {
  name: "segment_pool_partial",
  source: segment_pool_partial_wgsl,
  libs: [lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"w","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"U"}],"elem":"f32","pack":4}],
  dims: ["X","U","R","H","E","Z"],
  params: [{"name":"D","type":"u32"},{"name":"S","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Z!/d.WG!)],
  flops: (d) => 2*d.X!*d.U!*d.H!,
  touch: {},
};

/** softmax over the rows of each segment, from its statistics. */
export const segment_softmax_apply: Kernel<{ x: "in"; bound: "in"; mask?: "in"; stats: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segment_softmax_apply",
  source: segment_softmax_apply_wgsl,
  libs: [lib_segment, lib_logits],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"mask","access":"in","optional":true,"dims":[{"coef":1,"name":"R"}],"elem":"u32","pack":1},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1}],
  dims: ["R","H","E","N"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*d.H!/d.WG!)],
  flops: (d) => 2*d.R!*d.H!,
  touch: {},
};

/** gradient of the softmax over the rows of each segment, from its result. */
export const segment_softmax_bwd: Kernel<{ y: "in"; dy: "in"; bound: "in"; dot_: "in"; dx: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segment_softmax_bwd",
  source: segment_softmax_bwd_wgsl,
  libs: [lib_segment],
  tensors: [{"name":"y","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"dot_","access":"in","optional":false,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":1},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1}],
  dims: ["R","H","E","N"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.R!*d.H!/d.WG!)],
  flops: (d) => 2*d.R!*d.H!,
  touch: {},
};

/** product of weights and their gradients over every S-th row of a segment. */
export const segment_softmax_dot: Kernel<{ y: "in"; dy: "in"; bound: "in"; part: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segment_softmax_dot",
  source: segment_softmax_dot_wgsl,
  libs: [],
  tensors: [{"name":"y","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"part","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"N"}],"elem":"f32","pack":1}],
  dims: ["R","H","E","S","N"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.S!*d.N!/d.WG!)],
  flops: (d) => 2*d.R!*d.H!,
  touch: {},
};

/** largest score and sum of exponentials of every S-th row of a segment. */
export const segment_softmax_partial: Kernel<{ x: "in"; bound: "in"; mask?: "in"; top: "out"; total: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segment_softmax_partial",
  source: segment_softmax_partial_wgsl,
  libs: [lib_logits],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"H"}],"elem":"T","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"mask","access":"in","optional":true,"dims":[{"coef":1,"name":"R"}],"elem":"u32","pack":1},{"name":"top","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"N"}],"elem":"f32","pack":1},{"name":"total","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"N"}],"elem":"f32","pack":1}],
  dims: ["R","H","E","S","N"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.S!*d.N!/d.WG!)],
  flops: (d) => 3*d.R!*d.H!,
  touch: {},
};

/** largest score of a segment and one over its sum of exponentials, 0 where nothing counts. */
export const segment_softmax_stats: Kernel<{ top: "in"; total: "in"; stats: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segment_softmax_stats",
  source: segment_softmax_stats_wgsl,
  libs: [lib_logits],
  tensors: [{"name":"top","access":"in","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"N"}],"elem":"f32","pack":1},{"name":"total","access":"in","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"N"}],"elem":"f32","pack":1},{"name":"stats","access":"out","optional":false,"dims":[{"coef":1,"name":"N"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["S","N"],
  params: [],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.N!/d.WG!)],
  flops: (d) => 3*d.S!*d.N!,
  touch: {},
};

/** where each key begins in the sorted keys, by bisection. */
export const segments_bounds: Kernel<{ sorted: "in"; bound: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segments_bounds",
  source: segments_bounds_wgsl,
  libs: [],
  tensors: [{"name":"sorted","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"bound","access":"out","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1}],
  dims: ["n","E"],
  params: [],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.E!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** what a chunk of 256 sorted rows adds to a segment that began before it. */
export const segments_carry: Kernel<{ x: "in"; order: "in"; sorted: "in"; carry: "out" }, { D: number }, Record<never, never>> = {
  name: "segments_carry",
  source: segments_carry_wgsl,
  libs: [lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"order","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"sorted","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"carry","access":"out","optional":false,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"U"}],"elem":"f32","pack":4}],
  dims: ["X","U","n","Z"],
  params: [{"name":"D","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Z!/d.WG!)],
  flops: (d) => d.n!*d.D!*d.U!,
  touch: {},
};

/** sum of the columns that share a key, in their order. */
export const segments_columns: Kernel<{ x: "in"; order: "in"; bound: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segments_columns",
  source: segments_columns_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":1},{"name":"order","access":"in","optional":false,"dims":[{"coef":1,"name":"K"}],"elem":"u32","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"C"}],"elem":"T","pack":1}],
  dims: ["M","K","E","C"],
  params: [],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!*d.C!/d.WG!)],
  flops: (d) => d.M!*d.K!,
  touch: {},
};

/** first step of a stable counting sort by one byte of the keys, one invocation a block of 256 keys. */
export const segments_count: Kernel<{ key: "in"; count: "out" }, { V: number; shift: number }, Record<never, never>> = {
  name: "segments_count",
  source: segments_count_wgsl,
  libs: [],
  tensors: [{"name":"key","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"count","access":"out","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":256,"name":""}],"elem":"u32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"V","type":"u32"},{"name":"shift","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.S!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** third step of a stable counting sort, one invocation a block of 256 keys, which moves in order. */
export const segments_place: Kernel<{ key: "in"; order?: "in"; total: "in"; count: "inout"; sorted: "out"; placed: "out" }, { V: number; shift: number }, Record<never, never>> = {
  name: "segments_place",
  source: segments_place_wgsl,
  libs: [],
  tensors: [{"name":"key","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"order","access":"in","optional":true,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"total","access":"in","optional":false,"dims":[{"coef":256,"name":""}],"elem":"u32","pack":1},{"name":"count","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":256,"name":""}],"elem":"u32","pack":1},{"name":"sorted","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"placed","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"V","type":"u32"},{"name":"shift","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.S!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** second step of a stable counting sort, one invocation a digit. */
export const segments_scan: Kernel<{ count: "inout"; total: "out" }, Record<never, never>, Record<never, never>> = {
  name: "segments_scan",
  source: segments_scan_wgsl,
  libs: [],
  tensors: [{"name":"count","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":256,"name":""}],"elem":"u32","pack":1},{"name":"total","access":"out","optional":false,"dims":[{"coef":256,"name":""}],"elem":"u32","pack":1}],
  dims: ["S"],
  params: [],
  options: {},
  tune: {"WG":[8,32,64]},
  limits: [],
  fold: false,
  grid: (d) => [256/d.WG!],
  flops: (_d) => 0,
  touch: {},
};

/** sum of the rows that share a key, in their order; long segments through the sums of segments_carry. */
export const segments_sum: Kernel<{ x: "in"; order: "in"; bound: "in"; carry?: "in"; y?: "out"; total?: "out" }, { D: number }, Record<never, never>> = {
  name: "segments_sum",
  source: segments_sum_wgsl,
  libs: [lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"order","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"u32","pack":1},{"name":"bound","access":"in","optional":false,"dims":[{"coef":1,"name":"E"}],"elem":"u32","pack":1},{"name":"carry","access":"in","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"U"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"total","access":"out","optional":true,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"f32","pack":4}],
  dims: ["X","U","n","E","Z","Y"],
  params: [{"name":"D","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Y!/d.WG!)],
  flops: (d) => d.n!*d.D!*d.U!,
  touch: {},
};

/** gradient of softmax, or of its logarithm, from its result. */
export const softmax_bwd: Kernel<{ saved: "in"; dy: "in"; dx: "out" }, { scale: number }, { form: "probs" | "logs" }> = {
  name: "softmax_bwd",
  source: softmax_bwd_wgsl,
  libs: [lib_reduce, lib_rows, lib_logits],
  tensors: [{"name":"saved","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"scale","type":"f32"}],
  options: {"form":["probs","logs"]},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 4*d.M!*d.D!,
  touch: {},
};

/** softmax_bwd without barriers, one invocation a row. */
export const softmax_bwd_flat: Kernel<{ saved: "in"; dy: "in"; dx: "out" }, { scale: number }, { form: "probs" | "logs" }> = {
  name: "softmax_bwd_flat",
  source: softmax_bwd_flat_wgsl,
  libs: [lib_rows, lib_logits],
  tensors: [{"name":"saved","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"scale","type":"f32"}],
  options: {"form":["probs","logs"]},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 4*d.M!*d.D!,
  touch: {},
};

/** softmax of each row, or its logarithm. */
export const softmax_fwd: Kernel<{ x: "in"; y: "out" }, { scale: number; reach: number; far: number }, { form: "probs" | "logs" }> = {
  name: "softmax_fwd",
  source: softmax_fwd_wgsl,
  libs: [lib_reduce, lib_rows, lib_logits, lib_logarithm, lib_softmax],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"scale","type":"f32"},{"name":"reach","type":"f32"},{"name":"far","type":"f32"}],
  options: {"form":["probs","logs"]},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
  flops: (d) => 6*d.M!*d.D!,
  touch: {},
};

/** softmax_fwd without barriers, one invocation a row. */
export const softmax_fwd_flat: Kernel<{ x: "in"; y: "out" }, { scale: number; reach: number; far: number }, { form: "probs" | "logs" }> = {
  name: "softmax_fwd_flat",
  source: softmax_fwd_flat_wgsl,
  libs: [lib_rows, lib_logits, lib_logarithm, lib_softmax],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":4}],
  dims: ["M","D"],
  params: [{"name":"scale","type":"f32"},{"name":"reach","type":"f32"},{"name":"far","type":"f32"}],
  options: {"form":["probs","logs"]},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
  flops: (d) => 6*d.M!*d.D!,
  touch: {},
};

/** scaled sum over one dimension of a block, in order. */
export const sum_block: Kernel<{ x: "in"; y?: "out"; total?: "out" }, { C: number; count: number; x_row: number; x_at: number; x_step: number; scale: number }, Record<never, never>> = {
  name: "sum_block",
  source: sum_block_wgsl,
  libs: [lib_unit],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"X"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"T","pack":4},{"name":"total","access":"out","optional":true,"dims":[{"coef":1,"name":"Y"},{"coef":1,"name":"U"}],"elem":"f32","pack":4}],
  dims: ["X","U","Y"],
  params: [{"name":"C","type":"u32"},{"name":"count","type":"u32"},{"name":"x_row","type":"u32"},{"name":"x_at","type":"u32"},{"name":"x_step","type":"u32"},{"name":"scale","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Y!/d.WG!)],
  flops: (d) => d.Y!*d.U!*d.count!,
  touch: { x: (d) => d.Y!*d.U!*d.count! },
};

/** sum of two gradients of the same tensor. */
export const sum_pair: Kernel<{ a: "in"; b: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "sum_pair",
  source: sum_pair_wgsl,
  libs: [],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"T","pack":1}],
  dims: ["n"],
  params: [],
  options: {},
  tune: {"WG":[256,64]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => d.n!,
  touch: {},
};

/** second stage of a two-stage sum, in fixed order. */
export const sum_partials: Kernel<{ part: "in"; y: "out" }, Record<never, never>, Record<never, never>> = {
  name: "sum_partials",
  source: sum_partials_wgsl,
  libs: [],
  tensors: [{"name":"part","access":"in","optional":false,"dims":[{"coef":1,"name":"S"},{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1}],
  dims: ["S","n"],
  params: [],
  options: {},
  tune: {"WG":[64,8,32,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
  flops: (d) => d.S!*d.n!,
  touch: {},
};

/** sums of squares of blocks of 4096 elements, written from place `at` on. */
export const sum_squares: Kernel<{ x: "in"; part: "inout" }, { at: number }, Record<never, never>> = {
  name: "sum_squares",
  source: sum_squares_wgsl,
  libs: [lib_reduce, lib_gradient_range],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"part","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/4096)],
  flops: (d) => 2*d.n!,
  touch: { part: (d) => Math.ceil(d.n!/4096) },
};

/** sum_squares without barriers, one invocation a block. */
export const sum_squares_flat: Kernel<{ x: "in"; part: "inout" }, { at: number }, Record<never, never>> = {
  name: "sum_squares_flat",
  source: sum_squares_flat_wgsl,
  libs: [lib_gradient_range],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"part","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(4096*d.WG!))],
  flops: (d) => 2*d.n!,
  touch: { part: (d) => Math.ceil(d.n!/4096) },
};

/** scaled sum of all elements, by one workgroup in fixed order. */
export const sum_vector: Kernel<{ x: "in"; y: "out" }, { factor: number }, Record<never, never>> = {
  name: "sum_vector",
  source: sum_vector_wgsl,
  libs: [lib_reduce],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1}],
  dims: ["n"],
  params: [{"name":"factor","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: false,
  grid: (_d) => [1],
  flops: (d) => d.n!,
  touch: {},
};

/** merges the lists of all segments of a block into the running list of each query, one invocation a query. */
export const topk_merge: Kernel<{ score: "in"; index: "in"; best: "inout"; found: "inout" }, { at: number }, Record<never, never>> = {
  name: "topk_merge",
  source: topk_merge_wgsl,
  libs: [],
  tensors: [{"name":"score","access":"in","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"G"},{"coef":1,"name":"K"}],"elem":"f32","pack":1},{"name":"index","access":"in","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"G"},{"coef":1,"name":"K"}],"elem":"u32","pack":1},{"name":"best","access":"inout","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"K"}],"elem":"f32","pack":1},{"name":"found","access":"inout","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"K"}],"elem":"u32","pack":1}],
  dims: ["Q","G","K"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.Q!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};

/** the K largest scores of each segment of 512 columns, one invocation a query and segment. */
export const topk_segments: Kernel<{ s: "in"; score: "out"; index: "out" }, { at: number }, Record<never, never>> = {
  name: "topk_segments",
  source: topk_segments_wgsl,
  libs: [],
  tensors: [{"name":"s","access":"in","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"C"}],"elem":"f32","pack":1},{"name":"score","access":"out","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"G"},{"coef":1,"name":"K"}],"elem":"f32","pack":1},{"name":"index","access":"out","optional":false,"dims":[{"coef":1,"name":"Q"},{"coef":1,"name":"G"},{"coef":1,"name":"K"}],"elem":"u32","pack":1}],
  dims: ["Q","C","G","K"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,8]},
  limits: [{ text: "G == ceil(C / 512)", holds: (d) => d.G! == Math.ceil(d.C! / 512) }],
  fold: true,
  grid: (d) => [Math.ceil(d.Q!*d.G!/d.WG!)],
  flops: (_d) => 0,
  touch: {},
};
