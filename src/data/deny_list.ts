/**
 * Published samples that are known to be wrong, and what to do about them.
 *
 * Source: issues of github.com/mahmoodlab/HEST, by number.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";

/** One sample and its flaw. */
export interface Denied {
  readonly id: string;
  readonly reason: string;
  /** Where it was reported. */
  readonly source: string;
}

/** Samples refused unless allowed by name. */
export const DENY_LIST: readonly Denied[] = [
  {
    id: "NCBI784",
    reason: "image and spots are misaligned; spots pooled at 58.39 µm, not 100",
    source: "HEST #59, #122",
  },
];

/** Samples that are used, with a warning. */
export const WARN_LIST: readonly Denied[] = [
  { id: "TENX122", reason: "spots pooled at 58.39 µm, not 100", source: "HEST #122" },
  { id: "TENX155", reason: "the same specimen as TENX128", source: "HEST #126, #133" },
];

/** Pairs of published samples of one specimen, for `donorGroups`. */
export const SAME_SPECIMEN: readonly (readonly [string, string])[] = [["TENX128", "TENX155"]];

/**
 * Refuses denied samples.
 *
 * @param allow Identifiers the user takes responsibility for.
 * @param list What is denied; the user's own list may be added.
 * @returns A warning for each sample that is flawed and used.
 * @throws {DataError} If a sample is denied and not allowed.
 */
export function checkDenied(
  ids: readonly string[],
  allow: readonly string[] = [],
  list: readonly Denied[] = DENY_LIST,
): string[] {
  const allowed = new Set(allow);
  const given = new Set(ids);
  const found = list.filter(({ id }) => given.has(id));
  const refused = found.filter(({ id }) => !allowed.has(id));
  if (refused.length > 0) {
    const { id, reason, source } = refused[0]!;
    const ids = refused.map((entry) => entry.id).join();
    throw new DataError(`Cannot use ${id}: ${reason} (${source})`, {
      code: "denied",
      hint: `exclude_samples=${ids} of train leaves them out, allow_denied=${ids} takes them all the same`,
      context: { refused },
    });
  }
  return [...found, ...WARN_LIST.filter(({ id }) => given.has(id))].map(({ id, reason, source }) =>
    `${id}: ${reason} (${source})`
  );
}
