/**
 * The result of a run in a few lines, and as the command's JSON.
 *
 * @module
 */

import type { EncoderResult, Results, RetrievalScores } from "../report/run_evidence.ts";
import { PROBE_SPACE } from "./evidence_retrieval.ts";
import { alignRows } from "./table.ts";

/** Numbers of an encoder by name; null where they are not defined. */
export function numbersOf({ probe, retrieval, slide_probe }: EncoderResult): Record<string, number | null> {
  const recall = (way: "i2g" | "g2i", joint: boolean) =>
    retrieval?.find(({ direction, scope, space }: RetrievalScores) =>
      direction === way && scope === "within slides" && (space !== PROBE_SPACE) === joint
    )?.recall.find(({ k }) => k === 10)?.value;
  const all: Record<string, number | null | undefined> = {
    pearson: probe?.pearson.mean,
    pearson_per_slide: probe?.pearson_per_slide?.mean,
    spearman: probe?.spearman?.mean,
    r2: probe?.r2?.mean,
    probe_recall_at_10_i2g: recall("i2g", false),
    recall_at_10_i2g: recall("i2g", true),
    recall_at_10_g2i: recall("g2i", true),
    slide_accuracy: slide_probe?.accuracy,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, number | null] => entry[1] !== undefined),
  );
}

const NAMES: Readonly<Record<string, string>> = {
  pearson: "probe, Pearson",
  pearson_per_slide: "  within slides",
  spearman: "probe, Spearman",
  r2: "probe, R2",
  probe_recall_at_10_i2g: "recall@10 by probe",
  recall_at_10_i2g: "recall@10 image to gene",
  recall_at_10_g2i: "recall@10 gene to image",
  slide_accuracy: "slide told from features",
};

/** Lines for people, and what `--json` prints. */
export function summaryOf(results: Results): { lines: string[]; json: Record<string, unknown> } {
  const { encoders, differences = [], notes = [] } = results;
  const json = {
    encoders: Object.fromEntries(encoders.map((encoder) => [encoder.id, numbersOf(encoder)])),
    differences,
    references: results.references ?? [],
  };
  if (encoders.length === 0) return { lines: notes.map(({ text, reason }) => `${text}: ${reason}`), json };
  const [frozen, seal] = ["frozen", "seal"].map((role) => encoders.find((one) => one.role === role));
  const [before, after] = [frozen ? numbersOf(frozen) : {}, seal ? numbersOf(seal) : {}];
  const number = (value: number | null | undefined) => (value === null || value === undefined ? "-" : value.toFixed(3));
  const rows = Object.entries(NAMES).filter(([key]) => key in before || key in after).map(([key, name]) => {
    const delta = differences.find(({ metric }) => metric === key);
    const interval = delta?.low === undefined || delta.high === undefined
      ? ""
      : `${signed(delta.mean)} (${signed(delta.low)} to ${signed(delta.high)} over ${delta.over})`;
    const [a, b] = [before[key], after[key]];
    const plain = typeof a === "number" && typeof b === "number" ? signed(b - a) : "";
    return [name, number(before[key]), number(after[key]), interval || plain];
  });
  return { lines: ["", ...alignRows([["held-out donors", "frozen", "SEAL", "difference"], ...rows]), ""], json };
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(3)}`;
}
