/**
 * Follow-up of cases, and how well predicted risks order it: Harrell's concordance index.
 *
 * Source: Harrell et al., JAMA 247 (1982); pairs and ties as in scikit-survival's `concordance_index_censored`.
 *
 * @module
 */

import { DataError, ShapeError } from "../core/errors.ts";

/** Risks closer than this are tied. */
const TIED = 1e-8;

/** What was observed of cases. */
export interface FollowUp {
  /** Time of the event, or of the last observation; above 0. */
  readonly times: ArrayLike<number>;
  /** Whether the event was observed; else the case is censored. */
  readonly events: ArrayLike<number | boolean>;
}

/**
 * Refuses a follow-up that no survival model can be fitted to or judged by.
 *
 * @param rows Cases that are wanted.
 * @throws {ShapeError} If times, events and cases differ in number.
 * @throws {DataError} If a time is no finite number of 0 or more.
 */
export function checkFollowUp({ times, events }: FollowUp, rows: number): void {
  if (times.length !== rows || events.length !== rows) {
    throw new ShapeError(
      `Cannot use a follow-up: ${times.length} times and ${events.length} events given, ${rows} of each wanted`,
    );
  }
  for (let i = 0; i < rows; i++) {
    if (Number.isFinite(times[i]!) && times[i]! >= 0) continue;
    throw new DataError(`Cannot use a follow-up: case ${i} has the time ${times[i]}, expected 0 or more`, {
      code: "follow-up",
      context: { case: i, found: String(times[i]) },
    });
  }
}

/** Number of events. */
export function countEvents({ events }: Pick<FollowUp, "events">): number {
  let count = 0;
  for (let i = 0; i < events.length; i++) count += events[i] ? 1 : 0;
  return count;
}

/** Whether a pair of cases can be compared: the first event is before the time of another, or before where one was lost. */
export function isComparable({ times, events }: FollowUp): boolean {
  let first = Infinity;
  for (let i = 0; i < times.length; i++) if (events[i]) first = Math.min(first, times[i]!);
  return Array.from(times).some((time, i) => time > first || (time === first && !events[i]));
}

/** Pairs of cases, and the share of them that is ordered right. */
export interface Concordance {
  /** Concordant pairs and half of those with tied risks, over all comparable ones; null where there are none. */
  readonly value: number | null;
  readonly concordant: number;
  readonly discordant: number;
  /** Comparable pairs whose risks are equal. */
  readonly tiedRisk: number;
  /** Comparable pairs of an event and a censored case at the same time. */
  readonly tiedTime: number;
}

/**
 * Harrell's concordance index. A pair is comparable where one case has its event before the other's time, or at that time with
 * the other censored; two events at one time are not compared. The case with the earlier event should have the higher risk.
 *
 * @param risks One a case; only their order counts.
 * @throws {ShapeError | DataError} As {@linkcode checkFollowUp}, and of risks that are not finite.
 */
export function concordanceIndex({ times, events }: FollowUp, risks: ArrayLike<number>): Concordance {
  const n = risks.length;
  checkFollowUp({ times, events }, n);
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(risks[i]!)) {
      throw new DataError(`Cannot score risks: that of case ${i} is ${risks[i]}, expected a finite number`, {
        code: "risk",
        context: { case: i, found: String(risks[i]) },
      });
    }
  }
  let [concordant, discordant, tiedRisk, tiedTime] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    if (!events[i]) continue;
    for (let j = 0; j < n; j++) {
      const same = times[j] === times[i];
      if (j === i || times[j]! < times[i]! || (same && events[j])) continue;
      if (same) tiedTime++;
      const lead = risks[i]! - risks[j]!;
      if (Math.abs(lead) <= TIED) tiedRisk++;
      else if (lead > 0) concordant++;
      else discordant++;
    }
  }
  const pairs = concordant + discordant + tiedRisk;
  return {
    value: pairs === 0 ? null : (concordant + tiedRisk / 2) / pairs,
    concordant,
    discordant,
    tiedRisk,
    tiedTime,
  };
}
