/**
 * Methods of one's own as `train` takes them.
 *
 * @module
 */

import type { AnyMethod } from "../methods/method.ts";

/** A method that was defined by `defineMethod` of `@seal-webgpu/seal/train`, with the type of its configuration. */
export interface OwnMethod<Settings> {
  /** Its name. */
  readonly name: string;
  /** Only a type: what a configuration may say. */
  readonly settings?: Settings;
}

/** What stands behind each. */
const METHODS: WeakMap<object, AnyMethod> = new WeakMap();

/** Makes one. */
export function registerMethod<Settings>(name: string, method: AnyMethod): OwnMethod<Settings> {
  const own: OwnMethod<Settings> = { name };
  METHODS.set(own, method);
  return own;
}

/** The method behind one; undefined if it was not made by `defineMethod`. */
export function methodBehind(own: object): AnyMethod | undefined {
  return METHODS.get(own);
}
