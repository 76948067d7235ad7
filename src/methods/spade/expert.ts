/**
 * An expert: two small heads, one of image features and one of expression, trained by a contrastive loss with soft targets.
 *
 * Head: u = W1 x + b1, H(x) = LN(u + dropout(W2 GELU(u) + b2)). Loss, with I and S the heads' outputs of a batch:
 * Z = S I^T / T, Q = softmax of the rows of T (I I^T + S S^T) / 2, L = mean over the pairs of
 * [CE(Z, Q) + CE(Z^T, Q^T)] / 2; gradients flow through Q.
 *
 * Source: SPADE, arXiv 2506.21857 and its public code; BLEEP's heads and loss.
 *
 * @module
 */

import type { Rng } from "../../core/rng.ts";
import { softClip } from "../../losses/contrastive/soft_clip.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { moduleRng } from "../../nn/init.ts";
import { applyLinear, applyNorm, type LinearLayer, linearLayer, type NormLayer, normLayer } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { add } from "../../ops/binary.ts";
import { dropout } from "../../ops/dropout.ts";
import { gelu } from "../../ops/activation.ts";
import type { SpadeConfig } from "./config.ts";

/** Parameters of a head, behind its prefix, in their order: those of the checkpoint. */
export const HEAD_TENSORS = ["w1", "b1", "w2", "b2", "ln_g", "ln_b"] as const;

/** Names of the layers' parameters, as {@linkcode HEAD_TENSORS} counts them. */
const LAYER_NAMES = ["1.weight", "1.bias", "2.weight", "2.bias", "norm.weight", "norm.bias"] as const;

/** The two sides of an expert. */
export const SIDES = ["img", "gene"] as const;

/** A side. */
export type Side = (typeof SIDES)[number];

/** Sizes of an expert. */
export interface ExpertShape {
  /** Width of each side's input. */
  readonly inputs: Readonly<Record<Side, number>>;
  /** Width of the embedding, p. */
  readonly width: number;
  readonly dropout: number;
}

/** A head whose parameters exist. */
export interface Head {
  /** Appends the head. @param x `[B, d]`. @returns `[B, p]`. */
  forward(g: Plan, x: Tensor, training: boolean): Tensor;
}

/** An expert whose parameters exist. */
export interface Expert extends Readonly<Record<Side, Head>> {
  readonly shape: ExpertShape;
  /** Names of its parameters: in the set, and as checkpoints call them behind the expert's name. */
  readonly names: readonly (readonly [name: string, saved: string])[];
}

/** Values of an expert's parameters by the names of checkpoints. */
export type ExpertValues = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** Adds a head: `PREFIX.1.weight` … `PREFIX.norm.bias`, whose values must be loaded. */
export function createHead(
  parameters: Parameters,
  prefix: string,
  { input, width, dropout: p }: { input: number; width: number; dropout: number },
): Head {
  const layer = (name: string, from: number): LinearLayer => linearLayer(parameters, `${prefix}.${name}`, from, width);
  const [first, second] = [layer("1", input), layer("2", width)];
  const norm: NormLayer = normLayer(parameters, `${prefix}.norm`, width, 1e-5);
  return {
    forward(g, x, training) {
      const u = applyLinear(g, first, x);
      const y = applyLinear(g, second, gelu(g, u));
      return applyNorm(g, norm, add(g, u, training ? dropout(g, y, p, `${prefix}.dropout`) : y));
    },
  };
}

/** Adds an expert, whose values must be loaded. @param sides Both, or what inference needs. */
export function createExpert(
  parameters: Parameters,
  prefix: string,
  shape: ExpertShape,
  sides: readonly Side[] = SIDES,
): Expert {
  const { inputs, width, dropout } = shape;
  const head = (side: Side) => createHead(parameters, `${prefix}.${side}`, { input: inputs[side], width, dropout });
  const made = Object.fromEntries(sides.map((side) => [side, head(side)])) as Record<Side, Head>;
  const names = sides.flatMap((side) =>
    LAYER_NAMES.map((layer, i) => [`${prefix}.${side}.${layer}`, `${side}.${HEAD_TENSORS[i]}`] as const)
  );
  return { ...made, shape, names };
}

/** Shapes of an expert's parameters by the names of checkpoints. */
export function expertShapes({ inputs, width }: ExpertShape): Map<string, readonly number[]> {
  return new Map(SIDES.flatMap((side) =>
    HEAD_TENSORS.map((name) => {
      const shape = name === "w1" ? [width, inputs[side]] : name === "w2" ? [width, width] : [width];
      return [`${side}.${name}`, shape] as const;
    })
  ));
}

/** Starting values of an expert, as torch starts such layers. @param name Of the expert: others start otherwise. */
export function startValues(shape: ExpertShape, seed: number, name: string): ExpertValues {
  const rngs = new Map<string, Rng>();
  return new Map([...expertShapes(shape)].map(([tensor, extents]) => {
    const count = extents.reduce((a, b) => a * b, 1);
    const [side, kind] = tensor.split(".") as [Side, string];
    if (kind.startsWith("ln")) {
      return [tensor, { shape: extents, data: new Float32Array(count).fill(kind === "ln_g" ? 1 : 0) }];
    }
    const layer = `${name}.${side}.${kind[1]}`;
    const rng = rngs.get(layer) ?? moduleRng(seed, layer)!;
    rngs.set(layer, rng);
    const bound = 1 / Math.sqrt(kind[1] === "1" ? shape.inputs[side] : shape.width);
    return [tensor, { shape: extents, data: rng.uniforms(count, -bound, bound) }];
  }));
}

/** Reads an expert's parameters back. */
export async function readExpert(parameters: Parameters, { names }: Expert): Promise<ExpertValues> {
  const read = await parameters.read(names.map(([name]) => name));
  return new Map(names.map(([name, saved]) => {
    return [saved, { shape: parameters.get(name).shape, data: read.get(name)! }];
  }));
}

/** Puts values into an expert's parameters. */
export function loadExpert(parameters: Parameters, { names }: Expert, values: ExpertValues): void {
  const own = new Set(names.map(([name]) => name));
  const found = new Map(names.flatMap(([name, saved]) => {
    const value = values.get(saved);
    return value === undefined ? [] : [[name, value] as const];
  }));
  parameters.load(found, (name) => own.has(name));
}

/** Appends an expert's loss. @param image `[B, d]`. @param gene `[B, G]`. */
export function expertLoss(
  g: Plan,
  expert: Expert,
  { image, gene }: { image: Tensor; gene: Tensor },
  { loss_temperature: T, detach_targets, l2_norm }: Pick<
    SpadeConfig["experts"],
    "loss_temperature" | "detach_targets" | "l2_norm"
  >,
  training: boolean,
): Tensor {
  return softClip(g, expert.img.forward(g, image, training), expert.gene.forward(g, gene, training), {
    temperature: T,
    targetTemperature: 1 / T,
    detachTargets: detach_targets,
    l2Norm: l2_norm,
  });
}
