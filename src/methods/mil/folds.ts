/**
 * Models of bags on the folds of a cohort: the keys of each run, what runs share, and what a run takes.
 *
 * @module
 */

import type { Gpu } from "../../gpu/device.ts";
import type { Host } from "../../train/host.ts";
import type { FoldCost, FoldTraining } from "../method.ts";
import { attentionFile, bySlides } from "./attention_files.ts";
import type { MilConfig } from "./config.ts";
import { foldData, type MilData, openShared } from "./data.ts";
import { judgedBy, MODEL_LABELS, noteOf, SHOWN_CASES } from "./evidence.ts";
import { type BagResult, meanAttention } from "./inference.ts";
import { leftOutBags, LeftOutCases } from "./left_out_cases.ts";
import { readOutputs } from "./outputs.ts";
import { shownAttention } from "./shown_attention.ts";
import { compileStep, type MilSession, openSession, scheduleOf } from "./training.ts";

/** Steps that are timed, behind one that warms up. */
const TIMED = 2;

/** Bytes of a parameter in the checkpoints of a run (two models, two moments) and of a tile in the file of its attention. */
const [PARAMETER_BYTES, TILE_BYTES] = [16, 12];

/** Seconds that something takes. */
type Timed = (act: () => Promise<unknown>) => Promise<number>;

/** Times steps, the inference of the largest bag, and what is shown of it, each behind one that warms up. */
async function measure(gpu: Gpu, config: MilConfig, data: MilData, host: Host, now: () => number): Promise<FoldCost> {
  const timed: Timed = async (act) => {
    const begun = now();
    await act();
    return (now() - begun) / 1000;
  };
  const begun = now();
  const session = await openSession(gpu, config, data);
  try {
    const { set: { bags }, split: { test } } = data;
    const schedule = scheduleOf(config, data, session.task);
    const { step, fill } = await compileStep(session, schedule);
    const openSeconds = (now() - begun) / 1000;
    const take = async (from: number, to: number) => {
      for (let s = from; s < to; s++) await step.submit({ lr: 0 }, (i) => fill(s % schedule.total, i));
      await step.readMetrics();
    };
    await take(0, 1);
    const stepSeconds = await timed(() => take(1, 1 + TIMED)) / TIMED;
    step.destroy();
    const largest = test.reduce((most, bag) => bags[bag]!.count > bags[most]!.count ? bag : most, test[0]!);
    const blocks = (bag: number) => Math.ceil(bags[bag]!.count / session.block);
    const result = await session.run(largest);
    const blockSeconds = await timed(() => session.run(largest)) / blocks(largest);
    const parameters = session.model.parameters.count().all;
    return {
      parameters,
      steps: schedule.total,
      openSeconds,
      stepSeconds,
      testSeconds: blockSeconds * test.reduce((sum, bag) => sum + blocks(bag), 0),
      shownSeconds: config.model.model === "meanmil"
        ? 0
        : await timeShown(session, { bag: largest, result }, host, timed),
      bytes: PARAMETER_BYTES * parameters + TILE_BYTES * test.reduce((sum, bag) => sum + bags[bag]!.count, 0),
    };
  } finally {
    session.close();
  }
}

/** Seconds of the maps of a run, of the files of its attention, and of what is said without tiles, by those of one bag. */
async function timeShown(
  session: MilSession,
  { bag, result }: { readonly bag: number; readonly result: BagResult },
  { disk }: Pick<Host, "disk">,
  timed: Timed,
): Promise<number> {
  const { data: { set: { bags }, split: { test } } } = session;
  const own = bags[bag]!;
  const rowsOf = (list: readonly number[]) => list.reduce((sum, one) => sum + bags[one]!.count, 0);
  const attention = Float32Array.from(meanAttention(result, own.count));
  const shown = { bag, attention, truth: "", said: "" };
  const asked = { model: "", chosen: "", shown: [shown], left: undefined };
  const drawSeconds = await timed(() => shownAttention(session, asked, disk));
  const fileSeconds = await timed(async () => {
    for (const one of bySlides(own, attention)) await attentionFile(disk, one);
  });
  const chosen = leftOutBags(session);
  const without = await LeftOutCases.open(session, judgedBy(session));
  try {
    const [first] = chosen;
    const whole = first === undefined || first === bag ? result : await session.run(first);
    const seconds = first === undefined ? 0 : await timed(() => without.add(first, whole)) / bags[first]!.count;
    const share = rowsOf(test) / own.count;
    return drawSeconds * Math.min(SHOWN_CASES, test.length) + fileSeconds * share + seconds * rowsOf(chosen);
  } finally {
    without.close();
  }
}

/** For the folds of a cohort. */
export const folds: FoldTraining<MilConfig, MilData> = {
  models: MODEL_LABELS,
  settings: ({ model, fold, features, split, task, caseSlides, expression, geneSets, seed }) => ({
    // Slides that cannot be used are left out for all models, and named once.
    defaults: [["seed", String(seed)], ["case_slides", caseSlides], ["drop_missing", "true"]],
    fixed: [
      ["model", model],
      ["fold", fold.replace("fold_", "")],
      ["features", JSON.stringify([features])],
      ["labels", split],
      ["task", task],
      ...(expression === undefined ? [] : [["expression", expression]] as const),
      ...(geneSets === undefined ? [] : [["gene_sets", geneSets]] as const),
    ],
  }),
  async open(config, host, slides) {
    const shared = await openShared(config, host, (slide) => slides.has(slide));
    return (own) => foldData(own, shared);
  },
  note: (config) => noteOf(config, taskSteps(config)),
  cost: measure,
  outputs: readOutputs,
};

/** Epochs, in words of a note: how many steps they are depends on the fold. */
function taskSteps({ optim: { epochs, steps } }: MilConfig): string {
  return steps === null ? `${epochs} epochs` : `at most ${steps} steps`;
}
