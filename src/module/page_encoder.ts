/**
 * Loading an encoder in a page, where there are files and no names.
 *
 * @module
 */

import { type EncoderFiles, filesEncoder } from "./encoder_files.ts";
import { checkLoad, type ImageEncoder, type LoadEncoderOptions, loadWith } from "./image_encoder.ts";

/**
 * Loads an encoder with everything its files say: architecture, weights, input size, resize, means and standard deviations.
 *
 * ```ts ignore
 * import { loadEncoder } from "./seal.js";
 *
 * const [weights, config] = await Promise.all([fetch("model.safetensors"), fetch("config.json")]);
 * const encoder = await loadEncoder({ weights, config });
 * const { data, rows, dim } = await encoder.embed([...document.querySelector("input").files]);
 * ```
 *
 * @param source {@linkcode EncoderFiles}, or `random:ARCH` for a seeded start.
 * @throws {ConfigError} If there is no such encoder.
 * @throws {WeightsError | FormatError | DataError} If the files cannot be read, are damaged or do not fit.
 * @throws {DeviceError} If there is no adapter.
 */
export async function loadEncoder(
  source: EncoderFiles | `random:${string}`,
  options: LoadEncoderOptions = {},
): Promise<ImageEncoder> {
  checkLoad(options);
  if (typeof source !== "string") return await filesEncoder(source, options);
  const { openRandom } = await import("../models/open_source.ts");
  const { dtype, imageSize, pooling } = options;
  return await loadWith(
    source,
    { ...options, source },
    (gpu) => openRandom(gpu, { encoder: source, dtype, imageSize, pooling }),
  );
}
