/**
 * Panels of genes to be predicted, chosen by the rule of HEST-Benchmark, and their columns in a sample.
 *
 * The benchmark ships its panels, chosen with test folds included; read those for comparable numbers, and give training
 * samples only to choose one here.
 *
 * Source: `get_k_genes` of github.com/mahmoodlab/HEST.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Expression } from "../counts.ts";
import { isControl } from "./genes.ts";
import { expressedGenes } from "./heg.ts";
import { seuratGenes } from "./hvg_seurat.ts";
import { columnCounts, selectColumns, stackRows } from "../matrix.ts";
import { log1p } from "./normalise.ts";

/** How a panel is chosen. */
export interface PanelOptions {
  /** Genes wanted. */
  readonly genes?: number;
  /** Share of the spots of every sample that must show a gene. */
  readonly minShare?: number;
  /** `var`: dispersion of log1p counts (flavour seurat). `mean`: mean count. */
  readonly criterion?: "var" | "mean";
  /** Genes to choose among; all by default. */
  readonly among?: readonly string[];
}

/**
 * Chooses a panel.
 *
 * @param samples Raw counts; names unique within each.
 * @returns Names in alphabetical order.
 * @throws {DataError} If fewer genes are seen often enough in every sample.
 */
export function choosePanel(samples: readonly Expression[], options: PanelOptions = {}): string[] {
  const { genes: size = 50, minShare = 0.1, criterion = "var" } = options;
  const among = options.among && new Set(options.among);
  const eligible = commonGenes(samples, minShare).filter((name) => among?.has(name) ?? true);
  if (eligible.length < size) {
    const worst = samples.map((sample) => ({ sample: sample.sample, genes: often(sample, minShare).size }))
      .sort((a, b) => a.genes - b.genes).slice(0, 3);
    throw new DataError(
      `Cannot choose ${size} genes: ${eligible.length} in ${
        100 * minShare
      } % of the spots of all ${samples.length} samples`,
      {
        hint: `Fewest have ${worst.map((entry) => `${entry.sample} (${entry.genes})`).join(", ")}; names may differ`,
        context: { eligible: eligible.length, worst },
      },
    );
  }
  const stacked = stackRows(samples.map((sample) => selectColumns(sample.matrix, panelColumns(eligible, sample))));
  const { order } = criterion === "mean" ? expressedGenes(stacked) : seuratGenes(log1p(stacked));
  return Array.from(order.subarray(0, size), (j) => eligible[j]!).sort();
}

/** A gene that is not judged, and why. */
export interface LeftOut {
  readonly gene: string;
  readonly reason: string;
}

/** The first sample that lacks a gene; undefined where all have it. */
export function lackedBy(
  samples: readonly Pick<Expression, "sample" | "genes">[],
): (gene: string) => string | undefined {
  const names = samples.map(({ sample, genes }) => ({ sample, has: new Set(genes) }));
  return (gene) => names.find(({ has }) => !has.has(gene))?.sample;
}

/** Those of some genes that a sample lacks. */
export function leftOutOf(genes: readonly string[], lacking: (gene: string) => string | undefined): LeftOut[] {
  return genes.flatMap((gene) => {
    const sample = lacking(gene);
    return sample === undefined ? [] : [{ gene, reason: `${sample} lacks it` }];
  });
}

/** Genes that every sample shows in a share of its spots, no controls, in the first sample's order. */
export function commonGenes(samples: readonly Expression[], minShare: number): string[] {
  const sets = samples.map((sample) => often(sample, minShare));
  return [...sets[0] ?? []].filter((name) => sets.every((set) => set.has(name)));
}

function often(sample: Expression, minShare: number): Set<string> {
  const least = Math.ceil(minShare * sample.spots.length);
  const counts = columnCounts(sample.matrix);
  return new Set(sample.genes.filter((name, j) => counts[j]! >= least && !isControl(name)));
}

/**
 * Columns of a panel's genes in a sample, by exact name.
 *
 * @throws {DataError} If a gene is missing or occurs twice.
 */
export function panelColumns(panel: readonly string[], sample: Expression): Uint32Array {
  const place = new Map<string, number>();
  const twice = new Set<string>();
  sample.genes.forEach((name, j) => place.has(name) ? twice.add(name) : place.set(name, j));
  const bad = (what: string, names: readonly string[], hint: string): DataError =>
    new DataError(
      `Cannot take the panel from ${sample.sample}: ${what} ${names.slice(0, 5).join(", ")}, each once wanted`,
      {
        code: "panel-genes",
        hint,
        context: { sample: sample.sample, genes: names },
      },
    );
  const missing = panel.filter((name) => !place.has(name));
  if (missing.length > 0) throw bad("it lacks", missing, "Map aliases or Ensembl identifiers first");
  const doubled = panel.filter((name) => twice.has(name));
  if (doubled.length > 0) throw bad("two columns named", doubled, "Sum or rename duplicates first");
  return Uint32Array.from(panel, (name) => place.get(name)!);
}
