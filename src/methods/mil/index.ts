/**
 * Slide-level learning: from stored features of tiles to the classes of slides or cases.
 *
 * Source: Ilse et al., arXiv 1802.04712; trained as in Patho-Bench.
 *
 * @module
 */

import { count } from "../../core/text_table.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { Host } from "../../train/host.ts";
import type { Method, MethodRun } from "../method.ts";
import { MIL_CONFIG, type MIL_KEYS, type MilConfig } from "./config.ts";
import { checkData, type MilData, openData } from "./data.ts";
import { milEvidence, resultJson } from "./evidence.ts";
import { folds } from "./folds.ts";
import { findGiven } from "./shown_attention.ts";
import { slideRun } from "./trained.ts";
import { milTraining, openSession } from "./training.ts";

async function open(gpu: Gpu, config: MilConfig, data: MilData, host: Host): Promise<MethodRun> {
  const session = await openSession(gpu, config, data);
  return {
    training: milTraining(session),
    describe() {
      const { all } = session.model.parameters.count();
      const { train, val, test } = data.split;
      return `Model: ${config.model.model}, ${all} parameters; ${data.fold}: ${train.length} bags to train on, ` +
        `${val.length} to choose by, ${test.length} to test on; ${taskText(data)}`;
    },
    evidence: (context) => milEvidence(session, context, host.disk),
    close: () => session.close(),
  };
}

/** What is learnt, in a few words. */
function taskText({ targets, labels: { task } }: MilData): string {
  if (targets.kind === "classification") return `classes ${targets.classes.join(", ")}`;
  return targets.kind === "survival" ? `survival, ${task.columns[0]}` : count(targets.names.length, "target");
}

/** The method. */
export const method: Method<typeof MIL_KEYS, MilData> = {
  name: "mil",
  summary: "classes, survival or numbers of slides or cases from stored features of their tiles (ABMIL, CLAM, mean)",
  config: MIL_CONFIG,
  runName: ({ input, model }) => `${model.model}-${input.task?.split(/[/\\]/).at(-2) ?? input.target}`,
  // deno-lint-ignore require-await
  async check(config, { disk }) {
    findGiven(config, disk);
    return checkData(config, disk);
  },
  openData,
  open,
  slides: slideRun,
  folds,
  resultJson,
};
