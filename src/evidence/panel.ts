/**
 * The genes that evaluation reports on.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { LeftOut } from "../data/genes/panel.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { decodeText, parseNames } from "../io/csv.ts";
import { type Disk, readBytes } from "../io/disk.ts";

/** What a configuration says of the panel. */
export interface PanelConfig {
  readonly genes: {
    /** File with names; null chooses them on the training samples. */
    readonly panel: string | null;
    /** How many are chosen. */
    readonly panel_genes: number;
  };
}

/** Genes of the panel. */
export interface ReportPanel {
  readonly genes: readonly string[];
  /** Their places in the vocabulary; those that are not in it are left out. */
  readonly columns: readonly number[];
  /** Where they come from. */
  readonly source: string;
  /** Genes that held-out samples lack, in whose place others were chosen. */
  readonly leftOut: readonly LeftOut[];
}

function namesIn(path: string, disk: Disk): string[] {
  const text = decodeText(readBytes(disk, path), path);
  let names: unknown;
  try {
    names = path.endsWith(".json") ? (JSON.parse(text) as { genes?: unknown }).genes : parseNames(text, path);
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

/** What a configuration reports on: genes of a file, or so many that the training samples decide. */
export function wantedPanel(
  { genes }: PanelConfig,
  disk: Disk,
): { genes: readonly string[] } | { size: number } {
  return genes.panel === null ? { size: genes.panel_genes } : { genes: namesIn(genes.panel, disk) };
}

/**
 * The panel of a run: that of a file, or the most variable genes that training samples have in a tenth of their spots, by the
 * rule of HEST-Benchmark; of what is held out only names are looked at, for a gene that is not measured there cannot be judged.
 * The vocabulary has them, as far as they were measured.
 *
 * @throws {ConfigError} If none of a file's genes is in the vocabulary.
 */
export function panelOf({ genes }: PanelConfig, set: TrainingSet): ReportPanel {
  const place = new Map(set.vocabulary.genes.map((gene, i) => [gene, i]));
  const { panel: names } = set;
  if (genes.panel !== null && !names.some((name) => place.has(name))) {
    const near = nearest(names[0]!, set.vocabulary.genes);
    throw new ConfigError(`Cannot use panel ${genes.panel}: the vocabulary has none of its ${names.length} genes`, {
      hint: near === undefined ? "Is it of another species or naming?" : `Its ${names[0]} is perhaps ${near}`,
      context: { file: genes.panel, given: names.slice(0, 5) },
    });
  }
  const columns = names.flatMap((name) => place.get(name) ?? []);
  return {
    genes: names,
    columns,
    source: genes.panel ?? "most variable over training samples",
    leftOut: set.panelLeftOut,
  };
}
