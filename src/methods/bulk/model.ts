/**
 * What an arm trains: a change of tile features, their aggregate over a bag, and a head that is thrown away.
 *
 * h = x + W2 GELU(W1 LN(x) + b1) + b2, W2 and b2 zero at the start, so that h = x. u = mean of h, or gated attention. Direct:
 * mean squared difference of W u + b and the z-scored expression, W and b zero at the start unless `head_start` says otherwise. Contrastive: a = P u and c = RNA
 * encoder of the expression, both of length one, cross-entropy of a c^T / temperature over rows and columns; other bags of the
 * same patient are no negatives.
 *
 * Source: the design of "Enhancing pathology foundation models with transcriptomics" (poster, kaiko.ai), which publishes no
 * sizes; RNA encoder and gated attention as in TANGLE.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { boundedInverse, maskedClip } from "../../losses/masked_clip.ts";
import { constant, moduleRng } from "../../nn/init.ts";
import { applyLinear, applyNorm, type LinearLayer, linearLayer, normLayer } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { createSequential, torchLinear } from "../../nn/sequential.ts";
import { sigmoid, square, tanh } from "../../ops/activation.ts";
import { add, mul, sub } from "../../ops/binary.ts";
import { l2Normalize } from "../../ops/l2_normalize.ts";
import { meanAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { segmentPool } from "../../ops/segment_pool.ts";
import { segmentSoftmax } from "../../ops/segment_softmax.ts";
import type { Losses } from "../../train/step_model.ts";
import type { ARMS, BulkConfig } from "./config.ts";

/** A way of training. */
export type Arm = (typeof ARMS)[number];

/** Bags of a batch on the device. */
export interface BulkFields {
  /** Where bags begin among the rows, u32 `[B + 1]`. */
  readonly bound: Tensor;
  /** Expression of the bags' patients `[B, G]`. */
  readonly rna: Tensor;
  /** Added to the similarities `[B, B]`: 0, or -1e9 where two bags are of one patient. */
  readonly mask: Tensor;
  /** A further vector of the patients `[B, M]`, such as of reports. */
  readonly modality?: Tensor | undefined;
}

/** An arm with its parameters. */
export interface BulkArm {
  readonly arm: Arm;
  /** Appends the change of tile features; none where the encoder trains. @param x `[R, d]`. @returns `[R, d]`. */
  tiles(g: Plan, x: Tensor): Tensor;
  /** Appends the aggregate of bags. @param h `[R, d]`. @returns `[B, d]`. */
  bags(g: Plan, h: Tensor, bound: Tensor): Tensor;
  /** Appends the objective. @param h Changed tiles `[R, d]`. */
  losses(g: Plan, h: Tensor, fields: BulkFields, training: boolean): Losses;
}

/** Adds the aggregate of bags. @param linear Adds a layer of the arm. */
function aggregate(
  dim: number,
  model: BulkConfig["model"],
  linear: (name: string, from: number, to: number) => LinearLayer,
): BulkArm["bags"] {
  const attention = model.aggregate === "mean" ? undefined : {
    v: linear("attention.V", dim, model.attention_hidden),
    u: linear("attention.U", dim, model.attention_hidden),
    w: linear("attention.w", model.attention_hidden, 1),
  };
  return (g, h, bound) => {
    const R = h.dim(0);
    const scores = attention
      ? applyLinear(
        g,
        attention.w,
        mul(g, tanh(g, applyLinear(g, attention.v, h)), sigmoid(g, applyLinear(g, attention.u, h))),
      )
      : g.constant(`scores ${R}`, [R, 1], "f32", () => new Float32Array(R));
    return segmentPool(g, h, segmentSoftmax(g, scores, bound), bound).reshape([-1, dim]);
  };
}

/** Adds the change of tile features. */
function change(
  parameters: Parameters,
  arm: Arm,
  dim: number,
  { model, optim: { seed } }: ArmConfig,
): BulkArm["tiles"] {
  const norm = normLayer(parameters, `${arm}.tiles.norm`, dim, 1e-5);
  const first = torchLinear(parameters, `${arm}.tiles.1`, [dim, model.hidden], moduleRng(seed, "tiles.1"));
  const second = linearLayer(parameters, `${arm}.tiles.2`, model.hidden, dim, {
    weightInit: constant(0),
    biasInit: constant(0),
  });
  return (g, x) =>
    applyLinear(g, second, applyLinear(g, first, applyNorm(g, norm, x), { act: "gelu" }), { residual: x });
}

/** The losses of all pairs of modalities, with one temperature. */
function pairwise(g: Plan, sides: readonly Tensor[], inverse: Tensor, mask: Tensor): Tensor {
  const pairs = sides.flatMap((a, i) => sides.slice(i + 1).map((c) => maskedClip(g, a, c, inverse, mask)));
  const sum = pairs.reduce((a, b) => add(g, a, b));
  return pairs.length === 1 ? sum : affine(g, sum, 1 / pairs.length);
}

type ArmConfig = Pick<BulkConfig, "input" | "model" | "optim">;

/** Widths of what an arm sees. */
export interface ArmSizes {
  /** Of a tile's features. */
  readonly dim: number;
  readonly genes: number;
  /** Of the further vector of patients; without it there is none. */
  readonly modality?: number | undefined;
}

/** Adds an arm; arms of one seed start alike where they are alike. */
export function createArm(parameters: Parameters, arm: Arm, sizes: ArmSizes, config: ArmConfig): BulkArm {
  const { dim, genes } = sizes;
  const { input, model, optim: { seed } } = config;
  const rng = (name: string) => moduleRng(seed, name);
  const linear = (name: string, from: number, to: number): LinearLayer =>
    torchLinear(parameters, `${arm}.${name}`, [from, to], rng(name));
  const tiles = input.train === "encoder" ? (_: Plan, x: Tensor) => x : change(parameters, arm, dim, config);
  const base = { arm, tiles, bags: aggregate(dim, model, linear) };
  if (arm.endsWith("direct")) {
    const zero = { weightInit: constant(0), biasInit: constant(0) };
    const head = model.head_start === "torch"
      ? linear("head", dim, genes)
      : linearLayer(parameters, `${arm}.head`, dim, genes, zero);
    return {
      ...base,
      losses(g, h, { bound, rna }) {
        return { loss: meanAll(g, square(g, sub(g, applyLinear(g, head, base.bags(g, h, bound)), rna))) };
      },
    };
  }
  const image = linear("image", dim, model.width);
  const encoder = (name: string, width: number) => {
    const { rna_hidden: d, rna_dropout: p } = model;
    const layer = (from: number) => [["linear", from, d], ["layernorm", d], ["relu"], ["dropout", p]] as const;
    const parts = [...layer(width), ...layer(d), ["linear", d, model.width] as const];
    return createSequential(parameters, `${arm}.${name}`, parts, rng(name));
  };
  const rnaEncoder = encoder("rna", genes);
  const further = sizes.modality === undefined ? undefined : encoder("modality", sizes.modality);
  const logScale = parameters.add(`${arm}.logit_scale`, [1], { init: constant(Math.log(1 / model.temperature)) });
  return {
    ...base,
    losses(g, h, { bound, rna, mask, modality }, training) {
      const sides = [
        applyLinear(g, image, base.bags(g, h, bound)),
        rnaEncoder.forward(g, rna, training),
        ...further ? [further.forward(g, modality!, training)] : [],
      ].map((side) => l2Normalize(g, side));
      return { loss: pairwise(g, sides, boundedInverse(g, logScale, { least: 0.01 }), mask) };
    },
  };
}
