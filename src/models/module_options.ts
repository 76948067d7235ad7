/**
 * What all small modules beside the encoder take, and the checks they share.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";

/** How the parameters of a module are made. */
export interface ModuleOptions {
  /** Before every name, for example `gene.`. Without it names are those of the original's files. */
  prefix?: string;
  /** Seed of the starting values, which also depend on the name; without it everything must be loaded. */
  seed?: number | undefined;
}

/**
 * Checks sizes of a module.
 *
 * @throws {ConfigError} If one is not a whole number above 0.
 */
export function expectSizes(what: string, sizes: Readonly<Record<string, number>>): void {
  for (const [key, given] of Object.entries(sizes)) {
    if (Number.isInteger(given) && given > 0) continue;
    throw new ConfigError(`Cannot build ${what}: ${key} is ${given}, wanted a whole number above 0`, {
      context: { key, given: String(given) },
    });
  }
}

/**
 * Checks probabilities of a module.
 *
 * @throws {ConfigError} If one is not in [0, 1).
 */
export function expectRates(what: string, rates: Readonly<Record<string, number>>): void {
  for (const [key, given] of Object.entries(rates)) {
    if (given >= 0 && given < 1) continue;
    throw new ConfigError(`Cannot build ${what}: ${key} is ${given}, wanted at least 0 and below 1`, {
      context: { key, given: String(given) },
    });
  }
}
