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
    restore: () => Promise.resolve(),
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

Deno.test("a stage that is to end in its best weights puts them back before the next one; stopped, it does not", async () => {
  const told: string[] = [];
  const chosen = (name: string, scores: number[], patience: number): TrainedStage => ({
    ...stage(name, undefined, [], []),
    schedule: new Schedule({ seed: 0, count: 2, batch: 2, accumulate: 1, epochs: 4, steps: null }),
    evaluateEvery: 1,
    select: { metric: "score", patience, minDelta: 0, restore: true },
    evaluate: () => Promise.resolve({ score: scores.shift()! }),
  });
  const stop = new AbortController();
  const parts = (stages: readonly TrainedStage[]) => ({
    stages,
    ...{ logEvery: 1, saveEvery: 0, saveEverySteps: 0, hints: { first: "", later: "" } },
    evaluate: (one: TrainedStage) => one.evaluate(),
    ...{ onRow() {}, onTiming() {}, now: () => 0, signal: stop.signal },
    save: (kind: string, { step, stage }: LoopState) => Promise.resolve(void told.push(`${kind} ${stage} ${step}`)),
    restore: () => Promise.resolve(void told.push("restore")),
    reset: () => void told.push("reset"),
  });
  const two = [chosen("first", [1, 3, 2, 2], 2), chosen("second", [1, 0, 0, 0], 2)];
  const end = await runLoop(parts(two), initialState(two));
  assert.equal(end.reason, "early");
  assert.deepEqual(told, [
    ...["best first 1", "best first 2", "restore", "reset", "last second 4"],
    ...["best second 5", "restore", "last done 7"],
  ]);
  told.length = 0;
  stop.abort();
  const one = [chosen("first", [1], 0)];
  assert.equal((await runLoop(parts(one), initialState(one))).reason, "interrupted");
  assert.deepEqual(told, ["last first 0"]);
});

Deno.test("checkpoints by steps are written where an epoch ends too, once, and not beside the last", async () => {
  const told: string[] = [];
  const saves = async (saveEvery: number, saveEverySteps: number) => {
    told.length = 0;
    const one: TrainedStage = {
      ...stage("one", undefined, [], []),
      schedule: new Schedule({ seed: 0, count: 4, batch: 2, accumulate: 1, epochs: 4, steps: null }),
    };
    await runLoop({
      stages: [one],
      ...{ logEvery: 1, saveEvery, saveEverySteps, hints: { first: "", later: "" } },
      evaluate: () => Promise.resolve({}),
      ...{ onRow() {}, onTiming() {}, now: () => 0, signal: new AbortController().signal },
      save: (kind, { step, stage }) => Promise.resolve(void told.push(`${kind} ${stage} ${step}`)),
      restore: () => Promise.resolve(),
      reset: () => {},
    }, initialState([one]));
    return [...told];
  };
  // An epoch takes two steps, all of them eight.
  assert.deepEqual(await saves(0, 4), ["last one 4", "last done 8"]);
  assert.deepEqual(await saves(0, 3), ["last one 3", "last one 6", "last done 8"]);
  assert.deepEqual(await saves(2, 4), ["last one 4", "last done 8"]);
});
