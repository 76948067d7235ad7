/**
 * Acceptance checks on generated data. Thresholds were set on profile `ci` for one seed; on others only those are decided that
 * hold for any size.
 *
 * @module
 */

import { mean } from "../eval/statistics.ts";
import type { Acceptance, EncoderResult, Reference } from "../report/run_evidence.ts";
import { numbersOf } from "./summary.ts";

type Numbers = ReturnType<typeof numbersOf>;

/** What is checked. */
export interface Checked {
  readonly frozen: EncoderResult;
  readonly seal: EncoderResult;
  readonly references: readonly Reference[];
  /** Agreement of neighbours, MN10. */
  readonly agree: { readonly frozen: number | null; readonly seal: number | null };
  readonly profile: string;
}

/** Difference that more than which on hidden genes, or above the oracle, means a leak. */
const LEAK = 0.05;
const CEILING = 0.03;

/** The checks that can be decided. */
export function checksOf({ frozen, seal, references, agree, profile }: Checked): Acceptance[] {
  // Thresholds were measured by the benchmark's protocol.
  const [before, after] = [frozen, seal].map((one) => numbersOf({ ...one, probe: one.benchmark ?? one.probe! })) as [
    Numbers,
    Numbers,
  ];
  const ofGroup = (encoder: EncoderResult, group: string) => {
    const scores = (encoder.benchmark ?? encoder.probe)!.genes.filter((one) => one.group === group);
    return scores.length ? mean(scores.map(({ pearson }) => pearson ?? 0)) : null;
  };
  const gain = (a: number | null | undefined, b: number | null | undefined) =>
    typeof a === "number" && typeof b === "number" ? b - a : null;
  const group = (name: string) => gain(ofGroup(frozen, name), ofGroup(seal, name));
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
    ...least("Probe correlation, gain", gain(before.pearson, after.pearson), 0.02),
    ...least("… of genes that show", group("visible program"), 0.04),
    ...least("Recall@10 by the probe, gain", gain(before.probe_recall_at_10_i2g, after.probe_recall_at_10_i2g), 0.03),
    ...least("Agreement of nearest neighbours (MN10), gain", gain(agree.frozen, agree.seal), 0.15),
    ...most("Genes that do not show, gain", group("hidden program"), LEAK),
    ...most(
      "Above the oracle of what shows",
      oracles.length && typeof after.pearson === "number" ? after.pearson - Math.min(...oracles) : null,
      CEILING,
    ),
  ];
}
