/**
 * An encoder that was opened from a name, a folder or a file, whoever opened it: what outputs say of it, and what a
 * checkpoint keeps of how it was fed.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import { WeightsError } from "../core/errors.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Encoder } from "./encoder.ts";
import type { EncoderSpec, Pooling } from "./encoder_spec.ts";
import type { LoadOptions } from "./load.ts";
import { RANDOM_PREFIX } from "./random_encoder.ts";

/** Which encoder, and how. */
export interface EncoderRequest {
  /** Registry name, folder, weights file, or `random:…`. */
  readonly encoder: string;
  /** PEFT folder, or SEAL's `.pth`. */
  readonly adapter?: string | undefined;
  /** Storage of frozen weights. */
  readonly dtype?: Dtype | undefined;
  /** Instead of the encoder's own pooling. */
  readonly pooling?: Pooling | undefined;
  /** Side of the images it is fed with, px, instead of the adapter's or its own. */
  readonly imageSize?: number | undefined;
  /** How the encoder trains; it does not unless this is given. */
  readonly build?: Pick<LoadOptions, "parameters" | "lora" | "onSpec" | "tuningSize"> | undefined;
  /** Told while weights are downloaded and uploaded. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

/** An encoder and how outputs name it. */
export interface OpenedEncoder {
  readonly encoder: Encoder;
  /** Name in outputs. */
  readonly name: string;
  /** SHA-256 of the weights file, or of the name of a random encoder. */
  readonly weightsHash: string;
  /** SHA-256 of the adapter's weights; undefined without one. */
  readonly adapterHash: string | undefined;
  /** How tiles become its input, in words. */
  readonly preparation: string;
  /** What no file says of it, and the value assumed for it. */
  readonly assumed: readonly string[];
}

/** Licence of an encoder's weights, which stands in all that is made with them. */
export function licenceOf(name: string, spec: Pick<EncoderSpec, "source">): string {
  return name.startsWith(RANDOM_PREFIX) ? "none: random weights" : spec.source.licence;
}

/** Configurations beside weights. */
export const CONFIG = "config.json", PREPROCESSOR = "preprocessor_config.json";

/** What is said of an encoder once it is open: how tiles are prepared, its precision, and a warning of what was assumed. */
export function sayEncoder({ name, encoder, preparation, assumed }: OpenedEncoder, reporter: Reporter): void {
  const { activations } = encoder.vit;
  const half = encoder.weights === "f16" ? `; weights in f16, activations in ${activations}` : "";
  reporter.say(`${name}: ${encoder.pooling}, ${encoder.dim} features; ${preparation}${half}`);
  if (encoder.weights === "f16" && activations === "f32" && !encoder.parameters.gpu.caps.f16) {
    reporter.warn(`${name}: this device does not compute with f16 (shader-f16): activations stay f32`);
  }
  if (assumed.length === 0) return;
  reporter.warn(
    `${name}: assumed: ${assumed.join("; ")}. ${CONFIG} and ${PREPROCESSOR} beside the weights say otherwise`,
  );
}

/** What a checkpoint keeps of how its encoder is fed; those of earlier versions keep nothing. */
export interface FedAs {
  /** Side of the images the encoder was fed, px. */
  readonly image_size?: number;
  /** How tiles became them. */
  readonly preparation?: string;
}

/**
 * Refuses an encoder that is fed otherwise than when a checkpoint was written.
 *
 * @throws {WeightsError} If it is; or the checkpoint does not say, and its encoder has a size of SEAL's beside its own.
 */
export function checkFed(
  fed: FedAs,
  { encoder, preparation }: OpenedEncoder,
  path: string,
  asked: number | null,
): void {
  const { spec } = encoder;
  const silent = fed.preparation === undefined && asked === null && spec.lora.inputSize === spec.input.size;
  if (!silent && (fed.preparation === undefined || fed.preparation === preparation)) return;
  const was = fed.preparation ?? "images of a size it does not tell";
  throw new WeightsError(
    `Cannot go on with ${path}: it was trained with ${was}, and now tiles are prepared as ${preparation}`,
    {
      hint: silent
        ? `Say image_size=${spec.arch.imageSize}, which versions before fed it`
        : `Bring its ${CONFIG}, ${PREPROCESSOR} and image_size back, or begin anew`,
      context: { given: preparation, wanted: fed.preparation ?? null },
    },
  );
}
