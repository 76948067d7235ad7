/**
 * Methods of one's own as `train` takes them.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import type { AnyMethod, AnyRunConfig } from "../methods/method.ts";
import type { FoundCheckpoint } from "../train/run.ts";
import type { OwnModel } from "./own_model.ts";

/** A method that was defined by `defineMethod` of `@seal-webgpu/seal/train`, with the types of its configuration and model. */
export interface OwnMethod<Settings, Model extends OwnModel = OwnModel> {
  /** Its name. */
  readonly name: string;
  /** Only a type: what a configuration may say. */
  readonly settings?: Settings;
  /** Only a type: what its definition builds. */
  readonly model?: Model;
}

/** What stands behind one. */
export interface OwnParts {
  /** As the engine takes it. */
  readonly method: AnyMethod;
  /**
   * Builds the model of a run with the weights of a checkpoint.
   *
   * @throws {DataError | WeightsError} If the data or the model are no longer those that were trained.
   */
  use(gpu: Gpu, config: AnyRunConfig, found: FoundCheckpoint): Promise<OwnModel>;
}

const PARTS: WeakMap<object, OwnParts> = new WeakMap();

/** Makes one. */
export function registerMethod<Settings, Model extends OwnModel>(
  name: string,
  parts: OwnParts,
): OwnMethod<Settings, Model> {
  const own: OwnMethod<Settings, Model> = { name };
  PARTS.set(own, parts);
  return own;
}

/** What stands behind a method; undefined if it was not made by `defineMethod`. */
export function partsBehind(own: object): OwnParts | undefined {
  return PARTS.get(own);
}
