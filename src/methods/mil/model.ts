/**
 * Models of bags of feature vectors: from the patches of a slide to scores of classes or targets.
 *
 * `meanmil`: u = mean of x. `abmil` and `gated`: h = drop(GELU(W1 x + b1)), u = attention-weighted sum of h, several heads
 * concatenated and brought back to d by a linear layer. All: z = drop(GELU(W2 u + b2)), output = W3 z + b3. Layers start as
 * PyTorch's Linear, uniform in ±1/√fan-in.
 *
 * Source: Patho-Bench 0.1's ABMIL in the form of TRIDENT 0.3.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { expectShape } from "../../core/shape.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { moduleRng } from "../../nn/init.ts";
import { applyLinear, type LinearLayer } from "../../nn/layers.ts";
import { Parameters } from "../../nn/parameters.ts";
import { torchLinear } from "../../nn/sequential.ts";
import { dropout } from "../../ops/dropout.ts";
import { attend, type Attention, type Bags, createAttention } from "./attention.ts";

/** Models by name. */
export const MIL_MODELS = ["abmil", "gated", "meanmil"] as const;

/** How a bag becomes one vector. */
export type MilKind = (typeof MIL_MODELS)[number];

/** Dropout rates. */
export interface MilDropout {
  /** Of rows and of slides behind GELU. */
  readonly features: number;
  /** Of the attention's branches. */
  readonly attention: number;
}

/** Rates of Patho-Bench. */
export const MIL_DROPOUT: MilDropout = { features: 0.1, attention: 0.25 };

/** Options of {@linkcode createMil}. */
export interface MilOptions {
  readonly kind: MilKind;
  /** Width of a feature vector, d. */
  readonly dim: number;
  /** Classes, or targets of a regression, K. */
  readonly outputs: number;
  /** Width of the attention's layers; default 512. */
  readonly hidden?: number;
  /** Attention heads; default 1. */
  readonly heads?: number;
  /** Default {@linkcode MIL_DROPOUT}. */
  readonly dropout?: MilDropout;
  /** Of the starting values; without it parameters must be loaded. */
  readonly seed?: number;
}

/** What a plan computes of bags. */
export interface MilForward {
  /** Attention weights `[R, H]`; equal weights where the model has no attention. */
  readonly weights: Tensor;
  /** Vectors of the bags `[B, d]`. */
  readonly slide: Tensor;
  /** Logits or targets `[B, K]`. */
  readonly output: Tensor;
}

/** A model of bags with its parameters. */
export interface MilModel {
  readonly parameters: Parameters;
  readonly dim: number;
  readonly outputs: number;
  readonly heads: number;
  /** Appends the layer of rows: what is pooled, `[R, d]`. @param x `[R, d]`. */
  embed(g: Plan, x: Tensor, training: boolean): Tensor;
  /** Appends the scores of embedded rows: `[R, H]`. @param h `[R, d]`. */
  scores(g: Plan, h: Tensor, training: boolean): Tensor;
  /** Appends what follows the pooling. @param pooled `[B, H, d]`. */
  head(g: Plan, pooled: Tensor, training: boolean): { slide: Tensor; output: Tensor };
  /** Appends all of it. @param x `[R, d]`. */
  forward(g: Plan, x: Tensor, bags: Bags, training: boolean): MilForward;
}

interface Layers {
  readonly rows: LinearLayer | undefined;
  readonly attention: Attention | undefined;
  readonly heads: LinearLayer | undefined;
  readonly slide: LinearLayer;
  readonly output: LinearLayer;
}

function check(options: MilOptions): void {
  const { kind, dim, outputs, hidden = 512, heads = 1, dropout = MIL_DROPOUT } = options;
  const refuse = (key: string, given: unknown, wanted: string) => {
    throw new ConfigError(`Cannot build a model of bags: ${key} is ${given}, wanted ${wanted}`, {
      context: { key, given: String(given), wanted },
    });
  };
  if (!MIL_MODELS.includes(kind)) refuse("model", kind, `one of ${MIL_MODELS.join(", ")}`);
  for (const [key, value] of Object.entries({ dim, outputs, hidden, heads })) {
    if (!Number.isInteger(value) || value < 1) refuse(key, value, "a whole number above 0");
  }
  for (const [key, value] of Object.entries(dropout)) {
    if (!(value >= 0 && value < 1)) refuse(`dropout of ${key}`, value, "at least 0 and below 1");
  }
  if (kind === "meanmil" && heads !== 1) refuse("heads", heads, "1 for meanmil, which has no attention");
}

function layersOf(parameters: Parameters, options: MilOptions): Layers {
  const { kind, dim, outputs, hidden = 512, heads = 1, dropout = MIL_DROPOUT, seed } = options;
  const linear = (name: string, input: number, output: number) =>
    torchLinear(parameters, name, [input, output], moduleRng(seed, name));
  const attends = kind !== "meanmil";
  return {
    rows: attends ? linear("rows", dim, dim) : undefined,
    attention: attends
      ? createAttention(parameters, "attention", {
        width: dim,
        hidden,
        heads,
        gated: kind === "gated",
        dropout: dropout.attention,
        rng: moduleRng(seed, "attention"),
      })
      : undefined,
    heads: heads > 1 ? linear("heads", heads * dim, dim) : undefined,
    slide: linear("slide", dim, dim),
    output: linear("output", dim, outputs),
  };
}

/**
 * Builds a model; call `parameters.allocate()` before it is used.
 *
 * @throws {ConfigError} If a size is no whole number above 0, or a rate not in [0, 1).
 */
export function createMil(gpu: Gpu, options: MilOptions): MilModel {
  check(options);
  const { dim, outputs, heads = 1, dropout: { features: p } = MIL_DROPOUT } = options;
  const parameters = new Parameters(gpu);
  const layers = layersOf(parameters, options);
  const activate = (g: Plan, layer: LinearLayer, x: Tensor, name: string, training: boolean) => {
    const y = applyLinear(g, layer, x, { act: "gelu" });
    return training ? dropout(g, y, p, name) : y;
  };
  const model: MilModel = {
    parameters,
    dim,
    outputs,
    heads,
    embed(g, x, training) {
      expectShape("mil", "x", x.shape, [null, dim]);
      return layers.rows ? activate(g, layers.rows, x, "rows", training) : x;
    },
    scores(g, h, training) {
      return layers.attention?.scores(g, h, training) ?? equalScores(g, h.dim(0));
    },
    head(g, pooled, training) {
      const u = pooled.reshape([-1, heads * dim]);
      const one = layers.heads ? applyLinear(g, layers.heads, u) : u;
      const slide = activate(g, layers.slide, one, "slide", training);
      return { slide, output: applyLinear(g, layers.output, slide) };
    },
    forward(g, x, bags, training) {
      const h = model.embed(g, x, training);
      const { weights, pooled } = attend(g, h, model.scores(g, h, training), bags);
      return { weights, ...model.head(g, pooled, training) };
    },
  };
  return model;
}

/** Equal scores have equal weights: their pooling is the mean. */
function equalScores(g: Plan, rows: number): Tensor {
  return g.constant(`scores ${rows}`, [rows, 1], "f32", () => new Float32Array(rows));
}
