/**
 * What lies around a spot beside its patch: the features of its neighbours, and the expression of a section beside its own. Both
 * are judged by the headline's probe, for the encoder before and after training alike, since they help either.
 *
 * @module
 */

import type { TrainingSet } from "../data/training_set.ts";
import { unknownName } from "../data/holdout.ts";
import { nearPairs } from "../data/sampler.ts";
import { withAround } from "../eval/around.ts";
import { stackTables, type Table, takeRows } from "../eval/linalg/table.ts";
import { HEADLINE_PROTOCOL } from "../eval/protocol.ts";
import type { PlanePoint as Place } from "../core/rigid.ts";
import { copyNearest, mixCopy } from "../eval/section_copy.ts";
import type { ProbeResult } from "../eval/probe.ts";
import type { EncoderResult, ProbeScores } from "../report/run_evidence.ts";
import type { EvidenceData } from "./data.ts";
import type { Candidate, Measured, Measuring } from "./encoders.ts";
import { describeProbe, prepare, probeOf, probeScores, scoreRows, TRUTHS } from "./probe_evidence.ts";

/** What is asked for. */
export interface Surroundings {
  /** Distances between neighbouring spots within which features are averaged; null asks for none. */
  readonly probe_neighbours: number | null;
  /** Training section that is copied from; null asks for none. */
  readonly copy_sample: string | null;
  /** Weight of the copy, and how many of its spots each place takes the mean of. */
  readonly copy_weight: number;
  readonly copy_spots: number;
}

type Sample = TrainingSet["samples"][number];

/** Refuses a section to copy from that does not train. */
export function checkSurroundings({ samples }: Pick<TrainingSet, "samples">, { copy_sample }: Surroundings): void {
  const known = samples.flatMap(({ id, role }) => role === "train" ? [id] : []);
  if (copy_sample !== null && !known.includes(copy_sample)) {
    throw unknownName("copy from", "training section", copy_sample, known);
  }
}

/** Places in distances between neighbouring spots, so that pixels of two slides are the same. */
function placesOf({ spatial: { xy }, pitch, count }: Sample): Place[] {
  const unit = Number.isFinite(pitch) ? pitch : 1;
  return Array.from({ length: count }, (_, i): Place => [xy[2 * i]! / unit, xy[2 * i + 1]! / unit]);
}

const pairsOf = ({ first, count }: Sample) => Array.from({ length: count }, (_, i) => first + i);

/** What the section beside says of the held-out spots, `[held, genes]`. */
function copyOf(set: TrainingSet, { held, panel }: EvidenceData, { copy_sample, copy_spots }: Surroundings): Table {
  const from = set.samples.find(({ id }) => id === copy_sample)!;
  const values = takeRows(panel.normalised, pairsOf(from));
  const places = placesOf(from);
  return stackTables(held.map((to) => copyNearest(values, places, placesOf(to), copy_spots)));
}

/** A prediction with the copy mixed in, section by section. */
function withCopy(predicted: Table, copied: Table, { held }: EvidenceData, weight: number): Table {
  let first = 0;
  return stackTables(held.map(({ count }) => {
    const rows = Array.from({ length: count }, (_, i) => first + i);
    first += count;
    return mixCopy(takeRows(predicted, rows), takeRows(copied, rows), weight);
  }));
}

/** A probe whose prediction is judged. */
interface Judged {
  readonly id: string;
  readonly label: string;
  readonly panel: ProbeResult;
  /** Of the features with those around; the encoder's own have their row already. */
  readonly around: boolean;
}

/** Rows of what was asked for, behind those of the encoders. */
export async function surroundingResults(
  set: TrainingSet,
  data: EvidenceData,
  encoders: readonly { readonly candidate: Candidate; readonly measured: Measured }[],
  asked: Surroundings,
  by: Measuring,
): Promise<EncoderResult[]> {
  const near = asked.probe_neighbours === null ? undefined : nearPairs(set.samples, asked.probe_neighbours);
  const copied = asked.copy_sample === null ? undefined : copyOf(set, data, asked);
  const results = copied === undefined ? [] : [copyResult(copied, data, asked, by)];
  for (const { candidate: { id, label, role, features }, measured } of encoders) {
    const probes: Judged[] = [{ id, label, panel: measured.panel, around: false }];
    if (near) {
      const probed = await prepare(data, withAround(features, near), by.gpu);
      const panel = await probeOf(data, probed, data.panel, { gpu: by.gpu, protocol: HEADLINE_PROTOCOL });
      probes.push({ id: `${id}-neighbours`, label: `${label}, neighbours`, panel, around: true });
    }
    const trained = role === "after" ? label : undefined;
    results.push(...probes.flatMap((one) => resultsOf(one, trained, copied, data, asked, by)));
  }
  return results;
}

/** Scores of predictions for the held-out spots. */
function scored(
  predictions: Table,
  data: EvidenceData,
  { groupOf, source }: Measuring,
  about: Pick<ProbeScores, "protocol" | "truth" | "penalty">,
): ProbeScores {
  const { genes, normalised } = data.panel;
  const rows = scoreRows(predictions, takeRows(normalised, data.heldPairs), { genes, slides: data.heldSlides });
  return probeScores(rows, data, { about, panel: source, groupOf });
}

function copyResult(copied: Table, data: EvidenceData, asked: Surroundings, by: Measuring): EncoderResult {
  const about = { protocol: "copy", truth: TRUTHS["log1p counts per 10,000"], penalty: "none" };
  return {
    id: "copy",
    label: `Copy of ${asked.copy_sample}`,
    role: "other",
    probe: scored(copied, data, by, about),
    note: `the mean of the ${asked.copy_spots} spots of ${asked.copy_sample} nearest to each place; sees no image`,
  };
}

function resultsOf(
  { id, label, panel, around }: Judged,
  trained: string | undefined,
  copied: Table | undefined,
  data: EvidenceData,
  { probe_neighbours, copy_sample, copy_weight }: Surroundings,
  by: Measuring,
): EncoderResult[] {
  const about = describeProbe(panel, trained);
  return [
    ...(around
      ? [{
        id,
        label,
        role: "other" as const,
        features: panel.model.dim,
        probe: scored(panel.predictions, data, by, about),
        note: `features beside the mean of those of spots within ${probe_neighbours} distances between spots`,
      }]
      : []),
    ...(copied
      ? [{
        id: `${id}-copy`,
        label: `${label}, copy of ${copy_sample}`,
        role: "other" as const,
        probe: scored(withCopy(panel.predictions, copied, data, copy_weight), data, by, about),
        note: `the probe’s prediction with the copy of ${copy_sample} at a weight of ${copy_weight}`,
      }]
      : []),
  ];
}
