/**
 * Keeps the best evaluation and says when there has been none better for too long. An evaluation is better if it exceeds the
 * best by more than `minDelta`; NaN is never better.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";

/** Options of {@linkcode EarlyStop}. */
export interface EarlyStopOptions {
  /** Whether more is better; default `max`. */
  readonly mode?: "max" | "min";
  /** Evaluations in a row without a better one after which to stop; 0 (default) never stops. */
  readonly patience?: number;
  /** Least difference that counts; default 0. */
  readonly minDelta?: number;
}

/** What a checkpoint keeps; plain JSON. */
export interface EarlyStopState {
  /** Best value, null before the first that is a number. */
  readonly best: number | null;
  /** Step it was reached at. */
  readonly bestStep: number | null;
  /** Evaluations since then. */
  readonly bad: number;
}

/** What an evaluation means. */
export interface EarlyStopVerdict {
  /** It is the best so far. */
  readonly better: boolean;
  /** Training should stop. */
  readonly stop: boolean;
}

/** Tracks the best evaluation. */
export class EarlyStop {
  readonly #sign: 1 | -1;
  readonly #patience: number;
  readonly #minDelta: number;
  #state: EarlyStopState = { best: null, bestStep: null, bad: 0 };

  /**
   * Starts without a best value.
   *
   * @param state Where an earlier run stopped.
   * @throws {ConfigError} If the patience is no whole number or the difference no finite one, of at least 0.
   */
  constructor(options: EarlyStopOptions = {}, state?: EarlyStopState) {
    const { mode = "max", patience = 0, minDelta = 0 } = options;
    if (!Number.isInteger(patience) || patience < 0 || !Number.isFinite(minDelta) || minDelta < 0) {
      throw new ConfigError(
        `Cannot stop early with patience ${patience} and least difference ${minDelta}: wanted numbers of at least 0`,
        { context: { key: "early_stop_patience", given: String(patience) } },
      );
    }
    this.#sign = mode === "max" ? 1 : -1;
    this.#patience = patience;
    this.#minDelta = minDelta;
    if (state) this.#state = { best: state.best, bestStep: state.bestStep, bad: state.bad };
  }

  /** Best value and when, for checkpoints and reports. */
  get state(): EarlyStopState {
    return this.#state;
  }

  /** Takes the evaluation after `step`. */
  update(value: number, step: number): EarlyStopVerdict {
    const { best, bestStep, bad } = this.#state;
    const ahead = best === null ? Infinity : this.#sign * (value - best);
    const better = !Number.isNaN(value) && ahead > this.#minDelta;
    this.#state = better ? { best: value, bestStep: step, bad: 0 } : { best, bestStep, bad: bad + 1 };
    return { better, stop: this.#patience > 0 && this.#state.bad >= this.#patience };
  }
}
