/**
 * The part of the module that needs no file system, for pages: encoders from files, images to features, adapters, readers of
 * images and weights. `deno task build:npm` makes one file of it. The engine is in it as `engine`.
 *
 * @module
 */

export * from "./src/core/errors.ts";
export { type Caps, type DeviceLimits, type Feature, Gpu, type GpuOptions, requestGpu } from "./src/gpu/device.ts";
export type { MatrixUnits } from "./src/gpu/matrix_units.ts";
export type { Device } from "./src/module/device.ts";
export type { RgbImage } from "./src/io/image/rgb_image.ts";
export type { ImageInput, RgbBytes } from "./src/module/images.ts";
export {
  type EncoderInfo,
  type EncoderPreparation,
  type Features,
  ImageEncoder,
  listEncoders,
  type ListEncodersOptions,
  type LoadEncoderOptions,
} from "./src/module/image_encoder.ts";
export { loadEncoder } from "./src/module/page_encoder.ts";
export type { AdapterFiles, EncoderFiles, FileSource } from "./src/module/encoder_files.ts";
export { type Folder, fromBlob, fromBytes, fromMap, type RandomAccess } from "./src/io/random_access.ts";
export { openWeights, type Weights, type WeightsFormat, type WeightsOptions } from "./src/io/torch/weights.ts";
export { readSafetensorsF32, type SafetensorsInput, writeSafetensorsF32 } from "./src/io/torch/safetensors.ts";
export { type Adapter, adapterFiles, readAdapter } from "./src/io/torch/peft.ts";
export { decodeImage } from "./src/io/image/image.ts";
export type { DecodedImage } from "./src/io/image/raster.ts";
export { encodePng } from "./src/io/image/png_write.ts";
export * as engine from "./engine.ts";
