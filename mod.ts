/**
 * SEAL on WebGPU: hand-written WGSL kernels, plans recorded once and replayed, and reverse-mode differentiation, for
 * fine-tuning pathology encoders with spatial transcriptomics. Runs on Deno, in browsers and on Dawn, without any framework.
 *
 * ```ts ignore
 * import { Plan, Parameters, requestGpu } from "@seal-webgpu/seal";
 *
 * const gpu = await requestGpu(navigator.gpu);
 * ```
 *
 * @module
 */

export * from "./src/core/errors.ts";
export { type Dtype } from "./src/core/dtype.ts";
export { type Shape } from "./src/core/shape.ts";
export { Rng } from "./src/core/rng.ts";
export { type Caps, type DeviceLimits, type Feature, Gpu, type GpuOptions, requestGpu } from "./src/gpu/device.ts";
export type { Access, CardLimit, Dims, DimTerm, Elem, Kernel, ParamSlot, TensorSlot } from "./src/gpu/kernel.ts";
export type { Variant } from "./src/gpu/expand.ts";
export { type Readable, readback } from "./src/gpu/readback.ts";
export { Storage, Tensor } from "./src/graph/tensor.ts";
export { Store, upload } from "./src/graph/store.ts";
export {
  type Backward,
  type Dispatch,
  type KernelOptions,
  type KernelTensors,
  type OptionsArgument,
  Plan,
  type TapeEntry,
} from "./src/graph/plan.ts";
export { type CompileOptions, type KernelTime, type MemoryReport, Program } from "./src/graph/program.ts";
export { backward, backwardFrom, type Gradients, type Seed, zeroGradients } from "./src/autodiff/backward.ts";
export type { RunOptions, Solved } from "./src/graph/solve.ts";
export { checkpoint } from "./src/autodiff/checkpoint.ts";
export { constant, fanInUniform, type Init, truncatedNormal } from "./src/nn/init.ts";
export { type ParameterOptions, Parameters } from "./src/nn/parameters.ts";
export type { LoraOptions } from "./src/nn/layers.ts";
export type { BlockConfig, BlockOptions } from "./src/nn/block.ts";
export {
  createVit,
  type Cut,
  type Taps,
  type Vit,
  type VitConfig,
  type VitForward,
  type VitOptions,
} from "./src/models/vit.ts";
export type { StemKind } from "./src/nn/stem.ts";
export {
  AdamW,
  decayMatrices,
  type HostTensor,
  type LearningRates,
  type ParameterGroup,
  type StepState,
} from "./src/optim/adamw.ts";
export type { AdamwLossScale, AdamwOptions } from "./src/ops/adamw.ts";
export { LossScale, type LossScaleOptions, type LossScaleState } from "./src/optim/loss_scale.ts";
export { type CosineOptions, cosineSchedule } from "./src/optim/schedule.ts";
export { Step } from "./src/train/step.ts";
export type { Fields, Losses, StepBatch, StepModel, StepOptions } from "./src/train/step_model.ts";
export type { RowForward, RowInput } from "./src/train/row_input.ts";
export type { ViewOf } from "./src/train/trunk.ts";
export { createGeneModel, type GeneModelConfig } from "./src/models/gene_registry.ts";
export type { GeneForward, GeneModel, GeneOutput, Latent } from "./src/models/gene_model.ts";
export type { VaeConfig } from "./src/models/gene/vae.ts";
export type { GeneMlpConfig } from "./src/models/gene/mlp.ts";
export type { GeneMaeConfig } from "./src/models/gene/mae.ts";
export type { GeneTransformerConfig } from "./src/models/gene/transformer.ts";
export type { GeneIdentityConfig } from "./src/models/gene/identity.ts";
export type { DecoderKind, GeneDecoderConfig } from "./src/models/gene_decoder.ts";
export { describeOmics, loadOmics, type OmicsFile, type OmicsPlace, omicsTensors } from "./src/models/omics_file.ts";
export {
  createImageDecoder,
  type FinalActivation,
  type ImageDecoder,
  type ImageDecoderConfig,
} from "./src/models/image_decoder.ts";
export {
  createProjectionHead,
  type HeadKind,
  type ProjectionHead,
  type ProjectionHeadConfig,
} from "./src/models/projection_head.ts";
export type { ModuleOptions } from "./src/models/module_options.ts";
export type { SafetensorsInput } from "./src/io/safetensors.ts";
export type { Shaped } from "./src/io/seal_checkpoint.ts";
export type { StateReport } from "./src/models/state_dict.ts";
export {
  describeVision,
  loadVision,
  type VisionFile,
  type VisionPlace,
  visionTensors,
} from "./src/models/vision_file.ts";
export { createEncoder, type Encoder, type EncoderCut, type EncoderOptions } from "./src/models/encoder.ts";
export { encoderNames, findEncoder, type Recognised, recogniseEncoder } from "./src/models/encoder_registry.ts";
export type {
  Autocast,
  BlockLinear,
  EncoderArch,
  EncoderInput,
  EncoderOutput,
  EncoderSource,
  EncoderSpec,
  FamilyName,
  LoraRecipe,
  MlpKind,
  PoolerArch,
  Pooling,
  PositionRule,
} from "./src/models/encoder_spec.ts";
export { loadEncoder, type LoadOptions } from "./src/models/load.ts";
export { type RandomEncoder, randomEncoder } from "./src/models/random_encoder.ts";
export { Embedder, type EmbedderOptions } from "./src/embed/embedder.ts";
export { type Adapter, type AdapterConfig, type AdapterModule, readAdapter } from "./src/io/peft.ts";
export { type ConfigFacts, type ConfigFiles, readEncoderConfig, type ToldInput } from "./src/models/encoder_config.ts";
export { describeInput } from "./src/models/preprocess.ts";
export { type DecodedImage, decodeRaster } from "./src/io/raster.ts";
export type { Orientation } from "./src/io/orientation.ts";
export type { Picture, PictureLimit } from "./src/io/picture.ts";
export type { ResampleFilter } from "./src/core/resample.ts";
export type { ElementReader, WeightDtype, WeightTensor } from "./src/io/weight_tensor.ts";
export type { PickleContext, PickleObject, PickleTuple, PickleValue } from "./src/io/pickle_value.ts";
export { type Folder, fromBlob, fromBytes, type RandomAccess } from "./src/io/random_access.ts";
export { openWeights, type Weights, type WeightsFormat, type WeightsOptions } from "./src/io/weights.ts";
export { fitProbe, predictProbe, probe } from "./src/eval/probe.ts";
export type { ProbeBasis, ProbeInput, ProbeModel, ProbeOptions, ProbeResult, ProbeSet } from "./src/eval/probe.ts";
export { findProtocol, type Protocol, PROTOCOLS, type Truth } from "./src/eval/protocol.ts";
export type { GramOptions } from "./src/eval/gram.ts";
export type { Pca } from "./src/eval/pca.ts";
export type { AlphaGroups, ChosenAlpha } from "./src/eval/cross_validate.ts";
export type { GeneScore, SlideScore } from "./src/eval/scores.ts";
export type { Standardizer } from "./src/eval/standardize.ts";
export { type Table, table } from "./src/eval/table.ts";
