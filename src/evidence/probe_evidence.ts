/**
 * The linear probes of a run's evidence: fitted on training samples, judged on held-out ones. The headline's is on truth
 * normalised by depth with its penalty chosen on training donors left out; HEST-Benchmark's stands beside it.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { searchText } from "../eval/cross_validate.ts";
import { paired } from "../eval/paired.ts";
import { probe, type ProbeBasis, probeBasis, type ProbeResult } from "../eval/probe.ts";
import { type BENCHMARK_PROTOCOL, findProtocol, HEADLINE_PROTOCOL, type Truth } from "../eval/protocol.ts";
import { type GeneScore as Scored, scoreGenes, scoreSlides, type SlideScore as Slide } from "../eval/scores.ts";
import { mean } from "../eval/linalg/statistics.ts";
import type { Table } from "../eval/linalg/table.ts";
import type { Difference, DonorScores, GeneScore, ProbeScores, Spread } from "../report/run_evidence.ts";
import { type EvidenceData, type GeneTable, type HeldSection, sidesOf } from "./data.ts";

const LEVEL = 0.95;

/** The two protocols of the evidence. */
export type EvidenceProtocol = typeof HEADLINE_PROTOCOL | typeof BENCHMARK_PROTOCOL;

/** Features of all pairs, with what the probes of a candidate share. */
export interface Probed {
  readonly features: Table;
  readonly basis: ProbeBasis;
}

/** Standardises and reduces the training rows once. */
export async function prepare(data: EvidenceData, features: Table, gpu: Gpu): Promise<Probed> {
  const { train } = sidesOf(data, features, data.panel.values);
  return { features, basis: await probeBasis(train.features, findProtocol(HEADLINE_PROTOCOL), { gpu }) };
}

/** Predictions of features for held-out pairs, and how good they are. */
export async function probeOf(
  data: EvidenceData,
  { features, basis }: Probed,
  genes: GeneTable,
  { gpu, protocol }: { readonly gpu: Gpu; readonly protocol: EvidenceProtocol },
): Promise<ProbeResult> {
  const targets = protocol === HEADLINE_PROTOCOL ? genes.normalised : genes.values;
  return await probe({ ...sidesOf(data, features, targets), genes: genes.genes }, protocol, { gpu, basis });
}

/** Truths in words. */
export const TRUTHS: Readonly<Record<Truth, string>> = {
  "log1p counts": "ln(1 + count), not normalised by depth",
  "log1p counts per 10,000": "ln(1 + counts per 10,000)",
};

/**
 * What a probe was fitted by, in words.
 *
 * @param trained What was trained on the donors that the penalty is chosen on: its features fit them better than new ones.
 */
export function describeProbe(
  { model }: Pick<ProbeResult, "model">,
  trained?: string,
): Pick<ProbeScores, "protocol" | "truth" | "penalty"> {
  const alpha = Number(model.alpha.toPrecision(3));
  return {
    protocol: model.protocol,
    truth: TRUTHS[findProtocol(model.protocol).truth],
    penalty: model.chosen === undefined
      ? `${alpha}, 100/(features x targets)`
      : `${alpha}, cross-validated over ${searchText(model.chosen)}${
        trained === undefined ? "" : `, all of which ${trained} was trained on: it may be too small for ${trained}`
      }`,
  };
}

/** How genes are called by kind; undefined where kinds are not known. */
export type GroupOf = (gene: string) => string | undefined;

/** What scores are made from. */
type Scores = Pick<ProbeResult, "perGene" | "perSlide">;

/** Scores as the evidence has them. */
export function probeScores(
  { perGene, perSlide }: Scores,
  data: Pick<EvidenceData, "sections" | "missing">,
  { about, panel, groupOf = () => undefined }: {
    about: Pick<ProbeScores, "protocol" | "truth" | "penalty">;
    panel?: string;
    groupOf?: GroupOf;
  },
): ProbeScores {
  const within = withinSections(perSlide);
  return {
    ...about,
    ...(panel === undefined ? {} : { panel }),
    pearson: overGenes(perGene, ({ pearson }) => pearson),
    pearson_per_slide: overSlides(perSlide, data.sections),
    spearman: overGenes(perGene, ({ spearman }) => spearman),
    r2: overGenes(perGene, ({ r2Intercept }) => r2Intercept, true),
    donors: donorScores(perSlide, data.sections),
    genes: [
      ...perGene.map((score, j) => ({
        ...geneScore(score, groupOf(score.gene)),
        pearson_per_slide: within[j] ?? null,
      })),
      ...data.missing.map(({ gene, reason }) => ({ gene, pearson: null, reason })),
    ],
    slides: perSlide.map((one) => {
      const { donor, seen } = data.sections.get(one.slide) ?? {};
      return {
        sample: one.slide,
        ...(donor === undefined ? {} : { donor }),
        ...(seen === undefined ? {} : { seen }),
        spots: one.spots,
        pearson: slideMean(one),
        ...(slideMean(one) === null ? { reason: slideReason(one) } : {}),
      };
    }),
  };
}

/** Mean over the sections of each gene's correlation within them; where it is not defined in one it counts as 0 there. */
function withinSections(slides: readonly Slide[]): (number | null)[] {
  const judged = slides.filter((slide) => slideMean(slide) !== null);
  return (slides[0]?.pearson ?? []).map((_, j) =>
    judged.some(({ pearson }) => pearson[j] !== null) ? mean(judged.map(({ pearson }) => pearson[j] ?? 0)) : null
  );
}

type Sections = ReadonlyMap<string, HeldSection>;

/** Each kind of donors by itself: never seen in training, seen in other sections, not named. */
function donorScores(slides: readonly Slide[], sections: Sections): DonorScores[] {
  const kindOf = ({ slide }: Slide) => {
    const seen = sections.get(slide)?.seen;
    return seen === undefined ? "unknown" : seen ? "seen" : "unseen";
  };
  return [...Map.groupBy(slides, kindOf)].map(([kind, own]) => ({
    kind,
    donors: unitsOf(own, sections).count,
    sections: own.length,
    spots: own.reduce((sum, { spots }) => sum + spots, 0),
    pearson_per_slide: overSlides(own, sections),
  }));
}

/** Donors of sections; a section without a named one counts by itself. */
function unitsOf(slides: readonly Slide[], sections: Sections): { count: number; name: string } {
  return { count: new Set(slides.map(({ slide }) => sections.get(slide)?.donor ?? slide)).size, name: "donors" };
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
  return spread(leaveOut ? known : scores.map((score) => of(score) ?? 0), "genes");
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

function overSlides(slides: readonly Slide[], sections: Sections): Spread {
  const known = slides.filter((slide) => slideMean(slide) !== null);
  if (known.length === 0) return { mean: null, reason: slides[0] ? slideReason(slides[0]) : "no slide is held out" };
  return spread(known.map((slide) => slideMean(slide)!), "slides", unitsOf(known, sections));
}

/** Names of what values are over, as people say them. */
const UNITS = { genes: "genes", slides: "sections" } as const;

function spread(
  values: readonly number[],
  over: keyof typeof UNITS,
  units?: { readonly count: number; readonly name: string },
): Spread {
  const { interval } = paired(values.map(() => 0), values, { level: LEVEL, over: UNITS[over], units });
  return { mean: mean(values), over, ...(interval && { low: interval[0], high: interval[1] }) };
}

/** b less a of values in pairs; nothing where there are none, no interval for few or of few donors. */
export function differenceOf(
  metric: string,
  [a, b]: readonly [readonly number[], readonly number[]],
  over: keyof typeof UNITS,
  donors?: number,
): Difference[] {
  if (a.length === 0 || a.length !== b.length) return [];
  const units = donors === undefined ? undefined : { count: donors, name: "donors" };
  const { mean, interval, reason } = paired(a, b, { level: LEVEL, over: UNITS[over], units });
  return [{
    metric,
    mean,
    over,
    ...(interval && { low: interval[0], high: interval[1], level: LEVEL }),
    ...(reason === undefined ? {} : { reason }),
  }];
}

/** What the probe has more after training than before. @param prefix Of the names of the metrics. */
export function probeDifferences(
  before: Scores,
  after: Scores,
  sections: Sections,
  prefix: "" | "benchmark_" = "",
): Difference[] {
  const defined = before.perGene.some(({ pearson }) => pearson !== null) &&
    after.perGene.some(({ pearson }) => pearson !== null);
  if (!defined) return [];
  const genes = (of: (score: Scored) => number | null) =>
    [before, after].map(({ perGene }) => perGene.map((score) => of(score) ?? 0)) as [number[], number[]];
  const both = before.perSlide.flatMap((slide, i) => {
    const [a, b] = [slideMean(slide), slideMean(after.perSlide[i]!)];
    return a === null || b === null ? [] : [{ slide, a, b }];
  });
  const slides = [both.map(({ a }) => a), both.map(({ b }) => b)] as const;
  const donors = unitsOf(both.map(({ slide }) => slide), sections).count;
  return [
    ...differenceOf(`${prefix}pearson`, genes(({ pearson }) => pearson), "genes"),
    ...differenceOf(`${prefix}pearson_per_slide`, slides, "slides", donors),
    ...(prefix === "" ? differenceOf("spearman", genes(({ spearman }) => spearman), "genes") : []),
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
