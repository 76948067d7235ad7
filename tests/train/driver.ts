/** A training carried out in a folder from what it holds, without a word. */

import type { Reporter } from "../../src/core/reporter.ts";
import { runStore } from "../../src/run/host.ts";
import { runTraining, stateToResume } from "../../src/train/run.ts";
import type { Training } from "../../src/train/training.ts";

/** Keeps warnings; stops a run after so many logged steps. */
export class Watched implements Reporter {
  readonly stop = new AbortController();
  readonly warnings: string[] = [];
  steps = 0;

  /** @param onStep Called after each logged step. */
  constructor(readonly after = Infinity, readonly onStep?: (step: number) => void) {}

  update(): void {}

  training(): void {
    if (++this.steps === this.after) this.stop.abort();
    this.onStep?.(this.steps);
  }

  say(): void {}

  warn(text: string): void {
    this.warnings.push(text);
  }
}

/** Trains as the command does. */
export function trainIn(folder: string, training: Training, watched = new Watched()) {
  const store = runStore(folder);
  return runTraining(training, {
    store,
    before: stateToResume(training, store, watched),
    reporter: watched,
    signal: watched.stop.signal,
    now: () => 0,
    time: (_, act) => act(),
  });
}
