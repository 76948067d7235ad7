/**
 * PyTorch checkpoints (`.pth`, `.pt`, `.bin`, `.ckpt`) in the zip format of PyTorch 1.6 and later: a pickle that describes
 * tensors as views of storages, and one entry of raw bytes a storage, read by range.
 *
 * Source: pytorch/pytorch `torch/serialization.py`, `torch/_utils.py`.
 *
 * @module
 */

import { FormatError, LimitError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import { MAX_PICKLE, readPickle } from "./pickle.ts";
import { PickleTuple, type PickleValue } from "./pickle_value.ts";
import { readChunks } from "../random_access.ts";
import { TORCH_GLOBALS, type TorchStorage, torchStorage, TorchTensor } from "./torch_globals.ts";
import { countOf, MAX_NAME, weightBytes, WeightTensor } from "./weight_tensor.ts";
import { checkCrc, crc32, locateEntry, readEntry, type Zip, type ZipEntry } from "../zip.ts";

/** Most bytes of a storage read at once to gather a tensor that does not lie in one piece, and in all, with each read's own cost. */
const MAX_SPAN = 1 << 27, MAX_GATHER = 2 ** 31, READ_COST = 1 << 16;
/** A view may hold more elements than its storage (a stride of 0), up to these bytes. */
const MAX_EXPANDED = 1 << 26;
/** Keys that checkpoints keep the weights under, in the order they are tried. */
const STATE_KEYS: readonly string[] = ["state_dict", "model", "teacher", "model_state_dict", "module", "student"];
/** Deepest nesting of a state dict, and most values in it. */
const MAX_DEPTH = 64, MAX_VALUES = 1 << 18;

/** A checkpoint: what was saved, tensors by description. */
export interface TorchFile {
  readonly zip: Zip;
  /** Name of the folder all entries lie in. */
  readonly root: string;
  readonly littleEndian: boolean;
  /** The saved object. Dictionaries are maps; tensors are {@linkcode TorchTensor}. */
  readonly tree: PickleValue;
}

/** How to read a checkpoint. */
export interface TorchOptions {
  /** Lets placeholders stand for unknown classes beside the weights, such as an optimiser's. Default false: refused. */
  readonly tolerant?: boolean;
}

function fail(file: string, place: string, found: string, expected: string, hint?: string): never {
  throw new FormatError(`Cannot read ${file} as a PyTorch file: ${place} ${found}, expected ${expected}`, {
    context: { file, place, found, expected },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The folder of the archive, from its one `data.pkl`. */
function rootOf(zip: Zip): string {
  const { name } = zip.source;
  const names = [...zip.entries.keys()];
  const roots = names.flatMap((entry) => /^([^/]+)\/data\.pkl$/.exec(entry)?.[1] ?? []);
  if (roots.length !== 1) fail(name, "the archive", `has ${roots.length} data.pkl`, "one, in a folder");
  const root = roots[0]!;
  if (zip.entries.has(`${root}/constants.pkl`) || names.some((entry) => entry.startsWith(`${root}/code/`))) {
    fail(
      name,
      `"${root}"`,
      "is a TorchScript program",
      "saved weights",
      "Save the weights alone: torch.save(torch.jit.load(FILE).state_dict(), OUT)",
    );
  }
  return root;
}

/**
 * Reads the description of a checkpoint; tensors are read later.
 *
 * @throws {FormatError} If the archive or the pickle is damaged, or names a class that is not data.
 */
export async function openTorch(zip: Zip, options: TorchOptions = {}): Promise<TorchFile> {
  const { name } = zip.source;
  const root = rootOf(zip);
  const order = zip.entries.get(`${root}/byteorder`);
  const endian = order === undefined ? "little" : new TextDecoder().decode(await readEntry(zip, order, 16)).trim();
  if (endian !== "little" && endian !== "big") fail(name, `"${root}/byteorder"`, `is "${endian}"`, "little or big");
  const storages = new Map<string, TorchStorage>();
  const tree = readPickle(await readEntry(zip, zip.entries.get(`${root}/data.pkl`)!, MAX_PICKLE), {
    file: `${name}/${root}/data.pkl`,
    globals: TORCH_GLOBALS,
    tolerant: options.tolerant ?? false,
    persistent(id, cx) {
      const storage = torchStorage(id, cx);
      const known = storages.get(storage.key);
      if (known?.dtype === storage.dtype && known?.bytes === storage.bytes) return known;
      const entry = zip.entries.get(`${root}/data/${storage.key}`);
      if (known !== undefined) cx.fail(`names storage "${storage.key}" anew`, "the same type and length");
      if (entry?.size !== storage.bytes) {
        const there = entry === undefined ? "no entry" : `an entry of ${entry.size} bytes`;
        cx.fail(`names storage "${storage.key}" of ${storage.bytes} bytes with ${there}`, "one of that length");
      }
      storages.set(storage.key, storage);
      return storage;
    },
  });
  return { zip, root, littleEndian: endian === "little", tree };
}

function isTensorMap(value: PickleValue | undefined): boolean {
  return value instanceof Map && [...value.values()].some((item) => item instanceof TorchTensor);
}

/**
 * The part of a checkpoint that holds the weights, and the path that leads to it.
 *
 * @param path Keys separated by dots; "" is the whole. By default the whole if it holds tensors itself, else the first of
 * `state_dict`, `model`, `teacher`, `model_state_dict`, `module`, `student` that is a dictionary, else the whole.
 * @throws {FormatError} If the path leads nowhere.
 */
export function stateDictOf(tree: PickleValue, file: string, path?: string): { path: string; value: PickleValue } {
  if (path === undefined) {
    const map = tree instanceof Map && !isTensorMap(tree) ? tree : new Map<PickleValue, PickleValue>();
    const key = STATE_KEYS.find((key) => map.get(key) instanceof Map);
    return key === undefined ? { path: "", value: tree } : { path: key, value: map.get(key)! };
  }
  let value = tree;
  for (const key of path === "" ? [] : path.split(".")) {
    const next: PickleValue | undefined = value instanceof Map ? value.get(key) : undefined;
    if (next === undefined) {
      const keys = value instanceof Map
        ? [...value.keys()].slice(0, 10).map(String).join(", ")
        : "none, it is no dictionary";
      fail(file, `key "${key.slice(0, 80)}" of "${path}"`, "is missing", `one of the keys (${keys.slice(0, 400)})`);
    }
    value = next;
  }
  return { path, value };
}

/** Tensors below `value` by their keys, joined with dots; numbers of lists count as keys. */
export function flattenTensors(value: PickleValue, file: string): Map<string, TorchTensor> {
  const out = new Map<string, TorchTensor>();
  let visited = 0;
  const visit = (value: PickleValue, name: string, depth: number): void => {
    if (++visited > MAX_VALUES || depth > MAX_DEPTH || name.length > MAX_NAME) {
      const bounds = `${MAX_DEPTH} levels, ${MAX_VALUES} values and names of ${MAX_NAME} characters`;
      fail(file, `"${name.slice(0, 80)}"`, "nests too deep or too wide", bounds);
    }
    if (value instanceof TorchTensor) {
      if (out.has(name)) fail(file, `"${name.slice(0, 80)}"`, "names two tensors", "every name once");
      out.set(name, value);
      return;
    }
    const items = value instanceof PickleTuple ? value.items : value;
    const entries = items instanceof Map || Array.isArray(items) ? items.entries() : [];
    for (const [key, item] of entries) {
      if (typeof item !== "object" || item === null) continue;
      const plain = typeof key === "string" || typeof key === "number";
      if (plain) visit(item, name === "" ? String(key) : `${name}.${key}`, depth + 1);
    }
  };
  visit(value, "", 0);
  return out;
}

/** One storage of an archive: where it lies, and whether its checksum was compared. */
interface Located {
  entry: ZipEntry;
  start: number;
}

/**
 * Makes tensors readable. Reading the whole of a storage at once compares its checksum, too.
 *
 * @throws {FormatError} If together they would be far larger than the file: such a file was made to harm.
 */
export function torchWeights(file: TorchFile, tensors: ReadonlyMap<string, TorchTensor>): Map<string, WeightTensor> {
  const { zip, root } = file;
  const { source } = zip;
  const located = new Map<string, Promise<Located>>();
  const locate = (key: string): Promise<Located> => {
    const entry = zip.entries.get(`${root}/data/${key}`)!;
    const place = located.get(key) ?? locateEntry(zip, entry).then((start) => ({ entry, start }));
    located.set(key, place);
    return place;
  };
  const out = new Map<string, WeightTensor>();
  let total = 0;
  for (const [name, tensor] of tensors) {
    const itemBytes = weightBytes(tensor.dtype, 1)!;
    const fetch: Fetch = async (from, count) => {
      const { entry, start } = await locate(tensor.storage.key);
      const bytes = await source.read(start + from * itemBytes, count * itemBytes);
      if (bytes.length === entry.size) checkCrc(zip, entry, crc32(bytes));
      return file.littleEndian ? bytes : swapBytes(bytes, itemBytes);
    };
    const read = (from: number, to: number) =>
      isContiguous(tensor) ? fetch(tensor.offset + from, to - from) : gather(name, tensor, from, to, fetch);
    const weight = new WeightTensor(name, tensor.dtype, tensor.shape, read);
    total += weight.bytes;
    const expanded = weight.bytes > tensor.storage.bytes && weight.bytes > MAX_EXPANDED;
    if (expanded || total > 16 * source.size + MAX_EXPANDED) {
      fail(
        source.name,
        `tensor "${name.slice(0, 80)}"`,
        `brings the sum to ${total} bytes`,
        "no more than the file holds",
      );
    }
    out.set(name, weight);
  }
  return out;
}

/**
 * Compares the checksum of every entry, reading the whole file once.
 *
 * @throws {FormatError} At the first entry that is damaged.
 */
export async function verifyTorch({ zip }: TorchFile): Promise<void> {
  for (const entry of zip.entries.values()) {
    const start = await locateEntry(zip, entry);
    let crc = 0;
    for await (const chunk of readChunks(zip.source, start, start + entry.size)) crc = crc32(chunk, crc);
    checkCrc(zip, entry, crc);
  }
}

/** Reads `count` elements of a storage from element `from`. */
type Fetch = (from: number, count: number) => Promise<Uint8Array<ArrayBuffer>>;

/** Whether the elements lie in row-major order without gaps; dimensions of extent 1 have no say. */
function isContiguous({ shape, stride }: TorchTensor): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && stride[i] !== step) return false;
    step *= shape[i]!;
  }
  return true;
}

/**
 * Elements `from` up to `to` of a tensor in any layout. Leading dimensions are walked, so that what is read at once stays
 * within a bound; the rest is picked from one piece of the storage.
 */
async function gather(
  name: string,
  tensor: TorchTensor,
  from: number,
  to: number,
  fetch: Fetch,
): Promise<Uint8Array<ArrayBuffer>> {
  const { shape, stride, dtype } = tensor;
  const itemBytes = weightBytes(dtype, 1)!;
  const spanFrom = (dim: number) => shape.slice(dim).reduce((sum, n, i) => sum + (n - 1) * stride[dim + i]!, 1);
  let dim = 0;
  while (dim < shape.length && spanFrom(dim) * itemBytes > MAX_SPAN) dim++;
  const span = spanFrom(dim);
  const inner = shape.slice(dim);
  const block = countOf(inner)!;
  const blocks = Math.ceil(to / block) - Math.floor(from / block);
  if (blocks * (span * itemBytes + READ_COST) > MAX_GATHER) {
    throw new LimitError(
      `Cannot gather tensor "${name}": ${formatShape(shape)} with strides ${
        formatShape(stride)
      }, ${blocks} pieces of ${span} elements`,
      {
        hint: "Call .contiguous() on it before torch.save",
        context: { tensor: name, shape, stride },
      },
    );
  }
  const out = new Uint8Array((to - from) * itemBytes);
  for (let k = Math.floor(from / block); k * block < to; k++) {
    const first = Math.max(from, k * block);
    const count = Math.min(to, (k + 1) * block) - first;
    const piece = await fetch(tensor.offset + offsetOf(k, shape.slice(0, dim), stride), span);
    pick(piece, out, (first - from) * itemBytes, {
      shape: inner,
      stride: stride.slice(dim),
      itemBytes,
      first: first - k * block,
      count,
    });
  }
  return out;
}

/** Distance of element `index`, counted in row-major order, from the first. */
function offsetOf(index: number, shape: readonly number[], stride: readonly number[]): number {
  let offset = 0;
  for (let i = shape.length - 1, rest = index; i >= 0; i--) {
    offset += (rest % shape[i]!) * stride[i]!;
    rest = Math.floor(rest / shape[i]!);
  }
  return offset;
}

/** Elements to pick: `count` from element `first` of a strided shape. */
interface Picked {
  shape: readonly number[];
  stride: readonly number[];
  itemBytes: number;
  first: number;
  count: number;
}

/** Copies elements one by one; the row-major index is kept as digits. */
function pick(
  piece: Uint8Array,
  out: Uint8Array,
  outAt: number,
  { shape, stride, itemBytes, first, count }: Picked,
): void {
  const digits = shape.map(() => 0);
  for (let i = shape.length - 1, rest = first; i >= 0; i--) {
    digits[i] = rest % shape[i]!;
    rest = Math.floor(rest / shape[i]!);
  }
  let at = offsetOf(first, shape, stride);
  for (let n = 0; n < count; n++) {
    for (let b = 0; b < itemBytes; b++) out[outAt + n * itemBytes + b] = piece[at * itemBytes + b]!;
    for (let i = shape.length - 1; i >= 0; i--) {
      at += stride[i]!;
      if (++digits[i]! < shape[i]!) break;
      at -= stride[i]! * shape[i]!;
      digits[i] = 0;
    }
  }
}

/** Reverses the bytes of every element, in place. */
function swapBytes(bytes: Uint8Array<ArrayBuffer>, itemBytes: number): Uint8Array<ArrayBuffer> {
  for (let at = 0; itemBytes > 1 && at < bytes.length; at += itemBytes) bytes.subarray(at, at + itemBytes).reverse();
  return bytes;
}
