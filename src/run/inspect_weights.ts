/**
 * What is in weights: a file, shards, or a folder with one of them; SEAL's checkpoints among them.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import { formatShape } from "../core/shape.ts";
import { disk, openFile, openFolder } from "../io/fs.ts";
import { PickleObject, PickleTuple, type PickleValue } from "../io/torch/pickle_value.ts";
import { TorchTensor } from "../io/torch/torch_globals.ts";
import { openWeights, openWeightsFolder, type Weights } from "../io/torch/weights.ts";
import { type Identified, identifyWeights } from "../models/identify.ts";
import { type AdapterTensor, unwrapNames } from "../models/families/unwrap.ts";
import { type ConfigFacts, readEncoderMetadata } from "../models/encoder_config.ts";
import { recogniseEncoder } from "../models/encoder_registry.ts";
import { specFor } from "../models/load.ts";
import { describeInput } from "../models/preprocess.ts";
import { factsIn, folderOf, specNamed } from "./encoder.ts";
import { inspectSeal, isSeal } from "./inspect_seal.ts";
import { first, type Inspection, type InspectOptions, type Target } from "./inspection.ts";
import { count, formatBytes } from "../core/text_table.ts";

/** Looks into weights. */
export async function inspect(target: Target, options: InspectOptions): Promise<Inspection> {
  const { tolerant } = options;
  const folder = target.names ? target.path.replace(/[/\\]+$/, "") : folderOf(target.path);
  const weights = target.names
    ? await openWeightsFolder(openFolder(folder), { tolerant })
    : await openWeights(await openFile(target.path), { tolerant, open: (name) => openFolder(folder).open(name) });
  try {
    const common = describeFile(weights, folder, options);
    const special = isSeal(weights.tensors.keys())
      ? inspectSeal(weights, options)
      : await inspectEncoder(weights, folder, target.path);
    return {
      json: { ...common.json, ...special.json },
      facts: [...common.facts, ...special.facts],
      listings: [...special.listings ?? [], ...common.listings ?? []],
    };
  } finally {
    weights.close();
  }
}

/** Format, tensors, types, and what lies beside the weights. */
function describeFile(weights: Weights, folder: string, { limit }: InspectOptions): Inspection {
  const { tensors, format, shards, path, metadata } = weights;
  const files = shards.length > 0 ? shards.map((shard) => `${folder}/${shard}`) : [weights.file];
  const bytes = files.reduce((sum, file) => {
    const entry = disk.look(file);
    return sum + (entry?.kind === "file" ? entry.size : 0);
  }, 0);
  const types: Record<string, number> = {};
  let parameters = 0;
  for (const { dtype, count } of tensors.values()) {
    types[dtype] = (types[dtype] ?? 0) + 1;
    parameters += count;
  }
  const shown = first(tensors, limit).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const beside = besideWeights(weights);
  const container = path === "" ? "" : `, weights under ${JSON.stringify(path)}`;
  return {
    json: {
      kind: "weights",
      file: weights.file,
      format,
      shards,
      bytes,
      container: path,
      metadata,
      beside,
      tensors: { count: tensors.size, parameters, types, list: shown },
    },
    facts: [
      ["file", weights.file],
      [
        "format",
        `${format}${shards.length ? ` in ${count(shards.length, "shard")}` : ""}, ${formatBytes(bytes)}${container}`,
      ],
      ["tensors", `${tensors.size}: ${Object.entries(types).map(([type, n]) => `${n} ${type}`).join(", ") || "none"}`],
      ["parameters", parameters.toLocaleString("en-US")],
      ["beside them", Object.entries(beside).map(([key, value]) => `${key} (${value})`).join(", ")],
    ],
    listings: [{
      title: ["tensor", "type", "shape"],
      rows: shown.map(({ name, dtype, shape }) => [name, dtype, formatShape(shape)]),
      total: tensors.size,
    }],
  };
}

/** What a PyTorch checkpoint holds next to its weights, by key. */
function besideWeights({ tree, path }: Weights): Record<string, string> {
  if (!(tree instanceof Map)) return {};
  const others = [...tree].filter(([key, value]) => key !== path && !(path === "" && value instanceof TorchTensor));
  return Object.fromEntries(others.slice(0, 100).map(([key, value]) => [String(key).slice(0, 80), brief(value)]));
}

function brief(value: PickleValue): string {
  if (value instanceof Map) return `dictionary of ${value.size}`;
  if (value instanceof Set) return `set of ${value.size}`;
  if (Array.isArray(value)) return `list of ${value.length}`;
  if (value instanceof PickleTuple) return `tuple of ${value.items.length}`;
  if (value instanceof TorchTensor) return `tensor ${formatShape(value.shape)}`;
  if (value instanceof Uint8Array) return count(value.length, "byte");
  if (value instanceof PickleObject) return (value as { name?: string }).name ?? "object";
  return String(value).slice(0, 80);
}

/** How the encoder would be used, and what of that nothing told. */
function useOf(
  weights: Weights,
  { keymap, heads, facts, says }: Identified & { facts: readonly ConfigFacts[]; says: string | undefined },
  folder: string,
  path: string,
) {
  const said = says === undefined ? undefined : specNamed(says);
  const { spec } = specFor(keymap, facts, weights, {
    name: folder.split(/[/\\]/).pop()!,
    ...(said ? { spec: said } : { recognise: (family, arch) => recogniseEncoder(family, arch, path) }),
  });
  const { pooling, dim } = spec.output;
  return {
    name: spec.name,
    input: spec.input,
    preparation: describeInput(spec.input),
    pooling,
    dim,
    // What is not known is not assumed either: the number of heads must be told.
    assumed: (spec.assumed ?? []).filter((what) => heads !== undefined || !/attention heads/.test(what)),
    notes: spec.notes ?? [],
  };
}

/** The encoder in the weights, or why there is none. */
async function inspectEncoder(weights: Weights, folder: string, path: string): Promise<Inspection> {
  const shapes = new Map([...weights.tensors].map(([name, { shape }]) => [name, shape]));
  const stored = readEncoderMetadata(weights.metadata);
  const facts = [...await factsIn(folder), ...stored.facts];
  let found: Identified;
  try {
    found = identifyWeights(shapes, weights.file, facts);
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    const loras = loraInside(shapes.keys(), weights.file);
    const why = error.message.replace(/^.*?: /, "");
    return {
      json: { encoder: null, reason: error.message, hint: error.hint, adapters: adapterJson(loras) },
      facts: [["encoder", `none: ${why}`], ["adapters", adapterText(loras)]],
    };
  }
  const { keymap, heads, encoders } = found;
  const { grid: _, pooler, ...arch } = keymap.arch;
  const names = encoders.map(({ name }) => name);
  const use = useOf(weights, { ...found, facts, says: stored.encoder }, folder, path);
  const sizes = [
    `width ${arch.width}`,
    count(arch.depth, "block"),
    heads === undefined ? "heads not known" : count(heads, "head"),
    `${arch.mlp} of ${arch.hidden}`,
    `patch ${arch.patch}`,
    `image ${arch.imageSize}`,
    ...(arch.registers ? [count(arch.registers, "register")] : []),
    ...(arch.layerScale ? ["LayerScale"] : []),
    ...(pooler ? [`attention pooling to ${pooler.width}`] : []),
  ];
  return {
    json: {
      encoder: {
        family: keymap.family,
        arch: { ...arch, heads: heads ?? null },
        pooler: pooler ?? null,
        parameters: keymap.entries.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
        says: stored.encoder ?? null,
        matches: names,
        ...use,
        wrappers: keymap.steps,
        ignored: keymap.ignored,
      },
      adapters: adapterJson(keymap.adapters),
    },
    facts: [
      ["encoder", `vision transformer, names of ${keymap.family}: ${sizes.join(", ")}`],
      ["says it is", stored.encoder ?? ""],
      ["may be", names.join(", ") || "none of the known encoders"],
      ["embedding", `${use.pooling}, ${use.dim} features`],
      ["preparation", use.preparation],
      ...use.assumed.map((what): [string, string] => ["assumed", what]),
      ...use.notes.map((note): [string, string] => ["note", note]),
      ["wrappers", keymap.steps.join(" ")],
      ["not needed", keymap.ignored.length ? count(keymap.ignored.length, "tensor") : ""],
      ["adapters", adapterText(keymap.adapters)],
    ],
  };
}

function loraInside(names: Iterable<string>, file: string): readonly AdapterTensor[] {
  try {
    return unwrapNames(names, () => true, file).adapters;
  } catch (error) {
    if (error instanceof WeightsError) return [];
    throw error;
  }
}

function modulesOf(adapters: readonly AdapterTensor[]): string[] {
  return [...new Set(adapters.map(({ module }) => module))];
}

function adapterJson(adapters: readonly AdapterTensor[]): { modules: string[]; names: string[] } | null {
  if (adapters.length === 0) return null;
  return { modules: modulesOf(adapters), names: [...new Set(adapters.map(({ adapter }) => adapter))] };
}

function adapterText(adapters: readonly AdapterTensor[]): string {
  return adapters.length ? `LoRA on ${count(modulesOf(adapters).length, "module")}` : "";
}
