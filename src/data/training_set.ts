/**
 * Pairs of patch and expression over many samples, ready to be trained on; `open_training_set.ts` makes one of data folders.
 *
 * Pairs are numbered through: those of training samples first, then validation, then test; within a sample in the order of
 * its patch file. Expression is in memory, 4 bytes a pair and gene; patches are not (`patchTable`, for `patch_source.ts`).
 *
 * @module
 */

import type { Expression } from "./counts.ts";
import type { ReadDisk, SampleFiles } from "./data_folder.ts";
import { digestText, hexOf } from "./digest.ts";
import type { Role } from "./holdout.ts";
import type { LeakageReport } from "./leakage.ts";
import { type LoadedSample, type LoadOptions, loadRaw, type PairPatches } from "./load_sample.ts";
import { type Csr, dense, gatherColumns, toDense } from "./matrix.ts";
import { log1p } from "./genes/normalise.ts";
import { type LeftOut, panelColumns } from "./genes/panel.ts";
import type { PatchTable } from "./patch_reader.ts";
import { gatherWarnings } from "./sample_checks.ts";
import { type NearPairs, nearPairs } from "./sampler.ts";
import { type Coverage, LEAST_STD, lossStatistics, type Vocabulary, vocabularyHash } from "./genes/vocabulary.ts";

/** A sample of the set. */
export interface TrainingSample {
  readonly id: string;
  readonly role: Role;
  /** Name of its group of donors, `dataset / patient` where both are known. */
  readonly donor: string;
  readonly files: SampleFiles;
  /** Number of its first pair. */
  readonly first: number;
  /** Its pairs. */
  readonly count: number;
  readonly barcodes: readonly string[];
  readonly patches: PairPatches;
  /** Whether neighbours are mixed into the `context` layer. */
  readonly smoothed: boolean;
  readonly coverage: Coverage;
  /** Centres `[count, 2]` in pixels of the slide's largest level, and pixels between neighbouring spots. */
  readonly spatial: LoadedSample["spatial"];
  readonly pitch: number;
  /** `[count]`; NaN where the file does not tell. */
  readonly arrayRow: Float64Array;
  readonly arrayColumn: Float64Array;
  readonly dropped: LoadedSample["dropped"];
  readonly selfTest: LoadedSample["selfTest"];
}

/** A sample with its numbers, not yet in its place. */
export interface Placed {
  readonly sample: Omit<TrainingSample, "first">;
  readonly x: Float32Array<ArrayBuffer>;
  readonly own: Csr;
  readonly spots: Uint32Array;
  readonly warnings: readonly string[];
}

/** Pairs in memory. */
export class TrainingSet {
  /** Training samples first, then validation, then test. */
  readonly samples: readonly TrainingSample[];
  /** Pairs of all samples. */
  readonly count: number;
  /** Mean and deviation (ddof 1, at least 0.001) of each gene's own expression over the training pairs, `[genes]`. */
  readonly statistics: { readonly mean: Float32Array<ArrayBuffer>; readonly std: Float32Array<ArrayBuffer> };
  /** Genes constant over the training pairs; their deviation counts as 0.001. */
  readonly constant: readonly string[];
  /** Genes to report on, if any were asked for. */
  readonly panel: readonly string[];
  /** Genes in whose place others are in the panel, for held-out samples lack them. */
  readonly panelLeftOut: readonly LeftOut[];
  /** What the user should know. */
  readonly warnings: readonly string[];
  /** Changes when samples, pairs, counts or genes do: 32 hexadecimal digits. */
  readonly fingerprint: string;
  readonly #disk: ReadDisk;
  readonly #load: LoadOptions;
  readonly #placed: readonly Placed[];

  /** Made by {@linkcode openTrainingSet}. */
  constructor(
    disk: ReadDisk,
    /** Names and order of the genes. */
    readonly vocabulary: Vocabulary,
    /** Donors or content on two sides, for each pair of sides. */
    readonly leakage: readonly LeakageReport[],
    parts: {
      placed: readonly Placed[];
      load: LoadOptions;
      panel: readonly string[];
      panelLeftOut: readonly LeftOut[];
      warnings: readonly string[];
      digests: readonly string[];
    },
  ) {
    this.#disk = disk;
    this.#load = parts.load;
    this.#placed = parts.placed;
    this.panel = parts.panel;
    this.panelLeftOut = parts.panelLeftOut;
    let first = 0;
    this.samples = parts.placed.map(({ sample }) => {
      first += sample.count;
      return { ...sample, first: first - sample.count };
    });
    this.count = first;
    this.statistics = lossStatistics(vocabulary);
    this.constant = vocabulary.genes.filter((_, g) => !(vocabulary.std[g]! > LEAST_STD));
    this.warnings = [
      ...parts.warnings,
      ...gatherWarnings(parts.placed.flatMap(({ warnings }) => warnings)),
      ...this.#general(),
    ];
    const content = this.samples.map(({ id, role, barcodes, patches }, i) =>
      [id, role, barcodes.join(), patches.rows.join(), parts.digests[i]].join("\n")
    );
    this.fingerprint = hexOf(digestText([vocabularyHash(vocabulary), ...content].join("\n")));
  }

  /** Genes of the vocabulary. */
  get genes(): number {
    return this.vocabulary.genes.length;
  }

  /** Numbers of the pairs of a role, ascending: for `train` they are 0 up to its count. */
  pairs(role: Role): Uint32Array<ArrayBuffer> {
    const own = this.samples.filter((sample) => sample.role === role);
    const first = own[0]?.first ?? 0;
    return Uint32Array.from({ length: own.reduce((sum, { count }) => sum + count, 0) }, (_, i) => first + i);
  }

  /** Where a pair is: the place of its sample in `samples`, and its row there. */
  locate(pair: number): { sample: number; row: number } {
    let [low, high] = [0, this.samples.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.samples[middle]!.first <= pair) low = middle;
      else high = middle - 1;
    }
    return { sample: low, row: pair - this.samples[low]!.first };
  }

  /** What the model reads of a pair, `[genes]`: a view, not to be written to. */
  expression(pair: number): Float32Array<ArrayBuffer> {
    const { sample, row } = this.locate(pair);
    return this.#placed[sample]!.x.subarray(row * this.genes, (row + 1) * this.genes);
  }

  /** What the model reads of several pairs, `[pairs, genes]`. @param out Filled and returned, where given. */
  gather(
    pairs: ArrayLike<number>,
    out: Float32Array<ArrayBuffer> = new Float32Array(pairs.length * this.genes),
  ): Float32Array<ArrayBuffer> {
    for (let i = 0; i < pairs.length; i++) out.set(this.expression(pairs[i]!), i * this.genes);
    return out;
  }

  /** What the model reads of a sample, `[count, genes]`: a view, not to be written to. */
  matrix(sample: number): Float32Array<ArrayBuffer> {
    return this.#placed[sample]!.x;
  }

  /** Log-normalised expression of a sample's spots alone, without their neighbours', `[count, genes]`. */
  own(sample: number): Float32Array {
    return toDense(this.#placed[sample]!.own).data;
  }

  /** Raw counts of a sample's pairs, all genes, names prepared; read again from its file. */
  raw(sample: number): Promise<Expression> {
    return loadRaw(this.#disk, this.samples[sample]!.files, this.#placed[sample]!.spots, this.#load);
  }

  /**
   * `ln(1 + count)` of chosen genes of a sample's pairs, `[count, panel]`; read again from its file.
   *
   * @param panel Names as prepared, which are in upper case.
   * @throws {DataError} If the sample lacks one.
   */
  async logCounts(sample: number, panel: readonly string[]): Promise<Float32Array> {
    const raw = await this.raw(sample);
    const counts = gatherColumns(raw.matrix, panelColumns(panel, raw));
    return toDense(log1p(dense(raw.spots.length, panel.length, counts))).data;
  }

  /** Where all pairs' patches are. */
  patchTable(): PatchTable {
    const [file, row] = [new Uint32Array(this.count), new Uint32Array(this.count)];
    for (const [i, { first, count, patches }] of this.samples.entries()) {
      file.fill(i, first, first + count);
      row.set(patches.rows, first);
    }
    const [{ patches: { size } }] = this.samples as [TrainingSample];
    return { files: this.samples.map(({ patches }) => patches.path), file, row, size };
  }

  /** Training pairs close together, for `planEpoch`. @param within Distance in spots. */
  near(within: number): NearPairs {
    return nearPairs(this.samples.filter(({ role }) => role === "train"), within);
  }

  #general(): string[] {
    const sizes = this.samples.flatMap(({ patches: { pixelSize } }) => pixelSize ?? []);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    const few = this.constant.slice(0, 5).join(", ") + (this.constant.length > 5 ? ", …" : "");
    return [
      ...(this.constant.length > 0
        ? [
          `${this.constant.length} genes are constant over the training pairs (${few}): deviation ${LEAST_STD} is used`,
        ]
        : []),
      ...(most > 1.05 * least
        ? [`patches of ${least.toPrecision(3)} to ${most.toPrecision(3)} µm a pixel are mixed`]
        : []),
    ];
  }
}
