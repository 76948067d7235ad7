/**
 * Small networks as a list of parts, numbered as torch.nn.Sequential numbers them: part 5 is named `name.5`, whether or not
 * the parts before it have parameters. Starts are torch's: weight and bias of a linear layer uniform in +-1/sqrt(inputs).
 *
 * @module
 */

import type { Rng } from "../core/rng.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Activation, activation } from "../ops/activation.ts";
import { dropout } from "../ops/dropout.ts";
import { applyBatchNorm, type BatchNormLayer, batchNormLayer } from "./batchnorm_layer.ts";
import { uniform } from "./init.ts";
import { applyLinear, applyNorm, type LinearLayer, linearLayer, type NormLayer, normLayer } from "./layers.ts";
import type { Parameters } from "./parameters.ts";

/** One part of a network. */
export type Part =
  | readonly [kind: "linear", input: number, output: number]
  | readonly [kind: "batchnorm", width: number]
  | readonly [kind: "layernorm", width: number]
  | readonly [kind: "dropout", p: number]
  | readonly [kind: Extract<Activation, "relu" | "gelu" | "leaky_relu" | "softplus">];

/** A network whose parameters exist. */
export interface Sequential {
  /** Its parts. */
  readonly parts: readonly Part[];
  /**
   * Appends the network.
   *
   * @param x `[..., K]`; `[B, K]` where it has a batch normalisation.
   * @param training Dropout draws, and batch normalisation uses the batch.
   */
  forward(g: Plan, x: Tensor, training: boolean): Tensor;
}

type Layer = { linear: LinearLayer } | { batchnorm: BatchNormLayer } | { layernorm: NormLayer } | { part: Part };

/**
 * Adds a linear layer with torch's start.
 *
 * @param rng Without it the layer must be loaded.
 */
export function torchLinear(
  parameters: Parameters,
  name: string,
  [input, output]: readonly [input: number, output: number],
  rng: Rng | undefined,
): LinearLayer {
  const init = rng && uniform(rng, 1 / Math.sqrt(input));
  return linearLayer(parameters, name, input, output, init && { weightInit: init, biasInit: init });
}

function layerOf(parameters: Parameters, name: string, part: Part, rng: Rng | undefined): Layer {
  switch (part[0]) {
    case "linear":
      return { linear: torchLinear(parameters, name, [part[1], part[2]], rng) };
    case "batchnorm":
      return { batchnorm: batchNormLayer(parameters, name, part[1]) };
    case "layernorm":
      return { layernorm: normLayer(parameters, name, part[1], 1e-5) };
    default:
      return { part };
  }
}

/**
 * Adds the parameters of a network, `name.<index of the part>.weight` and so on.
 *
 * @param rng Starting values; without it everything that has any must be loaded.
 */
export function createSequential(
  parameters: Parameters,
  name: string,
  parts: readonly Part[],
  rng: Rng | undefined,
): Sequential {
  const layers = parts.map((part, i) => layerOf(parameters, `${name}.${i}`, part, rng));
  return {
    parts,
    forward(g, x, training) {
      let y = x;
      for (let i = 0; i < layers.length; i++) {
        const layer = layers[i]!;
        if ("linear" in layer) {
          // The epilogue of the product knows this one.
          const fused = parts[i + 1]?.[0] === "gelu";
          y = applyLinear(g, layer.linear, y, fused ? { act: "gelu" } : {});
          if (fused) i++;
        } else if ("batchnorm" in layer) y = applyBatchNorm(g, layer.batchnorm, y, training);
        else if ("layernorm" in layer) y = applyNorm(g, layer.layernorm, y);
        else if (layer.part[0] === "dropout") y = training ? dropout(g, y, layer.part[1], `${name}.${i}`) : y;
        else y = activation(g, layer.part[0] as Activation, y);
      }
      return y;
    },
  };
}
