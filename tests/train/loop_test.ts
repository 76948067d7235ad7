/** What the state of a run keeps of its stages. */

import assert from "node:assert/strict";
import { initialState, type LoopState, runLoop } from "../../src/train/loop.ts";
import { Schedule } from "../../src/train/schedule.ts";
import type { TrainedStage } from "../../src/train/stage.ts";

/** A stage of four steps that fits so many rows; tells what it was asked for. */
function stage(name: string, fits: number | undefined, asked: (number | undefined)[], steps: number[]): TrainedStage {
  return {
    name,
    schedule: new Schedule({ seed: 0, count: 4, batch: 1, accumulate: 1, epochs: 1, steps: null }),
    rates: () => ({ lr: 1 }),
    rateColumns: {},
    evaluateEvery: 0,
    evaluate: () => Promise.resolve({}),
    compile(mostMicro) {
      asked.push(mostMicro);
      let unread = 0;
      const micro = fits === undefined ? undefined : Math.min(fits, mostMicro ?? Infinity);
      return Promise.resolve({
        ...(micro !== undefined && { micro }),
        seek() {},
        submit() {
          steps.push(unread++);
          return Promise.resolve();
        },
        read() {
          return Promise.resolve(Array.from({ length: unread }, () => (unread--, { loss: 1 })));
        },
        destroy() {},
      });
    },
  };
}

Deno.test("a stage resumes with as many rows in memory as it had, and the next one begins with its own", async () => {
  const asked: (number | undefined)[] = [];
  const steps: number[] = [];
  const saved: LoopState[] = [];
  let stop = new AbortController();
  const parts = (free: number) => ({
    stages: [stage("first", free, asked, steps), stage("second", undefined, asked, steps)],
    logEvery: 1,
    saveEvery: 0,
    saveEverySteps: 1,
    hints: { first: "", later: "" },
    evaluate: () => Promise.resolve({}),
    onRow() {
      if (saved.length === 1) stop.abort();
    },
    onTiming() {},
    save: (_: string, state: LoopState) => Promise.resolve(void saved.push(JSON.parse(JSON.stringify(state)))),
    reset: () => {},
    signal: stop.signal,
    now: () => 0,
  });
  const first = parts(8);
  const end = await runLoop(first, initialState(first.stages));
  assert.equal(end.reason, "interrupted");
  assert.equal(end.state.micro, 8);
  assert.equal(saved.at(-1)!.micro, 8);
  stop = new AbortController();
  // More memory is free now.
  const whole = await runLoop(parts(64), saved.at(-1)!);
  assert.equal(whole.reason, "finished");
  assert.deepEqual(asked, [undefined, 8, undefined]);
  assert.equal(steps.length, 8);
  const of = (name: string) => saved.filter((state) => state.stage === name).map(({ micro }) => micro);
  assert.ok(of("first").every((micro) => micro === 8));
  assert.ok(of("second").length > 0 && of("second").every((micro) => micro === undefined));
  assert.equal(whole.state.stage, "done");
});
