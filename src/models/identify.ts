/**
 * What encoder weights or an adapter belong to, as far as names and shapes tell.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import type { Shape } from "../core/shape.ts";
import { archHints, type ConfigFacts } from "./encoder_config.ts";
import { ENCODERS, matchingEncoders } from "./encoder_registry.ts";
import type { BlockLinear, EncoderSpec } from "./encoder_spec.ts";
import { type Keymap, type KeymapOptions, mapStateDict } from "./families/keymap.ts";
import { layerOfModule, piecesWith } from "./families/modules.ts";
import { FAMILIES } from "./families/names.ts";
import { linearShape } from "./lora_recipe.ts";

/** What weights are. */
export interface Identified {
  readonly keymap: Keymap;
  /** Attention heads; undefined where neither sizes nor a configuration say, and `keymap.arch.heads` is a stand-in. */
  readonly heads: number | undefined;
  /** Encoders of these sizes, the file's family first. */
  readonly encoders: readonly EncoderSpec[];
}

/**
 * Family, sizes and possible names of an encoder. Unlike loading, this succeeds where only the number of heads is unclear.
 *
 * @param shapes Shapes by name, as the file lists them.
 * @param file Name for error messages.
 * @param facts What configurations beside the file say, later ones winning.
 * @throws {WeightsError} As {@linkcode mapStateDict}.
 */
export function identifyWeights(
  shapes: ReadonlyMap<string, Shape>,
  file: string,
  facts: readonly ConfigFacts[] = [],
): Identified {
  const options: KeymapOptions = { file, ...archHints(facts) };
  let keymap: Keymap;
  let known = true;
  try {
    keymap = mapStateDict(shapes, options);
  } catch (error) {
    if (!(error instanceof WeightsError && error.code === "weights-ambiguous")) throw error;
    // One head divides every width.
    keymap = mapStateDict(shapes, { ...options, heads: 1 });
    known = false;
  }
  const encoders = matchingEncoders(keymap.family, keymap.arch);
  return { keymap, heads: known ? keymap.arch.heads : undefined, encoders };
}

/** Extents of an adapted layer. */
export interface AdaptedShape {
  /** Rows of B. */
  readonly out: number;
  /** Columns of A; of a convolution those of all channels and pixels. */
  readonly input: number;
}

/** Rows and columns of a layer of `vit.ts` in an encoder; undefined where it has none of the name. */
function extentsOf({ family, arch }: EncoderSpec, layer: string): readonly [number, number] | undefined {
  const { trunk } = FAMILIES[family];
  if (layer === `${trunk}patch_embed.proj`) return [arch.width, 3 * arch.patch ** 2];
  const match = /^((?:trunk\.)?)blocks\.(\d+)\.(.+)$/.exec(layer);
  if (match === null || match[1] !== trunk || Number(match[2]) >= arch.depth) return undefined;
  return linearShape(arch, match[3] as BlockLinear);
}

/**
 * Encoders that have all the layers an adapter adapts, in these sizes; several of one width and depth cannot be distinguished.
 *
 * @param modules Adapted modules by their path in the model.
 */
export function encodersOfAdapter(modules: ReadonlyMap<string, AdaptedShape>): EncoderSpec[] {
  return ENCODERS.filter((spec) =>
    spec.refused === undefined && [...modules].every(([module, { out, input }]) => {
      const found = layerOfModule(spec.family, module);
      const extents = found && extentsOf(spec, found.layer);
      // As many as the original model keeps apart: an adapter of joined layers does not fit where they are not.
      return extents !== undefined && extents[0] === out * piecesWith(found!.piece).length && extents[1] === input;
    })
  );
}
