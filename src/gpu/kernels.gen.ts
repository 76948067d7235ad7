// Written by scripts/gen_kernels.ts from the cards of kernels/*.wgsl; do not edit.
// deno-fmt-ignore-file
import type { Kernel } from "./kernel.ts";
import accumulate_wgsl from "../../kernels/accumulate.wgsl" with { type: "text" };
import fill_wgsl from "../../kernels/fill.wgsl" with { type: "text" };
import layernorm_bwd_affine_wgsl from "../../kernels/layernorm_bwd_affine.wgsl" with { type: "text" };
import layernorm_bwd_input_wgsl from "../../kernels/layernorm_bwd_input.wgsl" with { type: "text" };
import layernorm_bwd_input_flat_wgsl from "../../kernels/layernorm_bwd_input_flat.wgsl" with { type: "text" };
import layernorm_fwd_wgsl from "../../kernels/layernorm_fwd.wgsl" with { type: "text" };
import layernorm_fwd_flat_wgsl from "../../kernels/layernorm_fwd_flat.wgsl" with { type: "text" };
import sum_pair_wgsl from "../../kernels/sum_pair.wgsl" with { type: "text" };
import sum_partials_wgsl from "../../kernels/sum_partials.wgsl" with { type: "text" };
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
