/**
 * Trained runs that tell the risk of slides or cases from stored features of their tiles.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { FoldTruth } from "../eval/cohort/scores.ts";
import { type SlideFeatures, type SlidesParts, SlidesRun, type Teller } from "./slides_run.ts";

/** What a run says of a slide. */
export interface RiskOfSlide {
  /** Higher where the event is earlier: of hazards less the sum of survival over intervals, of Cox the logarithm of the hazard. */
  readonly risk: number;
  /** Attention of each tile, the mean over heads; it sums to 1. Undefined of models without. */
  readonly attention: Float64Array | undefined;
}

/** A slide or case that was followed. */
export interface FollowedSlide {
  /** Its tiles. */
  readonly features: SlideFeatures;
  /** Of the event, or the last that is known. */
  readonly time: number;
  /** Whether there was an event; else it is censored. */
  readonly event: boolean;
}

/** How risks fit what is known. */
export interface SurvivalScores {
  /** Slides or cases. */
  readonly cases: number;
  /** Those with an event. */
  readonly events: number;
  /** Harrell's C-index; null where no two can be compared. */
  readonly cindex: number | null;
}

/** An open run of `method=mil` that tells survival. Close it, or declare it with `await using`. */
export class SurvivalRun extends SlidesRun<RiskOfSlide, FollowedSlide, SurvivalScores> {
  /** Made by `openRun`. */
  constructor(parts: SlidesParts) {
    super(parts, RISKS);
  }
}

const RISKS: Teller<RiskOfSlide, FollowedSlide, SurvivalScores> = {
  wanted: "{ features, time, event }",
  named: ({ said, attention }) => ({ risk: said[0]!, attention }),
  truth(known) {
    known.forEach(({ time, event }, i) => {
      if (Number.isFinite(time) && time >= 0 && typeof event === "boolean") return;
      throw new ConfigError(
        `Cannot evaluate slide ${i}: time is ${time} and event ${event}, wanted a number and whether there was one`,
        { hint: "evaluate([{ features, time: 812, event: true }])", context: { slide: i } },
      );
    });
    return {
      kind: "survival",
      times: known.map(({ time }) => time),
      events: known.map(({ event }) => event ? 1 : 0),
    };
  },
  judged({ truth, count }, scores) {
    const { events } = truth as FoldTruth & { kind: "survival" };
    return { cases: count, events: events.filter((event) => event > 0).length, cindex: scores.cindex! };
  },
};
