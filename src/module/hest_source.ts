/**
 * The files behind opened data, for functions that read them in their own way.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { ReadDisk, SampleFiles } from "../data/data_folder.ts";
import type { Lenience } from "../train/pair_data.ts";

/** Samples as files. */
export interface HestSource {
  readonly disk: ReadDisk;
  readonly files: readonly SampleFiles[];
  /** Where counts are, and what is let pass. */
  readonly lenience: Lenience;
}

const SOURCES: WeakMap<object, HestSource> = new WeakMap();

/** Notes what stands behind data. */
export function rememberSource(data: object, source: HestSource): void {
  SOURCES.set(data, source);
}

/** What stands behind data. @throws {ConfigError} If they were not opened by `openHest`. */
export function sourceOf(data: object): HestSource {
  const source = SOURCES.get(data);
  if (source !== undefined) return source;
  throw new ConfigError("Cannot use the data: they are neither a folder nor opened by openHest", {
    hint: 'For example await openHest("data/hest")',
  });
}

/** Whether `openHest` opened them. */
export function isOpened(data: object): boolean {
  return SOURCES.has(data);
}
