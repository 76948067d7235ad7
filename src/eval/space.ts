/**
 * How features lie, whatever they predict: what fine-tuning may cost. Whether all patches have come to look alike (mean cosine
 * of pairs, smooth rank), whether a patch's nearest are those of its own slide, and whether they are of its kind of tissue.
 *
 * Robustness index: over the k nearest patches of each patch by cosine, the number of the same kind from other slides, divided
 * by that plus the number of another kind from the same slide: 1 where kind decides, 0 where the slide does.
 *
 * Source: smooth rank: Garrido et al., "RankMe", ICML 2023; robustness index: Kömen et al., "Towards robust foundation models for
 * digital pathology" (PathoROB), arXiv 2507.17845.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { fitLogistic, predictLogistic } from "./logistic.ts";
import { fitPca, pcaScores } from "./linalg/pca.ts";
import { fitStandardizer, standardize } from "./linalg/standardize.ts";
import { type Table, takeRows } from "./linalg/table.ts";
import { unitRows } from "./ranks.ts";
import { smoothRank } from "./smooth_rank.ts";

/** Patches that are looked at, evenly spread over all; neighbours of each. */
const [ROWS, NEAREST] = [1000, 10];
/** Components of the probe of kinds. */
const COMPONENTS = 64;

/** Numbers of {@linkcode describeSpace}; null where they are not defined. */
export interface Space {
  /** Patches that were looked at. */
  readonly patches: number;
  /** Mean cosine of all pairs of patches. */
  readonly meanCosine: number | null;
  /** How many directions features use, at most their number. */
  readonly smoothRank: number | null;
  /** Mean share of the ten nearest that are of the same slide, and what it would be at random. */
  readonly sameSlide: number | null;
  readonly sameSlideChance: number;
  /** Robustness index; null without kinds, or where no neighbour decides. */
  readonly robustness: number | null;
}

function evenly(count: number, most: number): number[] {
  const n = Math.min(count, most);
  return Array.from({ length: n }, (_, i) => Math.floor((i + 0.5) * count / n));
}

/** Places of the k nearest rows of unit length, by cosine; of equals the lower row. */
function nearestOf(unit: Float64Array, width: number, row: number, k: number): number[] {
  const rows = unit.length / width;
  const scores = new Float64Array(rows);
  for (let j = 0; j < rows; j++) {
    let sum = 0;
    for (let f = 0; f < width; f++) sum += unit[row * width + f]! * unit[j * width + f]!;
    scores[j] = j === row ? -Infinity : sum;
  }
  const order = Array.from({ length: rows }, (_, j) => j).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, Math.min(k, rows - 1));
}

/**
 * Describes features.
 *
 * @param features `[patches, D]`.
 * @param slides Slide of each patch.
 * @param kinds Kind of tissue of each patch; none leaves the robustness index out, undefined leaves the patch out of it.
 * @throws {ShapeError} If lengths disagree.
 */
export function describeSpace(
  features: Table,
  slides: readonly string[],
  kinds?: readonly (string | undefined)[],
): Space {
  if (slides.length !== features.rows || (kinds && kinds.length !== features.rows)) {
    throw new ShapeError(
      `Cannot describe features: ${features.rows} rows, ${slides.length} slides, ${
        kinds?.length ?? "no"
      } kinds, wanted as many`,
    );
  }
  const chosen = evenly(features.rows, ROWS);
  const some = takeRows(features, chosen);
  const { unit } = unitRows(some.data, some.columns);
  const n = chosen.length;
  const sum = new Float64Array(some.columns);
  unit.forEach((value, at) => sum[at % some.columns]! += value);
  const squares = unit.reduce((total, value) => total + value * value, 0);
  const meanCosine = n < 2 ? null : (sum.reduce((total, value) => total + value * value, 0) - squares) / (n * (n - 1));
  let [same, near, so, os] = [0, 0, 0, 0];
  chosen.forEach((row, i) => {
    for (const j of nearestOf(unit, some.columns, i, NEAREST)) {
      const other = chosen[j]!;
      const slide = slides[row] === slides[other];
      near++;
      same += Number(slide);
      const [a, b] = [kinds?.[row], kinds?.[other]];
      if (a === undefined || b === undefined) continue;
      so += Number(a === b && !slide);
      os += Number(a !== b && slide);
    }
  });
  const counts = [...Map.groupBy(chosen, (row) => slides[row]!).values()].map(({ length }) => length);
  return {
    patches: n,
    meanCosine,
    smoothRank: smoothRank(some) ?? null,
    sameSlide: near === 0 ? null : same / near,
    sameSlideChance: n < 2 ? 0 : counts.reduce((total, count) => total + count * (count - 1), 0) / (n * (n - 1)),
    robustness: so + os === 0 ? null : so / (so + os),
  };
}

/** How well kinds of tissue are told from features. */
export interface Morphology {
  /** Mean over kinds of the share that is told right. */
  readonly accuracy: number;
  /** The same of guessing: one by the number of kinds. */
  readonly chance: number;
  /** Kinds in alphabetical order, with the share of their test patches that is told right. */
  readonly kinds: readonly { readonly kind: string; readonly recall: number; readonly patches: number }[];
}

/**
 * Tells kinds of tissue by a logistic regression on 64 principal components of standardised features.
 *
 * @param train Rows to learn from and, of `test`, rows to judge on; rows without a kind are left out.
 * @returns Undefined where fewer than two kinds are on both sides.
 */
export async function tellKinds(
  features: Table,
  kinds: readonly (string | undefined)[],
  { train, test }: { readonly train: readonly number[]; readonly test: readonly number[] },
): Promise<Morphology | undefined> {
  const seen = new Set(train.flatMap((row) => kinds[row] ?? []));
  const names = [...new Set(test.flatMap((row) => kinds[row] ?? []))].filter((kind) => seen.has(kind)).sort();
  if (names.length < 2) return undefined;
  const place = new Map(names.map((name, i) => [name, i]));
  const known = (rows: readonly number[]) => rows.filter((row) => place.has(kinds[row] ?? ""));
  const [inner, held] = [known(train), known(test)];
  const raw = takeRows(features, inner);
  const standardizer = fitStandardizer(raw);
  const fitted = standardize(raw, standardizer);
  const pca = await fitPca(fitted, COMPONENTS);
  const labels = (rows: readonly number[]) => rows.map((row) => place.get(kinds[row]!)!);
  const model = fitLogistic(pcaScores(pca, fitted), labels(inner), { tolerance: 1e-4 });
  const predicted = predictLogistic(model, pcaScores(pca, standardize(takeRows(features, held), standardizer)));
  const truth = labels(held);
  const found = names.map((kind, label) => {
    const own = truth.flatMap((of, i) => of === label ? [predicted[i] === label] : []);
    return { kind, recall: own.filter(Boolean).length / own.length, patches: own.length };
  });
  return {
    accuracy: found.reduce((sum, { recall }) => sum + recall, 0) / found.length,
    chance: 1 / names.length,
    kinds: found,
  };
}

/** Share of the smooth rank below which, and cosine above which by at least so much, a space has become narrow. */
const [LEAST_RANK, ALIKE, CLOSER] = [0.5, 0.9, 0.1];
/** Share of a kind's patches that must be told right before, and lost after, to call it forgotten; fewest patches. */
const [KNOWN, LOST, ENOUGH] = [0.5, 0.3, 10];

/** What became worse, in words; none where nothing did. */
export function spaceWarnings(
  before: { readonly space: Space; readonly morphology?: Morphology | undefined },
  after: { readonly space: Space; readonly morphology?: Morphology | undefined },
): { readonly text: string; readonly reason: string }[] {
  const out: { text: string; reason: string }[] = [];
  const [a, b] = [before.space, after.space];
  const [rank, cosine] = [[a.smoothRank, b.smoothRank], [a.meanCosine, b.meanCosine]] as const;
  const fewer = rank[0] !== null && (rank[1] === null || rank[1] < LEAST_RANK * rank[0]);
  const alike = cosine[0] !== null && cosine[1] !== null && cosine[1] > ALIKE && cosine[1] - cosine[0] > CLOSER;
  if (fewer || alike) {
    const said = (value: number | null, digits: number) => value === null ? "none" : value.toFixed(digits);
    out.push({
      text: "The space of features has become narrow",
      reason: `smooth rank ${said(rank[0], 1)} before training, ${said(rank[1], 1)} after; mean cosine of two patches ${
        said(cosine[0], 3)
      } and ${said(cosine[1], 3)}: what is not in the genes that were trained on may be lost`,
    });
  }
  const after_ = new Map(after.morphology?.kinds.map((one) => [one.kind, one]));
  for (const { kind, recall, patches } of before.morphology?.kinds ?? []) {
    const now = after_.get(kind)?.recall ?? 0;
    if (recall < KNOWN || patches < ENOUGH || recall - now < LOST) continue;
    out.push({
      text: `${kind} is told from the features no longer`,
      reason: `${(100 * recall).toFixed(0)} % of its ${patches} patches were before training, ${
        (100 * now).toFixed(0)
      } % are after`,
    });
  }
  return out;
}
