/**
 * Pairs of patch and expression over many samples, read when they are wanted: one sample's counts and one block of patches are in
 * memory. They are aligned as those of a training set (`training_set.ts`), which holds all expression at once.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { openPatches } from "../io/patches.ts";
import type { ReadDisk, SampleFiles } from "./data_folder.ts";
import { donorGroups } from "./donors.ts";
import { selectPreprocessed } from "./genes/preprocess.ts";
import { applyVocabulary, type Vocabulary } from "./genes/vocabulary.ts";
import type { Role } from "./holdout.ts";
import { loadSample } from "./load_sample.ts";
import { checkCoverage, chooseGenes, type ChosenGenes, letIn, type TrainingSetOptions } from "./open_training_set.ts";

/** Pairs that are made dense together. */
const BLOCK = 256;

/** A sample of a stream. */
export interface StreamSample {
  readonly id: string;
  readonly role: Role;
  /** Name of its group of donors. */
  readonly donor: string;
  readonly files: SampleFiles;
  /** Its pairs. */
  readonly count: number;
}

/** One pair. */
export interface StreamPair {
  /** Id of its sample. */
  readonly sample: string;
  readonly barcode: string;
  /** Side of the patch, px. */
  readonly side: number;
  /** RGB bytes `[side, side, 3]`. */
  readonly rgb: Uint8Array<ArrayBuffer>;
  /** In the columns of the vocabulary, `[genes]`: a view. */
  readonly x: Float32Array;
  /** Centre, pixels of the slide's largest level. */
  readonly xy: readonly [x: number, y: number];
}

/** Data folders whose genes are chosen; pairs are read as often as they are wanted. */
export class PairStream {
  readonly samples: readonly StreamSample[];
  readonly #disk: ReadDisk;
  readonly #options: TrainingSetOptions;
  readonly #chosen: ChosenGenes;

  private constructor(disk: ReadDisk, options: TrainingSetOptions, chosen: ChosenGenes) {
    this.#disk = disk;
    this.#options = options;
    this.#chosen = chosen;
    const donors = new Map(
      donorGroups(chosen.infos).flatMap(({ key, samples }) => samples.map((id) => [id, key] as const)),
    );
    this.samples = chosen.order.map((files) => ({
      id: files.id,
      role: chosen.roles.get(files.id)!,
      donor: donors.get(files.id)!,
      files,
      count: chosen.counts.get(files.id)!,
    }));
  }

  /**
   * Chooses the genes: every sample is read once, one after another.
   *
   * @throws {DataError | ConfigError | FormatError} As `openTrainingSet`.
   */
  static async open(disk: ReadDisk, options: TrainingSetOptions): Promise<PairStream> {
    return new PairStream(disk, options, await chooseGenes(disk, options));
  }

  /** Names, order and training statistics of the genes. */
  get vocabulary(): Vocabulary {
    return this.#chosen.vocabulary;
  }

  /** Genes to report on. */
  get panel(): readonly string[] {
    return this.#chosen.panel;
  }

  /** What the user should know. */
  get warnings(): readonly string[] {
    return this.#chosen.warnings;
  }

  /**
   * Pairs in order of the samples, within one in the order of its patch file.
   *
   * @throws {DataError} If a sample has too few of the genes (`coverage`), or its files changed.
   * @throws {FormatError} If a file is damaged.
   */
  async *pairs(samples: readonly StreamSample[] = this.samples, signal?: AbortSignal): AsyncGenerator<StreamPair> {
    for (const sample of samples) {
      await letIn(signal);
      yield* this.#of(sample, signal);
    }
  }

  async *#of({ id, files, count: known }: StreamSample, signal: AbortSignal | undefined): AsyncGenerator<StreamPair> {
    const { layer = "context", fill = "zero", leastCoverage, load } = this.#options;
    // What the checks of the first reading said is known.
    const loaded = await loadSample(this.#disk, files, { ...load, checkAlignment: false });
    const { patches: { path, rows, size: side }, count, barcodes, spatial: { xy } } = loaded;
    if (count !== known) {
      throw new DataError(`Cannot read pairs of ${id}: it has ${count}, expected ${known} as when it was opened`, {
        code: "data-changed",
        hint: "Open the pairs again",
        context: { sample: id },
      });
    }
    const { genes } = this.vocabulary;
    const patches = await openPatches(this.#disk.open(path, "read"));
    try {
      for (let from = 0; from < count; from += BLOCK) {
        await letIn(signal);
        const block = Uint32Array.from({ length: Math.min(BLOCK, count - from) }, (_, i) => from + i);
        const part = selectPreprocessed(loaded.expression, block);
        const { data, coverage } = applyVocabulary(this.vocabulary, part, { layer, fill });
        if (from === 0) checkCoverage(this.vocabulary, coverage, leastCoverage);
        for (const [i, pair] of block.entries()) {
          const rgb = patches.read(rows[pair]!, rows[pair]! + 1);
          const x = data.subarray(i * genes.length, (i + 1) * genes.length);
          yield { sample: id, barcode: barcodes[pair]!, side, rgb, x, xy: [xy[2 * pair]!, xy[2 * pair + 1]!] };
        }
      }
    } finally {
      patches.close();
    }
  }
}
