/**
 * A trained model of bags in use: classes, risk or numbers of slides from their stored features.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import type { FoldTruth } from "../../eval/cohort/scores.ts";
import { takeRows } from "../../eval/linalg/table.ts";
import { MODEL_FILE } from "../../train/checkpoint.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { SlideRun, SlideTask } from "../method.ts";
import { bagRows } from "./bags.ts";
import type { MilConfig } from "./config.ts";
import { type MilData, openData } from "./data.ts";
import { meanAttention, MilInference } from "./inference.ts";
import { createMil } from "./model.ts";
import { riskOf, softmax, type TargetScale } from "./task.ts";
import { bySlide, INFERENCE_ROWS, loadModel, MODEL_FACTS, modelSizes } from "./training.ts";

/** What a checkpoint says of its model. */
interface ModelFacts {
  /** Kind of the task; classes where it is not there. */
  readonly task: string;
  readonly dim: number;
  readonly classes: unknown;
  readonly targets: unknown;
  readonly mean: unknown;
  readonly deviation: unknown;
}

/** What a model tells, and how its outputs say it. */
interface Told {
  readonly task: SlideTask;
  readonly dim: number;
  /** Numbers of an output. */
  readonly outputs: number;
  said(output: Float64Array): readonly number[];
}

function isNumbers(value: unknown, count: number): value is readonly number[] {
  return Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));
}

function isNames(value: unknown, least: number): value is readonly string[] {
  return Array.isArray(value) && value.length >= least && value.every((one) => typeof one === "string");
}

/** Reads what a checkpoint says of its model. */
function toldBy(config: MilConfig, { read, path }: FoundCheckpoint): Told {
  const refuse = (found: string): WeightsError =>
    new WeightsError(
      `Cannot open ${path}/${MODEL_FACTS}: ${found}, wanted the width of a row and names of what the model tells`,
      {
        hint: "Bring the checkpoint back from a copy, or train again",
        context: { file: `${path}/${MODEL_FACTS}` },
      },
    );
  const bytes = read(MODEL_FACTS);
  if (bytes === undefined) throw refuse("it is missing");
  let facts: Partial<ModelFacts> | null;
  try {
    facts = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
  const { dim, classes, targets, mean, deviation, task: kind = "classification" } = facts ?? {};
  if (!Number.isInteger(dim) || dim! < 1) throw refuse(`dim is ${JSON.stringify(dim)}`);
  if (kind === "survival") {
    const risk = riskOf(config);
    const outputs = config.survival.survival === "cox" ? 1 : config.survival.intervals;
    return { task: { kind }, dim: dim!, outputs, said: (output) => [risk(output)] };
  }
  if (kind === "regression") {
    if (!isNames(targets, 1)) throw refuse(`targets is ${JSON.stringify(targets)}`);
    const scale = { mean, deviation };
    for (const [name, value] of Object.entries(scale)) {
      if (!isNumbers(value, targets.length)) throw refuse(`${name} is ${JSON.stringify(value)}`);
    }
    return { task: { kind, targets }, dim: dim!, outputs: targets.length, said: unscaled(scale as TargetScale) };
  }
  if (kind !== "classification") throw refuse(`task is ${JSON.stringify(kind)}`);
  if (!isNames(classes, 2)) throw refuse(`classes is ${JSON.stringify(classes)}`);
  return { task: { kind, classes }, dim: dim!, outputs: classes.length, said: softmax };
}

/** Numbers on the scale of their table. */
function unscaled({ mean, deviation }: TargetScale): (output: Float64Array) => number[] {
  return (output) => Array.from(output, (value, k) => value * deviation[k]! + mean[k]!);
}

/** What is true of the test bags; numbers as the table has them. */
function truthOf({ targets, split }: Pick<MilData, "targets" | "split">, task: SlideTask): FoldTruth {
  const { test, train } = split;
  if (targets.kind === "survival") {
    const { times, events } = targets;
    return { kind: "survival", times: test.map((bag) => times[bag]!), events: test.map((bag) => events[bag]!) };
  }
  if (targets.kind === "regression") {
    const raw = targets.raw(train);
    return { kind: "regression", values: takeRows(raw, test), training: takeRows(raw, train) };
  }
  // In the order of the checkpoint's classes.
  const classes = task.kind === "classification" ? task.classes : targets.classes;
  const labels = test.map((bag) => classes.indexOf(targets.classes[targets.labels[bag]!]!));
  return { kind: "classification", labels, classes: classes.length };
}

/** A run, for slides that it has not seen. @throws {WeightsError} If the checkpoint lacks a file, or one is damaged. */
export function slideRun(config: MilConfig, found: FoundCheckpoint): SlideRun {
  const { task, dim, outputs, said } = toldBy(config, found);
  if (found.read(MODEL_FILE) === undefined) {
    throw new WeightsError(`Cannot open ${found.path}: ${MODEL_FILE} is missing`, {
      hint: "Bring the checkpoint back from a copy, or train again",
      context: { file: found.path },
    });
  }
  return {
    task,
    dim,
    async heldOut(host) {
      const data = await openData(config, host);
      const slides = data.split.test.map((at) => {
        const bag = data.set.bags[at]!;
        return bagRows(bag, (rows) => data.read(bag, rows), bySlide(config));
      });
      return { slides, truth: truthOf(data, task) };
    },
    async open(gpu) {
      const model = createMil(gpu, { ...modelSizes(config), dim, outputs });
      const { parameters } = model;
      try {
        parameters.allocate();
        loadModel(model, found.read, found.path);
        const inference = await MilInference.compile(model, INFERENCE_ROWS);
        return {
          async run(slide) {
            const result = await inference.run(slide);
            return {
              said: said(result.output),
              attention: config.model.model === "meanmil" ? undefined : meanAttention(result, slide.count),
            };
          },
          close() {
            inference.destroy();
            parameters.destroy();
          },
        };
      } catch (error) {
        parameters.destroy();
        throw error;
      }
    },
  };
}
