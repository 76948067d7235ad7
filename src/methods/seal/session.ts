/**
 * From a configuration to everything a SEAL run works with: data, encoder, model, rows, optimiser.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { SampleFiles } from "../../data/data_folder.ts";
import type { PatchSource } from "../../data/patch_source.ts";
import type { TrainingSet } from "../../data/training_set.ts";
import type { Gpu } from "../../gpu/device.ts";
import { openWeights } from "../../io/torch/weights.ts";
import { loadOmics } from "../../models/omics_file.ts";
import type { OpenedEncoder } from "../../models/opened_encoder.ts";
import { organId, ORGANS } from "../../models/organ_token.ts";
import type { AdamW } from "../../optim/adamw.ts";
import type { SealConfig } from "./config.ts";
import type { DataMark, Host } from "../../train/host.ts";
import { imagesAtATime, type OpenedRows, openRows, openVision } from "../../train/open_rows.ts";
import type { VisionPart } from "../../train/trainable.ts";
import { Inference } from "./inference.ts";
import { createSealModel, GENE_PREFIX, type SealModel } from "./model.ts";
import { openOptimizer } from "./optimizer.ts";

/** Everything of a run. */
export interface SealSession {
  readonly config: SealConfig;
  readonly gpu: Gpu;
  readonly host: Host;
  readonly set: TrainingSet;
  /** What tells these data from others. */
  readonly data: DataMark;
  readonly patches: PatchSource;
  readonly opened: OpenedEncoder;
  readonly vision: VisionPart;
  readonly model: SealModel;
  readonly optimizer: AdamW;
  /** Images as training sees them. */
  readonly rows: OpenedRows;
  /** Patches as they are. */
  readonly plain: Inference;
  /** What the gene model and the losses see of pairs, `[pairs, genes]`; centred in their samples where that is asked for. */
  expression(pairs: ArrayLike<number>): Float32Array<ArrayBuffer>;
  /** Organ of each sample; empty without an organ token. */
  readonly organs: readonly number[];
  close(): void;
}

/** Starts the gene model from a file of another run. */
async function startGenes(model: SealModel, file: string, host: Host): Promise<void> {
  host.checkFile(file);
  const weights = await openWeights(await host.openFile(file));
  try {
    await loadOmics(model.parameters, weights.tensors, { file, prefix: GENE_PREFIX });
  } finally {
    weights.close();
  }
}

/**
 * Organ of each sample, for a model with an organ token; none for others.
 *
 * @throws {DataError} If the metadata of one name none, or none that the token knows.
 */
export function organsOf(samples: readonly SampleFiles[], { model }: SealConfig): number[] {
  if (!model.organ_token) return [];
  return samples.map(({ id, metadata }) => {
    const text = metadata?.text("organ");
    if (text !== undefined) return organId(text);
    throw new DataError(
      `Cannot use organ_token: the metadata of ${id} name no organ, wanted one of ${ORGANS.join(", ")}`,
      { hint: `Name it in metadata/${id}.json, or train with organ_token=false`, context: { sample: id } },
    );
  });
}

/** Reads expression of pairs, less the mean of each gene over the sample's pairs with `centre`. */
export function expressionOf(
  set: Pick<TrainingSet, "samples" | "genes" | "matrix" | "gather" | "locate">,
  centre: boolean,
): SealSession["expression"] {
  if (!centre) return (pairs) => set.gather(pairs);
  const { genes } = set;
  const means = set.samples.map(({ count }, sample) => {
    const [x, sums] = [set.matrix(sample), new Float64Array(genes)];
    for (let at = 0; at < x.length; at++) sums[at % genes]! += x[at]!;
    return sums.map((sum) => sum / count);
  });
  return (pairs) => {
    const x = set.gather(pairs);
    for (let i = 0; i < pairs.length; i++) {
      const mean = means[set.locate(pairs[i]!).sample]!;
      for (let gene = 0; gene < genes; gene++) x[i * genes + gene]! -= mean[gene]!;
    }
    return x;
  };
}

/** Opens everything. */
export async function openSession(gpu: Gpu, config: SealConfig, set: TrainingSet, host: Host): Promise<SealSession> {
  const data = await host.markData(set);
  const patches = host.openPatches(set.patchTable(), config.input.workers ?? undefined);
  const { opened, vision } = await openVision(gpu, config, host);
  const slides = set.samples.filter(({ role }) => role === "train").length;
  const model = createSealModel(opened.encoder, config, { genes: set.genes, slides });
  model.parameters.allocate();
  if (config.input.omics !== null) await startGenes(model, config.input.omics, host);
  const { optimizer, destroy: closeOptimizer } = openOptimizer(model, vision, config);
  const rows = await openRows({ config, gpu, set, data, patches, opened }, host);
  const plain = await Inference.create(model, rows.input, imagesAtATime(gpu));
  return {
    config,
    gpu,
    host,
    set,
    data,
    patches,
    opened,
    vision,
    model,
    optimizer,
    rows,
    plain,
    expression: expressionOf(set, config.genes.gene_centre),
    organs: organsOf(set.samples.map(({ files }) => files), config),
    close() {
      plain.destroy();
      rows.close();
      patches.close();
      closeOptimizer();
      model.parameters.destroy();
    },
  };
}
