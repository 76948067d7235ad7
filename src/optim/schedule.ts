/**
 * Learning-rate schedules: pure functions of the step.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";

/** Options of {@linkcode cosineSchedule}. */
export interface CosineOptions {
  /** Peak learning rate. */
  base: number;
  /** Steps of linear warm-up from base/warmup to base. */
  warmup?: number;
  /** Steps in all. */
  total: number;
  /** Learning rate after the last step. */
  min?: number;
}

/**
 * Linear warm-up, then half a cosine: base (t+1)/warmup for t < warmup, then min + (base - min) (1 + cos(pi u)) / 2 with
 * u = (t - warmup) / (total - warmup).
 *
 * @throws {ConfigError} If a rate is not a finite number or the steps do not fit.
 */
export function cosineSchedule(options: CosineOptions): (step: number) => number {
  const { base, warmup = 0, total, min = 0 } = options;
  if (!Number.isFinite(base) || base < 0 || !Number.isFinite(min) || min < 0) {
    throw new ConfigError(`Cannot schedule a learning rate: base ${base}, min ${min}, wanted finite numbers >= 0`, {
      context: { key: "lr", given: String(base) },
    });
  }
  if (!Number.isInteger(total) || total < 1 || !Number.isInteger(warmup) || warmup < 0 || warmup > total) {
    throw new ConfigError(
      `Cannot schedule ${total} steps with a warm-up of ${warmup}: wanted whole numbers, warm-up within the total`,
    );
  }
  return (step) => {
    if (step < warmup) return (base * (step + 1)) / warmup;
    const u = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
    return min + ((base - min) * (1 + Math.cos(Math.PI * u))) / 2;
  };
}

/**
 * Linear warm-up as in {@linkcode cosineSchedule}, then `base` for ever.
 *
 * @throws {ConfigError} If the rate is not a finite number, or the warm-up no whole number.
 */
export function constantSchedule(
  { base, warmup = 0 }: Pick<CosineOptions, "base" | "warmup">,
): (step: number) => number {
  cosineSchedule({ base, warmup, total: Math.max(1, warmup) });
  return (step) => (step < warmup ? (base * (step + 1)) / warmup : base);
}
