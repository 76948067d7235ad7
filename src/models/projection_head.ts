/**
 * Projection heads: what the contrastive loss sees instead of the embedding itself.
 *
 * `linear` is one linear layer of the width of the embedding. `mlp` is the same map under other names, since the original
 * never passes it a hidden layer. `mlp2` is what that name suggests: linear, GELU, linear.
 *
 * Source: SEAL, `seal/models/load_model.py`, `gene_model.py`; names are its own.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { moduleRng } from "../nn/init.ts";
import { applyLinear } from "../nn/layers.ts";
import type { Parameters } from "../nn/parameters.ts";
import { createSequential, type Part, torchLinear } from "../nn/sequential.ts";
import { expectRates, expectSizes, type ModuleOptions } from "./module_options.ts";

/** Kinds of heads: the values of `projection_head`. */
export const HEAD_KINDS: readonly HeadKind[] = ["none", "linear", "mlp", "mlp2"];

/** Kind of a head. */
export type HeadKind = "none" | "linear" | "mlp" | "mlp2";

/** Sizes of a head. */
export interface ProjectionHeadConfig {
  /** Which map. */
  readonly kind: HeadKind;
  /** Features of the embedding and of the result, D. */
  readonly dim: number;
  /** Probability of dropout between the two layers of `mlp2`; default 0. */
  readonly dropout?: number;
}

/** A head whose parameters exist. */
export interface ProjectionHead {
  /** Sizes. */
  readonly config: ProjectionHeadConfig;
  /**
   * Appends the head.
   *
   * @param z `[B, D]`.
   * @returns `[B, D]`; `z` itself for `none`.
   */
  forward(g: Plan, z: Tensor, options?: { training?: boolean }): Tensor;
}

/**
 * Adds a head: `projection_head.weight` and `.bias`, or `projection_head.0.weight` and so on for `mlp` and `mlp2`.
 *
 * @throws {ConfigError} If the kind is unknown.
 */
export function createProjectionHead(
  parameters: Parameters,
  config: ProjectionHeadConfig,
  { prefix = "", seed }: ModuleOptions = {},
): ProjectionHead {
  const { kind, dim, dropout = 0 } = config;
  if (!HEAD_KINDS.includes(kind)) {
    throw new ConfigError(`Cannot build projection_head "${kind}": no such kind, wanted ${HEAD_KINDS.join(", ")}`, {
      context: { key: "projection_head", given: kind },
    });
  }
  expectSizes("the projection head", { dim });
  expectRates("the projection head", { dropout });
  const name = `${prefix}projection_head`;
  const rng = moduleRng(seed, name);
  if (kind === "none") return { config, forward: (_, z) => z };
  if (kind === "linear") {
    const layer = torchLinear(parameters, name, [dim, dim], rng);
    return { config, forward: (g, z) => applyLinear(g, layer, z) };
  }
  const last: Part = ["linear", dim, dim];
  const parts: Part[] = kind === "mlp" ? [last] : [["linear", dim, dim], ["gelu"], ["dropout", dropout], last];
  const net = createSequential(parameters, name, parts, rng);
  return { config, forward: (g, z, { training = false } = {}) => net.forward(g, z, training) };
}
