/**
 * The engine: hand-written WGSL kernels, plans that are recorded once and replayed, reverse-mode differentiation, optimisers, the
 * encoders and gene models made of them, and the linear probe.
 *
 * ```ts
 * import { linear, Parameters, Plan, readback, requestGpu, torchLinear, Rng } from "@seal-webgpu/seal/engine";
 *
 * const gpu = await requestGpu();
 * const parameters = new Parameters(gpu);
 * const layer = torchLinear(parameters, "layer", [3, 2], new Rng(1));
 * parameters.allocate();
 * const x = parameters.store.from("input", "x", [4, 3], new Float32Array(12).fill(1), "f32"); // [4, 3]
 * const plan = new Plan(gpu);
 * const y = linear(plan, x, layer); // [4, 2]
 * plan.output(y);
 * const program = await plan.compile(); // memory is placed, pipelines are built, once
 * program.run(); // one submit
 * const [values] = await readback(gpu, y);
 * console.log(values);
 * program.destroy();
 * parameters.destroy();
 * gpu.destroy();
 * ```
 *
 * @module
 */

export { type Dtype } from "./src/core/dtype.ts";
export { type Shape } from "./src/core/shape.ts";
export { Rng } from "./src/core/rng.ts";
export { type Caps, type DeviceLimits, type Feature, Gpu, type GpuOptions, requestGpu } from "./src/gpu/device.ts";
export type { MatrixUnits } from "./src/gpu/matrix_units.ts";
export type { Access, CardLimit, Dims, DimTerm, Elem, Kernel, ParamSlot, TensorSlot } from "./src/gpu/kernel.ts";
export type { Subgroups } from "./src/gpu/subgroups.ts";
export type { Tuning } from "./src/gpu/tuning.ts";
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
  type OverflowCounts,
  Plan,
  type TapeEntry,
} from "./src/graph/plan.ts";
export { type Profile, profile, type ProfileOptions, type Span } from "./src/graph/profile.ts";
export { type CompileOptions, type MemoryReport, Program } from "./src/graph/program.ts";
export {
  abs,
  type Activation,
  activation,
  clamp,
  exp,
  gelu,
  leakyRelu,
  log,
  relu,
  sigmoid,
  silu,
  softplus,
  sqrt,
  square,
  tanh,
} from "./src/ops/activation.ts";
export { type AttentionOptions, crossAttention, selfAttention } from "./src/ops/attention.ts";
export { add, type Binary, binary, div, mul, sub } from "./src/ops/binary.ts";
export { type Activations, cast } from "./src/ops/cast.ts";
export { concat } from "./src/ops/concat.ts";
export { crossEntropy, type CrossEntropyOptions } from "./src/ops/cross_entropy.ts";
export { dropout } from "./src/ops/dropout.ts";
export type { Index } from "./src/ops/segments.ts";
export type { Act } from "./src/ops/matmul_run.ts";
export type { MatmulOverride } from "./src/ops/matmul_choice.ts";
export { gather, gatherColumns, type GatherOptions } from "./src/ops/gather.ts";
export { infoNce, type InfoNceOptions } from "./src/ops/info_nce.ts";
export { l2Normalize, type L2NormalizeOptions } from "./src/ops/l2_normalize.ts";
export { layernorm, type LayernormOptions } from "./src/ops/layernorm.ts";
export { linear, type LinearParams, type Lora } from "./src/ops/linear.ts";
export { matmul, type MatmulOptions } from "./src/ops/matmul.ts";
export { countOverflow } from "./src/ops/overflow.ts";
export { permute, transpose } from "./src/ops/permute.ts";
export { max, mean, meanAll, type ReductionOptions, sum, sumAll } from "./src/ops/reduce.ts";
export { affine, scale } from "./src/ops/scale.ts";
export { segmentPool } from "./src/ops/segment_pool.ts";
export { segmentSoftmax, type SegmentSoftmaxOptions } from "./src/ops/segment_softmax.ts";
export { select, slice } from "./src/ops/slice.ts";
export { logSoftmax, softmax, type SoftmaxOptions } from "./src/ops/softmax.ts";
export { backward, backwardFrom, type Gradients, type Seed, zeroGradients } from "./src/autodiff/backward.ts";
export type { RunOptions, Solved } from "./src/graph/solve.ts";
export { checkpoint } from "./src/autodiff/checkpoint.ts";
export { constant, fanInUniform, type Init, truncatedNormal } from "./src/nn/init.ts";
export { type ParameterOptions, Parameters } from "./src/nn/parameters.ts";
export {
  type ApplyLinear,
  applyLinear,
  applyNorm,
  type LinearLayer,
  linearLayer,
  type LinearLayerOptions,
  type LoraLayer,
  type LoraOptions,
  type NormLayer,
  normLayer,
} from "./src/nn/layers.ts";
export type { BlockConfig, BlockOptions } from "./src/nn/block.ts";
export {
  createVit,
  type Cut,
  type Taps,
  type Vit,
  type VitConfig,
  type VitForward,
  type VitOptions,
  type VitStack,
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
export type { ViewOf } from "./src/train/stem_cache.ts";
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
export { loadEncoder as loadEncoderWeights, type LoadOptions } from "./src/models/load.ts";
export { type RandomEncoder, randomEncoder } from "./src/models/random_encoder.ts";
export { Embedder, type EmbedderOptions } from "./src/embed/embedder.ts";
export { type ConfigFacts, type ConfigFiles, readEncoderConfig, type ToldInput } from "./src/models/encoder_config.ts";
export { describeInput } from "./src/models/preprocess.ts";
export { fitProbe, predictProbe, probe } from "./src/eval/probe.ts";
export type { ProbeBasis, ProbeInput, ProbeModel, ProbeOptions, ProbeResult, ProbeSet } from "./src/eval/probe.ts";
export { findProtocol, type Protocol, PROTOCOLS, type Truth } from "./src/eval/protocol.ts";
export type { GramOptions } from "./src/eval/linalg/gram.ts";
export type { Pca } from "./src/eval/linalg/pca.ts";
export type { AlphaGroups, ChosenAlpha } from "./src/eval/cross_validate.ts";
export type { GeneScore, SlideScore } from "./src/eval/scores.ts";
export type { SpotScores } from "./src/eval/spot_scores.ts";
export type { Standardizer } from "./src/eval/linalg/standardize.ts";
export { type Table, table } from "./src/eval/linalg/table.ts";
export { torchLinear } from "./src/nn/sequential.ts";
