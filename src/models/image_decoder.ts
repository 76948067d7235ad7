/**
 * Expression predicted from an image embedding: SEAL's ImgEmbDecoder.
 *
 * y = f(W2 dropout(relu(norm(W1 z + b1))) + b2), f = relu by default, unlike the decoder of the gene model. A gene that relu
 * holds at 0 in a whole batch learns nothing from it; `softplus` and `none` always let a gradient through.
 *
 * Source: SEAL, `seal/models/load_model.py`; names are its own.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { moduleRng } from "../nn/init.ts";
import type { Parameters } from "../nn/parameters.ts";
import { createSequential, type Part } from "../nn/sequential.ts";
import { expectRates, expectSizes, type ModuleOptions } from "./module_options.ts";

/** What may follow the last layer. */
export const FINAL_ACTIVATIONS: readonly FinalActivation[] = ["relu", "softplus", "none"];

/** After the last layer. */
export type FinalActivation = "relu" | "softplus" | "none";

/** Sizes of the decoder. */
export interface ImageDecoderConfig {
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Genes, G. */
  readonly genes: number;
  /** Width between the two layers; default 512. */
  readonly hidden?: number;
  /** Probability of dropout; default 0. */
  readonly dropout?: number;
  /** Normalises the hidden layer by the batch; default false. */
  readonly batchNorm?: boolean;
  /** After the last layer; default relu. */
  readonly finalActivation?: FinalActivation;
}

/** A decoder whose parameters exist. */
export interface ImageDecoder {
  /** Sizes. */
  readonly config: ImageDecoderConfig;
  /**
   * Appends the decoder.
   *
   * @param z Image embedding `[B, D]`, before any projection head.
   * @returns Expression `[B, G]`.
   * @throws {ShapeError} If `z` is not `[B, D]`.
   */
  forward(g: Plan, z: Tensor, options?: { training?: boolean }): Tensor;
}

/**
 * Adds the decoder: `decoder.decoder.0` and `.3`, or with batch normalisation `.0`, `.1` and `.4`.
 *
 * @throws {ConfigError} If a size, the dropout or the final activation is unusable.
 */
export function createImageDecoder(
  parameters: Parameters,
  config: ImageDecoderConfig,
  { prefix = "", seed }: ModuleOptions = {},
): ImageDecoder {
  const { dim, genes, hidden = 512, dropout = 0, batchNorm = false, finalActivation = "relu" } = config;
  expectSizes("the image decoder", { dim, genes, hidden });
  expectRates("the image decoder", { dropout });
  if (!FINAL_ACTIVATIONS.includes(finalActivation)) {
    throw new ConfigError(
      `Cannot build the image decoder: final_activation is ${finalActivation}, wanted ${FINAL_ACTIVATIONS.join(", ")}`,
      { context: { key: "final_activation", given: finalActivation } },
    );
  }
  const name = `${prefix}decoder.decoder`;
  const parts: Part[] = [
    ["linear", dim, hidden],
    ...(batchNorm ? [["batchnorm", hidden] as const] : []),
    ["relu"],
    ["dropout", dropout],
    ["linear", hidden, genes],
    ...(finalActivation === "none" ? [] : [[finalActivation] as const]),
  ];
  const net = createSequential(parameters, name, parts, moduleRng(seed, name));
  return {
    config,
    forward(g, z, { training = false } = {}) {
      expectShape("the image decoder", "z", z.shape, [null, dim]);
      return net.forward(g, z, training);
    },
  };
}
