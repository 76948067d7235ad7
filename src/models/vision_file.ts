/**
 * Low-rank updates and heads in SEAL's vision checkpoints, which carry no configuration: sizes are read off names and shapes.
 *
 * In memory, low-rank updates have the names of `vit.ts`, and heads those of the file behind a prefix of the caller's. Weights
 * of the encoder itself, which SEAL's published files lack, are none of this module's business.
 *
 * Source: SEAL, `seal/models/encoder_factory.py`, `load_model.py`.
 *
 * @module
 */

import { FormatError, WeightsError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { SafetensorsInput } from "../io/torch/safetensors.ts";
import { normalizeSealNames, type SealParts, type Shaped, splitSeal } from "../io/torch/seal_checkpoint.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import type { Parameters } from "../nn/parameters.ts";
import type { EncoderSpec } from "./encoder_spec.ts";
import { layerOfModule, modulesOfLayer } from "./families/modules.ts";
import type { ImageDecoderConfig } from "./image_decoder.ts";
import type { HeadKind } from "./projection_head.ts";
import { loadState, type StateEntry, type StateReport, stateTensors } from "./state_dict.ts";

/** What a vision checkpoint holds. */
export interface VisionFile {
  /** Low-rank updates, if there are any: their rank and the blocks they are in. */
  readonly lora: { readonly rank: number; readonly blocks: readonly number[] } | undefined;
  /** SEAL's names of the backbones it can belong to. */
  readonly backbones: readonly string[];
  /** Features of the embedding; undefined without a head that tells. */
  readonly dim: number | undefined;
  /** Projection head; `linear` also where the file says `projection_head.0`. */
  readonly head: HeadKind;
  /** Expression decoder; what follows its last layer is not stored. */
  readonly decoder: ImageDecoderConfig | undefined;
  /** Inner width of the bottleneck adapter. */
  readonly bottleneck: number | undefined;
  /** Whether it has organ tokens. */
  readonly organ: boolean;
  /** Low-rank updates that one adapted block has and another lacks. */
  readonly missing: readonly string[];
}

/** Names of heads, behind the prefix. */
const HEADS = /^(projection_head|decoder\.decoder|organ_emb|adapter)\./;
/** Before the path of an adapted layer. */
const ROOT = "encoder.base_model.model.";

function decoderOf<T extends Shaped>({ decoder }: SealParts<T>): ImageDecoderConfig | undefined {
  const first = decoder.get("0.weight")?.shape;
  const batchNorm = decoder.has("4.weight");
  const last = decoder.get(batchNorm ? "4.weight" : "3.weight")?.shape;
  if (first?.length !== 2 || last?.length !== 2) return undefined;
  return { dim: first[1]!, hidden: first[0]!, genes: last[0]!, batchNorm };
}

/**
 * Reads what a checkpoint holds off its names and shapes.
 *
 * @param tensors Tensors by their names in the file.
 * @param file Name of the file, for messages.
 * @throws {FormatError} If it is no vision checkpoint of SEAL.
 */
export function describeVision(tensors: ReadonlyMap<string, Shaped>, file: string): VisionFile {
  const parts = splitSeal(tensors, file);
  if (parts.kind !== "vision") {
    throw new FormatError(`Cannot read ${file} as a SEAL image model: it is a gene model, wanted encoder.base_model.`, {
      hint: "Give the file whose name ends in vision.pth",
      context: { file, found: parts.kind, expected: "vision" },
    });
  }
  const { head, adapter, organ, lora, rank, blocks, backbones, missing } = parts;
  const decoder = decoderOf(parts);
  const headDim = (head.get("weight") ?? head.get("0.weight"))?.shape[1];
  return {
    lora: lora.size ? { rank, blocks } : undefined,
    backbones,
    dim: decoder?.dim ?? headDim ?? adapter.get("0.weight")?.shape[1] ?? organ?.shape[1],
    head: head.has("weight") ? "linear" : head.has("3.weight") ? "mlp2" : "none",
    decoder,
    bottleneck: adapter.get("0.weight")?.shape[0],
    organ: organ !== undefined,
    missing,
  };
}

/** Where the parameters of a vision checkpoint lie. */
export interface VisionPlace {
  /** The encoder that low-rank updates belong to. */
  readonly spec: Pick<EncoderSpec, "family" | "arch" | "lora">;
  /** Before the names of heads in memory; default none. */
  readonly prefix?: string;
}

/** Layers with a low-rank update, and heads by their names in the file. */
function placesOf(parameters: Parameters, prefix: string): { layers: string[]; heads: Map<string, string> } {
  const names = parameters.state().map(([name]) => name);
  const layers = names.flatMap((name) => /^(.+)\.lora_A\.weight$/.exec(name)?.[1] ?? []);
  const heads = names.flatMap((name): [string, string][] => {
    const rest = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    return HEADS.test(rest) ? [[name, rest]] : [];
  });
  return { layers, heads: new Map(heads) };
}

/** The low-rank updates of a file, one a layer of `vit.ts`. */
function updatesOf(
  { lora }: SealParts<WeightTensor>,
  { spec }: VisionPlace,
  file: string,
): Map<string, { a: WeightTensor; b: WeightTensor }> {
  const updates = new Map<string, { a: WeightTensor; b: WeightTensor }>();
  for (const [path, pair] of lora) {
    const found = layerOfModule(spec.family, path);
    if (!found || found.piece) {
      const what = found ? "adapts query, key and value apart" : "is no layer of this encoder";
      throw new WeightsError(`Cannot load ${file}: ${path} ${what}`, {
        ...(found && { hint: "Load it as an adapter of the encoder, which joins them" }),
        context: { file, keys: [path] },
      });
    }
    updates.set(found.layer, pair);
  }
  return updates;
}

/**
 * Loads low-rank updates and heads into the encoder and the heads that are in memory.
 *
 * @param parameters Hold encoder and heads.
 * @param tensors Tensors by their names in the file.
 * @param options `file` is its name, for messages; `strict` false loads what fits and reports the rest.
 * @throws {FormatError} If it is no vision checkpoint of SEAL.
 * @throws {WeightsError} If shapes differ, a layer is not the encoder's, or names differ and it is strict.
 */
export async function loadVision(
  parameters: Parameters,
  tensors: ReadonlyMap<string, WeightTensor>,
  options: VisionPlace & { file: string; strict?: boolean },
): Promise<StateReport> {
  const { file, strict = true, prefix = "" } = options;
  describeVision(tensors, file);
  const parts = splitSeal(tensors, file);
  const updates = updatesOf(parts, options, file);
  const { layers, heads } = placesOf(parameters, prefix);
  const given = new Map([...normalizeSealNames(tensors.keys(), file)].map(([original, plain]) => [plain, original]));
  const plainHeads = normalizeSealNames(heads.values(), "the model");
  const entries: StateEntry[] = layers.flatMap((layer) => {
    const pair = updates.get(layer);
    return [
      { name: `${layer}.lora_A.weight`, tensor: pair?.a },
      { name: `${layer}.lora_B.weight`, tensor: pair?.b },
    ];
  });
  const used = new Set<string>();
  for (const [name, rest] of heads) {
    const plain = plainHeads.get(rest)!;
    const original = given.get(plain) ?? given.get(`encoder.${plain}`);
    for (const key of [plain, `encoder.${plain}`]) used.add(given.get(key) ?? "");
    entries.push({ name, tensor: original === undefined ? undefined : tensors.get(original) });
  }
  const known = new Set(layers);
  for (const [layer, { a, b }] of updates) if (known.has(layer)) used.add(a.name).add(b.name);
  const base = new Set(parts.base.values());
  const unexpected = [...tensors].filter(([name, tensor]) => !used.has(name) && !base.has(tensor)).map(([name]) =>
    name
  );
  return await loadState(parameters, entries, unexpected, { file, strict });
}

/** Paths of a layer in SEAL's wrapped backbone. */
function sealPaths(layer: string, { family, arch, lora: { root } }: VisionPlace["spec"]): string[] {
  const before = root === "model." ? root : "";
  return modulesOfLayer(family, layer, arch.mlp).map((path) => `${before}${path}`);
}

/**
 * Tensors of a vision checkpoint, for `pthChunks`: low-rank updates and heads, no weights of the encoder. The bottleneck
 * adapter comes twice, as the original's modules share it.
 *
 * @param options `wrapped` (default) puts `module.` before every name, as SEAL's published files have it.
 */
export async function visionTensors(
  parameters: Parameters,
  options: VisionPlace & { wrapped?: boolean },
): Promise<Map<string, SafetensorsInput>> {
  const { spec, prefix = "", wrapped = true } = options;
  const { layers, heads } = placesOf(parameters, prefix);
  const loraNames = layers.flatMap((layer) => ["A", "B"].map((side) => `${layer}.lora_${side}.weight`));
  const own = new Map([...loraNames.map((name): [string, string] => [name, name]), ...heads]);
  const read = await stateTensors(parameters, own);
  const out = new Map<string, SafetensorsInput>();
  const put = (name: string, tensor: SafetensorsInput) => out.set(`${wrapped ? "module." : ""}${name}`, tensor);
  for (const layer of layers) {
    const [a, b] = ["A", "B"].map((side) => read.get(`${layer}.lora_${side}.weight`)!);
    const paths = sealPaths(layer, spec);
    const rows = b!.shape[0]! / paths.length;
    const bytes = 4 * rows * sizeOf(b!.shape.slice(1));
    paths.forEach((path, i) => {
      put(`${ROOT}${path}.lora_A.default.weight`, a!);
      const data = b!.data.subarray(i * bytes, (i + 1) * bytes);
      put(`${ROOT}${path}.lora_B.default.weight`, { ...b!, shape: [rows, ...b!.shape.slice(1)], data });
    });
  }
  for (const rest of heads.values()) {
    put(rest, read.get(rest)!);
    if (rest.startsWith("adapter.")) put(`encoder.${rest}`, read.get(rest)!);
  }
  return out;
}
