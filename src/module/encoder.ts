/**
 * Loading an encoder with all that its files say, by name, path, or the files themselves.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type EncoderFiles, filesEncoder } from "./encoder_files.ts";
import { toPrograms } from "./hints.ts";
import { checkLoad, type ImageEncoder, type LoadEncoderOptions, loadWith } from "./image_encoder.ts";

/**
 * Loads an encoder with everything its files say: architecture, weights, input size, resize, means and standard deviations.
 *
 * ```ts
 * import { loadEncoder } from "@seal-webgpu/seal";
 *
 * using encoder = await loadEncoder("random:vit_small_patch16_224?depth=2");
 * const image = { width: 256, height: 256, data: new Uint8Array(256 * 256 * 3).fill(200) };
 * const { data, rows, dim } = await encoder.embed([image, image]);
 * ```
 *
 * @param source A registry name (see {@linkcode listEncoders}), a folder with `config.json` and weights as timm or transformers
 * write them, a weights file, `random:ARCH` for a seeded start, or {@linkcode EncoderFiles}.
 * @throws {ConfigError} If there is no such encoder; the hint names the nearest.
 * @throws {WeightsError | GatedError} If the weights cannot be had, are damaged or do not fit.
 * @throws {DeviceError} If there is no adapter.
 */
export async function loadEncoder(
  source: string | EncoderFiles,
  options: LoadEncoderOptions = {},
): Promise<ImageEncoder> {
  checkLoad(options);
  if (typeof source !== "string") return await filesEncoder(source, options);
  const { dtype, adapter, imageSize, pooling, onProgress } = options;
  if (source === "") {
    throw new ConfigError("Cannot load an encoder without a name", { hint: 'For example loadEncoder("conch")' });
  }
  if (typeof adapter === "object") {
    throw new ConfigError(`Cannot load ${source}: an adapter's path is wanted with an encoder's`, {
      hint: "Pass the adapter's folder, or the encoder's files too",
    });
  }
  return await toPrograms(async () => {
    const { checkEncoder, openEncoder } = await import("../run/encoder.ts");
    await checkEncoder(source, adapter);
    const request = { encoder: source, adapter, dtype, imageSize, pooling, onProgress };
    return await loadWith(source, { ...options, source }, (gpu) => openEncoder(gpu, request));
  });
}
