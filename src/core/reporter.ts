/**
 * Who is told how a long job goes; the command line's writes to the terminal.
 *
 * @module
 */

/** Told of progress. */
export interface Reporter {
  /** `done` of `total` are done. */
  update(what: string, done: number, total: number, unit: "bytes" | "tiles" | "steps" | "slides" | "probes"): void;
  /** A training step; `rate` is in items a second, `unit` what they are, by default pairs. */
  training(
    at: {
      what: string;
      step: number;
      total: number;
      loss: number | undefined;
      rate: number;
      unit?: "pairs" | "bags" | undefined;
    },
  ): void;
  /** A line that stays. */
  say(text: string): void;
  /** A warning. */
  warn(text: string): void;
}

/** Tells nobody. */
export const SILENT: Reporter = { update() {}, training() {}, say() {}, warn() {} };
