/**
 * The globals a PyTorch checkpoint may name, and what stands in for each: data only, nothing is ever called or imported. The
 * list is that of `torch.load(weights_only=True)` as far as weights need it, NumPy numbers and arrays, and argparse records,
 * which training checkpoints keep their options in.
 *
 * @module
 */

import { dtypeOfNumpy, NumpyArray, numpyScalar } from "./numpy_pickle.ts";
import {
  type PickleContext,
  PickleGlobal,
  PickleObject,
  PickleTuple,
  type PickleValue,
  setItems,
} from "./pickle_value.ts";
import { countOf, weightBytes, type WeightDtype } from "./weight_tensor.ts";

/** Most dimensions of a tensor. */
const MAX_RANK = 64;

/** Memory that tensors are views of. */
export class TorchStorage extends PickleObject {
  /**
   * Describes a storage.
   *
   * @param key Name of its bytes in the archive.
   * @param dtype Type of its elements; undefined where only tensors know it.
   * @param bytes Length.
   */
  constructor(readonly key: string, readonly dtype: WeightDtype | undefined, readonly bytes: number) {
    super();
  }
}

/** A strided view of a storage; element (i, j, …) lies at `offset + i * stride[0] + j * stride[1] + …`. */
export class TorchTensor extends PickleObject {
  /**
   * Describes a tensor that lies within its storage.
   *
   * @param storage Memory it views.
   * @param dtype Type of its elements.
   * @param offset First element.
   * @param shape Extents, outermost first.
   * @param stride Distance of neighbours along each dimension, elements.
   */
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: WeightDtype,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly stride: readonly number[],
  ) {
    super();
  }
}

/** A record such as `argparse.Namespace`: its fields by name. */
export class PickleRecord extends PickleObject {
  /** Fields, in the order of the pickle. */
  fields: ReadonlyMap<PickleValue, PickleValue> = new Map();
  /** Starts a record without fields. */
  constructor(readonly type: string) {
    super();
  }
  /** Takes the fields. */
  override setState(state: PickleValue, cx: PickleContext): void {
    if (!(state instanceof Map)) cx.fail(`restores ${this.type} from no dictionary`, "one");
    this.fields = state;
  }
}

/** Types of elements by the storage classes of `torch`. */
export const STORAGES: Readonly<Record<string, WeightDtype>> = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** Element types of `torch`. */
const DTYPES: Readonly<Record<string, WeightDtype>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
};

const UNTYPED = "torch.storage.UntypedStorage";

function whole(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function wholes(value: PickleValue | undefined, what: string, cx: PickleContext): number[] {
  const items = value instanceof PickleTuple ? value.items : value;
  if (!Array.isArray(items) || items.length > MAX_RANK || !items.every(whole)) {
    cx.fail(`rebuilds a tensor whose ${what} is no list of whole numbers`, `at most ${MAX_RANK} of them`);
  }
  cx.charge(items.length);
  return [...items];
}

/** The storage a persistent id names. */
export function torchStorage(id: PickleValue, cx: PickleContext): TorchStorage {
  const [kind, type, key, location, count] = id instanceof PickleTuple ? id.items : [];
  const texts = typeof key === "string" && typeof location === "string";
  if (kind !== "storage" || !(type instanceof PickleGlobal) || !texts || !whole(count)) {
    cx.fail("names a persistent id that is no storage", '("storage", type, key, location, count)');
  }
  const dtype = STORAGES[type.name.slice("torch.".length)];
  if (dtype === undefined && type.name !== UNTYPED) {
    cx.fail(`names a storage of type "${type.name}"`, "a storage class");
  }
  const bytes = dtype === undefined ? count : weightBytes(dtype, count);
  if (bytes === undefined) cx.fail(`names a storage of ${count} elements`, "a length in bytes that is exact");
  return new TorchStorage(key, dtype, bytes);
}

/**
 * `_rebuild_tensor`, `_v2` and `_v3`: storage, offset, size and stride; but for the first, whether it wants gradients, and
 * hooks; type, for v3; perhaps metadata.
 */
function rebuildTensor(args: readonly PickleValue[], cx: PickleContext, least: number, typeAt?: number): TorchTensor {
  if (args.length < least || args.length > least + (least > 4 ? 1 : 0)) {
    cx.fail(`rebuilds a tensor from ${args.length} arguments`, `${least}`);
  }
  const [storage, offset] = args;
  if (!(storage instanceof TorchStorage) || !whole(offset)) {
    cx.fail("rebuilds a tensor without storage and offset", "both");
  }
  const named = typeAt === undefined ? undefined : args[typeAt];
  const dtype = typeAt === undefined
    ? storage.dtype
    : named instanceof PickleGlobal
    ? DTYPES[named.name.slice("torch.".length)]
    : undefined;
  if (dtype === undefined) cx.fail("rebuilds a tensor without element type", "one of torch's");
  const shape = wholes(args[2], "size", cx);
  const stride = wholes(args[3], "stride", cx);
  if (shape.length !== stride.length) cx.fail("rebuilds a tensor with another number of strides", "one a dimension");
  const count = countOf(shape);
  if (count === undefined) cx.fail(`rebuilds a tensor of size ${shape.join(", ")}`, "a countable number of elements");
  const last = shape.reduce((sum, extent, i) => sum + (extent - 1) * stride[i]!, offset);
  const end = weightBytes(dtype, count === 0 ? offset : last + 1);
  if (end === undefined || end > storage.bytes) {
    cx.fail(`rebuilds a tensor that ends at byte ${end} of its storage`, `it within ${storage.bytes}`);
  }
  return new TorchTensor(storage, dtype, offset, shape, stride);
}

/** `_rebuild_parameter`: (tensor, whether it wants gradients, hooks), and its state. */
function rebuildParameter(args: readonly PickleValue[], cx: PickleContext, count: number): PickleValue {
  const [tensor] = args;
  if (!(tensor instanceof TorchTensor) || args.length !== count) {
    cx.fail("rebuilds a parameter without a tensor", "one");
  }
  return tensor;
}

/** `_rebuild_from_type_v2`: (function, type, arguments, state). */
function fromType(args: readonly PickleValue[], cx: PickleContext): PickleValue {
  const [rebuild, type, inner] = args;
  const plain = type instanceof PickleGlobal && /^torch\.(Tensor|nn\.parameter\.Parameter)$/.test(type.name);
  const known = rebuild instanceof PickleGlobal && rebuild.name.startsWith("torch._utils._rebuild_");
  if (!plain || !known || !(inner instanceof PickleTuple)) {
    cx.fail("rebuilds a tensor of another class", "torch.Tensor");
  }
  return rebuild.call!(inner.items, cx);
}

function sizeTuple(args: readonly PickleValue[], cx: PickleContext): PickleTuple {
  const [items] = args;
  return new PickleTuple(items === undefined ? [] : wholes(items, "size", cx));
}

/** Items of a list, tuple or set given as the only argument; none without it. */
function itemsOf(args: readonly PickleValue[], cx: PickleContext): PickleValue[] {
  const [given] = args;
  const items = given instanceof PickleTuple ? given.items : given instanceof Set ? [...given] : given ?? [];
  if (!Array.isArray(items) || args.length > 1) cx.fail("makes a container from what is no list", "a list");
  cx.charge(items.length);
  return [...items];
}

/** A dictionary, empty or from a list of pairs. */
function mapOf(args: readonly PickleValue[], cx: PickleContext): PickleValue {
  const map = new Map<PickleValue, PickleValue>();
  for (const pair of itemsOf(args, cx)) {
    const items = pair instanceof PickleTuple ? pair.items : pair;
    if (!Array.isArray(items) || items.length !== 2) cx.fail("makes a dictionary from what are no pairs", "pairs");
    setItems(map, items, cx);
  }
  return map;
}

/** `_codecs.encode(text, "latin1")`: how protocol 2 keeps bytes. */
function encodeLatin1(args: readonly PickleValue[], cx: PickleContext): Uint8Array {
  const [text, code] = args;
  if (typeof text !== "string" || !/^latin-?1$/.test(String(code))) cx.fail("encodes another code", "latin1");
  cx.charge(text.length);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) cx.fail(`encodes character ${code} as latin1`, "at most 255");
    bytes[i] = code;
  }
  return bytes;
}

type Call = (args: readonly PickleValue[], cx: PickleContext) => PickleValue;

function list(): Map<string, PickleGlobal> {
  const globals = new Map<string, PickleGlobal>();
  const add = (module: string, name: string, call?: Call) =>
    globals.set(`${module} ${name}`, new PickleGlobal(`${module}.${name}`, call));
  add("collections", "OrderedDict", mapOf);
  add("torch._utils", "_rebuild_tensor", (args, cx) => rebuildTensor(args, cx, 4));
  add("torch._utils", "_rebuild_tensor_v2", (args, cx) => rebuildTensor(args, cx, 6));
  add("torch._utils", "_rebuild_tensor_v3", (args, cx) => rebuildTensor(args, cx, 7, 6));
  add("torch._utils", "_rebuild_parameter", (args, cx) => rebuildParameter(args, cx, 3));
  add("torch._utils", "_rebuild_parameter_with_state", (args, cx) => rebuildParameter(args, cx, 4));
  add("torch._tensor", "_rebuild_from_type_v2", fromType);
  for (const name of [...Object.keys(STORAGES), ...Object.keys(DTYPES), "Tensor"]) add("torch", name);
  add("torch.storage", "UntypedStorage");
  add("torch.nn.parameter", "Parameter");
  add("torch", "Size", sizeTuple);
  add("torch", "device", () => new PickleRecord("torch.device"));
  add("argparse", "Namespace", () => new PickleRecord("argparse.Namespace"));
  add("_codecs", "encode", encodeLatin1);
  add("numpy", "dtype", dtypeOfNumpy);
  add("numpy", "ndarray");
  for (const module of ["numpy.core.multiarray", "numpy._core.multiarray"]) {
    add(module, "scalar", numpyScalar);
    add(module, "_reconstruct", () => new NumpyArray());
  }
  for (const module of ["builtins", "__builtin__"]) {
    add(module, "set", (args, cx) => new Set(itemsOf(args, cx)));
    add(module, "list", itemsOf);
    add(module, "tuple", (args, cx) => new PickleTuple(itemsOf(args, cx)));
    add(module, "dict", mapOf);
    for (const name of ["int", "float", "bool", "str"]) add(module, name);
  }
  return globals;
}

/** The globals, by module and name separated by a space. */
export const TORCH_GLOBALS: ReadonlyMap<string, PickleGlobal> = list();
