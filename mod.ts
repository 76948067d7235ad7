/**
 * Pathology encoders on WebGPU, fine-tuned with spatial transcriptomics: images to features, data in the layout of HEST-1k, training
 * by a method's name, trained runs for use. Nothing touches the GPU or a file until it is asked for; no framework is needed.
 *
 * ```ts
 * import { loadEncoder } from "@seal-webgpu/seal";
 *
 * using encoder = await loadEncoder("random:vit_small_patch16_224?depth=2");
 * const image = { width: 256, height: 256, data: new Uint8Array(256 * 256 * 3).fill(200) };
 * const { rows, dim } = await encoder.embed(image);
 * console.log(rows, dim);
 * ```
 *
 * Below it lie `@seal-webgpu/seal/engine` (plans, operations, differentiation, optimisers), `/io` (readers and writers) and
 * `/train` (methods of one's own).
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
export { loadEncoder } from "./src/module/encoder.ts";
export type { AdapterFiles, EncoderFiles, FileSource } from "./src/module/encoder_files.ts";
export {
  type Hest,
  type HestOptions,
  type HestSample,
  type HestSampleInfo,
  openHest,
  type SparseCounts,
} from "./src/module/hest.ts";
export type {
  HestPairs,
  PairBatch,
  PairBatchOptions,
  PairsHoldOut,
  PairsOptions,
  PairsSample,
} from "./src/module/pairs.ts";
export {
  type OpenedAs,
  train,
  type TrainedFolder,
  type TrainedSlides,
  type TrainingEvent,
  type TrainOptions,
} from "./src/module/train.ts";
export {
  type FoundSpot,
  type OpenOptions,
  type OpenRunOptions,
  type PredictedExpression,
  type RetrieveOptions,
  type RetrieveQuery,
  Run,
} from "./src/module/run.ts";
export {
  type ClassifierMethod,
  type ExpressionMethod,
  openRun,
  type OpenSlidesOptions,
  type SlideRuns,
} from "./src/module/open_run.ts";
export {
  type ClassifiedSlide,
  ClassifierRun,
  type ClassifierScores,
  type LabelledSlide,
} from "./src/module/classifier_run.ts";
export { type FollowedSlide, type RiskOfSlide, SurvivalRun, type SurvivalScores } from "./src/module/survival_run.ts";
export {
  type MeasuredSlide,
  type NumbersOfSlide,
  RegressionRun,
  type RegressionScores,
  type TargetScores,
} from "./src/module/regression_run.ts";
export { type SlideFeatures, SlidesRun } from "./src/module/slides_run.ts";
export { type OwnInput, type OwnOutput, OwnRun } from "./src/module/own_run.ts";
export type { OwnModel } from "./src/module/own_model.ts";
export type { SpotArrays, SpotData, SpotSamples } from "./src/module/spots.ts";
export type { Listener } from "./src/module/listener.ts";
export * from "./src/methods/settings.gen.ts";
export type { RunScores } from "./src/module/scores.ts";
export type {
  FoldScores,
  JudgedFeatures,
  ProbeScores,
  ProtocolOptions,
  ProtocolScores,
} from "./src/module/protocol_scores.ts";
export type { LeaveOut } from "./src/eval/bench/folds.ts";
export { mergeAdapter, type MergedWeights, type MergeOptions } from "./src/module/adapter.ts";
export type { OwnMethod } from "./src/module/own_method.ts";
