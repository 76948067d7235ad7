/**
 * Which of the searched sections are of donors that a run was trained on: only the others speak for new patients.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import type { TrainingSet } from "../data/training_set.ts";
import type { Vocabulary } from "../data/genes/vocabulary.ts";
import { rowsOf } from "../eval/gallery.ts";
import type { EmbeddedPairs } from "../eval/inference.ts";
import { retrieval, type RetrievalOptions, type RetrievalReport } from "../eval/retrieval.ts";
import { disk } from "../io/fs.ts";
import { parseJson } from "../io/json.ts";
import { runFacts } from "../report/evidence_schema.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import { namedDonor } from "../evidence/data.ts";
import { readRunFile } from "./predictors.ts";

/** Kinds of donors in the order in which they are printed. */
export const DONOR_KINDS = ["unseen", "seen", "unknown"] as const;
/** Whether training saw a donor. */
export type DonorKind = (typeof DONOR_KINDS)[number];

/** What a run was trained on. */
export interface TrainedOn {
  readonly samples: ReadonlySet<string>;
  /** Names of donors; undefined where a training section does not name its own, which then may be of anyone. */
  readonly donors: ReadonlySet<string> | undefined;
}

/**
 * Reads what a run was trained on; of one that did not finish only samples are known.
 *
 * @throws {DataError | FormatError} If its facts are not what training wrote.
 */
export function trainedOn(run: string, { origin }: Pick<Vocabulary, "origin">): TrainedOn {
  const path = `${run}/${EVIDENCE.facts}`;
  if (disk.look(path)?.kind !== "file") return { samples: new Set(origin.samples), donors: undefined };
  const fail = (at: string, found: string, expected: string): never => {
    throw new FormatError(`Cannot read ${path}: ${at || "it"} is ${found}, expected ${expected}`, {
      context: { file: path, path: at, found, expected },
    });
  };
  const bytes = readRunFile(run, EVIDENCE.facts);
  const tree = parseJson(bytes, (offset, found, expected): never => fail(`byte ${offset}`, found, expected));
  const { data } = runFacts(tree, { path: "", fail });
  const training = data?.samples.filter(({ split }) => split === "train") ?? [];
  const named = training.length > 0 && training.every(({ donor }) => donor !== undefined);
  return {
    samples: new Set(training.map(({ sample }) => sample)),
    donors: named ? new Set(training.flatMap(({ donor }) => donor!.split(" + "))) : undefined,
  };
}

/** Kind of the donor of each sample of a set. */
export function donorKinds(set: Pick<TrainingSet, "samples">, { samples, donors }: TrainedOn): Map<string, DonorKind> {
  return new Map(set.samples.map((sample) => {
    if (samples.has(sample.id)) return [sample.id, "seen"];
    const donor = namedDonor(sample);
    if (donor === undefined || donors === undefined) return [sample.id, "unknown"];
    return [sample.id, donor.split(" + ").some((one) => donors.has(one)) ? "seen" : "unseen"];
  }));
}

/** Retrieval among the sections of one kind. */
export interface KindReport {
  readonly kind: DonorKind;
  readonly samples: readonly string[];
  readonly report: RetrievalReport;
}

/** Retrieval among the sections of each kind by themselves. @param report Of all sections. */
export async function reportKinds(
  { image, gene, width, slides }: EmbeddedPairs,
  kinds: ReadonlyMap<string, DonorKind>,
  report: RetrievalReport,
  options: RetrievalOptions,
): Promise<KindReport[]> {
  const found: KindReport[] = [];
  for (const kind of DONOR_KINDS) {
    const samples = [...kinds].flatMap(([id, of]) => of === kind ? [id] : []);
    if (samples.length === 0) continue;
    const rows = slides.flatMap((slide, row) => kinds.get(slide) === kind ? [row] : []);
    const own = samples.length === kinds.size ? report : await retrieval({
      image: rowsOf(image, width, rows),
      gene: rowsOf(gene, width, rows),
      width,
      slides: rows.map((row) => slides[row]!),
    }, options);
    found.push({ kind, samples, report: own });
  }
  return found;
}
