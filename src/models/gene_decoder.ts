/**
 * Expression decoded from an embedding: one linear layer, two, or attention over tokens.
 *
 * `linear` is W z + b. `mlp` is W2 drop(gelu(W1 z)). `transformer` is, layer by layer, t = norm(t + attention(t)) with one
 * normalisation that all layers share and no other sublayer, then a linear layer of the mean over tokens. Where tokens
 * `[B, N, D]` are given to the first two, their mean over tokens is decoded.
 *
 * Source: SEAL, `seal/models/gene_model.py`; the names within `transformer` are ours.
 *
 * @module
 */

import { ConfigError, ShapeError } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import { formatShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { applyLinear, applyNorm, normLayer } from "../nn/layers.ts";
import { applyMultihead, multihead } from "../nn/multihead.ts";
import type { Parameters } from "../nn/parameters.ts";
import { createSequential, torchLinear } from "../nn/sequential.ts";
import { add } from "../ops/binary.ts";
import { dropout as drop } from "../ops/dropout.ts";
import { meanTokens } from "../ops/token.ts";
import { expectRates, expectSizes } from "./module_options.ts";

/** Kinds of decoders. */
export const DECODER_KINDS: readonly DecoderKind[] = ["linear", "mlp", "transformer"];

/** Kind of a decoder. */
export type DecoderKind = "linear" | "mlp" | "transformer";

/** Sizes of a decoder. */
export interface GeneDecoderConfig {
  /** Which map; default `mlp`. */
  readonly kind?: DecoderKind;
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Genes, G. */
  readonly genes: number;
  /** Probability of dropout: before the last layer of `mlp`, on what attention adds in `transformer`. Default 0.25. */
  readonly dropout?: number;
  /** Attention layers of `transformer`; default 2. */
  readonly layers?: number;
  /** Attention heads of `transformer`; default 8. */
  readonly heads?: number;
}

/** A decoder whose parameters exist. */
export interface GeneDecoder {
  /**
   * Appends the decoder.
   *
   * @param z `[B, D]`, or tokens `[B, N, D]`.
   * @returns `[B, G]`.
   * @throws {ShapeError} If `z` is neither.
   */
  forward(g: Plan, z: Tensor, training: boolean): Tensor;
}

function attentionDecoder(
  parameters: Parameters,
  name: string,
  { dim, genes, dropout = 0.25, layers = 2, heads = 8 }: GeneDecoderConfig,
  rng: Rng | undefined,
): GeneDecoder {
  expectSizes("a gene decoder", { layers, heads, "dim / heads": dim / heads });
  const attention = Array.from(
    { length: layers },
    (_, i) => multihead(parameters, `${name}.attention.${i}`, { width: dim, heads }, rng),
  );
  const norm = normLayer(parameters, `${name}.norm`, dim, 1e-5);
  const predictor = torchLinear(parameters, `${name}.predictor`, [dim, genes], rng);
  return {
    forward(g, z, training) {
      let t = z.reshape([z.dim(0), -1, dim]);
      for (const [i, layer] of attention.entries()) {
        const rate = training ? dropout : 0;
        const h = rate
          ? add(g, t, drop(g, applyMultihead(g, layer, t), rate, `${name}.dropout.${i}`))
          : applyMultihead(g, layer, t, t);
        t = applyNorm(g, norm, h);
      }
      return applyLinear(g, predictor, meanTokens(g, t));
    },
  };
}

/**
 * Adds a decoder: `name.predictor.*`, for `transformer` also `name.attention.*` and `name.norm`.
 *
 * @throws {ConfigError} If the kind is unknown or a size unusable.
 */
export function createGeneDecoder(
  parameters: Parameters,
  name: string,
  config: GeneDecoderConfig,
  rng: Rng | undefined,
): GeneDecoder {
  const { kind = "mlp", dim, genes, dropout = 0.25 } = config;
  expectSizes("a gene decoder", { dim, genes });
  expectRates("a gene decoder", { dropout });
  if (!DECODER_KINDS.includes(kind)) {
    throw new ConfigError(`Cannot build a gene decoder "${kind}": no such kind, wanted ${DECODER_KINDS.join(", ")}`, {
      context: { key: "decoder", given: kind },
    });
  }
  const checked = (decoder: GeneDecoder): GeneDecoder => ({
    forward(g, z, training) {
      if (z.dim(-1) !== dim || z.shape.length < 2 || z.shape.length > 3) {
        throw new ShapeError(
          `Cannot decode ${formatShape(z.shape)}: wanted [B, ${dim}] or tokens [B, N, ${dim}]`,
          { context: { op: "gene decoder", tensor: "z", given: z.shape } },
        );
      }
      return decoder.forward(g, z, training);
    },
  });
  if (kind === "transformer") return checked(attentionDecoder(parameters, name, config, rng));
  const flat = (g: Plan, z: Tensor) => (z.shape.length === 3 ? meanTokens(g, z) : z);
  if (kind === "linear") {
    const layer = torchLinear(parameters, `${name}.predictor`, [dim, genes], rng);
    return checked({ forward: (g, z) => applyLinear(g, layer, flat(g, z)) });
  }
  const net = createSequential(parameters, `${name}.predictor`, [
    ["linear", dim, dim],
    ["gelu"],
    ["dropout", dropout],
    ["linear", dim, genes],
  ], rng);
  return checked({ forward: (g, z, training) => net.forward(g, flat(g, z), training) });
}
