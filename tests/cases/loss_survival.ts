/** Cases of the survival losses: tied times, no event, one case, room for more cases than there are, large predictors. */

import { coxLoss, coxTables } from "../../src/losses/cox.ts";
import { discreteSurvivalLoss, intervalTables } from "../../src/losses/discrete_survival.ts";
import { given, normal, type OpCase } from "../case.ts";
import { coxRef, discreteSurvivalRef } from "../ref/loss_survival.ts";

type Extra = Partial<OpCase> & { readonly size?: number };

function cox(
  times: readonly number[],
  events: readonly number[],
  ties: "breslow" | "efron",
  extra: Extra = {},
): OpCase {
  const { size = times.length, ...more } = extra;
  const tables = coxTables({ times, events }, { ties, size });
  return {
    name: `cox ${ties} ${size}`,
    inputs: {
      eta: normal([size, 1]),
      risk: given([size, size], tables.risk),
      target: given([size, size], tables.target),
      offset: given([1], tables.offset),
    },
    run: (g, t) => coxLoss(g, t.eta!, { risk: t.risk!, target: t.target!, offset: t.offset! }),
    ref: (a) => Float64Array.of(coxRef(a.eta!, times, events, ties)),
    wrt: ["eta"],
    ...more,
  };
}

function discrete(count: number, intervals: readonly number[], events: readonly number[], extra: Extra = {}): OpCase {
  const { size = intervals.length, ...more } = extra;
  const tables = intervalTables(intervals, events, { count, size });
  return {
    name: `discrete ${size}x${count}`,
    inputs: {
      x: normal([size, count], 2),
      entered: given([size, count], tables.entered),
      failed: given([size, count], tables.failed),
    },
    run: (g, t) => discreteSurvivalLoss(g, t.x!, { entered: t.entered!, failed: t.failed! }),
    ref: (a) => Float64Array.of(discreteSurvivalRef(a.x!, count, intervals, events)),
    wrt: ["x"],
    ...more,
  };
}

const TIMES = [5, 3, 8, 3, 6, 2, 7, 6, 3, 9, 1];
const EVENTS = [1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0];
const many = <T>(count: number, of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i));

/** Case table. */
export const cases: readonly OpCase[] = [
  cox(TIMES, EVENTS, "breslow"),
  cox(TIMES, EVENTS, "efron"),
  cox(TIMES, EVENTS, "efron", { name: "cox efron 11 in room for 16", size: 16 }),
  cox([4], [1], "breslow", { name: "cox one case" }),
  cox([4, 2], [1, 1], "efron"),
  cox(TIMES.slice(3), EVENTS.slice(3), "breslow"),
  cox([4, 2, 2], [0, 0, 0], "breslow", { name: "cox no event" }),
  cox([2, 2, 2, 2], [1, 1, 1, 1], "efron", { name: "cox efron all at once" }),
  cox(TIMES, EVENTS, "efron", {
    name: "cox efron, far predictors",
    inputs: (({ inputs }) => ({ ...inputs, eta: normal([11, 1], 30) }))(cox(TIMES, EVENTS, "efron")),
  }),
  cox(many(67, (i) => (7 * i) % 31), many(67, (i) => (i % 3 ? 1 : 0)), "breslow"),
  cox(many(512, (i) => (7 * i) % 331), many(512, (i) => (i % 3 ? 1 : 0)), "breslow", {
    benchOnly: true,
    perf: { flops: 5 * 512 * 512, bytes: 16 * 512 * 512 },
  }),
  discrete(4, many(4096, (i) => i % 4), many(4096, (i) => i % 2), {
    benchOnly: true,
    perf: { flops: 10 * 4096 * 4, bytes: 24 * 4096 * 4 },
  }),
  discrete(4, [1, 3, 0], [1, 0, 1]),
  discrete(4, [1, 3, 0, 2, 2], [1, 0, 1, 1, 0], { name: "discrete 5x4 in room for 8", size: 8 }),
  discrete(1, [0, 0], [1, 0]),
  discrete(7, many(13, (i) => (3 * i) % 7), many(13, (i) => i % 2)),
  discrete(4, [0, 3], [1, 1], {
    name: "discrete 2x4, far logits",
    inputs: (({ inputs }) => ({ ...inputs, x: normal([2, 4], 40) }))(discrete(4, [0, 3], [1, 1])),
    // The reference loses what 1 - h rounds to 0.
    ref: (a) =>
      Float64Array.of(
        [0, 4, 5, 6, 7].reduce(
              (sum, i) => sum + (Math.max(a.x![i]!, 0) + Math.log1p(Math.exp(-Math.abs(a.x![i]!)))),
              0,
            ) / 2 -
          (a.x![0]! + a.x![7]!) / 2,
      ),
  }),
];
