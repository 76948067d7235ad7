/**
 * The training loop: a list of stages, logging, evaluation, early stopping, checkpoints, interruption. It knows no method, no
 * files and no clock but those it is given, and its state is a few numbers: batches, noise, schedules and metrics all follow
 * from them.
 *
 * @module
 */

import { NumericsError } from "../core/errors.ts";
import { EarlyStop, type EarlyStopState } from "./early_stop.ts";
import type { MetricRow } from "./metrics.ts";
import type { Stage, StageRunner, TrainedStage } from "./stage.ts";

/** Where a run is; plain JSON. */
export interface LoopState {
  /** Name of the stage, or `done`. */
  readonly stage: string;
  /** Optimiser steps of the stage. */
  readonly stageStep: number;
  /** Optimiser steps of all stages. */
  readonly step: number;
  /** Rows in memory at a time in the stage, where those of a batch are more; the memory that was free chose them, and sums of other lengths round otherwise. */
  readonly micro?: number;
  readonly early: EarlyStopState;
}

/** Before the first evaluation. */
const FRESH: EarlyStopState = { best: null, bestStep: null, bad: 0 };

/** Before the first step. */
export function initialState(stages: readonly Stage[]): LoopState {
  return { stage: stages[0]?.name ?? "done", stageStep: 0, step: 0, early: FRESH };
}

/** What the loop is given. */
export interface LoopParts {
  readonly stages: readonly Stage[];
  /** Steps between two rows of metrics. */
  readonly logEvery: number;
  /** Epochs between two checkpoints; 0: at the end. */
  readonly saveEvery: number;
  /** The same by steps; 0: not. */
  readonly saveEverySteps: number;
  /** What may be done where a loss is not finite. */
  readonly hints: { readonly first: string; readonly later: string };
  /** Evaluates a stage. */
  evaluate(stage: TrainedStage): Promise<Record<string, number>>;
  onRow(row: MetricRow): void;
  /** Told after each step that was logged: items a second since the last. */
  onTiming(step: number, values: Readonly<Record<string, number>>): void;
  onProgress?(
    done: { stage: TrainedStage; step: number; total: number; loss: number | undefined; rate: number },
  ): void;
  /** Writes a checkpoint; all rows up to `state.step` have been given to `onRow`. */
  save(kind: "last" | "best", state: LoopState): Promise<void>;
  /** Puts the weights of the best checkpoint in the place of those of the last step. */
  restore(): Promise<void>;
  /** Between stages: forgets the optimiser's moments. */
  reset(): void;
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

/**
 * Runs what is left of all stages.
 *
 * @throws {NumericsError} If a loss is not finite.
 */
export async function runLoop(parts: LoopParts, start: LoopState): Promise<LoopEnd> {
  const { stages } = parts;
  let state = start;
  for (let at = stages.findIndex(({ name }) => name === state.stage); at >= 0 && at < stages.length; at++) {
    const [stage, next] = [stages[at]!, stages[at + 1]];
    let reason: LoopEnd["reason"] = "finished";
    if ("work" in stage) {
      if (parts.signal.aborted) return { state, reason: "interrupted" };
      await stage.work(parts.signal);
    } else {
      const run = new StageRun(parts, stage, await stage.compile(state.micro), state);
      try {
        reason = await run.all();
      } finally {
        run.runner.destroy();
      }
      state = run.state;
      if (reason === "interrupted") {
        await parts.save("last", state);
        return { state, reason };
      }
      if (stage.select?.restore) await parts.restore();
    }
    const { micro: _, ...left } = state;
    state = { ...left, stage: next?.name ?? "done", stageStep: 0, early: next ? FRESH : state.early };
    if (next && !("work" in stage)) parts.reset();
    await parts.save("last", state);
    if (reason === "early" && !next) return { state, reason };
  }
  return { state, reason: "finished" };
}

/** One stage from a step on. */
class StageRun {
  state: LoopState;
  readonly #early: EarlyStop;
  /** Steps of the stage whose metrics were read. */
  #read: number;
  #since: { time: number; step: number };
  #loss: number | undefined;

  constructor(
    readonly parts: LoopParts,
    readonly stage: TrainedStage,
    readonly runner: StageRunner,
    start: LoopState,
  ) {
    const { micro } = runner;
    const { early, ...place } = start;
    this.state = { ...place, ...(micro !== undefined && { micro }), early };
    this.#early = new EarlyStop(stage.select, start.early);
    this.#read = start.stageStep;
    this.#since = { time: parts.now(), step: start.stageStep };
    runner.seek(start.stageStep * stage.schedule.accumulate);
  }

  async all(): Promise<LoopEnd["reason"]> {
    const { parts, runner, stage } = this;
    const { schedule } = stage;
    const { logEvery, saveEverySteps } = parts;
    while (this.state.stageStep < schedule.total) {
      if (parts.signal.aborted) {
        await this.#log();
        return "interrupted";
      }
      const { stageStep } = this.state;
      await runner.submit(stage.rates(stageStep), stageStep);
      this.state = { ...this.state, stageStep: stageStep + 1, step: this.state.step + 1 };
      const boundary = schedule.endsEpoch(stageStep);
      if (boundary || (stageStep + 1) % logEvery === 0) await this.#log();
      if (boundary && await this.#endOfEpoch()) return "early";
      if (!boundary && this.#savesAt(saveEverySteps)) {
        await this.#log();
        await parts.save("last", this.state);
      }
    }
    return "finished";
  }

  /** Whether a checkpoint is due by the steps of the stage. */
  #savesAt(every: number): boolean {
    return every > 0 && this.state.stageStep % every === 0;
  }

  /** Reads the metrics since the last time; gives a row for the steps that are to be logged. */
  async #log(): Promise<void> {
    const { parts, runner, stage } = this;
    const { stageStep, step } = this.state;
    if (this.#read === stageStep) return;
    const rows = await runner.read();
    const { schedule } = stage;
    rows.forEach((values, i) => {
      const done = stageStep - rows.length + i + 1;
      const bad = Object.entries(values).find(([, value]) => !Number.isFinite(value));
      if (bad) {
        throw new NumericsError(`Cannot go on training: ${bad[0]} of step ${step - stageStep + done} is ${bad[1]}`, {
          hint: done > 1 ? parts.hints.later : parts.hints.first,
          context: { step: step - stageStep + done, tensor: bad[0] },
        });
      }
      this.#loss = values.loss;
      if (done % parts.logEvery !== 0 && !schedule.endsEpoch(done - 1)) return;
      const rates = stage.rates(done - 1);
      const shown = Object.entries(stage.rateColumns).map(([column, name]) => [column, rates[name]!]);
      parts.onRow({
        step: step - stageStep + done,
        epoch: schedule.epoch(done - 1),
        stage: stage.name,
        split: "train",
        values: { ...values, ...Object.fromEntries(shown) },
      });
    });
    this.#read = stageStep;
    const now = parts.now();
    const items = (stageStep - this.#since.step) * schedule.batch * schedule.accumulate;
    const rate = items / Math.max(1e-3, now - this.#since.time) * 1e3;
    parts.onTiming(step, { samples_per_second: rate });
    this.#since = { time: now, step: stageStep };
    parts.onProgress?.({ stage, step: stageStep, total: schedule.total, loss: this.#loss, rate });
  }

  /** Evaluates and saves where the epoch says so. @returns Whether to stop early. */
  async #endOfEpoch(): Promise<boolean> {
    const { parts, stage } = this;
    const { schedule, select } = stage;
    const { stageStep, step } = this.state;
    const last = stageStep === schedule.total;
    const epoch = schedule.epoch(stageStep - 1) + 1;
    const due = (n: number) => last || (n > 0 && epoch % n === 0);
    let stop = false;
    if (due(stage.evaluateEvery)) {
      const values = await parts.evaluate(stage);
      parts.onRow({ step, epoch: epoch - 1, stage: stage.name, split: stage.split ?? "test", values });
      const verdict = select && this.#early.update(values[select.metric] ?? NaN, step);
      this.state = { ...this.state, early: this.#early.state };
      stop = epoch > (select?.after ?? 0) && (verdict?.stop ?? false);
      // With nothing held out the latest is the best there is.
      const better = verdict?.better || (select && this.#early.state.best === null);
      if (better) await parts.save("best", this.state);
      this.#since = { time: parts.now(), step: stageStep };
    }
    if (!last && (due(parts.saveEvery) || this.#savesAt(parts.saveEverySteps))) await parts.save("last", this.state);
    return stop && !last;
  }
}
