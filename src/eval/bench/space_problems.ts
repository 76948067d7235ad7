/**
 * What adapters do to the features of their base that no probe of genes shows.
 *
 * @module
 */

import { spaceWarnings } from "../space.ts";
import type { TaskResult } from "./hest_bench.ts";

/** Warnings of each adapter against the same encoder without one, by task; none where nothing became worse. */
export function spaceProblems(results: readonly TaskResult[]): string[] {
  const adapted = ({ facts }: TaskResult) => facts["adapter"] !== undefined && facts["adapter"] !== "none";
  return results.filter(adapted).flatMap((after) => {
    const { task, encoder, facts, space } = after;
    const before = results.find((one) =>
      one.task === task && one.facts["encoder"] === facts["encoder"] && !adapted(one)
    );
    if (facts["encoder"] === undefined || !before) return [];
    return spaceWarnings({ space: before.space }, { space })
      .map(({ text, reason }) => `${task}, ${encoder}: ${text}: ${reason}`);
  });
}
