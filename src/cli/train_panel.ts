/**
 * The genes that evaluation reports on.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { readBytes } from "../data/data_folder.ts";
import { choosePanel, commonGenes } from "../data/panel.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { disk } from "../io/fs.ts";
import type { TrainConfig } from "../train/config.ts";

/** Genes of the panel. */
export interface ReportPanel {
  readonly genes: readonly string[];
  /** Their places in the vocabulary; those that are not in it are left out. */
  readonly columns: readonly number[];
  /** Where they come from. */
  readonly source: string;
}

/** Share of the spots of every training sample that must show a gene: the rule's own. */
const LEAST_SHARE = 0.1;

function namesIn(path: string): string[] {
  const text = new TextDecoder().decode(readBytes(disk, path));
  let names: unknown;
  try {
    names = path.endsWith(".json")
      ? (JSON.parse(text) as { genes?: unknown }).genes
      : text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  } catch (cause) {
    throw new DataError(`Cannot read panel ${path}: ${(cause as Error).message}`, { context: { file: path }, cause });
  }
  if (!Array.isArray(names) || !names.length || !names.every((name) => typeof name === "string")) {
    throw new DataError(`Cannot read panel ${path}: no list of genes, wanted {"genes": [...]} or a name a line`, {
      context: { file: path },
    });
  }
  return names.map((name: string) => name.toUpperCase());
}

/**
 * The panel of a run: that of a file, or the most variable genes that training samples have in a tenth of their spots, by the
 * rule of HEST-Benchmark but without looking at what is held out.
 *
 * @throws {ConfigError} If none of a file's genes is in the vocabulary.
 */
export async function panelOf({ genes }: Pick<TrainConfig, "genes">, set: TrainingSet): Promise<ReportPanel> {
  const place = new Map(set.vocabulary.genes.map((gene, i) => [gene, i]));
  let names: readonly string[];
  if (genes.panel !== null) {
    names = namesIn(genes.panel);
    if (!names.some((name) => place.has(name))) {
      const near = nearest(names[0]!, set.vocabulary.genes);
      throw new ConfigError(`Cannot use panel ${genes.panel}: the vocabulary has none of its ${names.length} genes`, {
        hint: near === undefined ? "Is it of another species or naming?" : `Its ${names[0]} is perhaps ${near}`,
        context: { file: genes.panel, given: names.slice(0, 5) },
      });
    }
  } else {
    const training = set.samples.flatMap(({ role }, i) => (role === "train" ? [i] : []));
    const raw = await Promise.all(training.map((i) => set.raw(i)));
    names = choosePanel(raw, { genes: Math.min(genes.panel_genes, commonGenes(raw, LEAST_SHARE).length) });
  }
  const columns = names.flatMap((name) => place.get(name) ?? []);
  return { genes: names, columns, source: genes.panel ?? "most variable over training samples" };
}
