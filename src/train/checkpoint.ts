/**
 * The files of a checkpoint: parameters of a model in named parts, low-rank updates as PEFT loads them, and the optimiser.
 * What else belongs to a run's checkpoint is the method's.
 *
 * | file | content |
 * |---|---|
 * | `adapter_config.json`, `adapter_model.safetensors` | low-rank updates, as PEFT loads them |
 * | `vision.safetensors` | the encoder's own weights that train, under timm's names, where any do |
 * | `optimizer.safetensors` | moments and counters of AdamW |
 * | `trainer_state.json` | where the run is, and the checksums of all others; written last, so that a folder with it is whole |
 *
 * @module
 */

import { NumericsError, WeightsError } from "../core/errors.ts";
import { adapterFiles, type AdapterModule, type Matrix } from "../io/torch/peft.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../io/torch/safetensors.ts";
import type { Encoder } from "../models/encoder.ts";
import { modulesOfLayer } from "../models/families/modules.ts";
import type { Parameters } from "../nn/parameters.ts";
import type { AdamW } from "../optim/adamw.ts";

/** Name of the file that makes a folder a checkpoint. */
export const STATE_FILE = "trainer_state.json";

/** Name of the optimiser's file. */
export const OPTIMIZER_FILE = "optimizer.safetensors";

/** Name of the file with the encoder's own weights that train. */
const VISION_FILE = "vision.safetensors";

/** Name of the file with all parameters of a model that is one part. */
export const MODEL_FILE = "model.safetensors";

/** Names that a checkpoint's files can have whatever the method. */
export const SHARED_FILES: readonly string[] = [
  "adapter_config.json",
  "adapter_model.safetensors",
  VISION_FILE,
  MODEL_FILE,
  OPTIMIZER_FILE,
  STATE_FILE,
];

/** Parameters and buffers that lie in one file. */
export interface Part {
  readonly file: string;
  /** Names in the set of parameters. */
  readonly names: readonly string[];
  /** What stands before those names, and not in the file. */
  readonly prefix?: string;
}

/** Reads a file of a checkpoint; undefined where there is none. */
export type ReadFile = (name: string) => Uint8Array | undefined;

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

/** Names of an encoder's low-rank updates, and of those of its own weights that train. */
export function encoderNames({ names, parameters }: Encoder): { lora: string[]; own: string[] } {
  const among = new Set(names);
  const [lora, own]: [string[], string[]] = [[], []];
  for (const [name, tensor] of parameters.state()) {
    if (!among.has(name)) continue;
    if (LORA.test(name)) lora.push(name);
    else if (tensor.grad) own.push(name);
  }
  return { lora, own };
}

async function valuesOf(parameters: Parameters, names: readonly string[]): Promise<Values> {
  const read = await parameters.read(names);
  return new Map(names.map((name) => {
    const data = read.get(name)!;
    const bad = data.find((value) => !Number.isFinite(value));
    if (bad !== undefined) {
      throw new NumericsError(`Cannot save ${name}: it holds ${bad}, wanted finite numbers`, {
        hint: "Lower the learning rates, or set clip_norm",
        context: { tensor: name },
      });
    }
    return [name, { shape: parameters.get(name).shape, data }];
  }));
}

/** Low-rank updates by the modules of the Python model, which keeps q, k and v apart in transformers. */
export function adapterModules(encoder: Encoder, values: Values): Map<string, AdapterModule<Matrix>> {
  const { spec, vit } = encoder;
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
        scale: encoder.loraScales.get(layer)!,
        a: { shape: a.shape, data: a.data },
        b: { shape: [rows, rank, ...ones], data },
      });
    });
  }
  return modules;
}

/** The adapter's two files; none without low-rank updates. */
export async function loraFiles(encoder: Encoder, facts: AdapterFacts): Promise<Map<string, Uint8Array>> {
  const values = await valuesOf(encoder.parameters, encoderNames(encoder).lora);
  return values.size ? new Map(adapterFiles(adapterModules(encoder, values), facts)) : new Map();
}

/** The files of parts; one without parameters is left out. */
export async function partFiles(parameters: Parameters, parts: readonly Part[]): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { file, names, prefix = "" } of parts) {
    const values = await valuesOf(parameters, names);
    if (values.size === 0) continue;
    const named = new Map([...values].map(([name, value]) => [name.slice(prefix.length), value]));
    files.set(file, writeSafetensorsF32(named, { format: "pt" }));
  }
  return files;
}

/** A model behind an encoder that trains, or without one. */
export interface SavedModel {
  readonly parameters: Parameters;
  readonly encoder: Encoder | undefined;
}

/** Names of everything but the encoder's. */
export function namesBehind({ parameters, encoder }: SavedModel): string[] {
  const own = new Set(encoder?.names);
  return parameters.state().map(([name]) => name).filter((name) => !own.has(name));
}

/** What trains of the encoder, and the model's own parts. */
function allParts({ encoder }: SavedModel, parts: readonly Part[]): Part[] {
  return [...encoder ? [{ file: VISION_FILE, names: encoderNames(encoder).own }] : [], ...parts];
}

/** The files of a model: low-rank updates, what else trains of its encoder, and its own parts. */
export async function filesOf(
  model: SavedModel,
  parts: readonly Part[],
  adapter: AdapterFacts | undefined,
): Promise<Map<string, Uint8Array>> {
  const { parameters, encoder } = model;
  return new Map([
    ...encoder && adapter ? await loraFiles(encoder, adapter) : [],
    ...await partFiles(parameters, allParts(model, parts)),
  ]);
}

/**
 * Puts what {@linkcode filesOf} wrote into a model.
 *
 * @throws {WeightsError} If a file is missing, or belongs to a model of other sizes.
 */
export function loadFiles(model: SavedModel, parts: readonly Part[], read: ReadFile, where: string): void {
  const { parameters, encoder } = model;
  if (encoder && encoderNames(encoder).lora.length > 0) loadLora(encoder, read, where);
  loadParts(parameters, allParts(model, parts), read, where);
}

/** The file of the optimiser. */
export async function optimizerFile(optimizer: AdamW): Promise<Uint8Array> {
  const values = await optimizer.read();
  return writeSafetensorsF32(new Map([...values].map(([name, { shape, data }]) => [name, { shape, data }])), {
    format: "pt",
  });
}

/**
 * Brings a checkpoint's adapter back to the layers of `vit.ts`: the pieces of one layer share A, and their B lie in a row.
 *
 * @throws {WeightsError} If it is missing or adapts other layers.
 */
export function loadLora(encoder: Encoder, read: ReadFile, where: string): void {
  const file = "adapter_model.safetensors";
  const bytes = read(file);
  if (!bytes) throw new WeightsError(`Cannot load ${where}: ${file} is missing`, { context: { file } });
  const { tensors } = readSafetensorsF32(bytes, `${where}/${file}`);
  const { spec, vit, loraScales } = encoder;
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
    const [a, ...others] = names.map((module) => piece(module, "A"));
    const apart = others.findIndex(({ data }) => data.some((value, i) => value !== a!.data[i]));
    if (apart >= 0) {
      throw new WeightsError(
        `Cannot load ${where}/${file}: lora_A of ${names[apart + 1]} is another than that of ${
          names[0]
        }, wanted one for both`,
        {
          hint: "Start from it with adapter=FOLDER, which keeps the parts of a layer apart",
          context: { file, keys: [names[apart + 1]] },
        },
      );
    }
    values.set(`${layer}.lora_A.weight`, a!);
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
  encoder.parameters.load(values, (name) => values.has(name));
}

/**
 * Puts the parts of a checkpoint into a set of parameters.
 *
 * @param read Files of the checkpoint.
 * @throws {WeightsError} If a file is missing, or belongs to a model of other sizes.
 */
export function loadParts(parameters: Parameters, parts: readonly Part[], read: ReadFile, where: string): void {
  for (const { file, names, prefix = "" } of parts) {
    if (names.length === 0) continue;
    const bytes = read(file);
    if (!bytes) throw new WeightsError(`Cannot load ${where}: ${file} is missing`, { context: { file } });
    const { tensors } = readSafetensorsF32(bytes, `${where}/${file}`);
    const wanted = new Set(names);
    const values = new Map([...tensors].map(([name, value]) => [prefix + name, value]));
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
    parameters.load(values, (name) => wanted.has(name));
  }
}
