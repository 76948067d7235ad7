/**
 * Names in SEAL's own checkpoints (`seal_<backbone>_vision.pth`, `…_omics.pth`), which carry no configuration: prefixes of wrappers
 * are removed, the tensors sorted into adapter, base, heads and gene model, and rank, blocks and backbone read off the shapes.
 *
 * Source: github.com/mahmoodlab/SEAL `seal/models/encoder_factory.py`, `load_model.py`.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import type { Shape } from "../../core/shape.ts";
import type { Adapter } from "./peft.ts";
import type { WeightTensor } from "./weight_tensor.ts";

/** Anything with a shape: a stored tensor, or one in memory. */
export interface Shaped {
  /** Extents, outermost first. */
  readonly shape: Shape;
}

/** What a SEAL checkpoint holds. */
export interface SealParts<T extends Shaped> {
  /** Image model or gene model. */
  readonly kind: "vision" | "omics";
  /** LoRA by module path within the backbone, such as `blocks.23.attn.qkv`. The scale is not stored: SEAL's is 1. */
  readonly lora: ReadonlyMap<string, { readonly a: T; readonly b: T }>;
  /** Weights of the backbone itself, in its own names; SEAL's published files have none. */
  readonly base: ReadonlyMap<string, T>;
  /** Projection head: `weight` and `bias`, or `0.weight` and so on if it has two layers. */
  readonly head: ReadonlyMap<string, T>;
  /** Image model: layers of the expression decoder, such as `0.weight`. */
  readonly decoder: ReadonlyMap<string, T>;
  /** Image model: layers of the bottleneck adapter, such as `0.weight`. */
  readonly adapter: ReadonlyMap<string, T>;
  /** Gene model without its head. */
  readonly omics: ReadonlyMap<string, T>;
  /** Embedding of organs, if there is one. */
  readonly organ: T | undefined;
  /** Names that are none of these. */
  readonly other: ReadonlyMap<string, T>;
  /** LoRA tensors that one adapted block has and another lacks, by name. */
  readonly missing: readonly string[];
  /** Rank of the adapters; 0 without any. */
  readonly rank: number;
  /** Indices of adapted blocks, ascending. */
  readonly blocks: readonly number[];
  /** SEAL's names of the backbones this can belong to. */
  readonly backbones: readonly string[];
}

function fail(file: string, name: string, found: string, expected: string): never {
  throw new FormatError(
    `Cannot read ${file} as a SEAL checkpoint: "${name.slice(0, 160)}" ${found}, expected ${expected}`,
    {
      context: { file, key: name, found, expected },
    },
  );
}

/**
 * Names without what wrappers added: a leading `module.`, the adapter's name behind `lora_A` and `lora_B`, and in files of
 * Virchow2's time `encoder.` for `model.` at the root of the backbone. `projection_head.0.` becomes `projection_head.`, unless
 * there are more layers than that one.
 *
 * @param names Names in the file, within its state dict.
 * @param file Name of the file, for error messages.
 * @returns Normalised names by the original ones, in order.
 * @throws {FormatError} If two names become one, or there are several adapters.
 */
export function normalizeSealNames(names: Iterable<string>, file: string): Map<string, string> {
  const list = [...names];
  const wrapped = "encoder.base_model.model.encoder.";
  const out = new Map<string, string>();
  const taken = new Map<string, string>();
  let adapter: string | undefined;
  const deep = list.some((name) => /(^|\.)projection_head\.[1-9]\d*\./.test(name));
  for (const name of list) {
    let plain = name.replace(/^(module\.)+/, "");
    if (plain.startsWith(wrapped)) plain = `encoder.base_model.model.model.${plain.slice(wrapped.length)}`;
    plain = plain.replace(/\.(lora_[AB])\.([^.]+)\.weight$/, (_, side: string, given: string) => {
      adapter ??= given;
      if (given !== adapter) fail(file, name, `is of a second adapter, "${given}"`, `"${adapter}" only`);
      return `.${side}.weight`;
    });
    if (!deep) plain = plain.replace(/^projection_head\.0\./, "projection_head.");
    const other = taken.get(plain);
    if (other !== undefined) fail(file, name, `means the same as "${other.slice(0, 160)}"`, "every tensor once");
    taken.set(plain, name);
    out.set(name, plain);
  }
  return out;
}

/** Keys that only gene models have. */
const OMICS =
  /^(encoder\.\d+\.|fc_(mu|logvar)\.|flows\.\d+\.|projection\.\d+\.|gene_embedding\.|transformer_encoder\.|dummy_param$)/;
/** Most blocks that can be adapted. */
const MAX_BLOCKS = 256;

/** Roots and sizes of SEAL's backbones: the last block is always adapted, so its index tells the depth. */
const BACKBONES: readonly (readonly [name: string, block: RegExp, width: number, depth: number])[] = [
  ["conch", /^trunk\.blocks\.(\d+)\./, 768, 12],
  ["uni", /^blocks\.(\d+)\./, 1024, 24],
  ["univ2", /^blocks\.(\d+)\./, 1536, 24],
  ["hoptimus1", /^blocks\.(\d+)\./, 1536, 40],
  ["gigapath", /^blocks\.(\d+)\./, 1536, 40],
  ["virchow", /^model\.blocks\.(\d+)\./, 1280, 32],
  ["virchow2", /^model\.blocks\.(\d+)\./, 1280, 32],
  ["h0mini", /^model\.blocks\.(\d+)\./, 768, 12],
  ["phikon2", /^model\.encoder\.layer\.(\d+)\./, 1024, 24],
  ["musk", /layers\.(\d+)\.self_attn\./, 1024, 24],
];

/** Index of the block a module lies in. */
function blockOf(path: string): number | undefined {
  const index = /(?:^|\.)(?:blocks|layers?)\.(\d+)\./.exec(path)?.[1];
  return index === undefined ? undefined : Number(index);
}

/**
 * Sorts the tensors of a checkpoint.
 *
 * @param tensors Tensors by their names in the file.
 * @param file Name of the file, for error messages.
 * @throws {FormatError} If it is no SEAL checkpoint, or a LoRA matrix lacks its partner or has another rank than the others.
 */
export function splitSeal<T extends Shaped>(tensors: ReadonlyMap<string, T>, file: string): SealParts<T> {
  const names = [...normalizeSealNames(tensors.keys(), file)];
  const kind = names.some(([, name]) => OMICS.test(name))
    ? "omics"
    : names.some(([, name]) => name.startsWith("encoder."))
    ? "vision"
    : fail(file, names[0]?.[1] ?? "", "is none of SEAL's names, nor is any other", "encoder.base_model. or fc_mu.");
  const parts = {
    base: map<T>(),
    head: map<T>(),
    decoder: map<T>(),
    adapter: map<T>(),
    omics: map<T>(),
    other: map<T>(),
  };
  const pairs = new Map<string, { A?: T; B?: T }>();
  let organ: T | undefined;
  for (const [original, name] of names) {
    const tensor = tensors.get(original)!;
    const [, path, side] = /^encoder\.base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
    if (path !== undefined) pairs.set(path, { ...pairs.get(path), [side as "A" | "B"]: tensor });
    else if (name === "organ_emb.weight") organ = tensor;
    else {
      const [part, key] = placeOf(name, kind);
      parts[part].set(key, tensor);
    }
  }
  return { kind, ...parts, organ, ...describeLora(pairs, file) };
}

/** SEAL's alpha, which its checkpoints do not store. */
export const SEAL_ALPHA = 8;
/** Side of the tiles SEAL feeds CONCH, px: it drops the resize to CONCH's own 448. Other backbones see their own size. */
export const SEAL_CONCH_SIZE = 224;

/**
 * The LoRA weights of a checkpoint as an adapter.
 *
 * @param parts Of an image model.
 * @param file Name of the file, for error messages.
 * @param options `alpha` if it was trained with another than SEAL's; `close` is called when the adapter is closed.
 * @throws {FormatError} If it has none, or one adapted block lacks what another has.
 */
export function sealAdapter(
  parts: SealParts<WeightTensor>,
  file: string,
  { alpha = SEAL_ALPHA, close = () => {} }: { alpha?: number | undefined; close?: () => void } = {},
): Adapter {
  const { lora, rank, missing } = parts;
  if (lora.size === 0) fail(file, parts.kind, "holds no LoRA matrices", "those of an image model");
  if (missing.length > 0) fail(file, missing[0]!, "is missing", "the same layers in every adapted block");
  return {
    config: {
      rank,
      alpha,
      dropout: 0.15,
      rsLora: false,
      fanInFanOut: false,
      rankPattern: new Map(),
      alphaPattern: new Map(),
      targetModules: [...lora.keys()],
      baseModel: null,
      taskType: null,
      inferenceMode: true,
    },
    modules: new Map([...lora].map(([path, { a, b }]) => [path, { rank, scale: alpha / rank, a, b }])),
    // Of SEAL's backbones CONCH alone keeps its transformer in a trunk.
    imageSize: [...lora.keys()].every((path) => path.startsWith("trunk.")) ? SEAL_CONCH_SIZE : undefined,
    close,
  };
}

function map<T>(): Map<string, T> {
  return new Map();
}

/** Part of a checkpoint that a name belongs to, and its name there. */
function placeOf(
  name: string,
  kind: SealParts<Shaped>["kind"],
): ["base" | "head" | "decoder" | "adapter" | "omics" | "other", string] {
  const rest = (prefix: RegExp) => name.replace(prefix, "");
  if (/^projection_head\.(\d+\.)?(weight|bias)$/.test(name)) return ["head", rest(/^projection_head\./)];
  if (kind === "omics") return ["omics", name];
  // The bottleneck adapter is stored twice, under the model and under its encoder.
  if (/^(encoder\.)?adapter\./.test(name)) return ["adapter", rest(/^(encoder\.)?adapter\./)];
  if (/\.lora_/.test(name)) return ["other", name];
  if (name.startsWith("encoder.")) {
    return [
      "base",
      rest(/^encoder\.(base_model\.model\.|encoder\.(?=\D))?/).replace(/\.base_layer\.(weight|bias)$/, ".$1"),
    ];
  }
  if (name.startsWith("decoder.")) return ["decoder", rest(/^decoder\.(decoder\.)?/)];
  return ["other", name];
}

/** Pairs of LoRA matrices, and what their shapes and names tell. */
function describeLora<T extends Shaped>(pairs: ReadonlyMap<string, { A?: T; B?: T }>, file: string): {
  lora: Map<string, { a: T; b: T }>;
  missing: string[];
  rank: number;
  blocks: number[];
  backbones: string[];
} {
  const lora = new Map<string, { a: T; b: T }>();
  let rank = 0;
  for (const [path, { A: a, B: b }] of pairs) {
    if (a === undefined || b === undefined) fail(file, path, `has no lora_${a ? "B" : "A"}`, "both");
    const [r, columns] = [a.shape[0] ?? 0, b.shape[1] ?? 0];
    rank ||= r;
    if (a.shape.length !== 2 || b.shape.length !== 2 || r !== columns || r !== rank) {
      fail(file, path, `has A [${a.shape.join(", ")}] and B [${b.shape.join(", ")}]`, `rank ${rank}`);
    }
    lora.set(path, { a, b });
  }
  const paths = [...lora.keys()];
  const blocks = [...new Set(paths.map(blockOf).filter((block) => block !== undefined))].sort((a, b) => a - b);
  if (blocks.length > MAX_BLOCKS) fail(file, paths[0]!, `is one of ${blocks.length} blocks`, `at most ${MAX_BLOCKS}`);
  const wanted = new Set<string>();
  for (const path of paths) {
    const own = blockOf(path);
    for (const block of own === undefined ? [] : blocks) {
      wanted.add(path.replace(/((?:^|\.)(?:blocks|layers?)\.)\d+\./, (_, start: string) => `${start}${block}.`));
    }
  }
  const missing = [...wanted].filter((path) => !lora.has(path)).flatMap((path) => [`${path}.lora_A`, `${path}.lora_B`]);
  return { lora, missing, rank, blocks, backbones: backbonesOf(lora, blocks.at(-1)) };
}

/** Backbones whose root, width and depth agree with the adapters. */
function backbonesOf<T extends Shaped>(lora: ReadonlyMap<string, { a: T }>, last: number | undefined): string[] {
  const inputs = [...lora].filter(([path]) => /(attn\.qkv|mlp\.fc1|self_attn\.q_proj(\.[AB])?)$/.test(path));
  const width = inputs[0]?.[1].a.shape[1];
  return BACKBONES.filter(([, block, wide, depth]) =>
    wide === width && depth - 1 === last && [...lora.keys()].every((path) => block.test(path))
  ).map(([name]) => name);
}
