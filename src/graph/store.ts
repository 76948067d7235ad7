/**
 * Persistent tensors: weights, gradients, optimiser state, inputs. Tensors of one group lie one behind the other in few
 * large buffers, so that an optimiser updates all of them with one dispatch a buffer.
 *
 * @module
 */

import { assert, LimitError } from "../core/errors.ts";
import { type Dtype, encode } from "../core/dtype.ts";
import { formatShape, type Shape } from "../core/shape.ts";
import type { Gpu } from "../gpu/device.ts";
import { bytesOf, Storage, Tensor } from "./tensor.ts";

/** Alignment of tensors within a group, bytes: 64 floats, which bindings and group tables rely on. */
export const STORE_ALIGN = 256;

/** One buffer's worth of tensors; grows until it is allocated. */
class Chunk extends Storage {
  constructor(label: string) {
    super(label, 0, "persistent");
  }
}

/**
 * Owner of persistent memory on one device. A group is one usage class: a dispatch that reads one group and writes another
 * never meets WebGPU's whole-buffer usage rule.
 */
export class Store {
  readonly #chunks: Map<string, { storage: Chunk; bytes: number }[]> = new Map();

  /**
   * Starts an empty store.
   *
   * @param gpu Device the memory will live on.
   */
  constructor(readonly gpu: Gpu) {}

  /**
   * Adds a tensor to a group. Memory exists after {@linkcode Store.allocate}, filled with zeros.
   *
   * @throws {LimitError} If the tensor is larger than the device lets a kernel bind.
   */
  tensor(group: string, label: string, shape: Shape, dtype: Dtype = "f32"): Tensor {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.gpu.caps.limits;
    const max = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    const bytes = bytesOf(shape, dtype);
    if (bytes > max) {
      throw new LimitError(
        `Cannot hold ${label} ${formatShape(shape)}: ${bytes} bytes, the device binds at most ${max}`,
        {
          hint: "Split the tensor, or store it as f16",
          context: { tensor: label, limit: "maxStorageBufferBindingSize", given: bytes, max },
        },
      );
    }
    const chunks = this.#chunks.get(group) ?? [];
    this.#chunks.set(group, chunks);
    let chunk = chunks.at(-1);
    if (!chunk || chunk.storage.buffer || chunk.bytes + bytes > max) {
      chunk = { storage: new Chunk(`${group}.${chunks.length}`), bytes: 0 };
      chunks.push(chunk);
    }
    const offset = chunk.bytes;
    chunk.bytes = Math.ceil((offset + bytes) / STORE_ALIGN) * STORE_ALIGN;
    return new Tensor(shape, dtype, chunk.storage, offset);
  }

  /** Each buffer of a group as one flat f32 tensor, padding included (it holds zeros). */
  chunks(group: string): Tensor[] {
    return (this.#chunks.get(group) ?? []).map(({ storage, bytes }) => new Tensor([bytes / 4], "f32", storage));
  }

  /** Bytes by group. */
  bytes(): Record<string, number> {
    return Object.fromEntries(
      [...this.#chunks].map(([group, chunks]) => [group, chunks.reduce((sum, chunk) => sum + chunk.bytes, 0)]),
    );
  }

  /** Creates the buffers that do not exist yet. */
  allocate(): void {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    for (const chunks of this.#chunks.values()) {
      for (const { storage, bytes } of chunks) storage.buffer ??= this.gpu.buffer(storage.label, bytes, usage);
    }
  }

  /**
   * Writes all elements of a tensor; numbers are converted to its element type, bytes are taken as they are.
   */
  write(tensor: Tensor, data: ArrayLike<number> | Uint8Array): void {
    this.allocate();
    upload(this.gpu, tensor, data);
  }

  /** Adds a tensor and writes it. */
  from(group: string, label: string, shape: Shape, data: ArrayLike<number>, dtype: Dtype = "f32"): Tensor {
    const tensor = this.tensor(group, label, shape, dtype);
    this.write(tensor, data);
    return tensor;
  }

  /** Frees all buffers. */
  destroy(): void {
    for (const chunks of this.#chunks.values()) {
      for (const { storage } of chunks) storage.buffer?.destroy();
    }
    this.#chunks.clear();
  }
}

/** Copies host data into a tensor that has memory; the copy is ordered before the next submitted plan. */
export function upload(gpu: Gpu, tensor: Tensor, data: ArrayLike<number> | Uint8Array): void {
  gpu.check();
  const { storage } = tensor;
  assert(storage.buffer, `tensor in ${storage.label} has memory before it is written`);
  const raw = data instanceof Uint8Array && (tensor.dtype !== "u8" || data.byteLength % 4 === 0);
  const bytes = raw ? data as Uint8Array : encode(data, tensor.dtype);
  const count = raw && tensor.dtype !== "u8" ? bytes.byteLength : data.length;
  const wanted = raw && tensor.dtype !== "u8" ? tensor.bytes : tensor.size;
  if (count !== wanted) {
    throw new LimitError(
      `Cannot write ${count} elements to ${storage.label}: ${formatShape(tensor.shape)} holds ${wanted}`,
      {
        context: { tensor: storage.label, given: count, wanted },
      },
    );
  }
  if (bytes.byteLength) {
    gpu.queue.writeBuffer(storage.buffer, storage.offset + tensor.byteOffset, bytes as Uint8Array<ArrayBuffer>);
  }
}
