/**
 * Weights files of every kind behind one door: safetensors, PyTorch's zip format, and either of them in shards. What a file is
 * is recognised by its content, never by its name; what it looks like instead, such as the page of a refused download, is said.
 *
 * @example
 * ```ts ignore
 * const weights = await openWeights(await openFile("pytorch_model.bin"));
 * const qkv = await weights.tensors.get("blocks.0.attn.qkv.weight")!.readF32();
 * ```
 *
 * @module
 */

import { DataError, FormatError } from "../../core/errors.ts";
import { parseJson } from "../json.ts";
import type { PickleValue } from "./pickle_value.ts";
import { flattenTensors, openTorch, stateDictOf, torchWeights, verifyTorch } from "./pth.ts";
import { type Folder, isPlainName, type RandomAccess } from "../random_access.ts";
import { MAX_HEADER, openSafetensors } from "./safetensors.ts";
import type { WeightTensor } from "./weight_tensor.ts";
import { openZip } from "../zip.ts";

/** Longest index of shards, bytes. */
const MAX_INDEX = 1 << 26;
/** Most shards. */
const MAX_SHARDS = 4096;

/** Kind of a weights file. */
export type WeightsFormat = "safetensors" | "torch";

/** An open weights file, or several that belong together. */
export interface Weights {
  /** Name of the file, or of the index of the shards. */
  readonly file: string;
  /** Kind of the file. */
  /** What it is, or what its shards are. */
  readonly format: WeightsFormat;
  /** Names of the shards; empty for a single file. */
  readonly shards: readonly string[];
  /** Tensors by name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
  /** What safetensors calls `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whole object of a PyTorch checkpoint, beside the weights too: epoch, options, optimiser. */
  readonly tree?: PickleValue;
  /** Path in the tree that leads to the weights; "" for the whole. */
  readonly path: string;
  /** Closes the files. */
  close(): void;
}

/** How to open weights. */
export interface WeightsOptions {
  /** Opens a file beside an index of shards; without it, an index is refused. {@linkcode openWeightsFolder} gives it. */
  readonly open?: (name: string) => Promise<RandomAccess>;
  /** Where in a PyTorch checkpoint the weights lie, keys joined by dots. Default: found, see {@linkcode stateDictOf}. */
  readonly path?: string;
  /** Lets unknown classes of a PyTorch checkpoint stand as placeholders; none is ever run. Default false: refused. */
  readonly tolerant?: boolean;
  /** Compares every checksum of a PyTorch file first, reading all of it. Default false. */
  readonly verify?: boolean;
}

/** Beginnings that are no weights, with what they are and what mends it. */
const OTHERS: readonly [test: (head: Uint8Array, text: string) => boolean, is: string, hint: string][] = [
  [
    (head) =>
      [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19].every((b, i) => head[i] === b),
    "PyTorch's legacy format, from before version 1.6",
    "Save it again: python -c \"import torch; torch.save(torch.load('FILE', map_location='cpu'), 'OUT')\"",
  ],
  [
    (_, text) => text.slice(257, 262) === "ustar",
    "a tar archive, PyTorch's format before version 0.1.10 or a packed download",
    "Unpack it, or load it with an old PyTorch and save it again",
  ],
  [
    (_, text) => text.startsWith("version https://git-lfs"),
    "a Git LFS pointer",
    "Fetch the file itself: git lfs pull",
  ],
  [
    (_, text) =>
      /^\s*<(!doctype|html|\?xml)/i.test(text) || /^\s*(\{\s*"error"|access to model|invalid username)/i.test(text),
    "an answer of the server instead of the file",
    "Accept the model's licence on its page and pass a token, then fetch the file again",
  ],
  [
    (head) => head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5,
    "a bare pickle",
    "Save the weights with torch.save, or as safetensors",
  ],
  [(head) => head[0] === 0x1f && head[1] === 0x8b, "compressed by gzip", "Unpack it first: gunzip FILE"],
];

/** What a file is, by its first bytes. */
type Sniffed = WeightsFormat | "index";

function refuse(file: string, found: string, expected: string, hint?: string): never {
  throw new FormatError(`Cannot read ${file} as weights: byte 0 begins ${found}, expected ${expected}`, {
    context: { file, offset: 0, found, expected },
    ...(hint === undefined ? {} : { hint }),
  });
}

async function sniff(source: RandomAccess): Promise<Sniffed> {
  const head = await source.read(0, Math.min(512, source.size));
  const text = String.fromCharCode(...head);
  if (text.startsWith("PK\x03\x04")) return "torch";
  const other = OTHERS.find(([test]) => test(head, text));
  if (other !== undefined) refuse(source.name, other[1], "safetensors or PyTorch's zip format", other[2]);
  if (head.length >= 9 && head[8] === 0x7b) {
    const length = new DataView(head.buffer).getBigUint64(0, true);
    if (length >= 2n && length <= BigInt(MAX_HEADER)) return "safetensors";
  }
  if (/^\s*\{/.test(text)) return "index";
  const hex = [...head.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  refuse(source.name, head.length === 0 ? "nothing" : `bytes ${hex}`, "safetensors or PyTorch's zip format");
}

/**
 * Opens weights; headers are read, tensors are not. The source belongs to the result, which closes it; on failure it is closed.
 *
 * @throws {FormatError} If the content is damaged, hostile, or no weights.
 * @throws {DataError} If a shard is missing.
 */
export async function openWeights(source: RandomAccess, options: WeightsOptions = {}): Promise<Weights> {
  try {
    return await openAny(source, options);
  } catch (error) {
    source.close?.();
    throw error;
  }
}

async function openAny(source: RandomAccess, options: WeightsOptions): Promise<Weights> {
  const kind = await sniff(source);
  if (kind === "index") return await openShards(source, options);
  const common = { file: source.name, shards: [], close: () => source.close?.() };
  if (kind === "safetensors") {
    return { ...common, format: kind, path: "", ...await openSafetensors(source) };
  }
  const file = await openTorch(await openZip(source), { tolerant: options.tolerant ?? false });
  if (options.verify) await verifyTorch(file);
  const { path, value } = stateDictOf(file.tree, source.name, options.path);
  const tensors = torchWeights(file, flattenTensors(value, source.name));
  return { ...common, format: kind, path, tensors, metadata: {}, tree: file.tree };
}

/** The map of an index: tensor names to file names. */
async function readIndex(source: RandomAccess): Promise<Map<string, string>> {
  const { name, size } = source;
  const fail = (offset: number, found: string, expected: string): FormatError =>
    new FormatError(`Cannot read ${name} as an index of shards: byte ${offset} ${found}, expected ${expected}`, {
      context: { file: name, offset, found, expected },
    });
  if (size > MAX_INDEX) throw fail(0, `begins ${size} bytes`, `at most ${MAX_INDEX}`);
  const { weight_map: map } = parseJson(await source.read(0, size), fail) as { weight_map?: unknown };
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw fail(0, "begins an object without weight_map", "tensor names and their files");
  }
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard === "string" && isPlainName(shard)) continue;
    throw fail(0, `puts "${tensor.slice(0, 80)}" into ${JSON.stringify(shard)?.slice(0, 80)}`, "a plain file name");
  }
  return new Map(Object.entries(map as Record<string, string>));
}

async function openShards(source: RandomAccess, options: WeightsOptions): Promise<Weights> {
  const { open, ...rest } = options;
  const map = await readIndex(source);
  const shards = [...new Set(map.values())];
  if (open === undefined || shards.length === 0 || shards.length > MAX_SHARDS) {
    refuse(source.name, `an index of ${shards.length} shards`, "one file, or a folder to find the shards in");
  }
  const opened: Weights[] = [];
  const close = () => {
    for (const shard of opened) shard.close();
  };
  try {
    const found = new Map<string, WeightTensor>();
    for (const name of shards) {
      const shard = await openWeights(await open(name), rest);
      opened.push(shard);
      for (const [tensor, weight] of shard.tensors) {
        if (map.get(tensor) !== name) misplaced(source.name, tensor, name, map.get(tensor));
        found.set(tensor, weight);
      }
    }
    const absent = [...map].find(([tensor]) => !found.has(tensor));
    if (absent !== undefined) misplaced(source.name, absent[0], undefined, absent[1]);
    const metadata = Object.assign({}, ...opened.map((shard) => shard.metadata)) as Record<string, string>;
    const all = () => {
      close();
      source.close?.();
    };
    return { file: source.name, format: opened[0]!.format, shards, tensors: found, metadata, path: "", close: all };
  } catch (error) {
    close();
    throw error;
  }
}

/** A tensor lies elsewhere than the index says; undefined is nowhere. */
function misplaced(file: string, tensor: string, found: string | undefined, wanted: string | undefined): never {
  const label = tensor.slice(0, 120);
  const [is, should] = [found ?? "no shard", wanted ?? "none, since the index does not list it"];
  throw new FormatError(
    `Cannot read ${file} as an index of shards: tensor "${label}" lies in ${is}, expected in ${should}`,
    {
      hint: "The shards are of different downloads: fetch all of them again",
      context: { file, tensor: label, found: found ?? null, expected: wanted ?? null },
    },
  );
}

/** File names of Hugging Face's repositories, best first. */
const NAMES: readonly string[] = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/**
 * Opens the weights of a folder: one of the names of Hugging Face's repositories, else the only file with an extension of
 * weights.
 *
 * @throws {DataError} If there is none, or more than one and none of the known names.
 */
export async function openWeightsFolder(folder: Folder, options: WeightsOptions = {}): Promise<Weights> {
  const names = await folder.list();
  const candidates = names.filter((name) => /\.(safetensors|bin|pth|pt|ckpt|torch)$/.test(name));
  const name = NAMES.find((name) => names.includes(name)) ?? (candidates.length === 1 ? candidates[0]! : undefined);
  if (name === undefined) {
    const found = candidates.slice(0, 10).join(", ") || "no weights";
    throw new DataError(
      `Cannot choose the weights in ${folder.name}: found ${found}, wanted one of ${NAMES.join(", ")}`,
      {
        code: "no-weights",
        hint: candidates.length > 0
          ? `Pass the path of the file, such as ${folder.name}/${candidates[0]}`
          : "Pass a folder or a file with weights, or the name of an encoder",
        context: { folder: folder.name, found: candidates },
      },
    );
  }
  return await openWeights(await folder.open(name), { ...options, open: (shard) => folder.open(shard) });
}
