/**
 * Named protocols of the linear probe. A name stands for one procedure for ever: what changes numbers gets another name.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";

/** What is predicted. */
export type Truth = "log1p counts" | "log1p counts per 10,000";

/** A procedure from features to predictions. */
export interface Protocol {
  /** Its name, with a version. */
  readonly name: string;
  /** What it is, in one line. */
  readonly what: string;
  /**
   * Log of raw counts, which rise with the depth of a spot whatever tissue it is of, so that predicting depth alone scores; or
   * of counts per 10,000 of the spot's total over all genes of its file, as scanpy's `normalize_total` has them.
   */
  readonly truth: Truth;
  /** Whether features are standardised by the training rows; without, they are taken as they are, not even centred. */
  readonly standardise: boolean;
  /** Principal components, or undefined for all dimensions. */
  readonly components: number | undefined;
  /** 100 / (features x targets), or chosen on the training rows by leaving out slides or donors. */
  readonly alpha: "formula" | "slides" | "donors";
  /** Whether predictions have the mean of the training targets; without one they have mean 0 on centred features. */
  readonly intercept: boolean;
  /** Whose folds: the task's own, or five random ones of the training rows. */
  readonly folds: "task" | "five random";
}

/**
 * The protocol of the headline, computed beside every other. Its truth does not rise with a spot's depth, its penalty is chosen on
 * donors left out, and within sections differences between them play no part; what depth alone still scores stands beside.
 */
export const HEADLINE_PROTOCOL = "depth-cv/1";

/** HEST-Benchmark's own. */
export const BENCHMARK_PROTOCOL = "hest-bench/1";

/** All of them, by name. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = Object.fromEntries(([
  {
    name: BENCHMARK_PROTOCOL,
    what:
      "HEST-Benchmark: standardise, PCA-256, ridge with alpha 100/(features x targets), no intercept, on log1p counts",
    truth: "log1p counts",
    standardise: true,
    components: 256,
    alpha: "formula",
    intercept: false,
    folds: "task",
  },
  {
    name: HEADLINE_PROTOCOL,
    what:
      "log1p of counts per 10,000; standardise, PCA-256, ridge with intercept and alpha cross-validated over whole training donors",
    truth: "log1p counts per 10,000",
    standardise: true,
    components: 256,
    alpha: "donors",
    intercept: true,
    folds: "task",
  },
  {
    name: "hest-bench-raw/1",
    what: "HEST-Benchmark with dimreduce null: features as they are, neither scaled nor centred, all dimensions",
    truth: "log1p counts",
    standardise: false,
    components: undefined,
    alpha: "formula",
    intercept: false,
    folds: "task",
  },
  {
    name: "hest-bench-cv/1",
    what: "standardise, PCA-256, ridge with intercept and alpha cross-validated on training slides, on log1p counts",
    truth: "log1p counts",
    standardise: true,
    components: 256,
    alpha: "slides",
    intercept: true,
    folds: "task",
  },
  {
    name: "seal/1",
    what: "SEAL's in-domain probe: five random 80/20 splits of the spots, PCA-256, ridge without intercept",
    truth: "log1p counts",
    standardise: true,
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
