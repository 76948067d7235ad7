/**
 * Encoders side by side on held-out samples: before and after training, the model's own image decoder, colour statistics.
 *
 * @module
 */

import { fixed } from "../core/fixed.ts";
import { colourStatistics } from "../data/synth/oracle.ts";
import type { TrainingSet } from "../data/training_set.ts";
import type { PatchSource } from "../data/patch_source.ts";
import { depthFeatures } from "../eval/bench/bench_sample.ts";
import { rSquared } from "../eval/correlation.ts";
import type { ProbeResult } from "../eval/probe.ts";
import { BENCHMARK_PROTOCOL, HEADLINE_PROTOCOL } from "../eval/protocol.ts";
import { slideProbe } from "../eval/slide_probe.ts";
import { columnMoments } from "../eval/linalg/standardize.ts";
import { mean } from "../eval/linalg/statistics.ts";
import { column, type Table, takeRows } from "../eval/linalg/table.ts";
import type { Gpu } from "../gpu/device.ts";
import type { EncoderResult, RetrievalScores, SlideProbe } from "../report/run_evidence.ts";
import { evenly, type EvidenceData, sidesOf, takeColumns } from "./data.ts";
import { describeProbe, type GroupOf, prepare, probeOf, probeScores, scoreRows, TRUTHS } from "./probe_evidence.ts";
import { type ProbeRetrieval, probeRetrieval, tableOf } from "./retrieval.ts";
import { meanPearson } from "./held_out.ts";

/** Held-out slides from which on the batch effect is judged on them alone. */
const ENOUGH_SLIDES = 4;
/** Slides that get colours of their own, at most. */
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
  /** By the protocol of the headline. */
  readonly panel: ProbeResult;
  /** By HEST-Benchmark's. */
  readonly benchmark: ProbeResult;
  readonly retrieval: ProbeRetrieval;
}

/** What measuring needs beside features. */
export interface Measuring {
  readonly gpu: Gpu;
  readonly groupOf: GroupOf;
  /** Where the genes come from. */
  readonly source: string;
  /** Recall in the joint space, which comes first. */
  readonly joint?: readonly RetrievalScores[];
}

/** Both probes, retrieval through the probe, slide probe. */
export async function measure(
  candidate: Candidate,
  data: EvidenceData,
  { gpu, groupOf, source, joint = [] }: Measuring,
): Promise<Measured> {
  const { id, label, role, features, note } = candidate;
  const probed = await prepare(data, features, gpu);
  const panel = await probeOf(data, probed, data.panel, { gpu, protocol: HEADLINE_PROTOCOL });
  const benchmark = await probeOf(data, probed, data.panel, { gpu, protocol: BENCHMARK_PROTOCOL });
  const compared = await probeOf(data, probed, data.compared, { gpu, protocol: BENCHMARK_PROTOCOL });
  const retrieval = probeRetrieval(compared, data);
  const scores = (of: ProbeResult) =>
    probeScores(of, data, { about: describeProbe(of, role === "after" ? label : undefined), panel: source, groupOf });
  const encoder: EncoderResult = {
    id,
    label,
    role,
    features: features.columns,
    probe: scores(panel),
    benchmark: scores(benchmark),
    retrieval: [...joint, retrieval.scores],
    slide_probe: await slideProbeOf(features, data),
    ...(note === undefined ? {} : { note }),
  };
  return { encoder, panel, benchmark, retrieval };
}

/** Colours of patches. */
export function colourCandidate(features: Table): Candidate {
  return {
    id: "colour",
    label: "Colour statistics",
    role: "other",
    features,
    note: "mean, deviation and coarse layout of colours; no network",
  };
}

/** What knows each spot's depth and sees no image. */
export function depthCandidate({ totals }: EvidenceData): Candidate {
  return {
    id: "depth",
    label: "Depth only",
    role: "other",
    features: depthFeatures(totals),
    note: "knows the total count of each spot and sees no image",
  };
}

/** What predicts the training mean everywhere. */
export function meanResult(data: EvidenceData): EncoderResult {
  const { train, test } = sidesOf(data, data.panel.normalised, data.panel.normalised);
  const { mean: means } = columnMoments(train.targets);
  const r2 = Array.from(
    means,
    (value, j) => rSquared(new Float64Array(test.targets.rows).fill(value), column(test.targets, j)).value ?? 0,
  );
  return {
    id: "mean",
    label: "Training mean",
    role: "other",
    probe: {
      protocol: HEADLINE_PROTOCOL,
      truth: TRUTHS["log1p counts per 10,000"],
      pearson: { mean: null, reason: "a constant has no correlation" },
      r2: { mean: mean(r2), over: "genes" },
      genes: [],
    },
    note: "predicts the mean of the training spots everywhere",
  };
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

/** The run's own image decoder, on expression of held-out spots as it is trained on. @param predicted `[held, genes]`. */
export function decoderResult(
  { set }: { readonly set: TrainingSet },
  data: EvidenceData,
  predicted: Float32Array,
  { groupOf, source, label }: Pick<Measuring, "groupOf" | "source"> & { readonly label: string },
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
    ? `; with neighbours mixed in, as in training, ${fixed(asTrained, 3)} within slides`
    : "";
  const what = set.vocabulary.origin.geneNorm === "none" ? "raw counts" : "log-normalised expression";
  const about = {
    protocol: "image decoder",
    truth: `${what} of the vocabulary's genes`,
    penalty: "none, it is trained with the encoder",
  };
  return {
    id: "decoder",
    label: `${label}’s own image decoder`,
    role: "other",
    probe: probeScores(scores, { ...data, missing: [] }, { about, panel: panelPart(data, genes, source), groupOf }),
    note: `no probe; predicts ${what} of each spot${mixed}`,
  };
}

/** Which genes of the panel the decoder has. */
function panelPart({ panel }: EvidenceData, genes: readonly string[], source: string): string {
  return genes.length === panel.genes.length ? source : `${genes.length} of ${panel.genes.length} genes, ${source}`;
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
