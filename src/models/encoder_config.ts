/**
 * What is known of an encoder beside its tensors: from `config.json` of timm or transformers, `preprocessor_config.json`, and the
 * metadata of files this project writes. Sizes are read from the tensors; configurations give heads, eps, pooling, the activation
 * and how tiles are prepared. And specs for encoders that no file of `encoders/` describes, with all that was assumed.
 *
 * @module
 */

import { IMAGE_SIZE_KEY } from "../io/torch/peft.ts";
import { ConfigReader } from "./config_reader.ts";
import { isTimm, readTimmConfig } from "./config_timm.ts";
import { readPreprocessor, readTransformersConfig } from "./config_transformers.ts";
import {
  type EncoderArch,
  type EncoderInput,
  type EncoderSpec,
  IMAGENET,
  OPENAI_CLIP,
  type Pooling,
  SEAL_CONCH,
  SEAL_RULE,
} from "./encoder_spec.ts";
import type { ArchHints } from "./families/arch.ts";
import type { Keymap } from "./families/keymap.ts";
import { describeInput } from "./preprocess.ts";

/** What a configuration says of the preparation; `undefined` where it says that there is no such step. */
export type ToldInput = { readonly [K in keyof EncoderInput]?: EncoderInput[K] | undefined };

/** What a configuration says; absent where it says nothing. */
export interface ConfigFacts {
  /** Whether a configuration of the model was read, whose writer has rules for what it leaves out. */
  readonly configured?: boolean;
  /** Attention heads. */
  readonly heads?: number;
  /** Attention heads of the architecture the configuration begins from, where it gives none. */
  readonly usualHeads?: number;
  /** Of the normalisations. */
  readonly eps?: number;
  /** Side of the image the position table is made for, px. */
  readonly imageSize?: number;
  /** How tiles are prepared. */
  readonly input?: ToldInput;
  /** How tokens become one embedding. */
  readonly pooling?: Pooling;
  /** Activation of the MLP; of a gated one that of its gate. */
  readonly activation?: "gelu" | "silu";
  /** What the configuration says that was not followed, for the user to know. */
  readonly notes?: readonly string[];
}

/** Names of the files, for messages. */
export interface ConfigFiles {
  /** Of the model's configuration; default `config.json`. */
  readonly config?: string;
  /** Of the preprocessor's; default `preprocessor_config.json`. */
  readonly preprocessor?: string;
}

/** Keys of a preprocessor's file, which older writers merged into `config.json`. */
const PREPROCESSOR_KEYS = ["image_mean", "image_std", "do_resize", "image_processor_type", "crop_size"] as const;

/**
 * Reads parsed configurations beside weights.
 *
 * @param config `config.json` of timm or transformers, or a preprocessor's; undefined where there is none.
 * @param preprocessor `preprocessor_config.json` of transformers, if there is one.
 * @param files Their names, for messages.
 * @throws {FormatError} If a value is of another kind than it should be.
 * @throws {WeightsError} If a value asks for what is not computed here; the message names it.
 */
export function readEncoderConfig(config: unknown, preprocessor?: unknown, files: ConfigFiles = {}): ConfigFacts {
  const names = { config: "config.json", preprocessor: "preprocessor_config.json", ...files };
  const model = config === undefined ? undefined : new ConfigReader(config, names.config);
  if (model && isTimm(model)) {
    const facts = readTimmConfig(model);
    if (preprocessor === undefined) return facts;
    const said = `${names.preprocessor} was not read: ${names.config} is timm's and says how tiles are prepared`;
    return { ...facts, notes: [...facts.notes ?? [], said] };
  }
  const merged = preprocessor === undefined && model && PREPROCESSOR_KEYS.some((key) => model.has(key));
  const file = preprocessor === undefined ? undefined : new ConfigReader(preprocessor, names.preprocessor);
  const parts = [
    ...(model ? [readTransformersConfig(model)] : []),
    ...(file ? [readPreprocessor(file, model?.text("model_type"))] : merged ? [readPreprocessor(model)] : []),
  ];
  return mergeFacts(parts);
}

/** Facts of several sources as one, later ones winning. */
export function mergeFacts(facts: readonly ConfigFacts[]): ConfigFacts {
  const notes = facts.flatMap((fact) => fact.notes ?? []);
  const inputs = facts.flatMap((fact) => fact.input ?? []);
  return {
    ...Object.assign({}, ...facts) as ConfigFacts,
    ...(inputs.length > 0 && { input: Object.assign({}, ...inputs) as ToldInput }),
    ...(notes.length > 0 && { notes }),
  };
}

/** What configurations say that tensors do not show: for `mapStateDict`. */
export function archHints(facts: readonly ConfigFacts[]): ArchHints {
  const { heads, usualHeads, eps, imageSize, activation } = mergeFacts(facts);
  return {
    ...(heads !== undefined && { heads }),
    ...(usualHeads !== undefined && { usualHeads }),
    ...(eps !== undefined && { eps }),
    ...(imageSize !== undefined && { imageSize }),
    ...(activation !== undefined && { activation }),
  };
}

/** A preparation with what the configuration says of it; steps it switches off are left out. */
function withTold({ cropPct, ...input }: EncoderInput, told: ToldInput): EncoderInput {
  // A resize that is stated is no longer that of the ratio.
  const own = "resize" in told ? input : { ...input, cropPct };
  const entries = Object.entries({ ...own, ...told }).filter(([, value]) => value !== undefined && value !== false);
  return Object.fromEntries(entries) as unknown as EncoderInput;
}

/** What of an encoder was not told, and what was taken for it. */
function assumptions(keymap: Keymap, { input = {}, ...facts }: ConfigFacts, spec: EncoderSpec): string[] {
  const { arch, family } = keymap;
  const resizes = !("resize" in input) || input.resize !== undefined;
  const rows: [boolean, string][] = [
    [
      input.mean === undefined || input.std === undefined,
      `mean and standard deviation are ${family === "conch" ? "CONCH's" : "ImageNet's"}`,
    ],
    [input.size === undefined, `the input is ${spec.input.size} px, the side the position table is made for`],
    [!("resize" in input), `the shorter side of a tile is resized to ${spec.input.resize} px`],
    [input.interpolation === undefined && resizes, `the resize is ${spec.input.interpolation}`],
    [
      facts.heads === undefined && facts.usualHeads !== arch.heads,
      `there are ${arch.heads} attention heads, as is usual at width ${arch.width}`,
    ],
    [facts.configured !== true && facts.eps === undefined, `eps of the normalisations is ${arch.eps}`],
    [
      facts.configured !== true && facts.pooling === undefined && !arch.pooler && !arch.normAfterPool,
      "the embedding is the class token",
    ],
    [
      arch.mlp === "swiglu" && family === "timm" && facts.activation === undefined,
      "the MLP is gated by SiLU; that of timm's SwiGLUPacked is GELU unless act_layer says so (model_args.act_layer of config.json)",
    ],
  ];
  return rows.filter(([assumed]) => assumed).map(([, what]) => what);
}

/** Tensors of the file that are no part of the encoder and that a user may expect in the embedding. */
function leftOut(keymap: Keymap): string[] {
  const names = new Set(keymap.ignored.flatMap((name) => /(?:^|\.)(pooler|classifier|head)\./.exec(name)?.[1] ?? []));
  return names.size
    ? [`The embedding is taken before ${[...names].sort().join(" and ")}, which the file has too.`]
    : [];
}

/**
 * A spec for weights without one: sizes from the tensors, the rest from the configuration.
 *
 * @param name Name in outputs, such as that of the folder.
 * @param keymap Of the weights.
 * @param facts Of the configurations at hand, later ones winning.
 * @returns Attentional pooling where the weights have it, else what the configuration says, else the class token; `assumed` lists what nothing states.
 */
export function specOfWeights(name: string, keymap: Keymap, ...facts: readonly ConfigFacts[]): EncoderSpec {
  const { arch: { grid: _, pooler, ...arch }, family } = keymap;
  const told = mergeFacts(facts);
  const size = told.input?.size ?? arch.imageSize;
  const statistics = family === "conch" ? OPENAI_CLIP : IMAGENET;
  const whole = { size, resize: size, interpolation: "bicubic", ...statistics, mpp: 0.5, tile: size } as const;
  const input = withTold(whole, told.input ?? {});
  const pooling = told.pooling ?? (arch.normAfterPool ? "mean" : "cls");
  const spec: EncoderSpec = {
    name,
    aliases: [],
    source: { repo: "", files: [], licence: "LicenseRef-unknown", gated: false, paper: "" },
    family,
    arch,
    input,
    output: pooler ? { pooling: "attn_pool", dim: pooler.width, pooler } : { pooling, dim: arch.width },
    precision: {},
    lora: pooler ? { ...SEAL_RULE, root: "trunk.", ...(family === "conch" && SEAL_CONCH) } : SEAL_RULE,
    parity: "",
    notes: leftOut(keymap),
  };
  return { ...spec, assumed: [...assumptions(keymap, told, spec), ...told.notes ?? []] };
}

/** How it is known which encoder a file holds: it was asked for, its path names it, or its sizes alone speak for it. */
export type KnownBy = "name" | "path" | "sizes";

/**
 * A known encoder with what its file's own configuration says. Channel statistics are always those of the configuration. One that
 * was named keeps the rest, and differences are reported; one that is only known by its sizes takes all the configuration has.
 */
export function specWithFacts(
  spec: EncoderSpec,
  keymap: Keymap,
  facts: readonly ConfigFacts[],
  by: KnownBy,
): EncoderSpec {
  const told = mergeFacts(facts);
  const { mean, std } = { ...spec.input, ...told.input };
  const configured = withTold(spec.input, told.input ?? {});
  const notes = [...spec.notes ?? [], ...leftOut(keymap)];
  if (by !== "sizes") {
    const input = { ...spec.input, mean: mean!, std: std! };
    const differs = told.input !== undefined && describeInput(configured) !== describeInput(input);
    const what = `tiles are prepared as ${spec.name}'s; its configuration says otherwise (${
      describeInput(configured)
    })`;
    return {
      ...spec,
      input,
      notes: by === "name" ? [...notes, ...told.notes ?? [], ...(differs ? [`Here ${what}.`] : [])] : notes,
      ...(differs && by === "path" && { assumed: [what] }),
    };
  }
  const input = configured;
  const pooling = spec.output.pooler ? undefined : told.pooling;
  const missing = assumptions(keymap, { heads: spec.arch.heads, activation: "silu", ...told }, { ...spec, input });
  return {
    ...spec,
    input,
    ...(pooling && { output: { pooling, dim: spec.arch.width } }),
    notes,
    assumed: [
      `it is ${spec.name}, the only known encoder of these sizes, as which it is used where no configuration says otherwise`,
      ...missing.map((what) => what.replace("ImageNet's", `${spec.name}'s`)),
      ...told.notes ?? [],
    ],
  };
}

/** Keys of a weights file's own metadata; older files have a configuration in the form of transformers. */
const ENCODER_KEY = "seal_encoder", FACTS_KEY = "seal_facts", CONFIG_KEY = "seal_config";

/**
 * What a weights file that this project writes says of itself, since its path may not and a `config.json` may be missing.
 *
 * @param arch Of the weights; `heads` is left out where it is not known.
 * @param facts What is known besides, later ones winning.
 * @param encoder Name of the encoder it was made from, if that is one of the registry.
 * @param trainedAt Side of the images an adapter in it was trained with, px.
 */
export function encoderMetadata(
  arch: Omit<EncoderArch, "heads"> & { heads: number | undefined },
  facts: readonly ConfigFacts[],
  encoder?: string,
  trainedAt?: number,
): Record<string, string> {
  const { eps, imageSize, heads } = arch;
  const known = { ...mergeFacts(facts), eps, imageSize, heads };
  // JSON has no undefined: a step told to be none is null.
  const text = JSON.stringify(known, (_, value) => value === undefined ? null : value);
  return {
    ...(encoder !== undefined && { [ENCODER_KEY]: encoder }),
    [FACTS_KEY]: text,
    ...(trainedAt !== undefined && { [IMAGE_SIZE_KEY]: String(trainedAt) }),
  };
}

/** Facts from their JSON: null in the preparation means no such step, elsewhere not known. */
function parseFacts(text: string): ConfigFacts {
  const { input, ...rest } = JSON.parse(text) as Record<string, unknown> & { input?: Record<string, unknown> };
  const facts = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  const told = input && Object.fromEntries(Object.entries(input).map(([key, value]) => [key, value ?? undefined]));
  return { ...facts, ...(told && { input: told }) };
}

/** What {@linkcode encoderMetadata} wrote; nothing in files of others. */
export function readEncoderMetadata(
  metadata: Readonly<Record<string, string>>,
): { encoder: string | undefined; facts: ConfigFacts[] } {
  const [text, old] = [metadata[FACTS_KEY], metadata[CONFIG_KEY]];
  let facts: ConfigFacts[] = [];
  try {
    if (text !== undefined) facts = [parseFacts(text)];
    else if (old !== undefined) facts = [readEncoderConfig(JSON.parse(old))];
  } catch {
    // Of another writer: nothing is known then.
  }
  return { encoder: metadata[ENCODER_KEY], facts };
}
