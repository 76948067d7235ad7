/**
 * Linear layer with everything that may follow it, in one dispatch.
 *
 * y = residual + gamma * act(x Wᵀ + s (xl Aᵀ) Bᵀ + bias), weights stored `[out, in]`. LoRA as PEFT 0.17 computes it; xl is
 * x, or x after dropout. Backward recomputes nothing: it keeps xl Aᵀ (`[M, R]`) and, with an activation or a trainable
 * gamma, the value before the activation.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { type Act, runMatmul } from "./matmul_run.ts";
import { sumPartials } from "./partials.ts";

/** Low-rank addition to a weight. */
export interface Lora {
  /** Inner factor `[R, K]`, f32. */
  readonly a: Tensor;
  /** Outer factor `[N, R]`, f32. */
  readonly b: Tensor;
  /** s; alpha / R, or alpha / sqrt(R) for rank-stabilised LoRA. */
  readonly scale: number;
  /** Input of this branch where it differs from that of the layer: the same after dropout. */
  readonly x?: Tensor | undefined;
}

/** Parameters of {@linkcode linear}. Those that are left out cost nothing. */
export interface LinearParams {
  /** `[N, K]`; f32, or f16 or bf16 when frozen. */
  readonly weight: Tensor;
  /** `[N]`, f32. */
  readonly bias?: Tensor | undefined;
  /** Low-rank update. */
  readonly lora?: Lora | undefined;
  /** `gelu` is the exact one, with erf; `swiglu` makes F = N/2. Default `none`. */
  readonly act?: Act | undefined;
  /** LayerScale `[F]`, f32. */
  readonly gamma?: Tensor | undefined;
  /** Added last, `[..., F]`. */
  readonly residual?: Tensor | undefined;
}

/** Rows one partial sum of a column covers. */
const COLUMN_ROWS = 64;
/** Storage buffers that every device binds to one dispatch. */
const STORAGE_BUFFERS = 8;

function check(x: Tensor, { weight, bias, lora, act, gamma, residual }: LinearParams): { M: number; F: number } {
  const K = x.dim(-1);
  const M = K ? x.size / K : x.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  expectShape("linear", "weight", weight.shape, [null, K]);
  const N = weight.dim(0);
  if (act === "swiglu" && N % 2) {
    throw new ConfigError(`Cannot halve the width of a swiglu layer: ${N}, wanted an even number`);
  }
  const F = act === "swiglu" ? N / 2 : N;
  if (bias) expectShape("linear", "bias", bias.shape, [N]);
  if (gamma) expectShape("linear", "gamma", gamma.shape, [F]);
  if (residual) expectShape("linear", "residual", residual.shape, [...x.shape.slice(0, -1), F]);
  if (lora) {
    const R = lora.a.dim(0);
    expectShape("linear", "lora.a", lora.a.shape, [R, K]);
    expectShape("linear", "lora.b", lora.b.shape, [N, R]);
    if (lora.x) expectShape("linear", "lora.x", lora.x.shape, x.shape);
    if (!Number.isFinite(lora.scale)) {
      throw new ConfigError(`Cannot scale LoRA: scale is ${lora.scale}, wanted a number`);
    }
  }
  return { M, F };
}

/** Matrix product `[M, N]` of two-dimensional operands. */
function product(
  g: Plan,
  layout: "nt" | "nn" | "tn",
  [a, b, h, e]: readonly (Tensor | undefined)[],
  y: Tensor,
  alpha = 1,
): Tensor {
  const cube = (t: Tensor): Tensor => t.reshape([1, ...t.shape]);
  runMatmul(g, layout, { a: cube(a!), b: cube(b!), h, e, y: cube(y) }, { alpha });
  return y;
}

/** Sum over rows of dy, times act(pre) where `pre` is given. */
function columnSum(g: Plan, dy: Tensor, pre?: Tensor, act: Act = "none", zeros = { from: 0, to: 0 }): Tensor {
  const [M, F] = [dy.dim(0), dy.dim(1)];
  const part = g.tensor([Math.max(1, Math.ceil(M / COLUMN_ROWS)), F], "f32", "linear.columns");
  const [zero0, zero1, tune] = [zeros.from, zeros.to, { WG: g.gpu.caps.flat ? 8 : 64 }];
  g.run(k.matmul_bwd_columns, { dy, pre, part }, { act, zero0, zero1, tune });
  return sumPartials(g, part);
}

/** What backward needs, as matrices. Gradients come in the order of the inputs on the tape. */
interface Saved {
  readonly x: Tensor;
  readonly xl: Tensor | undefined;
  readonly h: Tensor | undefined;
  readonly pre: Tensor | undefined;
}

function linearBackward(
  g: Plan,
  params: LinearParams,
  { x, xl, h, pre }: Saved,
  dy: Tensor,
  needs: readonly boolean[],
): (Tensor | undefined)[] {
  const { weight, gamma, lora, act = "none" } = params;
  const [needX, needW, needBias, needGamma, needResidual, needXl, needA, needB] = needs;
  const [M, K, N] = [x.dim(0), x.dim(1), weight.dim(0)];
  const grads: (Tensor | undefined)[] = new Array(8).fill(undefined);
  if (needResidual) grads[4] = dy;
  if (needGamma) grads[3] = columnSum(g, dy, pre, act);
  if (!(needX || needW || needBias || needXl || needA || needB)) return grads;
  let dz = dy;
  if (gamma || act !== "none") {
    dz = g.tensor([M, N], dy.dtype, "linear.dz");
    const tensors = { dy, gamma, pre: act === "none" ? undefined : pre, dz };
    g.run(k.matmul_bwd_act, tensors, { act, tune: { WG: g.gpu.caps.flat ? 8 : 64 } });
    if (act === "none") g.noteCentred(dz, g.centred(dy).from, g.centred(dy).to);
  }
  // Where columns of dz sum to 0, so does the bias' gradient, and then columns of dx do: they are sums of those.
  const zeros = g.centred(dz);
  if (needBias && !zeros.all) grads[2] = columnSum(g, dz, undefined, "none", zeros);
  if (needW) grads[1] = product(g, "tn", [dz, x], g.tensor([N, K], "f32", "linear.dweight"));
  const own = lora && !lora.x;
  let dh: Tensor | undefined;
  if (lora && (needA || needXl || (needX && own))) {
    dh = product(g, "nn", [dz, lora.b], g.tensor([M, lora.a.dim(0)], dz.dtype, "linear.dh"), lora.scale);
  }
  if (needX) {
    const extra = own ? [dh, lora.a] : [];
    grads[0] = product(g, "nn", [dz, weight, ...extra], g.tensor([M, K], x.dtype, "linear.dx"));
    if (zeros.all) g.noteCentred(grads[0]);
  }
  if (needXl) grads[5] = product(g, "nn", [dh, lora!.a], g.tensor([M, K], x.dtype, "linear.dxl"));
  if (needA) grads[6] = product(g, "tn", [dh, xl], g.tensor(lora!.a.shape, "f32", "linear.da"));
  if (needB) grads[7] = product(g, "tn", [dz, h], g.tensor(lora!.b.shape, "f32", "linear.db"));
  return grads;
}

/**
 * Applies a linear layer to the last dimension.
 *
 * @param x `[..., K]`.
 * @returns `[..., F]`, the type of `x`; F is N, or N/2 for swiglu.
 * @throws {ShapeError} If a parameter does not fit the weight or the input.
 * @throws {ConfigError} If the LoRA scale is no number or a swiglu layer has odd width.
 */
export function linear(g: Plan, x: Tensor, params: LinearParams): Tensor {
  const { weight, bias, gamma, residual, lora, act = "none" } = params;
  const { M, F } = check(x, params);
  const [N, K] = [weight.dim(0), weight.dim(1)];
  const X = x.reshape([M, K]);
  const xl = lora && (lora.x ?? x).reshape([M, K]);
  // The scale goes into h, so that backward finds s h and s dh ready.
  const h = lora && product(g, "nt", [xl, lora.a], g.tensor([M, lora.a.dim(0)], x.dtype, "linear.h"), lora.scale);
  const inner = g.needsGrad(x, weight, bias, gamma, lora?.x, lora?.a, lora?.b);
  const keeps = inner && (act !== "none" || g.needsGrad(gamma));
  const pre = keeps ? g.tensor([M, N], x.dtype, "linear.pre") : undefined;
  const optional = [h, lora?.b, bias, gamma, residual, pre].filter((tensor) => tensor !== undefined);
  // With all of them at once the residual is one tensor too many for a default device; no device gets another plan.
  const apart = residual && optional.length + 3 > STORAGE_BUFFERS;
  const out = g.tensor([M, F], x.dtype, "linear.y");
  const tensors = {
    a: X.reshape([1, M, K]),
    b: weight.reshape([1, N, K]),
    h,
    e: lora?.b,
    bias,
    gamma,
    residual: apart ? undefined : residual?.reshape([M, F]),
    pre,
    y: out.reshape([1, M, F]),
  };
  runMatmul(g, "nt", tensors, { act });
  let y = out;
  if (apart) {
    y = g.tensor([M, F], x.dtype, "linear.y");
    g.run(k.sum_pair, { a: out.reshape([-1]), b: residual.reshape([-1]), y: y.reshape([-1]) });
  }
  y = y.reshape([...x.shape.slice(0, -1), F]);
  const saved = { x: X, xl, h, pre };
  const inputs = [x, weight, bias, gamma, residual, lora?.x, lora?.a, lora?.b];
  const back = (dy: Tensor, needs: readonly boolean[]) => linearBackward(g, params, saved, dy.reshape([M, F]), needs);
  g.record("linear", inputs, [y], ([dy], needs) => back(dy!, needs));
  return y;
}

/** Cost of the forward pass of a layer `[N, K]` on `M` rows, with LoRA of rank `R`, f32. */
export function linearCost(M: number, N: number, K: number, R: number = 0): Cost {
  return { flops: 2 * M * (N * K + R * (N + K)), bytes: 4 * (M * K + N * K + M * N + R * (N + K)) };
}
