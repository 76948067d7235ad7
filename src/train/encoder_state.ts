/**
 * What a checkpoint keeps of the encoder that it was trained on, and compares when a run goes on.
 *
 * @module
 */

import type { ValuesOf } from "../core/config_key.ts";
import { WeightsError } from "../core/errors.ts";
import { checkFed, type OpenedEncoder } from "../models/opened_encoder.ts";
import type { AdapterFacts } from "./checkpoint.ts";
import type { LORA_KEYS } from "./config/keys.ts";

/** Facts of the encoder, for the state of a checkpoint. */
export function encoderFacts({ name, weightsHash, adapterHash }: OpenedEncoder) {
  return { encoder: name, weights: weightsHash, adapter: adapterHash ?? null };
}

/** Facts of how it is fed. */
export function fedFacts({ encoder, preparation }: OpenedEncoder) {
  return { image_size: encoder.spec.input.size, preparation };
}

/**
 * Refuses a checkpoint of another encoder than is open.
 *
 * @param asked Side of the images that the configuration asks for, px.
 * @throws {WeightsError} If weights, adapter or preparation are others.
 */
export function agreeEncoder(
  state: Readonly<Record<string, unknown>>,
  path: string,
  opened: OpenedEncoder,
  asked: number | null,
): void {
  const hint = "Bring them back, or begin anew with --overwrite";
  if (state.weights !== opened.weightsHash) {
    throw new WeightsError(`Cannot go on with ${path}: the weights of ${opened.name} changed since`, {
      hint,
      context: { given: opened.weightsHash, wanted: state.weights },
    });
  }
  if (state.adapter !== undefined && state.adapter !== (opened.adapterHash ?? null)) {
    throw new WeightsError(`Cannot go on with ${path}: the adapter it started from changed since`, {
      hint,
      context: { given: opened.adapterHash, wanted: state.adapter },
    });
  }
  checkFed(state, opened, path, asked);
}

/** How the encoder is named to PEFT. */
export function adapterFacts(
  { name, encoder }: OpenedEncoder,
  { lora_dropout: dropout, use_rslora: rsLora }: Pick<ValuesOf<typeof LORA_KEYS>, "lora_dropout" | "use_rslora">,
): AdapterFacts {
  const { source, input } = encoder.spec;
  return { dropout, rsLora, baseModel: source.repo ?? name, imageSize: input.size };
}
