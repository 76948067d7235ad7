/**
 * From data folders to a training set: samples found, donors held out, the genes chosen on training samples alone, every
 * sample put into their columns.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Expression } from "./counts.ts";
import type { ReadDisk, SampleFiles } from "./data_folder.ts";
import { donorGroups, type SampleInfo } from "./donors.ts";
import { digestSample, type SampleDigest } from "./duplicates.ts";
import type { Roles } from "./holdout.ts";
import { describeSplits } from "./leakage.ts";
import { type LoadedSample, type LoadOptions, loadRaw, loadSample } from "./load_sample.ts";
import { dense, type Matrix, toCsr } from "./matrix.ts";
import { choosePanel, commonGenes, lackedBy, type LeftOut, leftOutOf } from "./genes/panel.ts";
import { leakageOf, type PlanOptions, planTrainingSet, type TrainingSetPlan } from "./plan_training_set.ts";
import type { GeneCriterion } from "./genes/preprocess.ts";
import { gatherWarnings } from "./sample_checks.ts";
import { type Placed, TrainingSet } from "./training_set.ts";
import {
  applyVocabulary,
  type Coverage,
  type Fill,
  type Layer,
  type Vocabulary,
  VocabularyBuilder,
} from "./genes/vocabulary.ts";

/** Share of the genes that a sample must have measured, where nothing else is said. */
const LEAST_COVERAGE = 0.2;
/** Most bytes of samples that wait in memory for the genes to be chosen; others are read twice. */
const MEMORY = 2 ** 30;
/** Share of the spots of every training sample that must show a gene of the panel: the rule's own. */
const PANEL_SHARE = 0.1;
/** Counts every gene of a sample as one of its best: no assay has more. */
const EVERY_GENE = 100_000;

/**
 * The genes, in order: those of a `vocabulary` that exists, with its statistics; `genes` by name; or the best `size`
 * (default 2000) of the training samples, ranked over the `perSample` (default `size`) best of each, the panel and those of
 * `include` among them.
 */
export type GeneChoice =
  | { readonly vocabulary: Vocabulary }
  | { readonly genes: readonly string[] }
  | {
    readonly criterion?: GeneCriterion;
    readonly size?: number | "all";
    readonly perSample?: number;
    readonly include?: readonly string[];
  };

/** What a training set consists of. */
export interface TrainingSetOptions extends PlanOptions {
  readonly genes?: GeneChoice | undefined;
  /** Genes to report on: these, or the best `size` that all training samples show often, by HEST's rule. None by default. */
  readonly panel?: { readonly genes: readonly string[] } | { readonly size: number } | undefined;
  /** What the model reads: `context` (the reference, and the default) or each spot's `own` expression. */
  readonly layer?: Layer | undefined;
  /** What genes get that a sample has not measured; `zero` by default. */
  readonly fill?: Fill | undefined;
  /** Samples that measured a smaller share of the genes are refused; 0.2 by default. */
  readonly leastCoverage?: number | undefined;
  /** How each is read. */
  readonly load?: LoadOptions | undefined;
  /** Look for samples of equal content; on by default. */
  readonly findDuplicates?: boolean | undefined;
  /** Bytes that samples may take while they wait; 1 GiB by default. */
  readonly memory?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called when samples are done; `total` counts those read twice once. */
  onSample?(done: number, total: number, id: string): void;
}

/**
 * Opens data folders.
 *
 * ```ts
 * const set = await openTrainingSet(disk, { folders: ["data/hest"], holdOut: { test: { donors: ["P4"] }, validation: { share: 0.1 } } });
 * const source = openPatchPool(set.patchTable());
 * const variant = { recipe: "hard", seed: 42, epoch: 0 } as const;
 * const batches = epochBatches({ seed: 42, epoch: 0, count: set.pairs("train").length, batch: 64, dropLast: true });
 * for await (const { pairs, data } of source.batches(batches.map((pairs) => ({ pairs, variant })))) {
 *   train(data, set.gather(pairs));
 * }
 * ```
 *
 * @throws {DataError} If there are no samples, one has no patches (`no-patches`), none of the genes or too few of them
 * (`coverage`), or is denied; if patches differ in size, counts are none, or donors leak (`leakage`).
 * @throws {ConfigError} If a name is unknown, or a part cannot be drawn.
 * @throws {FormatError} If a file is damaged.
 */
export async function openTrainingSet(disk: ReadDisk, options: TrainingSetOptions): Promise<TrainingSet> {
  const { order, roles, infos, warnings } = planTrainingSet(disk, options);
  const opening = new Opening(disk, options, roles);
  for (const [i, sample] of order.entries()) await opening.read(sample, i, order.length);
  // Named donors were looked at before anything was read; equal content can be only now.
  const reports = leakageOf(roles, infos, opening.digests, options);
  const { vocabulary, panel, absent } = await opening.choose();
  const { panelLeftOut } = opening;
  const placed = await opening.place(order, vocabulary, donorNames(infos));
  return new TrainingSet(disk, vocabulary, reports, {
    placed,
    load: options.load ?? {},
    panel,
    panelLeftOut,
    warnings: [...warnings, ...absent, ...describeSplits(reports)],
    digests: opening.digests.map(({ counts }) => counts),
  });
}

/** Lets timers and signals in, which reading without a pause would not; ends where the signal says so. */
export async function letIn(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return;
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal.throwIfAborted();
}

/** Genes that were chosen, and what they are of, before samples are put into their columns. */
export interface ChosenGenes extends TrainingSetPlan {
  readonly vocabulary: Vocabulary;
  readonly panel: readonly string[];
  /** Pairs of each sample. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * Chooses genes as {@linkcode openTrainingSet}, and keeps no sample: each is read, counted and left.
 *
 * @throws {DataError | ConfigError | FormatError} As {@linkcode openTrainingSet}.
 */
export async function chooseGenes(disk: ReadDisk, options: TrainingSetOptions): Promise<ChosenGenes> {
  const plan = planTrainingSet(disk, options);
  const opening = new Opening(disk, { ...options, memory: 0 }, plan.roles);
  for (const [i, sample] of plan.order.entries()) await opening.read(sample, i, plan.order.length);
  const reports = leakageOf(plan.roles, plan.infos, opening.digests, options);
  const { vocabulary, panel, absent } = await opening.choose();
  const warnings = [...plan.warnings, ...absent, ...describeSplits(reports), ...gatherWarnings(opening.warnings)];
  return { ...plan, vocabulary, panel, counts: opening.counts, warnings };
}

/** Name of the group of donors of each sample. */
function donorNames(infos: readonly SampleInfo[]): Map<string, string> {
  return new Map(donorGroups(infos).flatMap(({ key, samples }) => samples.map((id) => [id, key] as const)));
}

/** What is known while samples are read. */
class Opening {
  readonly digests: SampleDigest[] = [];
  /** Pairs of each sample. */
  readonly counts = new Map<string, number>();
  /** Of the samples. */
  readonly warnings: string[] = [];
  readonly #builder: VocabularyBuilder;
  /** Samples that wait for the genes. */
  readonly #held = new Map<string, LoadedSample>();
  /** Names of the genes of samples that are held out. */
  readonly #heldOut: { readonly sample: string; readonly genes: readonly string[] }[] = [];
  /** Rows of the pairs of training samples in their tables. */
  readonly #training = new Map<SampleFiles, Uint32Array>();
  /** Genes of the panel in whose place others were chosen, for held-out samples lack them. */
  panelLeftOut: readonly LeftOut[] = [];
  #room: number;
  #size: { readonly id: string; readonly pixels: number } | undefined;

  constructor(readonly disk: ReadDisk, readonly options: TrainingSetOptions, readonly roles: Roles) {
    const genes = options.genes ?? {};
    const choice = "vocabulary" in genes || "genes" in genes ? {} : genes;
    const { criterion = "hvg", size = 2000 } = choice;
    const perSample = choice.perSample ?? (size === "all" ? EVERY_GENE : size);
    this.#builder = new VocabularyBuilder({ criterion, perSample });
    this.#room = options.memory ?? MEMORY;
  }

  /** Reads a sample for the first time. */
  async read(files: SampleFiles, done: number, total: number): Promise<void> {
    const { options } = this;
    await letIn(options.signal);
    const sample = await loadSample(this.disk, files, options.load);
    this.#checkSize(sample);
    this.counts.set(files.id, sample.count);
    this.warnings.push(...sample.warnings);
    if (options.findDuplicates !== false) this.digests.push(digestSample(sample.raw));
    const choosing = !("vocabulary" in (options.genes ?? {}));
    if (this.roles.get(files.id) === "train") {
      if (choosing) this.#builder.add(sample.expression);
      this.#training.set(files, sample.spots);
    } else this.#heldOut.push({ sample: files.id, genes: sample.raw.genes });
    const { own, context } = sample.expression;
    const bytes = bytesOf(own.matrix) + (context === own ? 0 : bytesOf(context.matrix));
    if (bytes <= this.#room) {
      this.#room -= bytes;
      const { raw: _, ...rest } = sample;
      this.#held.set(files.id, { ...rest, raw: { ...sample.raw, matrix: dense(0, 0, []) } });
    }
    options.onSample?.(done + 1, total, files.id);
  }

  #checkSize({ id, patches: { size } }: LoadedSample): void {
    this.#size ??= { id, pixels: size };
    if (this.#size.pixels === size) return;
    throw new DataError(
      `Cannot train on ${id}: patches of ${size} pixels, ${this.#size.pixels} as of ${this.#size.id} wanted`,
      {
        code: "patch-size",
        hint: "Cut all patches with one size, or train on one kind at a time",
        context: { sample: id },
      },
    );
  }

  /** The genes, those to report on, and a word on those that were asked for in vain. */
  async choose(): Promise<{ vocabulary: Vocabulary; panel: readonly string[]; absent: string[] }> {
    const { genes: choice = {}, panel: wanted } = this.options;
    if ("vocabulary" in choice || "genes" in choice) {
      const vocabulary = "vocabulary" in choice ? choice.vocabulary : this.#builder.take(choice.genes);
      const known = new Set(vocabulary.genes);
      const panel = await this.#panel(vocabulary.genes.length, vocabulary.genes);
      const outside = panel.filter((name) => !known.has(name));
      return {
        vocabulary,
        panel,
        absent: told(outside, "of the panel that the genes given lack"),
      };
    }
    const { size = 2000, include = [] } = choice;
    // Where the genes named leave no room, the panel is of them.
    const panel = include.length === size
      ? await this.#panel(size, include)
      : await this.#panel(size === "all" ? Infinity : size - include.length);
    const vocabulary = this.#builder.finish(size, [...include, ...panel]);
    const { known } = this.#builder;
    const lost = include.filter((name) => !known.has(name));
    if (lost.length > 0 && lost.length === include.length) {
      const near = nearest(lost[0]!, [...known]);
      throw new ConfigError(`Cannot include ${lost.slice(0, 8).join(", ")}: no training sample has any of them`, {
        code: "unknown-name",
        hint: near === undefined ? `Names here are like ${[...known].slice(0, 3).join(", ")}` : `Perhaps ${near}`,
        context: { given: lost.slice(0, 100) },
      });
    }
    const ofPanel = wanted && "genes" in wanted ? panel.filter((name) => !known.has(name)) : [];
    const absent = [...new Set([...lost, ...ofPanel])];
    return { vocabulary, panel, absent: told(absent, "asked for that no training sample has") };
  }

  /** @param most Genes there is room for. @param among Genes to choose from; all by default. */
  async #panel(most: number, among?: readonly string[]): Promise<readonly string[]> {
    const { panel } = this.options;
    if (panel === undefined || "genes" in panel) return panel?.genes ?? [];
    const raw: Expression[] = [];
    // One after another: each opens its file.
    for (const [files, spots] of this.#training) raw.push(await loadRaw(this.disk, files, spots, this.options.load));
    const known = among && new Set(among);
    const eligible = commonGenes(raw, PANEL_SHARE).filter((name) => known?.has(name) ?? true);
    const choose = (genes: readonly string[]) => {
      const size = Math.min(panel.size, Math.max(0, most), genes.length);
      return size === 0 ? [] : choosePanel(raw, { genes: size, minShare: PANEL_SHARE, among: genes });
    };
    const lacking = lackedBy(this.#heldOut);
    const chosen = choose(eligible);
    const written = (gene: string) => raw.find((one) => one.written?.has(gene))?.written?.get(gene) ?? gene;
    this.panelLeftOut = leftOutOf(chosen, lacking).map((one) => ({ ...one, gene: written(one.gene) }));
    // What is not measured where it is to be judged makes room for others; of held-out samples only names are looked at.
    return this.panelLeftOut.length === 0 ? chosen : choose(eligible.filter((gene) => lacking(gene) === undefined));
  }

  /** Puts the samples into the columns of the genes. */
  async place(
    order: readonly SampleFiles[],
    vocabulary: Vocabulary,
    donors: ReadonlyMap<string, string>,
  ): Promise<Placed[]> {
    const out: Placed[] = [];
    for (const files of order) {
      this.options.signal?.throwIfAborted();
      const loaded = this.#held.get(files.id) ?? await loadSample(this.disk, files, this.options.load);
      this.#held.delete(files.id);
      out.push(this.#placed(files, loaded, vocabulary, donors.get(files.id)!));
    }
    return out;
  }

  #placed(files: SampleFiles, loaded: LoadedSample, vocabulary: Vocabulary, donor: string): Placed {
    const { layer = "context", fill = "zero" } = this.options;
    const { data: x, coverage } = applyVocabulary(vocabulary, loaded.expression, { layer, fill });
    checkCoverage(vocabulary, coverage, this.options.leastCoverage);
    const own = applyVocabulary(vocabulary, loaded.expression, { layer: "own", fill }).data;
    const { id, count, barcodes, patches, spatial, pitch, arrayRow, arrayColumn, dropped, selfTest, spots } = loaded;
    const { smoothed } = loaded.expression.report;
    const places = { spatial, pitch, arrayRow, arrayColumn };
    const role = this.roles.get(id)!;
    return {
      sample: { id, role, donor, files, count, barcodes, patches, smoothed, coverage, ...places, dropped, selfTest },
      x,
      own: toCsr(dense(count, vocabulary.genes.length, own)),
      spots,
      warnings: coverage.warning === undefined ? loaded.warnings : [...loaded.warnings, coverage.warning],
    };
  }
}

/**
 * Refuses a sample that measured too few of the genes.
 *
 * @throws {DataError} With code `coverage`.
 */
export function checkCoverage(
  { genes }: Vocabulary,
  { sample, coverage, missing }: Coverage,
  least: number = LEAST_COVERAGE,
): void {
  if (coverage >= least) return;
  throw new DataError(
    `Cannot train on ${sample}: ${genes.length - missing.length} of ${genes.length} genes were measured, ` +
      `${Math.ceil(least * genes.length)} wanted`,
    {
      code: "coverage",
      hint: "Leave the sample out (exclude_samples), name genes all samples have (gene_list), or lower least_coverage",
      context: { sample, coverage, missing: missing.slice(0, 100) },
    },
  );
}

/** A warning that names genes; nothing where there are none. */
function told(genes: readonly string[], which: string): string[] {
  if (genes.length === 0) return [];
  const names = genes.slice(0, 8).join(", ") + (genes.length > 8 ? ", …" : "");
  return [`${genes.length} ${genes.length === 1 ? "gene" : "genes"} ${which}: ${names}`];
}

function bytesOf(matrix: Matrix): number {
  return matrix.data.byteLength + (matrix.kind === "csr" ? matrix.indices.byteLength + matrix.indptr.byteLength : 0);
}
