/**
 * NumPy numbers and arrays in a pickle: training checkpoints keep losses and metrics so.
 *
 * @module
 */

import { type PickleContext, PickleObject, PickleTuple, type PickleValue } from "./pickle_value.ts";
import { countOf } from "./weight_tensor.ts";

/** Readers of one number, by NumPy's code: kind and bytes. */
const READERS: Readonly<Record<string, (view: DataView, little: boolean) => number | bigint | boolean>> = {
  f8: (view, little) => view.getFloat64(0, little),
  f4: (view, little) => view.getFloat32(0, little),
  i8: (view, little) => view.getBigInt64(0, little),
  i4: (view, little) => view.getInt32(0, little),
  i2: (view, little) => view.getInt16(0, little),
  i1: (view) => view.getInt8(0),
  u8: (view, little) => view.getBigUint64(0, little),
  u4: (view, little) => view.getUint32(0, little),
  u2: (view, little) => view.getUint16(0, little),
  u1: (view) => view.getUint8(0),
  b1: (view) => view.getUint8(0) !== 0,
};

/** An element type of NumPy. */
export class NumpyDtype extends PickleObject {
  /** Whether the bytes of a number begin with the lowest. */
  littleEndian = true;
  /** Names a type, such as `f8`. */
  constructor(readonly code: string) {
    super();
  }
  /** Bytes of an element. */
  get bytes(): number {
    return Number(this.code.slice(1));
  }
  /** Takes the byte order: (version, order, and what only structured types have). */
  override setState(state: PickleValue, cx: PickleContext): void {
    const [, order, ...fields] = state instanceof PickleTuple ? state.items : [];
    const plain = fields.slice(0, 3).every((field) => field === null);
    if (typeof order !== "string" || !"<>|=".includes(order) || order === "" || !plain) {
      cx.fail("restores a structured NumPy type", "a plain one");
    }
    this.littleEndian = order !== ">";
  }
}

/** `numpy.dtype("f8", align, copy)`. */
export function dtypeOfNumpy(args: readonly PickleValue[], cx: PickleContext): NumpyDtype {
  const [code] = args;
  if (typeof code !== "string" || !Object.hasOwn(READERS, code)) {
    cx.fail(`names the NumPy type ${String(code).slice(0, 40)}`, Object.keys(READERS).join(" "));
  }
  return new NumpyDtype(code);
}

/** `scalar(dtype, bytes)`: the number. */
export function numpyScalar(args: readonly PickleValue[], cx: PickleContext): PickleValue {
  const [dtype, bytes] = args;
  if (!(dtype instanceof NumpyDtype) || !(bytes instanceof Uint8Array) || bytes.length !== dtype.bytes) {
    cx.fail("makes a NumPy number from something else", "its type and its bytes");
  }
  const value = READERS[dtype.code]!(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), dtype.littleEndian);
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A NumPy array. */
export class NumpyArray extends PickleObject {
  /** Element type; undefined until the pickle has told. */
  dtype: NumpyDtype | undefined;
  /** Extents, outermost first. */
  shape: readonly number[] = [];
  /** Whether the first index runs fastest. */
  fortran = false;
  /** Elements in the byte order of `dtype`. */
  data: Uint8Array = new Uint8Array(0);

  /** Takes (version, shape, dtype, fortran, bytes). */
  override setState(state: PickleValue, cx: PickleContext): void {
    const [, shape, dtype, fortran, data] = state instanceof PickleTuple ? state.items : [];
    const extents = shape instanceof PickleTuple && shape.items.length <= 64 ? shape.items : undefined;
    if (!extents?.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 0)) {
      cx.fail("restores a NumPy array without shape", "its extents");
    }
    if (!(dtype instanceof NumpyDtype) || !(data instanceof Uint8Array)) {
      cx.fail("restores a NumPy array of objects", "its type and its bytes");
    }
    this.shape = extents as number[];
    if (countOf(this.shape)! * dtype.bytes !== data.length) {
      cx.fail(`restores a NumPy array of ${data.length} bytes`, `those of ${this.shape.join(" x ")} ${dtype.code}`);
    }
    [this.dtype, this.fortran, this.data] = [dtype, fortran === true, data];
  }
}
