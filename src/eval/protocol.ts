/**
 * Named protocols of the linear probe. A name stands for one procedure for ever: what changes numbers gets another name.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";

/** A procedure from features to predictions. */
export interface Protocol {
  /** Its name, with a version. */
  readonly name: string;
  /** What it is, in one line. */
  readonly what: string;
  /** Principal components, or undefined for the features as they are (standardised). */
  readonly components: number | undefined;
  /** 100 / (features x targets), or chosen on the training rows. */
  readonly alpha: "formula" | "cross-validated";
  /** Whether predictions have the mean of the training targets; without one they have mean 0. */
  readonly intercept: boolean;
  /** Whose folds: the task's own, or five random ones of the training rows. */
  readonly folds: "task" | "five random";
}

/** All of them, by name. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = Object.fromEntries(([
  {
    name: "hest-bench/1",
    what: "HEST-Benchmark: standardise, PCA-256, ridge with alpha 100/(features x targets), no intercept",
    components: 256,
    alpha: "formula",
    intercept: false,
    folds: "task",
  },
  {
    name: "hest-bench-raw/1",
    what: "the same on all dimensions, without PCA",
    components: undefined,
    alpha: "formula",
    intercept: false,
    folds: "task",
  },
  {
    name: "hest-bench-cv/1",
    what: "standardise, PCA-256, ridge with intercept and alpha cross-validated on training slides",
    components: 256,
    alpha: "cross-validated",
    intercept: true,
    folds: "task",
  },
  {
    name: "seal/1",
    what: "SEAL's in-domain probe: five random 80/20 splits of the spots, PCA-256, ridge without intercept",
    components: 256,
    alpha: "formula",
    intercept: false,
    folds: "five random",
  },
] satisfies Protocol[]).map((protocol) => [protocol.name, protocol]));

/**
 * A protocol by its name.
 *
 * @throws {ConfigError} If there is none of that name.
 */
export function findProtocol(name: string): Protocol {
  const found = Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined;
  if (found !== undefined) return found;
  const near = nearest(name, Object.keys(PROTOCOLS));
  throw new ConfigError(`Cannot probe by protocol ${JSON.stringify(name)}: no such protocol`, {
    hint: near === undefined ? `Protocols: ${Object.keys(PROTOCOLS).join(", ")}` : `Did you mean ${near}?`,
    context: { given: name },
  });
}
