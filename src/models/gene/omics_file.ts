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

import { FormatError } from "../../core/errors.ts";
import type { SafetensorsInput } from "../../io/safetensors.ts";
import { normalizeSealNames, type Shaped } from "../../io/seal_checkpoint.ts";
import type { WeightTensor } from "../../io/weight_tensor.ts";
import type { Parameters } from "../../nn/parameters.ts";
import type { HeadKind } from "../projection_head.ts";
import { loadState, type StateReport, stateTensors } from "../state_dict.ts";
import type { GeneModelConfig } from "./registry.ts";

/** What an omics checkpoint holds. */
export interface OmicsFile {
  /** Model and sizes, for `createGeneModel`. A masked autoencoder cannot be told from an `mlp`. */
  readonly config: GeneModelConfig;
  /** Its projection head, for `createProjectionHead`; `linear` also where the file says `projection_head.0`. */
  readonly head: HeadKind;
}

/** Shapes by normalised name, and how to refuse them. */
class Shapes {
  readonly names: ReadonlyMap<string, readonly number[]>;

  constructor(tensors: ReadonlyMap<string, Shaped>, readonly file: string) {
    const plain = normalizeSealNames(tensors.keys(), file);
    this.names = new Map([...plain].map(([original, name]) => [name, tensors.get(original)!.shape]));
  }

  /** Indices that follow `before` in names that end in `after`, ascending. */
  indices(before: string, after: string): number[] {
    const found = [...this.names.keys()].flatMap((name) => {
      const index = name.startsWith(before) && name.endsWith(after) ? name.slice(before.length, -after.length) : "";
      return /^\d{1,4}$/.test(index) ? [Number(index)] : [];
    });
    return found.sort((a, b) => a - b);
  }

  /** Extents of a matrix. */
  matrix(name: string): readonly [number, number] {
    const shape = this.names.get(name);
    if (shape?.length === 2) return shape as unknown as readonly [number, number];
    throw this.fail(name, shape ? `has ${shape.length} dimensions` : "is missing", "a matrix");
  }

  /** Matrices `before.N.weight` in order: linear layers, not normalisations. */
  linears(before: string): (readonly [number, number])[] {
    return this.indices(`${before}.`, ".weight")
      .filter((index) => this.names.get(`${before}.${index}.weight`)!.length === 2)
      .map((index) => this.matrix(`${before}.${index}.weight`));
  }

  fail(name: string, found: string, expected: string): FormatError {
    return new FormatError(
      `Cannot read ${this.file} as a SEAL gene model: "${name.slice(0, 160)}" ${found}, expected ${expected}`,
      { context: { file: this.file, key: name, found, expected } },
    );
  }
}

function vaeOf(shapes: Shapes): GeneModelConfig {
  const layers = shapes.linears("encoder");
  if (!layers.length) throw shapes.fail("encoder.0.weight", "is missing", "a matrix");
  return {
    name: "vae",
    genes: layers[0]![1],
    dim: shapes.matrix("fc_mu.weight")[0],
    hidden: layers.map(([out]) => out),
    flows: shapes.indices("flows.", ".u").length,
    decoderBatchNorm: shapes.indices("decoder.", ".running_mean").length > 0,
  };
}

function transformerOf(shapes: Shapes): GeneModelConfig {
  const [decoderHidden, dim] = shapes.matrix("decoder.0.weight");
  const layers = shapes.indices("transformer_encoder.layers.", ".linear1.weight").length;
  return {
    name: "transformer",
    genes: shapes.matrix("decoder.2.weight")[0],
    dim,
    decoderHidden,
    width: shapes.matrix("gene_embedding.weight")[0],
    layers,
    hidden: shapes.matrix("transformer_encoder.layers.0.linear1.weight")[0],
    geneEmbeddings: shapes.names.has("gene_identity.weight"),
  };
}

function mlpOf(shapes: Shapes): GeneModelConfig {
  const layers = shapes.linears("projection");
  if (!layers.length) throw shapes.fail("projection.0.weight", "is missing", "a matrix");
  const attention = shapes.indices("decoder.attention.", ".in_proj_weight").length;
  const kind = shapes.names.has("decoder.predictor.0.weight") ? "mlp" : attention ? "transformer" : "linear";
  return {
    name: "mlp",
    genes: layers[0]![1],
    dim: layers.at(-1)![0],
    hidden: layers.slice(0, -1).map(([out]) => out),
    decoder: { kind, ...(attention && { layers: attention }) },
  };
}

/**
 * Reads model and sizes off a checkpoint. Numbers that no tensor tells, such as dropout and attention heads, are left at
 * their defaults.
 *
 * @param tensors Tensors by their names in the file.
 * @param file Name of the file, for messages.
 * @param options `genes` is needed for the model `null` alone, whose file does not tell.
 * @throws {FormatError} If it is no gene model of SEAL, or lacks what its sizes are read from.
 */
export function describeOmics(
  tensors: ReadonlyMap<string, Shaped>,
  file: string,
  { genes }: { genes?: number } = {},
): OmicsFile {
  const shapes = new Shapes(tensors, file);
  const has = (name: string) => shapes.names.has(name);
  if (has("gene_embedding.weight")) return { config: transformerOf(shapes), head: "none" };
  const head = has("projection_head.weight") ? "linear" : has("projection_head.3.weight") ? "mlp2" : "none";
  if (has("fc_mu.weight")) return { config: vaeOf(shapes), head };
  if (has("projection.0.weight")) return { config: mlpOf(shapes), head };
  if (has("dummy_param")) {
    if (genes === undefined) throw shapes.fail("dummy_param", "is all there is", "to be told the number of genes");
    return { config: { name: "null", genes }, head };
  }
  throw shapes.fail(
    [...shapes.names.keys()][0] ?? "",
    "is none of a gene model's names, nor is any other",
    "fc_mu., projection., gene_embedding. or dummy_param",
  );
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
