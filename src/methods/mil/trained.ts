/**
 * A trained model of bags in use: classes of slides from their stored features.
 *
 * @module
 */

import { ConfigError, WeightsError } from "../../core/errors.ts";
import { MODEL_FILE } from "../../train/checkpoint.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { SlideRun } from "../method.ts";
import { bagRows } from "./bags.ts";
import type { MilConfig } from "./config.ts";
import { openData } from "./data.ts";
import { meanAttention, MilInference } from "./inference.ts";
import { createMil } from "./model.ts";
import { softmax } from "./task.ts";
import { bySlide, INFERENCE_ROWS, loadModel, MODEL_FACTS, modelSizes } from "./training.ts";

/** What a checkpoint says of its model. */
interface ModelFacts {
  /** Kind of the task; classes where it is not there. */
  readonly task?: string;
  readonly dim: number;
  readonly classes: readonly string[];
}

function notClasses(path: string, task: string): ConfigError {
  return new ConfigError(`Cannot open ${path} for classes: it was trained on a ${task}, classes are wanted`, {
    code: "method-unsupported",
    hint: "What it says of its test cases is in the run's folder evaluation/",
    context: { checkpoint: path, task },
  });
}

function factsOf({ read, path }: FoundCheckpoint): ModelFacts {
  const refuse = (found: string): WeightsError =>
    new WeightsError(
      `Cannot open ${path}/${MODEL_FACTS}: ${found}, wanted the width of a row and names of the classes`,
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
  const { dim, classes, task = "classification" } = facts ?? {};
  if (task !== "classification") throw notClasses(path, task);
  if (!Number.isInteger(dim) || dim! < 1) throw refuse(`dim is ${JSON.stringify(dim)}`);
  if (!Array.isArray(classes) || classes.length < 2 || classes.some((name) => typeof name !== "string")) {
    throw refuse(`classes is ${JSON.stringify(classes)}`);
  }
  return { dim: dim!, classes };
}

/** A run, for slides that it has not seen. @throws {WeightsError} If the checkpoint lacks a file, or one is damaged. */
export function slideRun(config: MilConfig, found: FoundCheckpoint): SlideRun {
  const { dim, classes } = factsOf(found);
  if (found.read(MODEL_FILE) === undefined) {
    throw new WeightsError(`Cannot open ${found.path}: ${MODEL_FILE} is missing`, { context: { file: found.path } });
  }
  return {
    dim,
    classes,
    async heldOut(host) {
      const { set, split, read, targets } = await openData(config, host);
      if (targets.kind !== "classification") throw notClasses(found.path, targets.kind);
      return split.test.map((at) => {
        const bag = set.bags[at]!;
        return {
          rows: bagRows(bag, (rows) => read(bag, rows), bySlide(config)),
          label: classes.indexOf(targets.classes[targets.labels[at]!]!),
        };
      });
    },
    async open(gpu) {
      const model = createMil(gpu, { ...modelSizes(config), dim, outputs: classes.length });
      const { parameters } = model;
      try {
        parameters.allocate();
        loadModel(model, found.read, found.path);
        const inference = await MilInference.compile(model, INFERENCE_ROWS);
        return {
          async run(slide) {
            const result = await inference.run(slide);
            return {
              probabilities: softmax(result.output),
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
