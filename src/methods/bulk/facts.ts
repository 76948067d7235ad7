/**
 * Facts of a finished run, for `run.json` and the report.
 *
 * @module
 */

import { encoderIdentity, type ResultIdentity } from "../../evidence/identity.ts";
import type { MethodFacts, Warning } from "../../report/run_evidence.ts";
import type { MethodEvidence } from "../method.ts";
import type { Arm } from "./model.ts";
import type { BulkSession } from "./session.ts";
import { type ArmSteps, deadArms } from "./watch.ts";

/** What arms are called. */
export const LABELS: Readonly<Record<Arm, string>> = {
  contrastive: "Contrastive",
  direct: "Direct",
  shuffled: "Contrastive, patients exchanged",
  shuffled_direct: "Direct, patients exchanged",
};

/** What the result is of. */
export function identityOf({ data, encoder }: BulkSession): ResultIdentity {
  return {
    encoder: encoder ? encoderIdentity(encoder.opened.name, encoder.opened.weightsHash) : data.madeBy!,
    genes: data.manifest,
    split: data.slides.map(({ slide, part }) => [slide, part]),
  };
}

/** Arms whose contrastive loss stayed at that of guessing. */
function deadWarnings({ config: { model, optim }, data }: BulkSession, metrics: string): Warning[] {
  const train = data.slides.filter(({ part }) => part === "train").length;
  const items = Math.min(optim.batch_size, train) * (model.pairing === "tile" ? optim.tiles : 1);
  return deadArms(metrics, model.arms, items).map((arm) => ({
    text: `${LABELS[arm as Arm]}: the loss stayed at that of guessing`,
    reason: `log of ${items} items; look at lr, temperature, and whether slides and expression belong together`,
  }));
}

function methodFacts({ config, encoder }: BulkSession, folder: string): MethodFacts {
  const { input, model } = config;
  return {
    name: "bulk",
    label: "Bulk RNA",
    use: encoder
      ? {
        title: "Embed patches with the encoder",
        code: `deno task embed PATCHES --encoder ${input.encoder} --adapter ${folder}/checkpoints/last --out features`,
      }
      : {
        title: "Change other features as an arm does",
        code: `deno task embed FEATURES --run ${folder} --form ${model.arms[0]} --out features_bulk`,
      },
    columns: {
      loss: "Loss of the arm",
      smooth_rank: "Smooth rank of features",
      val_gain: "Gain of probes, validation patients",
      samples_per_second: "Bags a second",
    },
    columns_note: "Arms are stages one after another; their losses are of different kinds and are not to be compared.",
  };
}

/** The facts. */
export function factsOf(
  session: BulkSession,
  { folder, metrics, steps }: {
    readonly folder: string;
    readonly metrics: string;
    readonly steps: readonly ArmSteps[];
  },
): MethodEvidence["facts"] {
  const { config, data } = session;
  const { arms } = config.model;
  return {
    title: `Bulk RNA of ${data.patients.length} patients: ${arms.join(", ")}`,
    method: methodFacts(session, folder),
    seed: config.optim.seed,
    data: {
      name: [...config.input.features, ...config.input.patches].join(", "),
      genes: data.genes.length,
      of: "slides",
      samples: data.slides.map(({ slide, patient, part, count }) => ({
        ...{ sample: slide, donor: data.patients[patient]!, split: part, spots: count },
      })),
    },
    // With one arm the curve can mark its step; with several each is in the table of probes.
    ...(steps.length === 1 && steps[0]!.best !== undefined && { best_step: steps[0]!.best }),
    stages: steps.map(({ name, from, to }) => ({ name, from, to })),
    warnings: [
      ...data.notes.map((text) => ({ text })),
      ...deadWarnings(session, metrics),
    ],
  };
}
