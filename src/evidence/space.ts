/**
 * How the features of a run lie before and after training, and what that may have cost.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { fitPca, pcaScores } from "../eval/linalg/pca.ts";
import { applyStandardizer, fitStandardizer, standardize } from "../eval/linalg/standardize.ts";
import { type Table, takeRows } from "../eval/linalg/table.ts";
import { describeSpace, spaceWarnings, tellKinds } from "../eval/space.ts";
import type { Disk } from "../io/disk.ts";
import { openAnndata } from "../io/anndata.ts";
import type { SpaceScores, Warning } from "../report/run_evidence.ts";
import type { EvidenceData } from "./data.ts";
import type { SyntheticTruth } from "./synthetic.ts";

/** Kinds of tissue of all pairs. */
export interface Kinds {
  /** Undefined of pairs whose kind nobody knows. */
  readonly of: readonly (string | undefined)[];
  /** Where they come from, in words. */
  readonly source: string;
  /** Whether somebody named them, so that a probe tells them from features. */
  readonly named: boolean;
}

/** Fields of generated tissue that show in the image. */
const VISIBLE = 6;

/**
 * Kinds of tissue: a column of obs where one is named, the strongest field that shows in generated tissue, else the quarters of
 * the first principal component of measured expression, standardised within each section.
 *
 * @param column `label_column`.
 * @throws {DataError} If a sample lacks the column.
 */
export async function kindsOf(
  set: TrainingSet,
  data: EvidenceData,
  { column, truth, disk }: {
    readonly column: string | null;
    readonly truth: SyntheticTruth | undefined;
    readonly disk: Pick<Disk, "look" | "open">;
  },
): Promise<Kinds> {
  if (column !== null) {
    const of: (string | undefined)[] = [];
    for (const sample of set.samples) of.push(...await labelsOf(sample, column, disk));
    return { of, source: `obs/${column}`, named: true };
  }
  if (truth) {
    const { columns, data: fields } = truth.fields;
    const of = Array.from({ length: set.count }, (_, row) => {
      const own = Array.from({ length: VISIBLE }, (_, f) => fields[row * columns + f]!);
      return `field ${own.indexOf(Math.max(...own)) + 1}`;
    });
    return { of, source: "the strongest true field that shows", named: true };
  }
  return { of: await quarters(data), source: "quarters of the first component of expression", named: false };
}

async function labelsOf(
  { id, files, barcodes }: TrainingSet["samples"][number],
  column: string,
  disk: Pick<Disk, "look" | "open">,
): Promise<(string | undefined)[]> {
  const table = await openAnndata(disk, files.expression, ["obs", "var"]);
  try {
    const labels = table.obs.columns.includes(column) ? table.obs.strings(column) : undefined;
    if (!labels) {
      throw new DataError(
        `Cannot read label_column of ${id}: obs has no column of text named ${column}, wanted a label of each spot`,
        {
          hint: `label_column=null, or one of ${table.obs.columns.slice(0, 8).join(", ") || "none"}`,
          context: { sample: id, file: files.expression, given: column },
        },
      );
    }
    const place = new Map(table.obs.index.map((name, row) => [name, row]));
    return barcodes.map((name) => labels[place.get(name) ?? -1] || undefined);
  } finally {
    table.close();
  }
}

async function quarters({ panel, slides }: EvidenceData): Promise<(string | undefined)[]> {
  const { rows, columns } = panel.normalised;
  if (rows < 8 || columns === 0) return Array.from({ length: rows }, () => undefined);
  const within = new Float64Array(rows * columns);
  for (const own of Map.groupBy(Array.from(slides.keys()), (row) => slides[row]!).values()) {
    const part = takeRows(panel.normalised, own);
    const scaled = applyStandardizer(part, fitStandardizer(part));
    own.forEach((row, i) => within.set(scaled.data.subarray(i * columns, (i + 1) * columns), row * columns));
  }
  const table: Table = { rows, columns, data: within };
  const x = standardize(table, fitStandardizer(table));
  const scores = pcaScores(await fitPca(x, 1), x);
  if (scores.columns === 0) return Array.from({ length: rows }, () => undefined);
  const order = Array.from({ length: rows }, (_, row) => row)
    .sort((a, b) => scores.data[a * scores.columns]! - scores.data[b * scores.columns]! || a - b);
  const kinds = new Array<string>(rows);
  order.forEach((row, at) => kinds[row] = `quarter ${Math.floor(4 * at / rows) + 1}`);
  return kinds;
}

/** An encoder's space, as results have it and as it is compared. */
export interface JudgedSpace {
  readonly scores: SpaceScores;
  readonly found: Parameters<typeof spaceWarnings>[0];
}

/** Judges features of all pairs. */
export async function judgeSpace(features: Table, data: EvidenceData, kinds: Kinds): Promise<JudgedSpace> {
  const space = describeSpace(features, data.slides, kinds.of);
  const morphology = kinds.named
    ? await tellKinds(features, kinds.of, { train: data.trainPairs, test: data.heldPairs })
    : undefined;
  return {
    scores: {
      patches: space.patches,
      mean_cosine: space.meanCosine,
      smooth_rank: space.smoothRank,
      same_slide: space.sameSlide,
      same_slide_chance: space.sameSlideChance,
      robustness: space.robustness,
      kinds: kinds.source,
      ...(morphology && { morphology }),
    },
    found: { space, morphology },
  };
}

/** What training cost, for the notes of a report. */
export function spaceNotes(before: JudgedSpace, after: JudgedSpace): Warning[] {
  return spaceWarnings(before.found, after.found);
}
