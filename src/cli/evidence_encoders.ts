/**
 * Encoders side by side on held-out samples: frozen, SEAL, SEAL's own image decoder, colour statistics.
 *
 * @module
 */

import { colourStatistics } from "../data/synth/oracle.ts";
import type { PatchSource } from "../data/patch_source.ts";
import type { ProbeResult } from "../eval/probe.ts";
import { slideProbe } from "../eval/slide_probe.ts";
import { type Table, takeRows } from "../eval/table.ts";
import type { Gpu } from "../gpu/device.ts";
import type { EncoderResult, RetrievalScores, SlideProbe } from "../report/run_evidence.ts";
import { evenly, type EvidenceData, takeColumns } from "./evidence_data.ts";
import { type GroupOf, probeOf, probeScores, scoreRows } from "./evidence_probe.ts";
import { type ProbeRetrieval, probeRetrieval, tableOf } from "./evidence_retrieval.ts";
import type { Session } from "./train_session.ts";
import { meanPearson } from "./train_scores.ts";

/** Held-out slides from which on the batch effect is judged on them alone. */
const ENOUGH_SLIDES = 4;
/** Slides that are told apart, at most. */
const MOST_SLIDES = 20;
/** Pairs up to which colour statistics are computed, and how many at a time. */
const COLOUR_PAIRS = 4000;
const COLOUR_BATCH = 64;

/** Features of all pairs under a name. */
export interface Candidate {
  readonly id: string;
  readonly label: string;
  readonly role: EncoderResult["role"];
  /** `[pairs, D]`. */
  readonly features: Table;
  readonly note?: string;
}

/** A candidate measured. */
export interface Measured {
  readonly encoder: EncoderResult;
  readonly panel: ProbeResult;
  readonly retrieval: ProbeRetrieval;
}

/** Probe, retrieval through the probe, slide probe. @param joint Recall in the joint space, which comes first. */
export async function measure(
  candidate: Candidate,
  data: EvidenceData,
  { gpu, groupOf, joint = [] }: { gpu: Gpu; groupOf: GroupOf; joint?: readonly RetrievalScores[] },
): Promise<Measured> {
  const { id, label, role, features, note } = candidate;
  const panel = await probeOf(data, features, data.panel, gpu);
  const retrieval = probeRetrieval(await probeOf(data, features, data.compared, gpu), data);
  const encoder: EncoderResult = {
    id,
    label,
    role,
    features: features.columns,
    probe: probeScores(panel, data, { groupOf }),
    retrieval: [...joint, retrieval.scores],
    slide_probe: await slideProbeOf(features, data),
    ...(note === undefined ? {} : { note }),
  };
  return { encoder, panel, retrieval };
}

/** Slides that the batch effect is judged on: the held-out ones where they are enough, else all. */
export function judgedSlides({ held, slides }: EvidenceData): { ids: readonly string[]; held: boolean } {
  const own = held.map(({ id }) => id);
  const all = own.length >= ENOUGH_SLIDES ? own : [...new Set(slides)];
  return { ids: evenly(all.length, MOST_SLIDES).map((i) => all[i]!), held: own.length >= ENOUGH_SLIDES };
}

async function slideProbeOf(features: Table, data: EvidenceData): Promise<SlideProbe> {
  const wanted = new Set(judgedSlides(data).ids);
  const rows = data.slides.flatMap((slide, row) => (wanted.has(slide) ? [row] : []));
  const { accuracy, chance, slides, reason } = await slideProbe(
    takeRows(features, rows),
    rows.map((row) => data.slides[row]!),
  );
  return { accuracy, chance, slides, ...(reason === undefined ? {} : { reason }) };
}

/** The run's own image decoder, on log-normalised expression of held-out spots. @param predicted `[held, genes]`. */
export function decoderResult(
  { set }: Pick<Session, "set">,
  data: EvidenceData,
  predicted: Float32Array,
  { groupOf }: { groupOf: GroupOf },
): EncoderResult | undefined {
  const place = new Map(set.vocabulary.genes.map((gene, g) => [gene, g]));
  const genes = data.panel.genes.filter((gene) => place.has(gene));
  if (genes.length === 0) return undefined;
  const chosen = genes.map((gene) => place.get(gene)!);
  const own = new Float32Array(predicted.length);
  let at = 0;
  for (const { id } of data.held) {
    const values = set.own(set.samples.findIndex((sample) => sample.id === id));
    own.set(values, at);
    at += values.length;
  }
  const scores = scoreRows(
    takeColumns(tableOf(predicted, set.genes), chosen),
    takeColumns(tableOf(own, set.genes), chosen),
    { genes, slides: data.heldSlides },
  );
  const read = set.gather(data.heldPairs);
  const asTrained = meanPearson(predicted, read, { count: set.genes, chosen }, data.held);
  const mixed = set.samples.some(({ smoothed }) => smoothed) && Number.isFinite(asTrained)
    ? `; with neighbours mixed in, as in training, ${asTrained.toFixed(3)} within slides`
    : "";
  const protocol = "image decoder, log-normalised expression";
  return {
    id: "seal-decoder",
    label: "SEAL’s own image decoder",
    role: "other",
    probe: probeScores(scores, { ...data, missing: [] }, { protocol, groupOf }),
    note: `no probe; predicts log-normalised expression of each spot${mixed}`,
  };
}

/** Mean, deviation and coarse layout of colours of all patches; undefined where they are too many, or too small. */
export async function colourFeatures(patches: PatchSource, count: number): Promise<Table | undefined> {
  if (count > COLOUR_PAIRS || patches.size % 4 !== 0) return undefined;
  const rows: Float64Array[] = [];
  for (let from = 0; from < count; from += COLOUR_BATCH) {
    const n = Math.min(COLOUR_BATCH, count - from);
    const { data } = await patches.batch({ pairs: Uint32Array.from({ length: n }, (_, i) => from + i) });
    const bytes = data.length / n;
    for (let i = 0; i < n; i++) rows.push(colourStatistics(data.subarray(i * bytes, (i + 1) * bytes), patches.size));
  }
  const columns = rows[0]?.length ?? 0;
  const out = new Float32Array(count * columns);
  rows.forEach((row, i) => out.set(row, i * columns));
  return tableOf(out, columns);
}
