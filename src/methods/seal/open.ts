/**
 * A trained SEAL run, opened for use: its encoder as it was fed in training, its adapter, heads and vocabulary.
 *
 * @module
 */

import { WeightsError } from "../../core/errors.ts";
import { parseVocabulary } from "../../data/genes/vocabulary.ts";
import type { Gpu } from "../../gpu/device.ts";
import { type Adapter, readAdapter } from "../../io/torch/peft.ts";
import { fromMap } from "../../io/random_access.ts";
import { readSafetensorsF32 } from "../../io/torch/safetensors.ts";
import { checkFed, type FedAs, type OpenedEncoder } from "../../models/opened_encoder.ts";
import type { Host } from "../../train/host.ts";
import { openVision } from "../../train/open_rows.ts";
import type { FoundCheckpoint } from "../../train/run.ts";
import type { OpenedModel, TrainedRun, UseOptions } from "../method.ts";
import { loadHead, loadModel, SEAL_FILES } from "./checkpoint.ts";
import type { SealConfig } from "./config.ts";
import { readOptions } from "../../train/pair_data.ts";
import { createSealModel } from "./model.ts";
import { Trained } from "./trained.ts";

/**
 * What a run's checkpoint says before a device is open.
 *
 * @throws {WeightsError | DataError} If it lacks its vocabulary, or that is damaged.
 */
export function trainedRun(config: SealConfig, found: FoundCheckpoint): TrainedRun {
  const bytes = found.read(SEAL_FILES.genes);
  if (!bytes) throw new WeightsError(`Cannot load ${found.path}: ${SEAL_FILES.genes} is missing`);
  const vocabulary = parseVocabulary(bytes, `${found.path}/${SEAL_FILES.genes}`);
  return {
    encoder: config.input.encoder,
    vocabulary,
    organs: config.model.organ_token,
    data: (lenience) => readOptions(config, lenience),
    open: (gpu, host, options) => openModel(gpu, config, { found, vocabulary }, host, options),
  };
}

async function openModel(
  gpu: Gpu,
  given: SealConfig,
  { found, vocabulary }: Pick<TrainedRun, "vocabulary"> & { readonly found: FoundCheckpoint },
  host: Host,
  options: UseOptions,
): Promise<OpenedModel> {
  const config = forUse(given, options);
  // What it was fed in training, the starting adapter of which is not asked again.
  const fed = (found.state ?? {}) as FedAs;
  const image_size = fed.image_size ?? config.input.image_size;
  const input = { ...config.input, image_size };
  const trained = await adapterOf(found);
  const { opened } = await openVision(gpu, { ...config, input }, host, { tuningSize: false, trained });
  trained?.close();
  checkWeights(opened, found);
  checkFed(fed, opened, found.path, image_size);
  const slides = slidesOf(found, config);
  const seal = createSealModel(opened.encoder, config, { genes: vocabulary.genes.length, slides });
  seal.parameters.allocate();
  if (options.head === undefined) loadModel(seal, found.read, found.path);
  else loadHead(seal, options.head, found);
  const model = new Trained(seal, vocabulary, options.batchSize, config.genes.gene_centre);
  return {
    model,
    async close() {
      await model.destroy();
      seal.parameters.destroy();
    },
  };
}

/** The checkpoint's adapter, if it has one. */
async function adapterOf({ read, path }: FoundCheckpoint): Promise<Adapter | undefined> {
  const files = ["adapter_config.json", "adapter_model.safetensors"].flatMap((name): [string, Uint8Array][] => {
    const bytes = read(name);
    return bytes ? [[name, bytes]] : [];
  });
  return files.length === 2 ? await readAdapter(fromMap(new Map(files), path)) : undefined;
}

/** The configuration with what only training needs left out: weights to start from come from the checkpoint. */
function forUse(config: SealConfig, { encoder, precision }: UseOptions): SealConfig {
  return {
    ...config,
    input: { ...config.input, adapter: null, omics: null, ...(encoder === undefined ? {} : { encoder }) },
    optim: { ...config.optim, ...(precision === undefined ? {} : { precision }) },
  };
}

function checkWeights({ name, weightsHash }: OpenedEncoder, { path, state }: FoundCheckpoint): void {
  const { weights, encoder } = state as { weights?: string; encoder?: string };
  if (weights === undefined || weights === weightsHash) return;
  throw new WeightsError(`Cannot load ${path}: it was trained on other weights of ${encoder} than ${name} has here`, {
    hint: "Name the weights it was trained on with --encoder",
    context: { given: weightsHash, wanted: weights },
  });
}

/** Classes of the discriminator, which depend on the slides that were trained on. */
function slidesOf({ read, path }: FoundCheckpoint, { loss }: SealConfig): number {
  if (!(loss.lambda_da > 0)) return 0;
  const bytes = read(SEAL_FILES.heads);
  const heads = bytes && readSafetensorsF32(bytes, `${path}/${SEAL_FILES.heads}`).tensors;
  return heads?.get("out_layer.weight")?.shape[0] ?? 0;
}
