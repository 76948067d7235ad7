/**
 * LoRA adapters in the folder layout of Hugging Face PEFT: `adapter_config.json` and `adapter_model.safetensors`. What changes
 * the mathematics and is not implemented (DoRA, biases, initialisations that rewrite the base) is refused by name.
 *
 * Source: huggingface/peft 0.17 to 0.21, `tuners/lora/config.py`, `utils/save_and_load.py`, `utils/other.py`.
 *
 * @module
 */

import { ConfigError, FormatError } from "../../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../../core/shape.ts";
import { parseJson } from "../json.ts";
import { patternWork, resolvePattern } from "./peft_pattern.ts";
import type { Folder } from "../random_access.ts";
import { writeSafetensorsF32 } from "./safetensors.ts";
import type { WeightTensor } from "./weight_tensor.ts";
import { openWeights } from "./weights.ts";

/** Key of a weights file's own metadata: the side of the images it was trained with, px. PEFT passes over it. */
export const IMAGE_SIZE_KEY = "seal_image_size";
const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** Longest configuration, bytes, and most steps to compare its patterns with the modules. */
const MAX_CONFIG = 1 << 24, MAX_PATTERN_WORK = 1 << 29;

/** What an adapter's configuration says, in the names of this project. */
export interface AdapterConfig {
  /** Rank, where no pattern says otherwise. */
  readonly rank: number;
  /** Numerator of the scale. */
  readonly alpha: number;
  /** Dropout of the adapter's input, in training. */
  readonly dropout: number;
  /** Scale by alpha / sqrt(rank) instead of alpha / rank. */
  readonly rsLora: boolean;
  /** Whether the base weights are `[in, out]`; the adapter's own are not affected. */
  readonly fanInFanOut: boolean;
  /** Ranks of modules that differ, by pattern. */
  readonly rankPattern: ReadonlyMap<string, number>;
  /** Alphas of modules that differ, by pattern. */
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** Modules by name or suffix; one text is a pattern over whole names; null if the configuration does not say. */
  readonly targetModules: readonly string[] | string | null;
  /** Name of the model the adapter belongs to. */
  readonly baseModel: string | null;
  /** What the model is for, such as `FEATURE_EXTRACTION`. */
  readonly taskType: string | null;
  /** Whether it was saved for inference. */
  readonly inferenceMode: boolean;
}

/**
 * The two matrices of one adapted module. A convolution whose stride is its kernel, which patch embeddings are, is a linear layer of
 * `channels * height * width` inputs: its matrices have those extents as PEFT writes them.
 */
export interface AdapterModule<T> {
  /** Rows of A. */
  readonly rank: number;
  /** Factor of B·A. */
  readonly scale: number;
  /** A, `[rank, in]`; of a convolution `[rank, channels, height, width]`. */
  readonly a: T;
  /** B, `[out, rank]`; of a convolution `[out, rank, 1, 1]`. */
  readonly b: T;
}

/** An adapter read from a folder. */
export interface Adapter {
  /** What `adapter_config.json` says. */
  readonly config: AdapterConfig;
  /** Modules by their path in the model, such as `blocks.11.attn.qkv`. */
  readonly modules: ReadonlyMap<string, AdapterModule<WeightTensor>>;
  /** Side of the images it was trained with, px, where that is known. */
  readonly imageSize?: number | undefined;
  /** Closes the weights. */
  close(): void;
}

/** One matrix in memory, row-major. */
export interface Matrix {
  /** Rows and columns; those of a convolution have four extents. */
  readonly shape: readonly number[];
  /** Elements. */
  readonly data: Float32Array;
}

function fail(file: string, key: string, found: string, expected: string, hint?: string): never {
  throw new FormatError(`Cannot read ${file} as a LoRA adapter: ${key} ${found}, expected ${expected}`, {
    ...(hint !== undefined && { hint }),
    context: { file, key, found, expected },
  });
}

/** How a module is kept out of an adapter, for hints. */
export function leaveOut(...modules: readonly string[]): string {
  return `Make the adapter without it: LoraConfig(..., exclude_modules=[${
    modules.map((module) => JSON.stringify(module)).join(", ")
  }])`;
}

type Json = Readonly<Record<string, unknown>>;

/** Keys that change what an adapter computes when set; none of them is implemented. */
const REFUSED: readonly string[] = [
  "use_dora",
  "lora_bias",
  "modules_to_save",
  "use_qalora",
  "use_bdlora",
  "layer_replication",
  "target_parameters",
  "trainable_token_indices",
  "alora_invocation_tokens",
  "arrow_config",
  "kasa_config",
  "velora_config",
  "monteclora_config",
];
/** What helps where PEFT can do more. */
const MERGE_HINT = "Merge it in Python, model.merge_and_unload(), save the result and give that as the encoder";
/** Initialisations that leave the base as it is. */
const PLAIN_INITS: readonly unknown[] = [true, false, "gaussian", "eva", "orthogonal", undefined, null];

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== false;
}

/**
 * Reads the text of `adapter_config.json`. Unknown keys are ignored, as PEFT ignores them.
 *
 * @param bytes The file.
 * @param file Its name, for error messages.
 * @throws {FormatError} If it is no configuration of LoRA, or asks for what is not implemented.
 */
export function parseAdapterConfig(bytes: Uint8Array, file: string): AdapterConfig {
  const json = parseJson(
    bytes,
    (offset, found, expected) =>
      new FormatError(`Cannot read ${file} as a LoRA adapter: byte ${offset} ${found}, expected ${expected}`, {
        context: { file, offset, found, expected },
      }),
  );
  if (typeof json !== "object" || json === null || Array.isArray(json)) fail(file, "byte 0", "begins no object", "one");
  const config = json as Json;
  const show = (key: string) => `is ${(JSON.stringify(config[key]) ?? "missing").slice(0, 80)}`;
  if (config.peft_type !== "LORA") fail(file, "peft_type", show("peft_type"), '"LORA"');
  for (const key of REFUSED) {
    if (isSet(config[key])) fail(file, key, show(key), "it unset: it is not implemented", MERGE_HINT);
  }
  if ((config.bias ?? "none") !== "none") fail(file, "bias", show("bias"), '"none"', MERGE_HINT);
  if (!PLAIN_INITS.includes(config.init_lora_weights)) {
    const expected = "one that leaves the base weights as they are";
    fail(file, "init_lora_weights", show("init_lora_weights"), expected, MERGE_HINT);
  }
  const flag = (key: string, value = false) => {
    if (typeof (config[key] ?? value) !== "boolean") fail(file, key, show(key), "true or false");
    return (config[key] ?? value) as boolean;
  };
  const number = (key: string, value: number, ok: (n: number) => boolean, expected: string) => {
    const given = config[key] ?? value;
    if (typeof given !== "number" || !ok(given)) fail(file, key, show(key), expected);
    return given;
  };
  const text = (key: string) => {
    const given = config[key] ?? null;
    if (given !== null && typeof given !== "string") fail(file, key, show(key), "a text or null");
    return given;
  };
  const targets = config.target_modules ?? null;
  const list = Array.isArray(targets) && targets.every((target) => typeof target === "string");
  if (targets !== null && typeof targets !== "string" && !list) {
    fail(file, "target_modules", show("target_modules"), "names, a pattern or null");
  }
  return {
    rank: number("r", 8, isRank, "a whole number above 0"),
    alpha: number("lora_alpha", 8, Number.isFinite, "a number"),
    dropout: number("lora_dropout", 0, (p) => p >= 0 && p < 1, "a share from 0 up to 1"),
    rsLora: flag("use_rslora"),
    fanInFanOut: flag("fan_in_fan_out"),
    rankPattern: patterns(config, "rank_pattern", file, isRank),
    alphaPattern: patterns(config, "alpha_pattern", file, Number.isFinite),
    targetModules: targets as string[] | string | null,
    baseModel: text("base_model_name_or_path"),
    taskType: text("task_type"),
    inferenceMode: flag("inference_mode"),
  };
}

function isRank(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function patterns(config: Json, key: string, file: string, ok: (n: number) => boolean): Map<string, number> {
  const value = config[key] ?? {};
  const entries = typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (!entries?.every(([, n]) => typeof n === "number" && ok(n))) {
    fail(file, key, `is ${JSON.stringify(value)?.slice(0, 80)}`, "numbers by pattern");
  }
  return new Map(entries);
}

/** Factor of B·A for a module. */
export function adapterScale(config: AdapterConfig, module: string, rank: number): number {
  const alpha = resolvePattern(config.alphaPattern, module) ?? config.alpha;
  return alpha / (config.rsLora ? Math.sqrt(rank) : rank);
}

/** Parts of a key: `base_model.model.<path>.lora_A[.<adapter>].weight`. */
const KEY = /^base_model\.model\.(.+)\.lora_([AB])(?:\.([^.]+))?\.weight$/;

/**
 * Reads the adapter of a folder. Matrices are read when asked for.
 *
 * @throws {FormatError} Naming the key that is missing, unsupported or of the wrong shape.
 * @throws {DataError} If a file is missing.
 */
export async function readAdapter(folder: Folder): Promise<Adapter> {
  const source = await folder.open(CONFIG);
  let config: AdapterConfig;
  try {
    if (source.size > MAX_CONFIG) fail(source.name, "byte 0", `begins ${source.size} bytes`, `at most ${MAX_CONFIG}`);
    config = parseAdapterConfig(await source.read(0, source.size), source.name);
  } finally {
    source.close?.();
  }
  const names = await folder.list();
  const file = names.includes(WEIGHTS) || !names.includes("adapter_model.bin") ? WEIGHTS : "adapter_model.bin";
  const weights = await openWeights(await folder.open(file));
  try {
    const modules = pairUp(weights.tensors, config, weights.file);
    return { config, modules, imageSize: imageSizeIn(weights.metadata), close: weights.close };
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** Side of the images a file was trained with, px, from its metadata. */
export function imageSizeIn(metadata: Readonly<Record<string, string>>): number | undefined {
  const size = Number(metadata[IMAGE_SIZE_KEY] ?? NaN);
  return Number.isSafeInteger(size) && size > 0 ? size : undefined;
}

function pairUp(
  tensors: ReadonlyMap<string, WeightTensor>,
  config: AdapterConfig,
  file: string,
): Map<string, AdapterModule<WeightTensor>> {
  const pairs = new Map<string, { A?: WeightTensor; B?: WeightTensor }>();
  for (const [name, tensor] of tensors) {
    const [, path, side] = KEY.exec(name) ?? [];
    const label = `tensor "${name.slice(0, 160)}"`;
    if (path === undefined) fail(file, label, `is ${kindOf(name)}`, "base_model.model.PATH.lora_A.weight or lora_B");
    const pair = pairs.get(path) ?? {};
    if (pair[side as "A" | "B"]) fail(file, label, "is of a second adapter", "one adapter a file");
    pairs.set(path, { ...pair, [side as "A" | "B"]: tensor });
  }
  if (pairs.size === 0) fail(file, "the file", "holds no tensors", "lora_A and lora_B");
  if (
    Math.max(patternWork(config.rankPattern, pairs.keys()), patternWork(config.alphaPattern, pairs.keys())) >
      MAX_PATTERN_WORK
  ) {
    fail(file, "the configuration", "has more patterns than can be compared with the modules", "fewer");
  }
  const out = new Map<string, AdapterModule<WeightTensor>>();
  for (const [path, { A: a, B: b }] of pairs) {
    if (a === undefined || b === undefined) fail(file, `module "${path}"`, `has no lora_${a ? "B" : "A"}`, "both");
    const rank = resolvePattern(config.rankPattern, path) ?? config.rank;
    const found = `has A ${formatShape(a.shape)} and B ${formatShape(b.shape)}`;
    if (!isPair(a.shape, b.shape)) {
      const expected = "the two matrices of a linear layer, or [R, C, P, P] and [D, R, 1, 1] of a patch embedding";
      fail(file, `module "${path}"`, found, expected, leaveOut(path));
    }
    if (a.shape[0] !== rank || b.shape[1] !== rank) fail(file, `module "${path}"`, found, `rank ${rank}`);
    out.set(path, { rank, scale: adapterScale(config, path, rank), a, b });
  }
  return out;
}

/** Whether shapes are those of a linear layer, or of a convolution over both sides of an image without groups. */
function isPair(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  return a.length === 2 || (a.length === 4 && b[2] === 1 && b[3] === 1);
}

/** What an unsupported key belongs to. */
function kindOf(name: string): string {
  if (name.includes("lora_magnitude_vector")) return "of DoRA";
  if (name.includes("lora_embedding_")) return "of an adapted embedding";
  if (/\.lora_B(\.[^.]+)?\.bias$/.test(name)) return "a LoRA bias";
  return "no LoRA matrix (a module of modules_to_save?)";
}

/** What to write beside the matrices. Rank and patterns follow from the modules. */
export interface AdapterWriting {
  /** Dropout of the adapter's input, in training. Default 0. */
  readonly dropout?: number;
  /** Whether `scale` of the modules is alpha / sqrt(rank). Default false. */
  readonly rsLora?: boolean;
  /** Name of the model the adapter belongs to. Default none. */
  readonly baseModel?: string | null;
  /** What the model is for, in PEFT's terms. Default none. */
  readonly taskType?: string | null;
  /** Side of the images it was trained with, px. Default not told. */
  readonly imageSize?: number | undefined;
}

/**
 * The files of an adapter, by name. PEFT loads them onto a model whose modules have these paths.
 *
 * @param modules Modules by their path in the model.
 * @throws {ConfigError} If shapes and ranks disagree, or there is no module.
 */
export function adapterFiles(
  modules: ReadonlyMap<string, AdapterModule<Matrix>>,
  options: AdapterWriting = {},
): Map<string, Uint8Array> {
  const rows = [...modules].map(([path, { rank, scale, a, b }]) => {
    const ok = isRank(rank) && isPair(a.shape, b.shape) && Number.isFinite(scale) &&
      a.shape[0] === rank && b.shape[1] === rank &&
      a.data.length === sizeOf(a.shape) && b.data.length === sizeOf(b.shape);
    if (!ok) {
      throw new ConfigError(
        `Cannot write the adapter of "${path}": A ${formatShape(a.shape)} and B ${
          formatShape(b.shape)
        }, wanted rank ${rank}`,
        { context: { module: path, rank, a: a.shape, b: b.shape } },
      );
    }
    return { path, rank, alpha: alphaOf(scale, options.rsLora ? Math.sqrt(rank) : rank), a, b };
  });
  if (rows.length === 0) throw new ConfigError("Cannot write an adapter: no module, wanted at least one");
  const [rank, alpha] = [mostCommon(rows.map((row) => row.rank)), mostCommon(rows.map((row) => row.alpha))];
  // PEFT matches patterns at the end of a name; anchors keep one module's from another that ends alike.
  const anchored = (path: string) => `^${path.replaceAll(".", "\\.")}$`;
  const differing = (key: "rank" | "alpha", usual: number) =>
    Object.fromEntries(rows.filter((row) => row[key] !== usual).map((row) => [anchored(row.path), row[key]]));
  const config = {
    auto_mapping: null,
    base_model_name_or_path: options.baseModel ?? null,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: alpha,
    lora_bias: false,
    lora_dropout: options.dropout ?? 0,
    modules_to_save: null,
    peft_type: "LORA",
    r: rank,
    rank_pattern: differing("rank", rank),
    alpha_pattern: differing("alpha", alpha),
    revision: null,
    target_modules: rows.map((row) => row.path).sort(),
    task_type: options.taskType ?? null,
    use_dora: false,
    use_rslora: options.rsLora ?? false,
  };
  const tensors = rows.flatMap(({ path, a, b }) => [
    [`base_model.model.${path}.lora_A.weight`, a] as const,
    [`base_model.model.${path}.lora_B.weight`, b] as const,
  ]);
  const trainedAt: Record<string, string> = options.imageSize === undefined
    ? {}
    : { [IMAGE_SIZE_KEY]: String(options.imageSize) };
  return new Map([
    [CONFIG, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)],
    [WEIGHTS, writeSafetensorsF32(new Map(tensors), { format: "pt", ...trainedAt })],
  ]);
}

/** Numerator of a scale, a whole number where that is what rounding hid. */
function alphaOf(scale: number, denominator: number): number {
  const alpha = scale * denominator;
  const near = Math.round(alpha);
  return Math.abs(alpha - near) <= 1e-12 * Math.abs(near) ? near : alpha;
}

function mostCommon(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}

/** Writes {@linkcode adapterFiles} into a folder. */
export async function writeAdapter(
  folder: Folder,
  modules: ReadonlyMap<string, AdapterModule<Matrix>>,
  options: AdapterWriting = {},
): Promise<void> {
  if (folder.write === undefined) throw new ConfigError(`Cannot write an adapter to ${folder.name}: it is read-only`);
  for (const [name, data] of adapterFiles(modules, options)) await folder.write(name, data);
}
