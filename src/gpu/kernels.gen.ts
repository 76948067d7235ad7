// Written by scripts/gen_kernels.ts from the cards of kernels/*.wgsl; do not edit.
// deno-fmt-ignore-file
import type { Kernel } from "./kernel.ts";
import accumulate_wgsl from "../../kernels/accumulate.wgsl" with { type: "text" };
import adamw_wgsl from "../../kernels/adamw.wgsl" with { type: "text" };
import adamw_prepare_wgsl from "../../kernels/adamw_prepare.wgsl" with { type: "text" };
import fill_wgsl from "../../kernels/fill.wgsl" with { type: "text" };
import layernorm_bwd_affine_wgsl from "../../kernels/layernorm_bwd_affine.wgsl" with { type: "text" };
import layernorm_bwd_input_wgsl from "../../kernels/layernorm_bwd_input.wgsl" with { type: "text" };
import layernorm_bwd_input_flat_wgsl from "../../kernels/layernorm_bwd_input_flat.wgsl" with { type: "text" };
import layernorm_fwd_wgsl from "../../kernels/layernorm_fwd.wgsl" with { type: "text" };
import layernorm_fwd_flat_wgsl from "../../kernels/layernorm_fwd_flat.wgsl" with { type: "text" };
import matmul_nn_wgsl from "../../kernels/matmul_nn.wgsl" with { type: "text" };
import matmul_nn_flat_wgsl from "../../kernels/matmul_nn_flat.wgsl" with { type: "text" };
import matmul_nt_wgsl from "../../kernels/matmul_nt.wgsl" with { type: "text" };
import matmul_nt_flat_wgsl from "../../kernels/matmul_nt_flat.wgsl" with { type: "text" };
import matmul_tn_wgsl from "../../kernels/matmul_tn.wgsl" with { type: "text" };
import matmul_tn_flat_wgsl from "../../kernels/matmul_tn_flat.wgsl" with { type: "text" };
import ring_write_wgsl from "../../kernels/ring_write.wgsl" with { type: "text" };
import sum_pair_wgsl from "../../kernels/sum_pair.wgsl" with { type: "text" };
import sum_partials_wgsl from "../../kernels/sum_partials.wgsl" with { type: "text" };
import sum_squares_wgsl from "../../kernels/sum_squares.wgsl" with { type: "text" };
import sum_squares_flat_wgsl from "../../kernels/sum_squares_flat.wgsl" with { type: "text" };
import lib_matmul_a_cols from "../../kernels/lib/matmul_a_cols.wgsl" with { type: "text" };
import lib_matmul_a_rows from "../../kernels/lib/matmul_a_rows.wgsl" with { type: "text" };
import lib_matmul_act from "../../kernels/lib/matmul_act.wgsl" with { type: "text" };
import lib_matmul_b_cols from "../../kernels/lib/matmul_b_cols.wgsl" with { type: "text" };
import lib_matmul_b_rows from "../../kernels/lib/matmul_b_rows.wgsl" with { type: "text" };
import lib_matmul_epilogue from "../../kernels/lib/matmul_epilogue.wgsl" with { type: "text" };
import lib_matmul_flat from "../../kernels/lib/matmul_flat.wgsl" with { type: "text" };
import lib_matmul_store from "../../kernels/lib/matmul_store.wgsl" with { type: "text" };
import lib_matmul_tiled from "../../kernels/lib/matmul_tiled.wgsl" with { type: "text" };
import lib_reduce from "../../kernels/lib/reduce.wgsl" with { type: "text" };

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
};

/** one AdamW step over all parameters of a buffer, in place; gradients are cleared for the next step. */
export const adamw: Kernel<{ w: "inout"; m: "inout"; v: "inout"; grad: "inout"; group: "in"; hyper: "in"; state: "in"; rate: "in" }, { beta1: number; beta2: number; rest1: number; rest2: number; eps: number }, Record<never, never>> = {
  name: "adamw",
  source: adamw_wgsl,
  libs: [],
  tensors: [{"name":"w","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"m","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"v","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"grad","access":"inout","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"group","access":"in","optional":false,"dims":[{"coef":1,"name":"G"}],"elem":"u32","pack":1},{"name":"hyper","access":"in","optional":false,"dims":[{"coef":1,"name":"H"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"state","access":"in","optional":false,"dims":[{"coef":8,"name":""}],"elem":"f32","pack":1},{"name":"rate","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1}],
  dims: ["n","G","H"],
  params: [{"name":"beta1","type":"f32"},{"name":"beta2","type":"f32"},{"name":"rest1","type":"f32"},{"name":"rest2","type":"f32"},{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/d.WG!)],
};

/** gradient norm, clip factor, whether the step counts, and bias corrections, all left on the device. */
export const adamw_prepare: Kernel<{ part: "in"; state: "inout" }, { clip: number; log_beta1: number; log_beta2: number }, Record<never, never>> = {
  name: "adamw_prepare",
  source: adamw_prepare_wgsl,
  libs: [lib_reduce],
  tensors: [{"name":"part","access":"in","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1},{"name":"state","access":"inout","optional":false,"dims":[{"coef":8,"name":""}],"elem":"f32","pack":1}],
  dims: ["S"],
  params: [{"name":"clip","type":"f32"},{"name":"log_beta1","type":"f32"},{"name":"log_beta2","type":"f32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: false,
  grid: (_d) => [1],
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
};

/** gradient of layernorm with respect to its input. */
export const layernorm_bwd_input: Kernel<{ x: "in"; gamma: "in"; stats: "in"; dy: "in"; dx: "out" }, Record<never, never>, Record<never, never>> = {
  name: "layernorm_bwd_input",
  source: layernorm_bwd_input_wgsl,
  libs: [lib_reduce],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1}],
  dims: ["M","D"],
  params: [],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
};

/** layernorm_bwd_input without barriers, one invocation a row. */
export const layernorm_bwd_input_flat: Kernel<{ x: "in"; gamma: "in"; stats: "in"; dy: "in"; dx: "out" }, Record<never, never>, Record<never, never>> = {
  name: "layernorm_bwd_input_flat",
  source: layernorm_bwd_input_flat_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"stats","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1},{"name":"dy","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"dx","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1}],
  dims: ["M","D"],
  params: [],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
};

/** normalise each row of x, then scale and shift. */
export const layernorm_fwd: Kernel<{ x: "in"; gamma: "in"; beta: "in"; y: "out"; stats?: "out" }, { eps: number }, Record<never, never>> = {
  name: "layernorm_fwd",
  source: layernorm_fwd_wgsl,
  libs: [lib_reduce],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"beta","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"stats","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[64,32,128,256]},
  limits: [],
  fold: true,
  grid: (d) => [d.M!],
};

/** layernorm_fwd without barriers, one invocation a row. */
export const layernorm_fwd_flat: Kernel<{ x: "in"; gamma: "in"; beta: "in"; y: "out"; stats?: "out" }, { eps: number }, Record<never, never>> = {
  name: "layernorm_fwd_flat",
  source: layernorm_fwd_flat_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"gamma","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"beta","access":"in","optional":false,"dims":[{"coef":1,"name":"D"}],"elem":"f32","pack":1},{"name":"y","access":"out","optional":false,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"D"}],"elem":"T","pack":1},{"name":"stats","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":2,"name":""}],"elem":"f32","pack":1}],
  dims: ["M","D"],
  params: [{"name":"eps","type":"f32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.M!/d.WG!)],
};

/** product of two matrices as they are stored; the input gradient of a linear layer. */
export const matmul_nn: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_nn",
  source: matmul_nn_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_a_rows, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_matmul_act],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
};

/** matmul_nn without barriers, MG*4 rows by NG*4 columns an invocation. */
export const matmul_nn_flat: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_nn_flat",
  source: matmul_nn_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_rows, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_matmul_act],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.LN!*d.NG!*4)), Math.ceil(d.M!/(d.LM!*d.MG!*4)), d.Z!],
};

/** product with a stored transposed, as nn.Linear keeps weights, and everything that may follow it. */
export const matmul_nt: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; bias?: "in"; gamma?: "in"; residual?: "in"; y?: "out"; pre?: "out"; part?: "out" }, { alpha: number }, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_nt",
  source: matmul_nt_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue, lib_matmul_act],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"R"}],"elem":"f32","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"residual","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","F","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1,2],"LOADS":[2,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*d.GV!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
};

/** matmul_nt without barriers, MG*4 rows by NG*GV*4 columns an invocation. */
export const matmul_nt_flat: Kernel<{ a: "in"; b: "in"; h?: "in"; e?: "in"; bias?: "in"; gamma?: "in"; residual?: "in"; y?: "out"; pre?: "out"; part?: "out" }, { alpha: number }, { act: "none" | "gelu" | "silu" | "swiglu" }> = {
  name: "matmul_nt_flat",
  source: matmul_nt_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_rows, lib_matmul_b_rows, lib_matmul_store, lib_matmul_epilogue, lib_matmul_act],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"M"},{"coef":1,"name":"K"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"N"},{"coef":1,"name":"K"}],"elem":"W","pack":4},{"name":"h","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"R"}],"elem":"T","pack":4},{"name":"e","access":"in","optional":true,"dims":[{"coef":1,"name":"N"},{"coef":1,"name":"R"}],"elem":"f32","pack":4},{"name":"bias","access":"in","optional":true,"dims":[{"coef":1,"name":"N"}],"elem":"f32","pack":4},{"name":"gamma","access":"in","optional":true,"dims":[{"coef":1,"name":"F"}],"elem":"f32","pack":4},{"name":"residual","access":"in","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"F"}],"elem":"T","pack":4},{"name":"pre","access":"out","optional":true,"dims":[{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","M","K","N","R","F","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {"act":["none","gelu","silu","swiglu"]},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1,2],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.LN!*d.NG!*d.GV!*4)), Math.ceil(d.M!/(d.LM!*d.MG!*4)), d.Z!],
};

/** product with the first matrix stored transposed; the weight gradient of a linear layer. */
export const matmul_tn: Kernel<{ a: "in"; b: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_tn",
  source: matmul_tn_wgsl,
  libs: [lib_matmul_tiled, lib_matmul_a_cols, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_matmul_act],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","K","M","N","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"TX":[8,16],"TY":[8,16],"MG":[2,1],"NG":[2,1],"GV":[1],"LOADS":[2,1]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.TX!*d.NG!*4)), Math.ceil(d.M!/(d.TY!*d.MG!*4)), d.Z!],
};

/** matmul_tn without barriers, MG*4 rows by NG*4 columns an invocation. */
export const matmul_tn_flat: Kernel<{ a: "in"; b: "in"; y?: "out"; part?: "out" }, { alpha: number }, Record<never, never>> = {
  name: "matmul_tn_flat",
  source: matmul_tn_flat_wgsl,
  libs: [lib_matmul_flat, lib_matmul_a_cols, lib_matmul_b_cols, lib_matmul_store, lib_matmul_epilogue, lib_matmul_act],
  tensors: [{"name":"a","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"M"}],"elem":"T","pack":4},{"name":"b","access":"in","optional":false,"dims":[{"coef":1,"name":"B"},{"coef":1,"name":"K"},{"coef":1,"name":"N"}],"elem":"W","pack":4},{"name":"y","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"T","pack":4},{"name":"part","access":"out","optional":true,"dims":[{"coef":1,"name":"Z"},{"coef":1,"name":"M"},{"coef":1,"name":"N"}],"elem":"f32","pack":4}],
  dims: ["B","K","M","N","Z"],
  params: [{"name":"alpha","type":"f32"}],
  options: {},
  tune: {"MG":[4,1,2],"NG":[4,1,2],"GV":[1],"LN":[8,1,2,4],"LM":[1,2,4,8]},
  limits: [],
  fold: false,
  grid: (d) => [Math.ceil(d.N!/(d.LN!*d.NG!*4)), Math.ceil(d.M!/(d.LM!*d.MG!*4)), d.Z!],
};

/** keep a scalar of this step on the device, to be read many steps later. */
export const ring_write: Kernel<{ ring: "inout"; x: "in"; random: "in" }, { column: number }, Record<never, never>> = {
  name: "ring_write",
  source: ring_write_wgsl,
  libs: [],
  tensors: [{"name":"ring","access":"inout","optional":false,"dims":[{"coef":1,"name":"R"},{"coef":1,"name":"C"}],"elem":"f32","pack":1},{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":""}],"elem":"f32","pack":1},{"name":"random","access":"in","optional":false,"dims":[{"coef":2,"name":""}],"elem":"u32","pack":1}],
  dims: ["R","C"],
  params: [{"name":"column","type":"u32"}],
  options: {},
  tune: {"WG":[1]},
  limits: [],
  fold: false,
  grid: (_d) => [1],
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
};

/** sums of squares of blocks of 4096 elements, written from place `at` on. */
export const sum_squares: Kernel<{ x: "in"; part: "inout" }, { at: number }, Record<never, never>> = {
  name: "sum_squares",
  source: sum_squares_wgsl,
  libs: [lib_reduce],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"part","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[64,256]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/4096)],
};

/** sum_squares without barriers, one invocation a block. */
export const sum_squares_flat: Kernel<{ x: "in"; part: "inout" }, { at: number }, Record<never, never>> = {
  name: "sum_squares_flat",
  source: sum_squares_flat_wgsl,
  libs: [],
  tensors: [{"name":"x","access":"in","optional":false,"dims":[{"coef":1,"name":"n"}],"elem":"f32","pack":1},{"name":"part","access":"inout","optional":false,"dims":[{"coef":1,"name":"S"}],"elem":"f32","pack":1}],
  dims: ["n","S"],
  params: [{"name":"at","type":"u32"}],
  options: {},
  tune: {"WG":[8,32]},
  limits: [],
  fold: true,
  grid: (d) => [Math.ceil(d.n!/(4096*d.WG!))],
};
