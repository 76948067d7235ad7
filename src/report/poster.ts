/**
 * What was published of fine-tuning on bulk RNA: the table of the poster "Enhancing Pathology Foundation Models with
 * Transcriptomics" (de Jong and others, kaiko.ai), in percent. Balanced accuracy, of expression the mean correlation; each arm
 * has a baseline of its own, and there are neither repeats nor intervals.
 *
 * @module
 */

/** Its tasks: four, then the six of TCGA. */
export const POSTER_TASKS: readonly string[] = [
  ...["BACH", "PCam", "MHIST", "CRC-MSI"],
  ...["Cancer", "TP53", "Breast", "Kidney", "Lung", "Expression"],
];

/** Tasks that are not of TCGA. */
const OTHERS = 4;

/** A row of the table. */
export interface PosterRow {
  readonly label: string;
  /** Whether values are differences to the baseline above. */
  readonly difference: boolean;
  /** A task each. */
  readonly values: readonly number[];
  /** Means over all tasks, those of TCGA, and the others. */
  readonly all: number;
  readonly tcga: number;
  readonly others: number;
}

const DIRECT = {
  base: [67.1, 89.0, 74.1, 66.7, 58.7, 66.6, 53.0, 87.7, 70.7, 41.6],
  gain: [-0.6, -1.3, -1.5, 0.4, 0.4, 1.3, 2.9, 1.3, 0.3, 2.1],
};
const CONTRASTIVE = {
  base: [62.7, 86.5, 74.3, 66.7, 58.5, 67.1, 54.7, 86.7, 69.9, 40.9],
  gain: [1.8, -0.5, 1.3, -0.5, 1.1, 0.3, 0, 2.2, 1.2, 1.1],
};

function row(label: string, values: readonly number[], difference = false): PosterRow {
  const mean = (some: readonly number[]) => some.reduce((a, b) => a + b, 0) / some.length;
  const [others, tcga] = [values.slice(0, OTHERS), values.slice(OTHERS)].map(mean) as [number, number];
  return { label, difference, values, all: mean(values), tcga, others };
}

/** Baseline, what an arm has more, and the sum, of both arms. */
export const POSTER: readonly PosterRow[] = ([["direct", DIRECT], ["contrastive", CONTRASTIVE]] as const).flatMap((
  [arm, { base, gain }],
) => [
  row(`Baseline of ${arm}`, base),
  row(`Δ ${arm}`, gain, true),
  row(arm[0]!.toUpperCase() + arm.slice(1), base.map((value, t) => value + gain[t]!)),
]);

/** How the table is to be read. */
export const POSTER_CAPTION =
  "“Enhancing Pathology Foundation Models with Transcriptomics” (kaiko.ai), in percent: other tasks, encoders and " +
  "patients than above, each arm against a baseline of its own, without intervals";
