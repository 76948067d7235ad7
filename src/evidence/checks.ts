/**
 * Acceptance checks on generated data. Thresholds were set on profile `ci` for one seed; on others only those are decided that
 * hold for any size.
 *
 * @module
 */

import { mean } from "../eval/linalg/statistics.ts";
import type { Acceptance, EncoderResult, Reference } from "../report/run_evidence.ts";
import { numbersOf } from "./summary.ts";

type Numbers = ReturnType<typeof numbersOf>;

/** What is checked. */
export interface Checked {
  readonly before: EncoderResult;
  readonly after: EncoderResult;
  readonly references: readonly Reference[];
  /** Agreement of neighbours, MN10. */
  readonly agree: { readonly before: number | null; readonly after: number | null };
  readonly profile: string;
}

/** Difference that more than which on hidden genes, or above the oracle, means a leak. */
const LEAK = 0.05;
const CEILING = 0.03;

/** The checks that can be decided. */
export function checksOf({ before, after, references, agree, profile }: Checked): Acceptance[] {
  // Thresholds were measured by the benchmark's protocol.
  const [a, b] = [before, after].map((one) => numbersOf({ ...one, probe: one.benchmark ?? one.probe! })) as [
    Numbers,
    Numbers,
  ];
  const ofGroup = (encoder: EncoderResult, group: string) => {
    const scores = (encoder.benchmark ?? encoder.probe)!.genes.filter((one) => one.group === group);
    return scores.length ? mean(scores.map(({ pearson }) => pearson ?? 0)) : null;
  };
  const gain = (a: number | null | undefined, b: number | null | undefined) =>
    typeof a === "number" && typeof b === "number" ? b - a : null;
  const group = (name: string) => gain(ofGroup(before, name), ofGroup(after, name));
  const oracles = references.flatMap(({ kind, pearson }) => (kind === "oracle" && pearson !== null ? [pearson] : []));
  const ci = profile === "ci";
  const least = (name: string, found: number | null, threshold: number): Acceptance[] =>
    ci && found !== null ? [{ name, wanted: `≥ +${threshold}`, found, passed: found >= threshold }] : [];
  const most = (name: string, found: number | null, threshold: number): Acceptance[] =>
    found === null ? [] : [{
      name,
      wanted: `≤ +${threshold}`,
      found,
      passed: found <= threshold,
      note: "more would mean that truth leaks",
    }];
  return [
    ...least("Probe correlation, gain", gain(a.pearson, b.pearson), 0.02),
    ...least("… of genes that show", group("visible program"), 0.04),
    ...least("Recall@10 by the probe, gain", gain(a.probe_recall_at_10_i2g, b.probe_recall_at_10_i2g), 0.03),
    ...least("Agreement of nearest neighbours (MN10), gain", gain(agree.before, agree.after), 0.15),
    ...most("Genes that do not show, gain", group("hidden program"), LEAK),
    ...most(
      "Above the oracle of what shows",
      oracles.length && typeof b.pearson === "number" ? b.pearson - Math.min(...oracles) : null,
      CEILING,
    ),
  ];
}
