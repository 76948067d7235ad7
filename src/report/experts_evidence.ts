/**
 * What a run of experts leaves for its report: who is an expert of what, which expert each held-out spot is routed to, and how
 * the experts compare with what was trained without them.
 *
 * @module
 */

import type { Difference, EVIDENCE_SCHEMA, Spread } from "./run_evidence.ts";

/** An expert. */
export interface ExpertFacts {
  readonly name: string;
  /** Organs that its clusters are of. */
  readonly organs: readonly string[];
  /** Fine clusters it has. */
  readonly clusters: number;
  /** Training pairs, and held-out spots that are routed to it. */
  readonly pairs: number;
  readonly held: number;
}

/** A held-out section with the expert of each spot. */
export interface ExpertSection {
  readonly sample: string;
  readonly donor?: string;
  /** Centres of spots, level-0 pixels. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Index of the expert. */
  readonly expert: readonly number[];
  /** Spots farther from their centroid than 99 % of its training rows. */
  readonly outside: number;
}

/** Inertia by the number of clusters. */
export interface ExpertCurve {
  readonly organ: string;
  readonly rows: number;
  readonly clusters: readonly number[];
  readonly inertia: readonly number[];
  /** Mean silhouettes; runs of earlier versions have none. */
  readonly silhouette?: readonly number[];
}

/** Features side by side. */
export interface ComparedFeatures {
  readonly id: string;
  readonly label: string;
  readonly features: number;
  readonly note?: string;
  /** Correlation of a linear probe within held-out sections. */
  readonly pearson: Spread;
  /** What it has more than the features that were given, section by section. */
  readonly difference?: Difference;
}

/** `evaluation/experts.json`. */
export interface ExpertsEvidence {
  readonly schema: typeof EVIDENCE_SCHEMA;
  /** Of the router. */
  readonly temperature: number;
  readonly experts: readonly ExpertFacts[];
  readonly sections: readonly ExpertSection[];
  readonly curves: readonly ExpertCurve[];
  readonly compared: readonly ComparedFeatures[];
  readonly notes: readonly string[];
}
