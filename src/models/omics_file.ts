/**
 * Gene models in SEAL's omics checkpoints, which carry no configuration: sizes are read off names and shapes.
 *
 * In memory a model's names are those of the file behind a prefix of the caller's. A head of one linear layer loads under
 * either of its spellings.
 *
 * Source: SEAL, `seal/models/encoder_factory.py`, `gene_model.py`.
 *
 * @module
 */

import type { SafetensorsInput } from "../io/torch/safetensors.ts";
import { normalizeSealNames, type Shaped } from "../io/torch/seal_checkpoint.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import type { Parameters } from "../nn/parameters.ts";
import { GENE_MODELS, type GeneModelConfig } from "./gene_registry.ts";
import { OmicsShapes } from "./omics_shapes.ts";
import type { HeadKind } from "./projection_head.ts";
import { loadState, type StateReport, stateTensors } from "./state_dict.ts";

/** What an omics checkpoint holds. */
export interface OmicsFile {
  /** Model and sizes, for `createGeneModel`. A masked autoencoder cannot be told from an `mlp`. */
  readonly config: GeneModelConfig;
  /** Its projection head, for `createProjectionHead`; `linear` also where the file says `projection_head.0`. */
  readonly head: HeadKind;
}

/**
 * Reads model and sizes off a checkpoint. Numbers that no tensor tells, such as dropout and attention heads, are left at
 * their defaults.
 *
 * @param tensors Tensors by their names in the file.
 * @param file Name of the file, for messages.
 * @param options `genes` is needed for the model `identity` alone, whose file does not tell.
 * @throws {FormatError} If it is no gene model of SEAL, or two, or lacks what its sizes are read from.
 */
export function describeOmics(
  tensors: ReadonlyMap<string, Shaped>,
  file: string,
  { genes }: { genes?: number } = {},
): OmicsFile {
  const shapes = new OmicsShapes(tensors, file);
  const files = Object.entries(GENE_MODELS).flatMap(([name, { file }]) => (file ? [{ name, file }] : []));
  const [found, other] = files.filter(({ file: { marker } }) => shapes.names.has(marker));
  if (found === undefined) {
    const markers = files.map(({ file }) => file.marker);
    throw shapes.fail(
      [...shapes.names.keys()][0] ?? "",
      "is none of a gene model's names, nor is any other",
      `${markers.slice(0, -1).join(", ")} or ${markers.at(-1)}`,
    );
  }
  if (other !== undefined) {
    throw shapes.fail(other.file.marker, `stands beside ${found.file.marker}`, "the names of one gene model");
  }
  const { name, file: { sizes, ownHead } } = found;
  const has = (name: string) => shapes.names.has(name);
  const deep = has("projection_head.3.weight") ? "mlp2" : "none";
  return {
    config: { name, ...sizes(shapes, genes) } as GeneModelConfig,
    head: ownHead ? "none" : has("projection_head.weight") ? "linear" : deep,
  };
}

/** Which parameters belong to a file. */
export interface OmicsPlace {
  /** Before the names of model and head in memory; default none. */
  readonly prefix?: string;
}

/** Names in memory behind the prefix, by their normalised form. */
function placesOf(parameters: Parameters, prefix: string): Map<string, string> {
  const own = parameters.state().flatMap(([name]) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  return new Map([...normalizeSealNames(own, "the model")].map(([name, plain]) => [plain, `${prefix}${name}`]));
}

/**
 * Loads a checkpoint into a model, and into its head if there is one in memory.
 *
 * @param parameters Hold the model; memory is made if it has none yet.
 * @param tensors Tensors by their names in the file.
 * @param options `file` is its name, for messages; `strict` false loads what fits and reports the rest.
 * @throws {WeightsError} If shapes differ, or names do and it is strict.
 */
export async function loadOmics(
  parameters: Parameters,
  tensors: ReadonlyMap<string, WeightTensor>,
  { file, strict = true, prefix = "" }: OmicsPlace & { file: string; strict?: boolean },
): Promise<StateReport> {
  const places = placesOf(parameters, prefix);
  const given = new Map([...normalizeSealNames(tensors.keys(), file)].map(([original, plain]) => [plain, original]));
  const entries = [...places].map(([plain, name]) => ({ name, tensor: tensors.get(given.get(plain) ?? "") }));
  const unexpected = [...given].filter(([plain]) => !places.has(plain)).map(([, original]) => original);
  return await loadState(parameters, entries, unexpected, { file, strict });
}

/**
 * Tensors of an omics checkpoint, for `pthChunks`: the model's parameters and buffers, and its head's.
 *
 * @param options `wrapped` (default) puts `module.` before every name, as SEAL's published files have it.
 */
export function omicsTensors(
  parameters: Parameters,
  { prefix = "", wrapped = true }: OmicsPlace & { wrapped?: boolean } = {},
): Promise<Map<string, SafetensorsInput>> {
  const names = parameters.state().flatMap(([name]): [string, string][] =>
    name.startsWith(prefix) ? [[name, `${wrapped ? "module." : ""}${name.slice(prefix.length)}`]] : []
  );
  return stateTensors(parameters, new Map(names));
}
