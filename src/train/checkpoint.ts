/**
 * A checkpoint: everything a run needs to go on as if it had never stopped, and what others read of it.
 *
 * | file | content |
 * |---|---|
 * | `adapter_config.json`, `adapter_model.safetensors` | low-rank updates, as PEFT loads them |
 * | `vision.safetensors` | the encoder's own weights that train, under timm's names, where any do |
 * | `omics.safetensors` | gene model and its head, under the names of SEAL's omics files |
 * | `heads.safetensors` | image decoder, projection head, temperature and what else is added, under SEAL's names |
 * | `genes.json` | vocabulary with its statistics |
 * | `optimizer.safetensors` | moments and counters of AdamW |
 * | `trainer_state.json` | where the run is, and the checksums of all others; written last, so that a folder with it is whole |
 *
 * @module
 */

import { NumericsError, WeightsError } from "../core/errors.ts";
import { formatVocabulary, type Vocabulary } from "../data/vocabulary.ts";
import { adapterFiles, type AdapterModule, type Matrix } from "../io/peft.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../io/safetensors.ts";
import { modulesOfLayer } from "../models/families/modules.ts";
import type { AdamW } from "../optim/adamw.ts";
import { GENE_PREFIX, type SealModel } from "./seal_model.ts";

/** Name of the file that makes a folder a checkpoint. */
export const STATE_FILE = "trainer_state.json";

/** Names a checkpoint's files can have. */
export const CHECKPOINT_FILES: readonly string[] = [
  "adapter_config.json",
  "adapter_model.safetensors",
  "vision.safetensors",
  "omics.safetensors",
  "heads.safetensors",
  "genes.json",
  "optimizer.safetensors",
  STATE_FILE,
];

/** Values of tensors by name. */
type Values = Map<string, { shape: readonly number[]; data: Float32Array }>;

/** How the adapter is described to PEFT. */
export interface AdapterFacts {
  readonly dropout: number;
  readonly rsLora: boolean;
  /** Name of the model it belongs to. */
  readonly baseModel: string;
  /** Side of the images it is trained with, px. */
  readonly imageSize?: number;
}

const LORA = /^(.*)\.lora_([AB])\.weight$/;

/** Parameters and buffers of a model by the file they belong in. */
function divide(model: SealModel): Record<"lora" | "vision" | "omics" | "heads", string[]> {
  const encoder = new Set(model.encoder.names);
  const parts = { lora: [] as string[], vision: [] as string[], omics: [] as string[], heads: [] as string[] };
  for (const [name, tensor] of model.parameters.state()) {
    if (name.startsWith(GENE_PREFIX)) parts.omics.push(name);
    else if (!encoder.has(name)) parts.heads.push(name);
    else if (LORA.test(name)) parts.lora.push(name);
    else if (tensor.grad) parts.vision.push(name);
  }
  return parts;
}

async function valuesOf(model: SealModel, names: readonly string[]): Promise<Values> {
  const read = await model.parameters.read(names);
  return new Map(names.map((name) => {
    const data = read.get(name)!;
    const bad = data.find((value) => !Number.isFinite(value));
    if (bad !== undefined) {
      throw new NumericsError(`Cannot save ${name}: it holds ${bad}, wanted finite numbers`, {
        hint: "Lower the learning rates, or set clip_norm",
        context: { tensor: name },
      });
    }
    return [name, { shape: model.parameters.get(name).shape, data }];
  }));
}

/** Low-rank updates by the modules of the Python model, which keeps q, k and v apart in transformers. */
export function adapterModules(model: SealModel, values: Values): Map<string, AdapterModule<Matrix>> {
  const { spec, vit } = model.encoder;
  const modules = new Map<string, AdapterModule<Matrix>>();
  for (const [name, a] of values) {
    const [, layer, side] = LORA.exec(name) ?? [];
    if (layer === undefined || side !== "A") continue;
    const b = values.get(`${layer}.lora_B.weight`)!;
    const names = modulesOfLayer(spec.family, layer, vit.config.mlp);
    const rank = a.shape[0]!;
    const rows = b.shape[0]! / names.length;
    // A convolution's B is one to PEFT too.
    const ones = a.shape.length > 2 ? [1, 1] : [];
    names.forEach((module, i) => {
      const data = b.data.slice(i * rows * rank, (i + 1) * rows * rank);
      modules.set(module, {
        rank,
        scale: model.encoder.loraScales.get(layer)!,
        a: { shape: a.shape, data: a.data },
        b: { shape: [rows, rank, ...ones], data },
      });
    });
  }
  return modules;
}

/** The files of a model, without the state of training. */
export async function modelFiles(
  model: SealModel,
  vocabulary: Vocabulary,
  adapter: AdapterFacts,
): Promise<Map<string, Uint8Array>> {
  const parts = divide(model);
  const files = new Map<string, Uint8Array>();
  const write = (name: string, values: Values, rename: (tensor: string) => string = (tensor) => tensor) => {
    if (values.size === 0) return;
    const named = new Map([...values].map(([tensor, value]) => [rename(tensor), value]));
    files.set(name, writeSafetensorsF32(named, { format: "pt" }));
  };
  const lora = await valuesOf(model, parts.lora);
  if (lora.size) {
    for (const [name, bytes] of adapterFiles(adapterModules(model, lora), adapter)) files.set(name, bytes);
  }
  write("vision.safetensors", await valuesOf(model, parts.vision));
  write("omics.safetensors", await valuesOf(model, parts.omics), (name) => name.slice(GENE_PREFIX.length));
  write("heads.safetensors", await valuesOf(model, parts.heads));
  files.set("genes.json", new TextEncoder().encode(formatVocabulary(vocabulary)));
  return files;
}

/** The file of the optimiser. */
export async function optimizerFile(optimizer: AdamW): Promise<Uint8Array> {
  const values = await optimizer.read();
  return writeSafetensorsF32(new Map([...values].map(([name, { shape, data }]) => [name, { shape, data }])), {
    format: "pt",
  });
}

/** Brings a checkpoint's adapter back to the layers of `vit.ts`: the pieces of one layer share A, and their B lie in a row. */
function loadLora(model: SealModel, read: ReadFile, where: string): void {
  const file = "adapter_model.safetensors";
  const bytes = read(file);
  if (!bytes) throw new WeightsError(`Cannot load ${where}: ${file} is missing`, { context: { file } });
  const { tensors } = readSafetensorsF32(bytes, `${where}/${file}`);
  const { spec, vit, loraScales } = model.encoder;
  const values: Values = new Map();
  const used = new Set<string>();
  for (const layer of loraScales.keys()) {
    const names = modulesOfLayer(spec.family, layer, vit.config.mlp);
    const piece = (module: string, side: "A" | "B") => {
      const key = `base_model.model.${module}.lora_${side}.weight`;
      used.add(key);
      const found = tensors.get(key);
      if (found) return found;
      throw new WeightsError(`Cannot load ${where}/${file}: ${key} is missing`, {
        hint: "The checkpoint belongs to another encoder or configuration",
        context: { file, keys: [key] },
      });
    };
    values.set(`${layer}.lora_A.weight`, piece(names[0]!, "A"));
    const bs = names.map((module) => piece(module, "B"));
    const data = new Float32Array(bs.reduce((n, b) => n + b.data.length, 0));
    bs.reduce((at, b) => (data.set(b.data, at), at + b.data.length), 0);
    const rows = bs.reduce((n, b) => n + b.shape[0]!, 0);
    values.set(`${layer}.lora_B.weight`, { shape: [rows, bs[0]!.shape[1]!], data });
  }
  const foreign = [...tensors.keys()].filter((key) => !used.has(key));
  if (foreign.length) {
    throw new WeightsError(`Cannot load ${where}/${file}: it adapts ${foreign[0]}, which this run does not`, {
      hint: "The checkpoint belongs to another encoder or configuration",
      context: { file, keys: foreign.slice(0, 10) },
    });
  }
  model.parameters.load(values, (name) => values.has(name));
}

/** Reads a file of a checkpoint; undefined where there is none. */
export type ReadFile = (name: string) => Uint8Array | undefined;

/**
 * Puts a checkpoint's weights into a model.
 *
 * @param read Files of the checkpoint.
 * @throws {WeightsError} If a file is missing, or belongs to a model of other sizes.
 */
export function loadModel(model: SealModel, read: ReadFile, where: string): void {
  const parts = divide(model);
  const load = (file: string, names: readonly string[], rename: (tensor: string) => string = (tensor) => tensor) => {
    if (names.length === 0) return;
    const bytes = read(file);
    if (!bytes) throw new WeightsError(`Cannot load ${where}: ${file} is missing`, { context: { file } });
    const { tensors } = readSafetensorsF32(bytes, `${where}/${file}`);
    const wanted = new Set(names);
    const values = new Map([...tensors].map(([name, value]) => [rename(name), value]));
    const foreign = [...values.keys()].filter((name) => !wanted.has(name));
    if (foreign.length) {
      throw new WeightsError(
        `Cannot load ${where}/${file}: it holds ${foreign.slice(0, 5).join(", ")}, which this model has not`,
        {
          hint: "The checkpoint belongs to another encoder or configuration",
          context: { file, keys: foreign.slice(0, 10) },
        },
      );
    }
    model.parameters.load(values, (name) => wanted.has(name));
  };
  if (parts.lora.length) loadLora(model, read, where);
  load("vision.safetensors", parts.vision);
  load("omics.safetensors", parts.omics, (name) => GENE_PREFIX + name);
  load("heads.safetensors", parts.heads);
}
