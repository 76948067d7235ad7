/**
 * The contrastive loss a configuration asks for, with its options and the parameters it trains.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { barlowTwins } from "../losses/barlow.ts";
import { cca } from "../losses/cca.ts";
import { clip } from "../losses/clip.ts";
import { CONTRASTIVE_LOSSES, type ContrastiveLoss, lossNamed } from "../losses/registry.ts";
import { s2l } from "../losses/s2l.ts";
import { softClip } from "../losses/soft_clip.ts";
import { constant } from "../nn/init.ts";
import type { Parameters } from "../nn/parameters.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import type { TrainConfig } from "./config.ts";

/** Names of the scalars that a contrastive loss may train. */
export const CONTRASTIVE_SCALARS = { logScale: "logit_scale", scale: "s2l_scale", bias: "s2l_bias" } as const;

/**
 * Adds what the loss trains and returns it with its options set. s2l always trains its factor and bias, as SigLIP does.
 *
 * @throws {ConfigError} If there is no loss of that name.
 */
export function contrastiveLoss(parameters: Parameters, { loss }: Pick<TrainConfig, "loss">): ContrastiveLoss {
  const { contrast_method: method, temperature, l2_norm: l2Norm } = loss;
  const number = (name: string, value: number): Tensor =>
    parameters.add(name, [1], { trainable: true, init: constant(value) });
  // cca and barlow take embeddings as they are; at length one only their directions count.
  const normal = (g: Plan, x: Tensor) => (l2Norm ? l2Normalize(g, x) : x);
  switch (method) {
    case "clip": {
      const logScale = loss.trainable_temperature
        ? number(CONTRASTIVE_SCALARS.logScale, Math.log(1 / temperature))
        : undefined;
      return (g, image, gene) => clip(g, image, gene, { temperature, l2Norm, logScale });
    }
    case "soft_clip": {
      const targetTemperature = loss.target_temperature ?? temperature;
      const options = { temperature, l2Norm, targetTemperature, detachTargets: loss.detach_targets };
      return (g, image, gene) => softClip(g, image, gene, options);
    }
    case "s2l": {
      const [scale, bias] = [number(CONTRASTIVE_SCALARS.scale, 10), number(CONTRASTIVE_SCALARS.bias, -10)];
      return (g, image, gene) => s2l(g, image, gene, { scale, bias, squared: loss.s2l_squared });
    }
    case "cca": {
      const options = { regularisation: loss.cca_reg, form: loss.cca_form };
      return (g, image, gene) => cca(g, normal(g, image), normal(g, gene), options);
    }
    case "barlow":
      return (g, image, gene) => barlowTwins(g, normal(g, image), normal(g, gene), { lambda: loss.barlow_lambda });
    default:
      return lossNamed(CONTRASTIVE_LOSSES, "contrast_method", method);
  }
}
