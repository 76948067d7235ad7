/**
 * Readers and writers of files, without a GPU: weights, adapters, images, HDF5 tables of spots, patches and features.
 *
 * ```ts
 * import { fromBytes, openWeights, writeSafetensorsF32 } from "@seal-webgpu/seal/io";
 *
 * const bytes = writeSafetensorsF32(new Map([["bias", { shape: [2], data: Float32Array.of(1, 2) }]]));
 * const weights = await openWeights(fromBytes(bytes, "bias.safetensors"));
 * console.log([...weights.tensors.keys()]);
 * weights.close();
 * ```
 *
 * @module
 */

export { disk, openFile, openFolder } from "./src/io/fs.ts";
export type { Disk, HostEntry, HostFile } from "./src/io/disk.ts";
export { type Folder, fromBlob, fromBytes, fromMap, type RandomAccess } from "./src/io/random_access.ts";
export { openWeights, type Weights, type WeightsFormat, type WeightsOptions } from "./src/io/torch/weights.ts";
export type { ElementReader, WeightDtype, WeightTensor } from "./src/io/torch/weight_tensor.ts";
export type { PickleContext, PickleObject, PickleTuple, PickleValue } from "./src/io/torch/pickle_value.ts";
export {
  readSafetensorsF32,
  type SafetensorsInput,
  safetensorsStream,
  writeSafetensors,
  writeSafetensorsF32,
} from "./src/io/torch/safetensors.ts";
export type { Shaped } from "./src/io/torch/seal_checkpoint.ts";
export {
  type Adapter,
  type AdapterConfig,
  adapterFiles,
  type AdapterModule,
  type AdapterWriting,
  type Matrix,
  readAdapter,
  writeAdapter,
} from "./src/io/torch/peft.ts";
export { decodeImage } from "./src/io/image/image.ts";
export { encodePng } from "./src/io/image/png_write.ts";
export { type DecodedImage, decodeRaster } from "./src/io/image/raster.ts";
export type { Orientation } from "./src/io/image/orientation.ts";
export type { ImageLimit, RgbImage } from "./src/io/image/rgb_image.ts";
export type { ResampleFilter } from "./src/core/resample.ts";
export { type CoordsOf, openPatches, type Patches } from "./src/io/patches.ts";
export { type Features, openFeatures } from "./src/io/features.ts";
export { type Expressed, H5ad, type Points, type Raw } from "./src/io/hdf5/h5ad.ts";
export type { Column, Frame } from "./src/io/hdf5/h5ad_frame.ts";
export type { UnsArray, UnsTree, UnsValue } from "./src/io/hdf5/h5ad_uns.ts";
export type { Matrix as CountMatrix, SparseRows } from "./src/io/sparse.ts";
export type { H5Array, H5Dtype, H5Value } from "./src/io/hdf5/h5.ts";
export type { H5Storage } from "./src/io/hdf5/h5_library.ts";
