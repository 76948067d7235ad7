/**
 * Training methods of one's own: {@linkcode defineMethod} makes one of a model and its batches; `train` of the main entry runs it.
 *
 * @module
 */

export {
  defineMethod,
  type MethodDefinition,
  type OwnConfig,
  type OwnData,
  type OwnSettings,
  type OwnTraining,
} from "./src/module/define_method.ts";
export type { OwnModel } from "./src/module/own_model.ts";
export type { OwnMethod } from "./src/module/own_method.ts";
export { Step } from "./src/train/step.ts";
export type { Fields, Losses, StepBatch, StepModel, StepOptions } from "./src/train/step_model.ts";
export type { RowForward, RowInput } from "./src/train/row_input.ts";
export type { ViewOf } from "./src/train/stem_cache.ts";
export type { AnyKey, Key, Keys, Plain, Rule, ValueOf, ValuesOf } from "./src/core/config_key.ts";
