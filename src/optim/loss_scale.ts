/**
 * Dynamic loss scaling for half precision: gradients too small for f16 are kept by multiplying the loss with a factor, which
 * is divided out again before the update. The factor lives on the device and adapts there, without a host round trip: a step
 * whose gradients are not finite is left out and halves it, `interval` steps in a row that counted double it.
 *
 * Source: Micikevicius et al., arXiv 1710.03740; the rule is torch.amp.GradScaler's.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { AdamwLossScale } from "../ops/adamw.ts";

/** Options of {@linkcode LossScale}. */
export interface LossScaleOptions {
  /** First factor, a power of two; default 65536. */
  initial?: number;
  /** Steps in a row that must count before the factor doubles; default 2000. */
  interval?: number;
}

/** What a checkpoint keeps of a loss scale. */
export interface LossScaleState {
  /** The factor. */
  readonly scale: number;
  /** Steps that counted since it last changed. */
  readonly clean: number;
}

/** Limits of the factor. */
const LEAST = 2 ** -16;
const MOST = 2 ** 24;

/** Whether a number can be a loss scale: a power of two within the limits. */
export function isLossScale(scale: number): boolean {
  return scale >= LEAST && scale <= MOST && Number.isInteger(Math.log2(scale));
}

/** A loss scale on the device. Pass it to `AdamW`, and its `factor` to `backwardFrom`. */
export class LossScale implements AdamwLossScale {
  readonly #store: Store;
  /** `[2]`: factor, clean steps. */
  readonly state: Tensor;
  /** `[1]`: the factor alone. */
  readonly factor: Tensor;
  /** Clean steps before the factor doubles. */
  readonly interval: number;
  /** Least factor. */
  readonly least: number = LEAST;
  /** Largest factor. */
  readonly most: number = MOST;

  /**
   * Starts at the first factor.
   *
   * @throws {ConfigError} If `initial` is no power of two within the limits, or `interval` no whole number above 0.
   */
  constructor(readonly gpu: Gpu, options: LossScaleOptions = {}) {
    const { initial = 65536, interval = 2000 } = options;
    if (!Number.isInteger(interval) || interval < 1 || interval > MOST) {
      throw new ConfigError(`Cannot scale losses: interval is ${interval}, wanted a whole number from 1 to ${MOST}`, {
        context: { key: "loss_scale_interval", given: String(interval) },
      });
    }
    this.interval = interval;
    this.#store = new Store(gpu);
    this.state = this.#store.tensor("loss_scale", "loss_scale", [2]);
    this.factor = this.state.slice(0, [1]);
    this.write({ scale: initial, clean: 0 });
  }

  /**
   * Sets the state, as a resumed run does.
   *
   * @throws {ConfigError} If `scale` is no power of two within the limits, or `clean` no whole number below the interval.
   */
  write({ scale, clean }: LossScaleState): void {
    if (!isLossScale(scale)) {
      throw new ConfigError(`Cannot scale losses by ${scale}: wanted a power of two from ${LEAST} to ${MOST}`, {
        context: { key: "loss_scale", given: String(scale) },
      });
    }
    if (!Number.isInteger(clean) || clean < 0 || clean >= this.interval) {
      throw new ConfigError(`Cannot resume a loss scale after ${clean} clean steps: wanted 0 to ${this.interval - 1}`, {
        context: { key: "clean", given: String(clean) },
      });
    }
    this.#store.write(this.state, [scale, clean]);
  }

  /** Reads the state back: one wait. */
  async read(): Promise<LossScaleState> {
    const [values] = await readback(this.gpu, this.state);
    const [scale, clean] = values as Float32Array;
    return { scale: scale!, clean: clean! };
  }

  /** Frees the memory. */
  destroy(): void {
    this.#store.destroy();
  }
}
