/**
 * One planar flow on each row, with the logarithm of the volume it changes.
 *
 * a = tanh(z . w + b), y = z + u a, logdet = ln(|1 + (1 - a^2) u . w| + 1e-8). The map is invertible where u . w >= -1, which
 * nothing here enforces. Backward keeps a alone, 4 bytes a row.
 *
 * Source: Rezende and Mohamed, "Variational inference with normalizing flows", ICML 2015, equations 10 to 12.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { expectShape, formatShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { sumPartials } from "./partials.ts";

/** Parameters of a planar flow, f32. */
export interface PlanarFlowParams {
  /** Direction that rows move in, `[D]`. */
  readonly u: Tensor;
  /** Normal of the plane, `[D]`. */
  readonly w: Tensor;
  /** Offset of the plane, `[1]`. */
  readonly b: Tensor;
}

/** Added to the absolute value of the determinant. */
const EPS = 1e-8;
/** Rows one partial sum of the parameter gradients covers. */
const COLUMN_ROWS = 64;

/** What backward needs. */
interface Saved extends Omit<PlanarFlowParams, "b"> {
  readonly z: Tensor;
  readonly act: Tensor;
}

/** Invocations for a row. */
function tuneOf(D: number): { WG: number } {
  return { WG: D <= 128 ? 32 : D <= 1024 ? 64 : 256 };
}

function flowBackward(
  g: Plan,
  { z, u, w, act }: Saved,
  [dy, dlogdet]: readonly (Tensor | undefined)[],
  [needZ, needU, needW, needB]: readonly boolean[],
): (Tensor | undefined)[] {
  const [M, D] = [act.size, u.size];
  let grad = dy;
  if (!grad) {
    grad = g.tensor(z.shape, z.dtype, "planar_flow.dy");
    g.run(k.fill, { y: grad }, { value: 0 });
  }
  const dz = needZ ? g.tensor(z.shape, z.dtype, "planar_flow.dz") : undefined;
  const sums = needU || needW || needB ? g.tensor([M, 3], "f32", "planar_flow.sums") : undefined;
  const tensors = { dy: grad, dlogdet, u, w, act, dz, sums };
  if (g.gpu.caps.flat) g.run(k.planar_flow_bwd_flat, tensors, { eps: EPS });
  else g.run(k.planar_flow_bwd, tensors, { eps: EPS, tune: tuneOf(D) });
  if (!sums) return [dz];
  const S = Math.max(1, Math.ceil(M / COLUMN_ROWS));
  const part = (need: boolean | undefined, width: number, label: string) =>
    need ? g.tensor([S, width], "f32", `planar_flow.${label}`) : undefined;
  const [du, dw, db] = [part(needU, D, "du"), part(needW, D, "dw"), part(needB, 1, "db")];
  const tune = { WG: g.gpu.caps.flat ? 8 : 64 };
  g.run(k.planar_flow_columns, { z, dy: grad, sums, u, w, du, dw, db }, { tune });
  return [dz, ...[du, dw, db].map((partial) => partial && sumPartials(g, partial))];
}

/**
 * Applies a planar flow to the last dimension.
 *
 * @param z `[..., D]`.
 * @returns `y` `[..., D]`, the type of `z`, and `logdet` `[...]`, f32.
 * @throws {ShapeError} If rows are empty, or u, w or b does not fit them.
 * @throws {DtypeError} If u, w or b is not f32.
 */
export function planarFlow(g: Plan, z: Tensor, params: PlanarFlowParams): { y: Tensor; logdet: Tensor } {
  const { u, w, b } = params;
  const D = z.dim(-1);
  if (!D) throw new ShapeError(`Cannot run planarFlow: z is ${formatShape(z.shape)}, wanted rows with an element`);
  expectShape("planarFlow", "u", u.shape, [D]);
  expectShape("planarFlow", "w", w.shape, [D]);
  expectShape("planarFlow", "b", b.shape, [1]);
  const M = z.size / D;
  const y = g.tensor(z.shape, z.dtype, "planar_flow.y");
  const logdet = g.tensor(z.shape.slice(0, -1), "f32", "planar_flow.logdet");
  const act = g.needsGrad(z, u, w, b) ? g.tensor([M], "f32", "planar_flow.act") : undefined;
  const tensors = { z, u, w, b, y, logdet: logdet.reshape([M]), act };
  if (g.gpu.caps.flat) g.run(k.planar_flow_fwd_flat, tensors, { eps: EPS });
  else g.run(k.planar_flow_fwd, tensors, { eps: EPS, tune: tuneOf(D) });
  g.record("planar_flow", [z, u, w, b], [y, logdet], ([dy, dlogdet], needs) => {
    return flowBackward(g, { z, u, w, act: act! }, [dy, dlogdet?.reshape([M])], needs);
  });
  return { y, logdet };
}

/** Cost of the forward pass on `M` rows of `D`. */
export function planarFlowCost(M: number, D: number): Cost {
  return { flops: 6 * M * D, bytes: 4 * (2 * M * D + 2 * D + M) };
}
