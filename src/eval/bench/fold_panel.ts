/**
 * The genes a fold is judged on: chosen on its training samples among those that every tested sample has, and what had to be
 * left out.
 *
 * Of tested samples only the names of their genes are looked at, never a count.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Expression } from "../../data/counts.ts";
import { choosePanel, commonGenes, lackedBy, type LeftOut, leftOutOf } from "../../data/genes/panel.ts";

/** Genes to be predicted. */
export interface Panel {
  readonly genes: readonly string[];
  /** Where they come from. */
  readonly source: string;
  /** What would be among them if a sample did not lack it. */
  readonly leftOut: readonly LeftOut[];
}

/** Share of the spots of every training sample that must show a gene: the rule's own. */
const LEAST_SHARE = 0.1;

/**
 * Chooses a fold's panel.
 *
 * @param train Raw counts of the training samples, all genes.
 * @param test Tested samples, by the names of their genes.
 * @param size Genes wanted; fewer where the tested samples lack so many that less are left.
 * @throws {DataError} If training samples have too few genes in common, or the tested ones have none of them.
 */
export function foldPanel(
  train: readonly Expression[],
  test: readonly Pick<Expression, "sample" | "genes">[],
  size: number,
): Panel {
  const source = "chosen on the training samples of the fold";
  const lacking = lackedBy(test);
  const wanted = choosePanel(train, { genes: size });
  const leftOut = leftOutOf(wanted, lacking);
  if (leftOut.length === 0) return { genes: wanted, source, leftOut };
  const among = commonGenes(train, LEAST_SHARE).filter((gene) => lacking(gene) === undefined);
  if (among.length === 0) {
    throw new DataError(
      `Cannot choose genes to test ${
        test.map(({ sample }) => sample).join(", ")
      } on: it has none of those that training ` +
        `samples show, such as ${wanted.slice(0, 3).join(", ")}`,
      { code: "panel-genes", hint: "Names may be of another species or naming: map them first", context: { wanted } },
    );
  }
  return {
    genes: choosePanel(train, { genes: Math.min(size, among.length), among }),
    source: `${source}, among those that tested samples have`,
    leftOut,
  };
}

/** A given panel without the genes that a sample lacks. */
export function panelWithout(panel: Panel, samples: readonly Pick<Expression, "sample" | "genes">[]): Panel {
  const lacking = lackedBy(samples);
  const leftOut = leftOutOf(panel.genes, lacking);
  if (leftOut.length === 0) return panel;
  const genes = panel.genes.filter((gene) => lacking(gene) === undefined);
  if (genes.length > 0) return { ...panel, genes, leftOut: [...panel.leftOut, ...leftOut] };
  throw new DataError(
    `Cannot use panel ${panel.source}: none of its ${panel.genes.length} genes is in all samples, at least one wanted (` +
      `${leftOut[0]!.gene}: ${leftOut[0]!.reason})`,
    { code: "panel-genes", hint: "Names may be of another species or naming: map them first" },
  );
}
