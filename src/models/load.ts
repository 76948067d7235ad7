/**
 * From a weights file to an encoder on the device. Tensors are read and uploaded one by one, so that the file never sits in
 * memory whole.
 *
 * @module
 */

import type { Dtype } from "../core/dtype.ts";
import { ConfigError, WeightsError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Adapter, imageSizeIn } from "../io/torch/peft.ts";
import type { Weights } from "../io/torch/weights.ts";
import type { LoraOptions } from "../nn/layers.ts";
import { Parameters } from "../nn/parameters.ts";
import { createEncoder, type Encoder, type EncoderOptions } from "./encoder.ts";
import { archHints, type ConfigFacts, mergeFacts, specOfWeights, specWithFacts } from "./encoder_config.ts";
import type { Recognised } from "./encoder_registry.ts";
import { type EncoderArch, type EncoderSpec, type FamilyName, inputOfSize, type PositionRule } from "./encoder_spec.ts";
import { type Keymap, type KeymapEntry, mapStateDict } from "./families/keymap.ts";
import { adaptedLayers, addLora, type LayerAdapter } from "./lora_layers.ts";
import { positionSteps, resamplePositionTable } from "./positions.ts";
import { sidesOf, type VitConfig } from "./vit.ts";

/** How to load an encoder. */
export interface LoadOptions extends Omit<EncoderOptions, "arch" | "seed" | "imageSize"> {
  /** What the file should hold; without it, sizes are read from the tensors. */
  spec?: EncoderSpec;
  /** Name in outputs when there is no spec; default the file's. */
  name?: string;
  /**
   * What the configurations beside the weights say, from `readEncoderConfig`. Of a `spec` they decide mean and standard deviation
   * only.
   */
  facts?: readonly ConfigFacts[];
  /** The encoder that sizes and path speak for, if there is no spec. */
  recognise?: (family: FamilyName, arch: EncoderArch) => Recognised | undefined;
  /** How positions are brought to another grid than the file's; default the rule of the spec or the family. */
  positions?: PositionRule;
  /** Side of the images, or height and width, px; default that of the adapter's training, else the encoder's own. */
  imageSize?: VitConfig["imageSize"];
  /** Which parameters train; none by default. Not used with `parameters`. */
  trainable?: (name: string) => boolean;
  /** The set to add to, such as that of a whole training run; default one of its own. */
  parameters?: Parameters;
  /** LoRA weights, kept apart from the base (default) or added into it. */
  adapter?: Adapter;
  /** Adds the adapter into the base weights, W + s B A, while they are read. */
  merge?: boolean;
  /** Feeds images of the size the encoder is fine-tuned at, where that is another than its own and nothing else is said. */
  tuningSize?: boolean;
  /** Told what the encoder is before its parameters are made, so that the options above may depend on it. */
  onSpec?: (spec: EncoderSpec) => void;
  /** Told after each tensor: bytes uploaded and in all. */
  onProgress?: (done: number, total: number) => void;
}

/** Bytes uploaded between two flushes of the queue, which otherwise keeps a copy of all of them. */
const FLUSH_BYTES = 64 << 20;

/** Type of stored elements by the name the file format gives it. */
const SAME_BITS: Readonly<Record<string, Dtype>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/** One parameter's elements as f32, from its parts in the file. */
async function readEntry({ parts, shape }: KeymapEntry, weights: Weights): Promise<Float32Array> {
  const out = new Float32Array(sizeOf(shape));
  let at = 0;
  for (const { source, from, to } of parts) {
    out.set(await weights.tensors.get(source)!.readF32(from, to), at);
    at += to - from;
  }
  return out;
}

/** The stored bytes themselves, when the device keeps the type of the file. */
async function readRaw({ parts, shape }: KeymapEntry, weights: Weights, dtype: Dtype): Promise<Uint8Array | undefined> {
  const tensors = parts.map(({ source }) => weights.tensors.get(source)!);
  if (!tensors.every((tensor) => SAME_BITS[tensor.dtype] === dtype)) return undefined;
  const pieces = await Promise.all(parts.map(({ from, to }, i) => tensors[i]!.read(from, to)));
  const bytes = new Uint8Array(Math.ceil(pieces.reduce((n, p) => n + p.length, 0) / 4) * 4);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return sizeOf(shape) ? bytes : undefined;
}

/** Low-rank updates the encoder is built with: those of the adapter, else those asked for. */
function loraOf(layers: Map<string, LayerAdapter>, options: LoadOptions): (name: string) => LoraOptions | undefined {
  return (name) => {
    const found = options.merge ? undefined : layers.get(name);
    if (!found) return options.lora?.(name);
    return { rank: found.rank, alpha: found.scale * found.rank, dropout: options.adapter?.config.dropout ?? 0 };
  };
}

/** What a weights file is to be loaded as. */
export interface EncoderPlan {
  readonly spec: EncoderSpec;
  readonly keymap: Keymap;
  /** Layers that the adapter changes. */
  readonly layers: Map<string, LayerAdapter>;
}

/**
 * Finds out what a weights file holds and whether the adapter fits, by names and shapes alone: no device is needed and no tensor
 * of the encoder is read.
 *
 * @throws {WeightsError} If tensors are missing, unexpected or of other shapes, listing the first ten, or the adapter does not
 * fit.
 */
export async function planEncoder(weights: Weights, options: LoadOptions = {}): Promise<EncoderPlan> {
  const { spec: asked, adapter, merge = false } = options;
  if (merge && !adapter) throw new ConfigError("Cannot merge an adapter: none is given");
  if (asked?.refused) {
    throw new WeightsError(`Cannot load ${asked.name}: ${asked.refused}`, { code: "weights-unsupported" });
  }
  const shapes = new Map([...weights.tensors].map(([name, { shape }]) => [name, shape]));
  const facts = checkFacts(options.facts ?? []);
  const found = mapStateDict(shapes, { file: weights.file, ...(asked ? { spec: asked } : archHints(facts)) });
  const { spec, heads } = specFor(found, facts, weights, options);
  const keymap = { ...found, arch: { ...found.arch, heads } };
  return { spec, keymap, layers: adapter ? await adaptedLayers(adapter, keymap) : new Map() };
}

/**
 * Loads an encoder.
 *
 * @param weights An open weights file; stays open.
 * @throws {WeightsError} As {@linkcode planEncoder}.
 * @throws {FormatError} If the file is damaged.
 */
export async function loadEncoder(gpu: Gpu, weights: Weights, options: LoadOptions = {}): Promise<Encoder> {
  const { trainable = () => false, merge = false, onProgress } = options;
  const { spec, keymap, layers } = await planEncoder(weights, options);
  const parameters = options.parameters ?? new Parameters(gpu, trainable);
  try {
    const { dtype, pooling = spec.output.pooling, positions, imageSize = spec.input.size } = options;
    options.onSpec?.({ ...spec, arch: keymap.arch });
    const output = { ...spec.output, ...(keymap.arch.pooler && { pooler: keymap.arch.pooler }) };
    const encoder = createEncoder(parameters, { ...spec, output, ...(positions && { positions }) }, {
      arch: keymap.arch,
      imageSize,
      lora: loraOf(layers, options),
      ...(dtype && { dtype }),
      pooling,
    });
    parameters.allocate();
    await fill(encoder, keymap, weights, layers, merge, onProgress);
    return encoder;
  } catch (error) {
    if (!options.parameters) parameters.destroy();
    throw error;
  }
}

/** Refuses configurations that were not read: their keys mean nothing here, and would be passed over. */
function checkFacts(facts: readonly ConfigFacts[]): readonly ConfigFacts[] {
  const raw = ["architecture", "pretrained_cfg", "model_type", "num_attention_heads", "image_mean", "hidden_size"];
  const key = facts.flatMap((fact) => Object.keys(fact)).find((name) => raw.includes(name));
  if (key === undefined) return facts;
  throw new ConfigError(
    `Cannot use facts with the key ${key}: it is that of a configuration file, wanted what was read from it`,
    {
      hint: "Pass readEncoderConfig(config, preprocessor)",
      context: { key },
    },
  );
}

/**
 * What the weights are: the encoder asked for, the one that is recognised, or what tensors and configurations say; and its heads,
 * which of a known encoder are known.
 */
export function specFor(
  keymap: Keymap,
  facts: readonly ConfigFacts[],
  weights: Pick<Weights, "file" | "metadata">,
  { spec: asked, recognise, name = weights.file, imageSize, adapter, tuningSize }: LoadOptions,
): { spec: EncoderSpec; heads: number } {
  const known = asked ? { spec: asked, by: "name" as const } : recognise?.(keymap.family, keymap.arch);
  const own = known ? specWithFacts(known.spec, keymap, facts, known.by) : specOfWeights(name, keymap, ...facts);
  const told = mergeFacts(facts).heads;
  const heads = known && (asked || told === undefined) ? known.spec.arch.heads : keymap.arch.heads;
  // Height and width are of one who feeds prepared images.
  if (imageSize !== undefined && typeof imageSize !== "number") return { spec: own, heads };
  const size = imageSize ?? adapter?.imageSize ?? imageSizeIn(weights.metadata) ??
    (tuningSize ? own.lora.inputSize : undefined);
  return { spec: size === undefined ? own : fedWith(own, size, keymap.arch.patch), heads };
}

/**
 * The encoder fed with images of another size.
 *
 * @throws {ConfigError} If patches do not fill them.
 */
export function fedWith(spec: EncoderSpec, size: number, patch: number = spec.arch.patch): EncoderSpec {
  if (size % patch === 0) return { ...spec, input: inputOfSize(spec.input, size) };
  const least = Math.max(1, Math.floor(size / patch)) * patch;
  throw new ConfigError(
    `Cannot feed ${spec.name} images of ${size} px: its patches are ${patch} px, wanted a multiple`,
    {
      hint: `The nearest are ${least} and ${least + patch}`,
      context: { key: "image_size", given: size, patch },
    },
  );
}

/** Reads and uploads every parameter. */
async function fill(
  encoder: Encoder,
  keymap: Keymap,
  weights: Weights,
  layers: ReadonlyMap<string, LayerAdapter>,
  merge: boolean,
  onProgress: LoadOptions["onProgress"],
): Promise<void> {
  const { parameters, spec, vit } = encoder;
  const { grid, patch, width, prefixPositions } = keymap.arch;
  const total = keymap.entries.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  const sides = sidesOf(vit.config.imageSize);
  let done = 0;
  let waiting = 0;
  for (const entry of keymap.entries) {
    const tensor = parameters.get(entry.target);
    const layer = merge ? layers.get(entry.target.replace(/\.weight$/, "")) : undefined;
    let data: Float32Array | Uint8Array | undefined = layer ? undefined : await readRaw(entry, weights, tensor.dtype);
    if (entry.target.endsWith("pos_embed")) {
      const wanted = [sides[0] / patch, sides[1] / patch] as const;
      const steps = positionSteps(keymap.family, grid, wanted, { spec, registers: keymap.arch.registers });
      data = resamplePositionTable(await readEntry(entry, weights), width, prefixPositions, steps);
    } else if (!data) {
      const values = await readEntry(entry, weights);
      if (layer) addLora(values, layer);
      data = values;
    }
    parameters.store.write(tensor, data);
    done += 4 * sizeOf(entry.shape);
    waiting += tensor.bytes;
    if (waiting > FLUSH_BYTES) {
      parameters.gpu.queue.submit([]);
      await parameters.gpu.queue.onSubmittedWorkDone();
      waiting = 0;
    }
    onProgress?.(done, total);
  }
  if (merge) return;
  for (const [name, { a, b }] of layers) {
    parameters.store.write(parameters.get(`${name}.lora_A.weight`), a);
    parameters.store.write(parameters.get(`${name}.lora_B.weight`), b);
  }
}
