/**
 * Trained runs as rows of `evaluate`: an adapter on the encoder of its run, or what a run makes of the features of the first
 * row. Samples that runs were trained on are not tested.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { table } from "../eval/linalg/table.ts";
import type { Gpu } from "../gpu/device.ts";
import { readText } from "../io/fs.ts";
import type { FeatureRun } from "../methods/method.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import type { FoundCheckpoint } from "../train/run.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { type OpenSource, parts, type SourceRequest } from "./evaluate_sources.ts";
import { checkpointOf, type RunSettings, runSettings } from "./open.ts";

async function openRun(run: string): Promise<RunSettings & { readonly found: FoundCheckpoint }> {
  const { method, config } = await runSettings(run);
  return { method, config, found: checkpointOf(run, findCheckpoint(run, "best") ? "best" : "last", config) };
}

/**
 * Rows of runs: one of an encoder with an adapter, and one for each kind of features that others make.
 *
 * @throws {ConfigError} If a run has neither.
 */
export async function runSources(runs: readonly string[]): Promise<SourceRequest[]> {
  const sources: SourceRequest[] = [];
  for (const run of runs) {
    const { method, config, found } = await openRun(run);
    const name = parts(run).at(-1) ?? run;
    const { encoder } = config.input as { readonly encoder?: string };
    if (encoder !== undefined && found.read("adapter_config.json") !== undefined) {
      sources.push({ name: `${name} (${method.name})`, encoder, adapter: found.path });
    } else if (method.features !== undefined) {
      const { forms } = method.features(config, found);
      for (const form of forms) {
        sources.push({ name: `${name} (${method.name} ${form})`, run: { path: run, form } });
      }
    } else {
      throw new ConfigError(`Cannot compare ${run}: it has no adapter, and method ${method.name} makes no features`, {
        code: "method-unsupported",
        hint: "Runs with LoRA have an adapter; give others' features as --features",
        context: { run, method: method.name },
      });
    }
  }
  return sources;
}

/**
 * Samples that runs were trained on, or chosen by.
 *
 * @throws {ConfigError} If a run does not say, because it is not finished.
 */
export function trainedSamples(runs: readonly string[]): ReadonlySet<string> {
  const all = new Set<string>();
  for (const run of runs) {
    const path = `${run}/${EVIDENCE.facts}`;
    let samples: readonly { readonly sample: string; readonly split: string }[] | undefined;
    try {
      samples = JSON.parse(readText(path)).data?.samples;
    } catch {
      samples = undefined;
    }
    if (!Array.isArray(samples)) {
      throw new ConfigError(`Cannot compare ${run}: ${path} does not say which samples it was trained on`, {
        hint: "Let it finish: give its train command again",
        context: { run },
      });
    }
    for (const { sample, split } of samples) if (split !== "test") all.add(sample);
  }
  return all;
}

/** A run's features of those of another source. @param base Closed with it. */
export async function openRunSource(
  { name, run }: SourceRequest & Required<Pick<SourceRequest, "run">>,
  base: OpenSource,
  gpu: Gpu,
): Promise<OpenSource> {
  const { method, config, found } = await openRun(run.path);
  const trained: FeatureRun = method.features!(config, found);
  const model = await trained.open(gpu, run.form);
  return {
    name,
    facts: { method: method.name, form: run.form, features: base.name },
    async load(sample) {
      const { barcodes, features, file } = await base.load(sample);
      if (features.columns !== trained.dim) {
        throw new DataError(
          `Cannot use ${run.path}: features of ${base.name} have ${features.columns} numbers, expected ${trained.dim}`,
          {
            code: "features",
            hint: "Name the encoder, or the features, that it was trained on first",
            context: { found: features.columns, expected: trained.dim },
          },
        );
      }
      if (file !== undefined) trained.check(file);
      const made = await model.run(Float32Array.from(features.data));
      return { barcodes, features: table(features.rows, model.dim, made.features) };
    },
    close() {
      model.close();
      base.close();
    },
  };
}
