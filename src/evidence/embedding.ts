/**
 * Features of patches in two dimensions, before and after training, by principal components.
 *
 * @module
 */

import { fitPca, pcaScores } from "../eval/linalg/pca.ts";
import { fitStandardizer, standardize } from "../eval/linalg/standardize.ts";
import { type Table, takeRows } from "../eval/linalg/table.ts";
import { type EmbeddingMap, EVIDENCE_SCHEMA } from "../report/run_evidence.ts";
import { evenly, type EvidenceData } from "./data.ts";

/** Patches that are shown, at most. */
const POINTS = 1500;

/** What is shown. */
export interface EmbeddingOptions {
  readonly panels: readonly { readonly label: string; readonly features: Table }[];
  /** `donor` where the metadata name the patient. */
  readonly samples: readonly { readonly id: string; readonly donor: string | undefined }[];
  /** Genes of the panel to colour by. */
  readonly genes: readonly string[];
}

/** The map of some of all pairs. */
export async function embeddingMap(data: EvidenceData, options: EmbeddingOptions): Promise<EmbeddingMap> {
  const { slides, panel } = data;
  const rows = evenly(slides.length, POINTS);
  const place = new Map(options.samples.map(({ id }, i) => [id, i]));
  const panels: EmbeddingMap["panels"][number][] = [];
  for (const { label, features } of options.panels) panels.push({ label, ...await twoComponents(features, rows) });
  return {
    schema: EVIDENCE_SCHEMA,
    method: "PCA",
    samples: options.samples.map(({ id, donor }) => ({ sample: id, ...(donor === undefined ? {} : { donor }) })),
    sample_index: rows.map((row) => place.get(slides[row]!)!),
    panels,
    genes: options.genes.map((gene) => {
      const g = panel.genes.indexOf(gene);
      return { gene, values: rows.map((row) => short(panel.values.data[row * panel.genes.length + g]!)) };
    }),
  };
}

/** Scores on the two first components of standardised features, each turned so that its largest part is positive. */
async function twoComponents(features: Table, rows: readonly number[]) {
  const chosen = takeRows(features, rows);
  const x = standardize(chosen, fitStandardizer(chosen));
  const pca = await fitPca(x, 2);
  const { data, columns } = pcaScores(pca, x);
  const axis = (k: number) => Array.from(rows, (_, i) => (k < columns ? short(data[i * columns + k]!) : 0));
  const total = x.scale.reduce((sum, scale) => sum + (scale === Infinity ? 0 : rows.length), 0);
  return {
    x: upright(axis(0)),
    y: upright(axis(1)),
    explained: [0, 1].map((k) => (total > 0 ? (pca.scatter[k] ?? 0) / total : 0)),
  };
}

function upright(values: number[]): number[] {
  const most = values.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a, 0);
  return most < 0 ? values.map((value) => 0 - value) : values;
}

function short(value: number): number {
  return Number(value.toPrecision(5));
}
