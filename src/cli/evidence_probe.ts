/**
 * The linear probe of a run's evidence: fitted on training samples, judged on held-out ones, by protocol hest-bench/1.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { paired } from "../eval/paired.ts";
import { probe, type ProbeResult } from "../eval/probe.ts";
import { type GeneScore as Scored, scoreGenes, scoreSlides, type SlideScore as Slide } from "../eval/scores.ts";
import { mean } from "../eval/statistics.ts";
import type { Table } from "../eval/table.ts";
import type { Difference, GeneScore, ProbeScores, Spread } from "../report/run_evidence.ts";
import { type EvidenceData, type GeneTable, sidesOf } from "./evidence_data.ts";

/** The protocol; its numbers compare with those of HEST-Benchmark. */
export const PROTOCOL = "hest-bench/1";
/** Slides from which on an interval over them is worth its name. */
const SLIDES = 5;
const LEVEL = 0.95;

/** Predictions of features for held-out pairs, and how good they are. */
export async function probeOf(data: EvidenceData, features: Table, genes: GeneTable, gpu: Gpu): Promise<ProbeResult> {
  return await probe({ ...sidesOf(data, features, genes.values), genes: genes.genes }, PROTOCOL, { gpu });
}

/** How genes are called by kind; undefined where kinds are not known. */
export type GroupOf = (gene: string) => string | undefined;

/** Scores as the evidence has them. */
export function probeScores(
  { perGene, perSlide }: Pick<ProbeResult, "perGene" | "perSlide">,
  data: EvidenceData,
  { protocol = PROTOCOL, groupOf = () => undefined }: { protocol?: string; groupOf?: GroupOf } = {},
): ProbeScores {
  const donors = new Map(data.held.map(({ id, donor }) => [id, donor]));
  return {
    protocol,
    pearson: overGenes(perGene, ({ pearson }) => pearson),
    pearson_per_slide: overSlides(perSlide),
    spearman: overGenes(perGene, ({ spearman }) => spearman),
    r2: overGenes(perGene, ({ r2Intercept }) => r2Intercept, true),
    genes: [
      ...perGene.map((score) => geneScore(score, groupOf(score.gene))),
      ...data.missing.map(({ gene, reason }) => ({ gene, pearson: null, reason })),
    ],
    slides: perSlide.map((one) => ({
      sample: one.slide,
      donor: donors.get(one.slide)!,
      spots: one.spots,
      pearson: slideMean(one),
      ...(slideMean(one) === null ? { reason: slideReason(one) } : {}),
    })),
  };
}

function geneScore({ gene, pearson, spearman, r2Intercept, reason }: Scored, group: string | undefined): GeneScore {
  return {
    gene,
    pearson,
    spearman,
    r2: r2Intercept,
    ...(group === undefined ? {} : { group }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** A mean over genes with its bootstrap interval; a gene without a value counts as 0, unless it is left out. */
function overGenes(scores: readonly Scored[], of: (score: Scored) => number | null, leaveOut = false): Spread {
  const known = scores.flatMap((score) => of(score) ?? []);
  if (known.length === 0) {
    return {
      mean: null,
      reason: scores.length === 0 ? "no gene is in all samples" : scores[0]!.reason ?? "not defined",
    };
  }
  return spread(leaveOut ? known : scores.map((score) => of(score) ?? 0), "genes", 2);
}

/** Mean over the genes that are defined in a slide; null where none is. */
function slideMean({ pearson, pearsonMean, undefinedGenes }: Slide): number | null {
  return pearson.length > undefinedGenes ? pearsonMean : null;
}

function slideReason({ spots, pearson }: Slide): string {
  return pearson.length === 0
    ? "no gene is in all samples"
    : spots < 2
    ? "fewer than two spots"
    : "no gene varies here";
}

function overSlides(slides: readonly Slide[]): Spread {
  const known = slides.flatMap((slide) => slideMean(slide) ?? []);
  if (known.length === 0) return { mean: null, reason: slides[0] ? slideReason(slides[0]) : "no slide is held out" };
  return spread(known, "slides", SLIDES);
}

function spread(values: readonly number[], over: string, least: number): Spread {
  const interval = values.length < least ? undefined : paired(values.map(() => 0), values, { level: LEVEL }).interval;
  return { mean: mean(values), over, ...(interval && { low: interval[0], high: interval[1] }) };
}

/** b less a of values in pairs; nothing where there are none, no interval for few. */
export function differenceOf(
  metric: string,
  [a, b]: readonly [readonly number[], readonly number[]],
  over: "genes" | "slides",
): Difference[] {
  if (a.length === 0 || a.length !== b.length) return [];
  const { mean, interval } = paired(a, b, { level: LEVEL });
  const enough = a.length >= (over === "slides" ? SLIDES : 2);
  return [{ metric, mean, over, ...(interval && enough && { low: interval[0], high: interval[1], level: LEVEL }) }];
}

/** What SEAL's probe has more than the frozen encoder's. */
export function probeDifferences(frozen: ProbeResult, seal: ProbeResult): Difference[] {
  const defined = frozen.perGene.some(({ pearson }) => pearson !== null) &&
    seal.perGene.some(({ pearson }) => pearson !== null);
  if (!defined) return [];
  const genes = (of: (score: Scored) => number | null) =>
    [frozen, seal].map(({ perGene }) => perGene.map((score) => of(score) ?? 0)) as [number[], number[]];
  const both = frozen.perSlide.flatMap((slide, i) => {
    const [a, b] = [slideMean(slide), slideMean(seal.perSlide[i]!)];
    return a === null || b === null ? [] : [[a, b] as const];
  });
  return [
    ...differenceOf("pearson", genes(({ pearson }) => pearson), "genes"),
    ...differenceOf("pearson_per_slide", [both.map(([a]) => a), both.map(([, b]) => b)], "slides"),
    ...differenceOf("spearman", genes(({ spearman }) => spearman), "genes"),
  ];
}

/** Scores of predictions that no probe made, of held-out pairs. */
export function scoreRows(
  predictions: Table,
  targets: Table,
  { genes, slides }: { genes: readonly string[]; slides: readonly string[] },
): Pick<ProbeResult, "perGene" | "perSlide"> {
  return {
    perGene: scoreGenes({ predictions, targets, genes }),
    perSlide: scoreSlides({ predictions, targets, slides }),
  };
}
