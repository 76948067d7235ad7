/**
 * What several sections ask of the evidence: which encoder is the frozen one and which is SEAL, donors, correlations.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import type { EncoderResult, RetrievalScores, SampleFacts } from "./run_evidence.ts";

/** The two encoders that are compared, where both or one were measured. */
export interface Pair {
  readonly frozen?: EncoderResult;
  readonly seal?: EncoderResult;
}

/** The encoders that are compared. */
export function pairOf({ results }: Pick<ReadEvidence, "results">): Pair {
  const find = (role: EncoderResult["role"]) => results?.encoders.find((encoder) => encoder.role === role);
  const [frozen, seal] = [find("frozen"), find("seal")];
  return { ...(frozen === undefined ? {} : { frozen }), ...(seal === undefined ? {} : { seal }) };
}

/** Samples of a part of the data. */
export function samplesOf({ facts }: Pick<ReadEvidence, "facts">, split: SampleFacts["split"]): readonly SampleFacts[] {
  return facts?.data?.samples.filter((sample) => sample.split === split) ?? [];
}

/** Donors of samples; a sample without one is its own. */
export function donorsOf(samples: readonly { readonly sample: string; readonly donor?: string }[]): string[] {
  return [...new Set(samples.map(({ sample, donor }) => donor ?? sample))];
}

/** Donors of test samples that were trained or validated on; undefined where donors are not known. */
export function sharedDonors(evidence: Pick<ReadEvidence, "facts">): string[] | undefined {
  const test = samplesOf(evidence, "test");
  if (test.length === 0 || test.some(({ donor }) => donor === undefined)) return undefined;
  const known = new Set(donorsOf([...samplesOf(evidence, "train"), ...samplesOf(evidence, "val")]));
  return donorsOf(test).filter((donor) => known.has(donor));
}

/** What the numbers are of: donors only where it is known that none was trained on. */
export function heldOut(evidence: Pick<ReadEvidence, "facts">): string {
  return sharedDonors(evidence)?.length === 0 ? "held-out donors" : "held-out sections";
}

/** What a direction of retrieval is called. */
export function directionName(direction: RetrievalScores["direction"]): string {
  return direction === "g2i" ? "gene to image" : "image to gene";
}

/** Pearson's correlation; null where one side is constant or there are fewer than two pairs. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const n = a.length;
  if (n < 2) return null;
  let [ma, mb] = [0, 0];
  for (let i = 0; i < n; i++) {
    ma += a[i]! / n;
    mb += b[i]! / n;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i]! - ma, b[i]! - mb];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  // What is left of a constant column is rounding.
  const tiny = (sum: number, mean: number) => sum <= 1e-20 * n * Math.max(1e-30, mean * mean);
  return tiny(aa, ma) || tiny(bb, mb) || !Number.isFinite(ab) ? null : ab / Math.sqrt(aa * bb);
}
