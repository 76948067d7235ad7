/**
 * A tensor: shape, element type and a place in memory. No mathematics, no device calls.
 *
 * @module
 */

import { LimitError, ShapeError } from "../core/errors.ts";
import { type Dtype, dtypeBytes } from "../core/dtype.ts";
import { formatShape, resolveReshape, type Shape, sizeOf } from "../core/shape.ts";

/** Memory behind one or more tensors. A plan places `transient` storage; a store owns `persistent` storage. */
export class Storage {
  /** Set when memory exists. */
  buffer: GPUBuffer | undefined;
  /** Byte offset of the storage within `buffer`. */
  offset = 0;

  /** Describes memory that does not exist yet. */
  constructor(readonly label: string, readonly bytes: number, readonly kind: "transient" | "persistent") {}
}

let nextId = 0;

/** An n-dimensional row-major array on the device. */
export class Tensor {
  /** Whether backward must produce a gradient for it. Set by plans and stores. */
  requiresGrad = false;
  /** Persistent gradient of a trainable parameter, f32; backward adds to it. */
  grad: Tensor | undefined;

  /**
   * Describes a tensor; plans and stores make them.
   *
   * @param id Identity for gradients: a reshaped view keeps it.
   */
  constructor(
    readonly shape: Shape,
    readonly dtype: Dtype,
    readonly storage: Storage,
    readonly byteOffset: number = 0,
    readonly id: number = nextId++,
  ) {}

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of the elements, rounded up to whole words as bindings need. */
  get bytes(): number {
    return bytesOf(this.shape, this.dtype);
  }

  /** Extent `i`, counted from the end when negative. */
  dim(i: number): number {
    const extent = this.shape[i < 0 ? this.shape.length + i : i];
    if (extent === undefined) {
      throw new ShapeError(`Cannot read extent ${i} of ${formatShape(this.shape)}: no such dimension`);
    }
    return extent;
  }

  /**
   * The same elements under another shape; one extent may be -1. Gradients flow through as they are.
   *
   * @throws {ShapeError} If the element counts differ.
   */
  reshape(shape: Shape): Tensor {
    const view = new Tensor(resolveReshape(this.shape, shape), this.dtype, this.storage, this.byteOffset, this.id);
    view.requiresGrad = this.requiresGrad;
    view.grad = this.grad;
    return view;
  }

  /** The same memory as a new tensor without gradient history. */
  detach(): Tensor {
    return new Tensor(this.shape, this.dtype, this.storage, this.byteOffset);
  }

  /**
   * Elements `start .. start+size` of the flattened tensor under `shape`, without gradient history.
   *
   * @throws {LimitError} If the byte offset is not a multiple of 256, which bindings need.
   */
  slice(start: number, shape: Shape): Tensor {
    const offset = this.byteOffset + start * dtypeBytes(this.dtype);
    if (start < 0 || start + sizeOf(shape) > this.size) {
      throw new ShapeError(
        `Cannot slice ${formatShape(shape)} at ${start}: ${formatShape(this.shape)} has ${this.size} elements`,
      );
    }
    if (offset % 256 !== 0) {
      throw new LimitError(`Cannot bind a slice at byte ${offset}: offsets are multiples of 256`, {
        context: { limit: "offset alignment", given: offset, wanted: 256 },
      });
    }
    return new Tensor(shape, this.dtype, this.storage, offset);
  }
}

/** Bytes of a tensor, rounded up to whole words; an empty tensor takes one word, since nothing smaller can be bound. */
export function bytesOf(shape: Shape, dtype: Dtype): number {
  return Math.max(4, Math.ceil((sizeOf(shape) * dtypeBytes(dtype)) / 4) * 4);
}
