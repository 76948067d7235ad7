/**
 * The training loop: stages, logging, evaluation, early stopping, checkpoints, interruption. It knows no files and no clock but
 * those it is given, and its state is a few numbers: batches, noise, schedules and metrics all follow from them.
 *
 * @module
 */

import { NumericsError } from "../core/errors.ts";
import type { AdamW } from "../optim/adamw.ts";
import type { TrainConfig } from "./config.ts";
import { EarlyStop, type EarlyStopState } from "./early_stop.ts";
import type { MetricRow } from "./metrics.ts";
import { type Stage, stageRates } from "./rates.ts";
import type { Schedule } from "./schedule.ts";

/** Where a run is; plain JSON. */
export interface LoopState {
  readonly stage: Stage | "done";
  /** Optimiser steps of the stage. */
  readonly stageStep: number;
  /** Optimiser steps of all stages. */
  readonly step: number;
  readonly early: EarlyStopState;
}

/** Before the first step. */
export function initialState(config: TrainConfig): LoopState {
  const early = { best: null, bestStep: null, bad: 0 };
  return { stage: config.warmup.warmup_epochs > 0 ? "warmup" : "align", stageStep: 0, step: 0, early };
}

/** One stage's machinery. */
export interface StageRunner {
  readonly schedule: Schedule;
  /** Tells the step how many batches were submitted before. */
  seek(batches: number): void;
  /** Submits a step. */
  submit(rates: Readonly<Record<string, number>>, stageStep: number): Promise<void>;
  /** Metrics of the steps since the last call. */
  read(): Promise<Record<string, number>[]>;
}

/** What the loop is given. */
export interface LoopParts {
  readonly config: TrainConfig;
  readonly optimizer: AdamW;
  /** Runner of a stage, compiled when the stage begins. */
  runner(stage: Stage): Promise<StageRunner>;
  /** Numbers on the held-out donors, by the names of metrics. */
  evaluate(stage: Stage): Promise<Record<string, number>>;
  onRow(row: MetricRow): void;
  /** Told after each step that was logged: pairs a second since the last. */
  onTiming(step: number, values: Readonly<Record<string, number>>): void;
  onProgress?(done: { stage: Stage; step: number; total: number; loss: number | undefined; rate: number }): void;
  /** Writes a checkpoint; all rows up to `state.step` have been given to `onRow`. */
  save(kind: "last" | "best", state: LoopState): Promise<void>;
  /** Between stages: forgets the optimiser's moments. */
  reset(): Promise<void>;
  /** Stops the run at the next step. */
  readonly signal: AbortSignal;
  /** Milliseconds. */
  now(): number;
}

/** How a run ended. */
export interface LoopEnd {
  readonly state: LoopState;
  readonly reason: "finished" | "early" | "interrupted";
}

/** Runs what is left of all stages. @throws {NumericsError} If a loss is not finite. */
export async function runLoop(parts: LoopParts, start: LoopState): Promise<LoopEnd> {
  let state = start;
  while (state.stage !== "done") {
    const stage = state.stage;
    const run = new StageRun(parts, await parts.runner(stage), state);
    const reason = await run.all();
    state = run.state;
    if (reason === "interrupted") {
      await parts.save("last", state);
      return { state, reason };
    }
    const next = stage === "warmup" && !parts.config.warmup.warmup_only ? "align" : "done";
    state = {
      ...state,
      stage: next,
      stageStep: 0,
      early: next === "align" ? initialState(parts.config).early : state.early,
    };
    if (next === "align") await parts.reset();
    await parts.save("last", state);
    if (reason === "early") return { state, reason };
  }
  return { state, reason: "finished" };
}

/** One stage from a step on. */
class StageRun {
  state: LoopState;
  readonly #rates: (step: number) => Readonly<Record<string, number>>;
  readonly #early: EarlyStop;
  /** Steps of the stage whose metrics were read. */
  #read: number;
  #since: { time: number; step: number };
  #loss: number | undefined;

  constructor(readonly parts: LoopParts, readonly runner: StageRunner, start: LoopState) {
    const { config } = parts;
    const { schedule } = runner;
    this.state = start;
    this.#rates = stageRates(config, start.stage as Stage, Math.max(1, schedule.total));
    this.#early = new EarlyStop({
      patience: config.eval.early_stop_patience,
      minDelta: config.eval.early_stop_min_delta,
    }, start.early);
    this.#read = start.stageStep;
    this.#since = { time: parts.now(), step: start.stageStep };
    runner.seek(start.stageStep * schedule.accumulate);
  }

  async all(): Promise<LoopEnd["reason"]> {
    const { parts, runner } = this;
    const { schedule } = runner;
    const { log_every, save_every_steps } = parts.config.eval;
    while (this.state.stageStep < schedule.total) {
      if (parts.signal.aborted) {
        await this.#log();
        return "interrupted";
      }
      const { stageStep } = this.state;
      await runner.submit(this.#rates(stageStep), stageStep);
      this.state = { ...this.state, stageStep: stageStep + 1, step: this.state.step + 1 };
      const boundary = schedule.endsEpoch(stageStep);
      if (boundary || (stageStep + 1) % log_every === 0) await this.#log();
      if (boundary && await this.#endOfEpoch()) return "early";
      if (!boundary && save_every_steps > 0 && (stageStep + 1) % save_every_steps === 0) {
        await this.#log();
        await parts.save("last", this.state);
      }
    }
    return "finished";
  }

  /** Reads the metrics since the last time; gives a row for the steps that are to be logged. */
  async #log(): Promise<void> {
    const { parts, runner } = this;
    const { stageStep, step, stage } = this.state;
    if (this.#read === stageStep) return;
    const rows = await runner.read();
    const { schedule } = runner;
    rows.forEach((values, i) => {
      const done = stageStep - rows.length + i + 1;
      const bad = Object.entries(values).find(([, value]) => !Number.isFinite(value));
      if (bad) {
        throw new NumericsError(`Cannot go on training: ${bad[0]} of step ${step - stageStep + done} is ${bad[1]}`, {
          hint: done > 1
            ? "Lower the learning rates, or set clip_norm"
            : "Nothing was learned yet: look at the data, and at gene_loss, gene_norm and temperature",
          context: { step: step - stageStep + done, tensor: bad[0] },
        });
      }
      this.#loss = values.loss;
      if (done % parts.config.eval.log_every !== 0 && !schedule.endsEpoch(done - 1)) return;
      const rates = this.#rates(done - 1);
      parts.onRow({
        step: step - stageStep + done,
        epoch: schedule.epoch(done - 1),
        stage,
        split: "train",
        values: { ...values, lr_img: rates.img!, lr_gene: rates.gene! },
      });
    });
    this.#read = stageStep;
    const now = parts.now();
    const pairs = (stageStep - this.#since.step) * schedule.batch * schedule.accumulate;
    const rate = pairs / Math.max(1e-3, now - this.#since.time) * 1e3;
    parts.onTiming(step, { samples_per_second: rate });
    this.#since = { time: now, step: stageStep };
    parts.onProgress?.({ stage: stage as Stage, step: stageStep, total: schedule.total, loss: this.#loss, rate });
  }

  /** Evaluates and saves where the epoch says so. @returns Whether to stop early. */
  async #endOfEpoch(): Promise<boolean> {
    const { parts, runner } = this;
    const { config } = parts;
    const { schedule } = runner;
    const { stageStep, step, stage } = this.state;
    const last = stageStep === schedule.total;
    const epoch = schedule.epoch(stageStep - 1) + 1;
    const every = stage === "warmup" ? config.warmup.warmup_val_every : config.eval.eval_every;
    const due = (n: number) => last || (n > 0 && epoch % n === 0);
    let stop = false;
    if (due(every)) {
      const values = await parts.evaluate(stage as Stage);
      parts.onRow({ step, epoch: epoch - 1, stage, split: "test", values });
      const { best_metric } = config.eval;
      const verdict = stage === "warmup" ? undefined : this.#early.update(values[best_metric] ?? NaN, step);
      this.state = { ...this.state, early: this.#early.state };
      stop = verdict?.stop ?? false;
      // Without held-out donors the latest is the best there is.
      const better = verdict?.better || (stage === "align" && this.#early.state.best === null);
      if (better) await parts.save("best", this.state);
      this.#since = { time: parts.now(), step: stageStep };
    }
    if (!last && due(config.eval.save_every)) await parts.save("last", this.state);
    return stop && !last;
  }
}
