/**
 * Trained arms in use: tile features are changed as an arm changes them; heads are thrown away.
 *
 * @module
 */

import { ConfigError, WeightsError } from "../../core/errors.ts";
import { checkFacts, type FeatureFacts, featureFacts } from "../../data/feature_facts.ts";
import { Parameters } from "../../nn/parameters.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { FeatureRun } from "../method.ts";
import type { BulkConfig } from "./config.ts";
import { type Arm, createArm } from "./model.ts";
import { tileModel } from "./tiles.ts";
import { BULK_FILES, loadArms } from "./training.ts";

interface Facts {
  readonly dim: number;
  readonly genes: number;
  readonly modality?: number;
  /** What made the features of the run; none of earlier versions. */
  readonly encoder?: FeatureFacts;
}

function factsOf({ read, path }: FoundCheckpoint): Facts {
  const file = `${path}/${BULK_FILES.facts}`;
  const refuse = (found: string): WeightsError =>
    new WeightsError(`Cannot open ${file}: ${found}, expected the sizes of the arms`, {
      hint: "Bring the checkpoint back from a copy, or train again",
      context: { file },
    });
  const bytes = read(BULK_FILES.facts);
  if (bytes === undefined) throw refuse("it is missing");
  let facts: Partial<Facts> | null;
  try {
    facts = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw refuse((cause as Error).message);
  }
  for (const key of ["dim", "genes"] as const) {
    if (!Number.isInteger(facts?.[key]) || facts![key]! < 1) throw refuse(`${key} is ${JSON.stringify(facts?.[key])}`);
  }
  return facts as Facts;
}

/** A run, for features that it has not seen. @throws {WeightsError} If the checkpoint lacks a file, or one is damaged. */
export function featureRun(config: BulkConfig, found: FoundCheckpoint): FeatureRun {
  if (config.input.train === "encoder") {
    const { encoder } = config.input;
    throw new ConfigError(`Cannot embed features with ${found.path}: its encoder takes patches`, {
      code: "method-unsupported",
      hint: encoder.startsWith("random:")
        ? "Adapters go on weights of a file: train on such, and embed patches with --encoder and --adapter"
        : `Embed patches with --encoder ${encoder} --adapter ${found.path}`,
      context: { checkpoint: found.path },
    });
  }
  const sizes = factsOf(found);
  return {
    dim: sizes.dim,
    forms: config.model.arms,
    columns: [],
    check: (file) => checkFacts(sizes.encoder ?? {}, featureFacts(file), file.name),
    async open(gpu, form, half) {
      if (half) {
        throw new ConfigError(`Cannot embed features with ${found.path} in f16: what an arm adds to them is f32`, {
          code: "method-unsupported",
          hint: "Leave --precision out",
        });
      }
      const parameters = new Parameters(gpu, false);
      try {
        const arms = config.model.arms.map((arm) => createArm(parameters, arm as Arm, sizes, config));
        parameters.allocate();
        loadArms({ parameters }, found.read, found.path);
        const model = await tileModel(gpu, arms.find(({ arm }) => arm === form)!, sizes.dim);
        return {
          dim: sizes.dim,
          run: async (rows) => ({ features: await model.run(rows), table: [] }),
          close() {
            model.destroy();
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
