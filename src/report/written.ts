/**
 * What became of a report.
 *
 * @module
 */

import type { ReadEvidence } from "./evidence_read.ts";

/** What was written. */
export interface WrittenReport {
  /** Path of the page. */
  readonly path: string;
  readonly bytes: number;
  /** Parts of the evidence that are missing, with the reason. */
  readonly missing: ReadEvidence["missing"];
  /** Parts that are there but damaged. */
  readonly errors: readonly Error[];
  /** What was read without a checksum to compare it with. */
  readonly unchecked: readonly string[];
}
