/**
 * The result of a run in a few lines, and as the command's JSON.
 *
 * @module
 */

import { fixed, signed } from "../core/fixed.ts";
import {
  type DonorScores,
  type EncoderResult,
  PROBE_SPACE,
  type Results,
  type RetrievalScores,
} from "../report/run_evidence.ts";
import { type Names, namesOf, type Pair, pairOf } from "../report/evidence_view.ts";
import { alignRows, count } from "../core/text_table.ts";

/** Numbers of an encoder by name; null where they are not defined. */
export function numbersOf(
  { probe, benchmark, retrieval, slide_probe, space }: EncoderResult,
): Record<string, number | null> {
  const recall = (way: "i2g" | "g2i", joint: boolean) =>
    retrieval?.find(({ direction, scope, space }: RetrievalScores) =>
      direction === way && scope === "within slides" && (space !== PROBE_SPACE) === joint
    )?.recall.find(({ k }) => k === 10)?.value;
  const all: Record<string, number | null | undefined> = {
    pearson_per_slide: probe?.pearson_per_slide?.mean,
    pearson: probe?.pearson.mean,
    spearman: probe?.spearman?.mean,
    r2: probe?.r2?.mean,
    benchmark_pearson: benchmark?.pearson.mean,
    benchmark_pearson_per_slide: benchmark?.pearson_per_slide?.mean,
    benchmark_r2: benchmark?.r2?.mean,
    probe_recall_at_10_i2g: recall("i2g", false),
    recall_at_10_i2g: recall("i2g", true),
    recall_at_10_g2i: recall("g2i", true),
    slide_accuracy: slide_probe?.accuracy,
    mean_cosine: space?.mean_cosine,
    smooth_rank: space?.smooth_rank,
    same_slide: space?.same_slide,
    robustness: space?.robustness,
    morphology: space?.morphology?.accuracy,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, number | null] => entry[1] !== undefined),
  );
}

const NAMES: Readonly<Record<string, string>> = {
  pearson_per_slide: "probe: r within sections, depth-normalised",
  pearson: "  all sections together",
  spearman: "  Spearman",
  r2: "  R2",
  benchmark_pearson: "probe: r by hest-bench/1, not normalised",
  benchmark_pearson_per_slide: "  within sections",
  benchmark_r2: "  R2",
  probe_recall_at_10_i2g: "recall@10 by probe",
  recall_at_10_i2g: "recall@10 image to gene",
  recall_at_10_g2i: "recall@10 gene to image",
  slide_accuracy: "slide told from features",
  mean_cosine: "mean cosine of two patches",
  smooth_rank: "smooth rank",
  same_slide: "neighbours of the same section",
  robustness: "robustness index",
  morphology: "kind of tissue told from features",
};

/** Columns of what sees no network, by identifier. */
const BASELINES: Readonly<Record<string, string>> = { colour: "colour", depth: "depth only", mean: "mean" };

/** Lines for people, and what `--json` prints. */
export function summaryOf(results: Results): { lines: string[]; json: Record<string, unknown> } {
  const { encoders, differences = [], notes = [] } = results;
  const json = {
    encoders: Object.fromEntries(encoders.map((encoder) => [encoder.id, numbersOf(encoder)])),
    differences,
    references: results.references ?? [],
  };
  if (encoders.length === 0) return { lines: notes.map(({ text, reason }) => `${text}: ${reason}`), json };
  const pair = pairOf({ results });
  const { before, after } = pair;
  const names = namesOf({ results });
  const [first, second] = [before ? numbersOf(before) : {}, after ? numbersOf(after) : {}];
  const beside = Object.keys(BASELINES).flatMap((id) => encoders.find((one) => one.id === id) ?? []);
  const rows = Object.entries(NAMES).filter(([key]) => key in first || key in second).map(([key, name]) => {
    const delta = differences.find(({ metric }) => metric === key);
    const why = delta?.reason === undefined ? "" : `; no interval: ${delta.reason}`;
    const interval = delta?.low === undefined || delta.high === undefined
      ? ""
      : `${signed(delta.mean, 3)} (${signed(delta.low, 3)} to ${signed(delta.high, 3)} over ${delta.over})`;
    const [a, b] = [first[key], second[key]];
    const plain = typeof a === "number" && typeof b === "number" ? `${signed(b - a, 3)}${why}` : "";
    return [name, number(a), number(b), ...beside.map((one) => number(numbersOf(one)[key])), interval || plain];
  });
  const head = [
    heldOutName(after ?? before),
    names.before.short,
    names.after.short,
    ...beside.map(({ id }) => BASELINES[id]!),
    "difference",
  ];
  return {
    lines: [
      "",
      ...alignRows([head, ...rows]),
      ...donorLines(pair, names),
      ...factLines(after ?? before),
      "",
    ],
    json,
  };
}

/** What the numbers are of: donors only where it is known that none was trained on. */
function heldOutName(encoder: EncoderResult | undefined): string {
  const donors = encoder?.probe?.donors ?? [];
  return donors.length > 0 && donors.every(({ kind }) => kind === "unseen") ? "held-out donors" : "held-out sections";
}

/** Donors of a kind, in words. */
function kindText({ kind, donors, sections }: DonorScores): string {
  return kind === "unknown"
    ? `${count(sections, "section")} whose donors are not named`
    : `${count(donors, "donor")} ${kind === "seen" ? "that training saw other sections of" : "never trained on"}`;
}

/** Each kind of donors by itself, where there are several or training saw some. */
function donorLines({ before, after }: Pair, names: Names): string[] {
  const all = after?.probe?.donors ?? [];
  if (all.length < 2 && all.every(({ kind }) => kind === "unseen")) return [];
  const value = (encoder: EncoderResult | undefined, kind: string) =>
    number(encoder?.probe?.donors?.find((one) => one.kind === kind)?.pearson_per_slide.mean);
  return all.map((one) =>
    `${kindText(one)}: r within sections ${value(before, one.kind)} ${names.before.short}, ${
      value(after, one.kind)
    } ${names.after.short}`
  );
}

function factLines(encoder: EncoderResult | undefined): string[] {
  return [encoder?.probe, encoder?.benchmark].flatMap((probe) =>
    probe?.truth === undefined ? [] : [
      `${probe.protocol}: truth ${probe.truth}; penalty ${probe.penalty}; panel ${probe.genes.length} genes, ${probe.panel}`,
    ]
  );
}

function number(value: number | null | undefined): string {
  return value === null || value === undefined ? "-" : fixed(value, 3);
}
