/**
 * What several sections ask of the evidence: which encoder is the one before training and which after, what they are called, donors, correlations.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";
import type { EncoderResult, RetrievalScores, SampleFacts } from "./run_evidence.ts";

/** The two encoders that are compared, where both or one were measured. */
export interface Pair {
  readonly before?: EncoderResult;
  readonly after?: EncoderResult;
}

/** The encoders that are compared. */
export function pairOf({ results }: Pick<ReadEvidence, "results">): Pair {
  const find = (role: EncoderResult["role"]) => results?.encoders.find((encoder) => encoder.role === role);
  const [before, after] = [find("before"), find("after")];
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

/** What an encoder is called: above a column, in a sentence, and in one short. */
export interface Name {
  readonly head: string;
  readonly text: string;
  readonly short: string;
}

/** What the two encoders are called. */
export interface Names {
  readonly before: Name;
  readonly after: Name;
}

/** Names by the method where the run tells it, else by the labels of the encoders. */
export function namesOf(evidence: Pick<ReadEvidence, "facts" | "results">): Names {
  const pair = pairOf(evidence);
  const before = pair.before?.label ?? "Untrained encoder";
  const after = evidence.facts?.method?.label ?? pair.after?.label ?? "Trained encoder";
  const name = (label: string): Name => {
    // A word is written small inside a sentence, a name such as SEAL is not.
    const text = /^[A-Z][a-z]/.test(label) && label.includes(" ") ? label[0]!.toLowerCase() + label.slice(1) : label;
    return { head: label.replace(/ encoder$/, ""), text, short: text.replace(/ encoder$/, "") };
  };
  return { before: name(before), after: name(after) };
}

/** Samples of a part of the data. */
export function samplesOf({ facts }: Pick<ReadEvidence, "facts">, split: SampleFacts["split"]): readonly SampleFacts[] {
  return facts?.data?.samples.filter((sample) => sample.split === split) ?? [];
}

/** Donors of samples; a sample without one is its own. */
export function donorsOf(samples: readonly { readonly sample: string; readonly donor?: string }[]): string[] {
  return [...new Set(samples.map(({ sample, donor }) => donor ?? sample))];
}

/** Donors of test sections that were trained on; undefined where some are not named. */
export function sharedDonors(evidence: Pick<ReadEvidence, "facts" | "results">): string[] | undefined {
  const kinds = donorKinds(evidence);
  if (kinds.length === 0 || kinds.some(({ kind }) => kind === "unknown")) return undefined;
  const trained = new Set(donorsOf(samplesOf(evidence, "train")));
  return donorsOf(samplesOf(evidence, "test")).filter((donor) => trained.has(donor));
}

/** What the numbers are of: donors only where it is known that none was trained on. */
export function heldOut(evidence: Pick<ReadEvidence, "facts" | "results">): string {
  return sharedDonors(evidence)?.length === 0 ? "held-out donors" : "held-out sections";
}

/** Test sections of donors of one kind, with the mean over them of the correlation within each. */
export interface DonorKind {
  readonly kind: "unseen" | "seen" | "unknown";
  readonly donors: number;
  readonly sections: number;
  readonly before: number | null;
  readonly after: number | null;
}

/** Test sections by whether training saw other sections of their donor; from the facts of the run, so of any version. */
export function donorKinds(evidence: Pick<ReadEvidence, "facts" | "results">): DonorKind[] {
  const trained = new Set(samplesOf(evidence, "train").map(({ donor, sample }) => donor ?? sample));
  // A training section without a name may be of anyone.
  const open = samplesOf(evidence, "train").some(({ donor }) => donor === undefined);
  const kindOf = ({ donor }: SampleFacts): DonorKind["kind"] =>
    donor === undefined ? "unknown" : trained.has(donor) ? "seen" : open ? "unknown" : "unseen";
  const { before, after } = pairOf(evidence);
  const groups = Map.groupBy(samplesOf(evidence, "test"), kindOf);
  return (["unseen", "seen", "unknown"] as const).flatMap((kind) => {
    const samples = groups.get(kind);
    if (samples === undefined) return [];
    return [{
      kind,
      donors: donorsOf(samples).length,
      sections: samples.length,
      before: meanWithin(before, samples),
      after: meanWithin(after, samples),
    }];
  });
}

/** Mean over sections of the correlation within each. */
function meanWithin(encoder: EncoderResult | undefined, samples: readonly SampleFacts[]): number | null {
  const known =
    encoder?.probe?.slides?.flatMap(({ sample, pearson }) =>
      pearson !== null && samples.some((one) => one.sample === sample) ? [pearson] : []
    ) ?? [];
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}

/** Test sections of an organ; `organ` of the mean over organs, each counted once, is undefined. */
export interface OrganScores {
  readonly organ: string | undefined;
  readonly sections: number;
  readonly before: number | null;
  readonly after: number | null;
}

/** Test sections by organ, in order of names, and the mean over them; none where they are not of several. */
export function organScores(evidence: Pick<ReadEvidence, "facts" | "results">): OrganScores[] {
  const { before, after } = pairOf(evidence);
  const named = samplesOf(evidence, "test").flatMap((sample) => sample.organ === undefined ? [] : [sample]);
  const organs = [...Map.groupBy(named, ({ organ }) => organ)].map(([organ, samples]): OrganScores => ({
    organ,
    sections: samples.length,
    before: meanWithin(before, samples),
    after: meanWithin(after, samples),
  })).sort((a, b) => a.organ! < b.organ! ? -1 : 1);
  if (organs.length < 2) return [];
  const meanOf = (of: (one: OrganScores) => number | null) => {
    const known = organs.flatMap((one) => of(one) ?? []);
    return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
  };
  const all = { before: meanOf((one) => one.before), after: meanOf((one) => one.after) };
  return [...organs, { organ: undefined, sections: named.length, ...all }];
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
