/**
 * Bottleneck adapter behind a frozen image encoder: a(z) = W2 relu(W1 z + b1) + b2, instead of low-rank updates within it.
 *
 * The original applies it twice, since both its encoder and its model do; `twice` is that. It has no residual connection;
 * `residual` gives z + a(z).
 *
 * Source: SEAL, `seal/models/load_model.py`; names are its own.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { moduleRng } from "../nn/init.ts";
import type { Parameters } from "../nn/parameters.ts";
import { createSequential } from "../nn/sequential.ts";
import { add } from "../ops/binary.ts";
import { expectSizes, type ModuleOptions } from "./module_options.ts";

/** Sizes of the adapter. */
export interface BottleneckAdapterConfig {
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Width between the two layers; default 256. */
  readonly bottleneck?: number;
  /** `once` (default), `twice` as the original (`adapter_compat_double`), or `residual`. */
  readonly mode?: AdapterMode;
}

/** Ways to apply an adapter. */
export const ADAPTER_MODES: readonly AdapterMode[] = ["once", "twice", "residual"];

/** Way to apply an adapter. */
export type AdapterMode = "once" | "twice" | "residual";

/** An adapter whose parameters exist. */
export interface BottleneckAdapter {
  /** Sizes. */
  readonly config: BottleneckAdapterConfig;
  /** Appends the adapter to an embedding `[B, D]`. */
  forward(g: Plan, z: Tensor): Tensor;
}

/**
 * Adds `adapter.0` and `adapter.2`.
 *
 * @throws {ConfigError} If a size or the mode is unusable.
 */
export function createBottleneckAdapter(
  parameters: Parameters,
  config: BottleneckAdapterConfig,
  { prefix = "", seed }: ModuleOptions = {},
): BottleneckAdapter {
  const { dim, bottleneck = 256, mode = "once" } = config;
  expectSizes("the bottleneck adapter", { dim, bottleneck });
  if (!ADAPTER_MODES.includes(mode)) {
    throw new ConfigError(`Cannot build the bottleneck adapter: mode is ${mode}, wanted ${ADAPTER_MODES.join(", ")}`, {
      context: { key: "mode", given: mode },
    });
  }
  const name = `${prefix}adapter`;
  const parts = [["linear", dim, bottleneck], ["relu"], ["linear", bottleneck, dim]] as const;
  const net = createSequential(parameters, name, parts, moduleRng(seed, name));
  return {
    config,
    forward(g, z) {
      const y = net.forward(g, z, false);
      if (mode === "residual") return add(g, z, y);
      return mode === "twice" ? net.forward(g, y, false) : y;
    },
  };
}
