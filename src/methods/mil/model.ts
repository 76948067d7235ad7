/**
 * Models of bags of feature vectors: from the patches of a slide to scores of classes or targets.
 *
 * `meanmil`: u = mean of x. `abmil` and `gated`: h = drop(GELU(W1 x + b1)), u = attention-weighted sum of h, several heads
 * concatenated and brought back to d by a linear layer. These: z = drop(GELU(W2 u + b2)), output = W3 z + b3. `clam`, CLAM-SB:
 * h = drop(ReLU(W1 x + b1)) of width m, z = u the gated attention's sum, output = W3 z + b3, and two logits a class of every
 * row, I h + b4. Layers start as PyTorch's Linear, uniform in ±1/√fan-in.
 *
 * Source: Patho-Bench 0.1's ABMIL in the form of TRIDENT 0.3; Lu et al., Nature Biomedical Engineering 5 (2021).
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
import { activation } from "../../ops/activation.ts";
import { dropout } from "../../ops/dropout.ts";
import { attend, type Attention, type Bags, createAttention } from "./attention.ts";

/** Models by name. */
export const MIL_MODELS = ["abmil", "gated", "meanmil", "clam"] as const;

/** How a bag becomes one vector. */
export type MilKind = (typeof MIL_MODELS)[number];

/** Dropout rates. */
export interface MilDropout {
  /** Of rows and of slides behind GELU. */
  readonly features: number;
  /** Of the attention's branches. */
  readonly attention: number;
}

/** Sizes and rates of a model where they are not said. */
export interface MilDefaults {
  /** Width of V and U. */
  readonly hidden: number;
  readonly dropout: MilDropout;
}

/** Width of an embedded row of `clam`. */
export const CLAM_WIDTH = 512;

/** Those of Patho-Bench, and of CLAM. */
export function milDefaults(kind: MilKind): MilDefaults {
  return kind === "clam"
    ? { hidden: 256, dropout: { features: 0.25, attention: 0.25 } }
    : { hidden: 512, dropout: { features: 0.1, attention: 0.25 } };
}

/** Options of {@linkcode createMil}. */
export interface MilOptions {
  readonly kind: MilKind;
  /** Width of a feature vector, d. */
  readonly dim: number;
  /** Classes, or targets of a regression, K. */
  readonly outputs: number;
  /** Width of the attention's layers; default that of {@linkcode milDefaults}. */
  readonly hidden?: number;
  /** Width of an embedded row of `clam`, m; default {@linkcode CLAM_WIDTH}. Other models keep d. */
  readonly width?: number;
  /** Attention heads; default 1. */
  readonly heads?: number;
  /** Default those of {@linkcode milDefaults}. */
  readonly dropout?: MilDropout;
  /** Of the starting values; without it parameters must be loaded. */
  readonly seed?: number;
}

/** What a plan computes of bags. */
export interface MilForward {
  /** Attention weights `[R, H]`; equal weights where the model has no attention. */
  readonly weights: Tensor;
  /** Vectors of the bags `[B, m]`. */
  readonly slide: Tensor;
  /** Logits or targets `[B, K]`. */
  readonly output: Tensor;
}

/** A model of bags with its parameters. */
export interface MilModel {
  readonly parameters: Parameters;
  readonly dim: number;
  /** Width of an embedded row, m: d but for `clam`. */
  readonly width: number;
  readonly outputs: number;
  readonly heads: number;
  /** Appends the layer of rows: what is pooled, `[R, m]`. @param x `[R, d]`. */
  embed(g: Plan, x: Tensor, training: boolean): Tensor;
  /** Appends the scores of embedded rows: `[R, H]`. @param h `[R, m]`. */
  scores(g: Plan, h: Tensor, training: boolean): Tensor;
  /** Appends what follows the pooling. @param pooled `[B, H, m]`. */
  head(g: Plan, pooled: Tensor, training: boolean): { slide: Tensor; output: Tensor };
  /** Of `clam`: appends logits of "not of class k" and "of class k", `[R, K, 2]`. @param h `[R, m]`. */
  readonly instances?: ((g: Plan, h: Tensor) => Tensor) | undefined;
  /** Appends all of it. @param x `[R, d]`. */
  forward(g: Plan, x: Tensor, bags: Bags, training: boolean): MilForward;
}

interface Layers {
  readonly rows: LinearLayer | undefined;
  readonly attention: Attention | undefined;
  readonly heads: LinearLayer | undefined;
  readonly slide: LinearLayer | undefined;
  readonly output: LinearLayer;
  readonly instances: LinearLayer | undefined;
}

/** Options with their defaults. */
type Sizes = MilOptions & Required<Pick<MilOptions, "hidden" | "width" | "heads" | "dropout">>;

function sizesOf(options: MilOptions): Sizes {
  const { kind, dim } = options;
  const width = kind === "clam" ? options.width ?? CLAM_WIDTH : dim;
  return { heads: 1, ...milDefaults(kind), ...options, width };
}

function check({ kind, dim, outputs, hidden, width, heads, dropout }: Sizes): void {
  const refuse = (key: string, given: unknown, wanted: string) => {
    throw new ConfigError(`Cannot build a model of bags: ${key} is ${given}, wanted ${wanted}`, {
      context: { key, given: String(given), wanted },
    });
  };
  if (!MIL_MODELS.includes(kind)) refuse("model", kind, `one of ${MIL_MODELS.join(", ")}`);
  for (const [key, value] of Object.entries({ dim, outputs, hidden, width, heads })) {
    if (!Number.isInteger(value) || value < 1) refuse(key, value, "a whole number above 0");
  }
  for (const [key, value] of Object.entries(dropout)) {
    if (!(value >= 0 && value < 1)) refuse(`dropout of ${key}`, value, "at least 0 and below 1");
  }
  if (kind === "meanmil" && heads !== 1) refuse("heads", heads, "1 for meanmil, which has no attention");
  if (kind === "clam" && heads !== 1) refuse("heads", heads, "1 for clam, by whose attention instances are chosen");
}

function layersOf(parameters: Parameters, { kind, dim, outputs, hidden, width, heads, dropout, seed }: Sizes): Layers {
  const linear = (name: string, input: number, output: number) =>
    torchLinear(parameters, name, [input, output], moduleRng(seed, name));
  const attends = kind !== "meanmil";
  const gated = kind === "gated" || kind === "clam";
  return {
    rows: attends ? linear("rows", dim, width) : undefined,
    attention: attends
      ? createAttention(parameters, "attention", {
        width,
        hidden,
        heads,
        gated,
        dropout: dropout.attention,
        rng: moduleRng(seed, "attention"),
      })
      : undefined,
    heads: heads > 1 ? linear("heads", heads * width, width) : undefined,
    slide: kind === "clam" ? undefined : linear("slide", width, width),
    output: linear("output", width, outputs),
    instances: kind === "clam" ? linear("instances", width, 2 * outputs) : undefined,
  };
}

/**
 * Builds a model; call `parameters.allocate()` before it is used.
 *
 * @throws {ConfigError} If a size is no whole number above 0, or a rate not in [0, 1).
 */
export function createMil(gpu: Gpu, options: MilOptions): MilModel {
  const sizes = sizesOf(options);
  check(sizes);
  const { kind, dim, outputs, width, heads, dropout: { features: p } } = sizes;
  const parameters = new Parameters(gpu);
  const layers = layersOf(parameters, sizes);
  const { instances } = layers;
  const activate = (g: Plan, layer: LinearLayer, x: Tensor, name: string, training: boolean) => {
    const y = kind === "clam"
      ? activation(g, "relu", applyLinear(g, layer, x))
      : applyLinear(g, layer, x, { act: "gelu" });
    return training ? dropout(g, y, p, name) : y;
  };
  const model: MilModel = {
    parameters,
    dim,
    width,
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
      const u = pooled.reshape([-1, heads * width]);
      const one = layers.heads ? applyLinear(g, layers.heads, u) : u;
      const slide = layers.slide ? activate(g, layers.slide, one, "slide", training) : one;
      return { slide, output: applyLinear(g, layers.output, slide) };
    },
    instances: instances && ((g, h) => applyLinear(g, instances, h).reshape([-1, outputs, 2])),
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
