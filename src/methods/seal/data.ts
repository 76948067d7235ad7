/**
 * The data of a run: samples, what is held out, genes, expression and patches.
 *
 * @module
 */

import { openTrainingSet, type TrainingSetOptions } from "../../data/open_training_set.ts";
import { isNote } from "../../data/sample_checks.ts";
import type { TrainingSet } from "../../data/training_set.ts";
import type { Host } from "../../train/host.ts";
import { genesOf, readOptions } from "../../train/pair_data.ts";
import type { SealConfig } from "./config.ts";
import { wantedPanel } from "../../evidence/panel.ts";
import { checkSurroundings } from "../../evidence/surroundings.ts";

/** How the data of a configuration are opened for training. */
export function dataOptions(config: SealConfig, host: Pick<Host, "disk" | "checkFile">): TrainingSetOptions {
  return {
    ...readOptions(config),
    genes: genesOf(config, host),
    panel: wantedPanel(config, host.disk),
    // Samples named by hand may be of a donor that trains too, as serial sections are; the report says so.
    allowLeakage: config.split.holdout_samples.length > 0,
  };
}

/** Opens the data. */
export async function openData(config: SealConfig, host: Host): Promise<TrainingSet> {
  const { disk, reporter, signal } = host;
  const set = await openTrainingSet(disk, {
    ...dataOptions(config, host),
    signal,
    onSample: (done, total, id) => reporter.update(`read ${id}`, done, total, "slides"),
  });
  checkSurroundings(set, config.eval);
  for (const line of set.warnings) isNote(line) ? reporter.say(line) : reporter.warn(line);
  return set;
}
