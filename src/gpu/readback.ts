/**
 * The only way from device memory to the host. Waits for everything submitted before; on Deno each call costs about
 * 10 ms, so training reads rings of values every many steps.
 *
 * @module
 */

import { decode, type Dtype } from "../core/dtype.ts";
import { DeviceError } from "../core/errors.ts";
import type { Gpu } from "./device.ts";

/** A range of elements in a buffer. */
export interface Range {
  readonly buffer: GPUBuffer;
  /** Byte offset, a multiple of four. */
  readonly offset: number;
  /** Bytes, a multiple of four. */
  readonly bytes: number;
}

/**
 * Copies ranges to the host in one wait.
 *
 * @throws {DeviceError} If the device is lost.
 */
export async function readRanges(gpu: Gpu, ranges: readonly Range[]): Promise<Uint8Array[]> {
  gpu.check();
  const total = ranges.reduce((sum, range) => sum + range.bytes, 0);
  if (!total) return ranges.map(() => new Uint8Array(0));
  const staging = gpu.buffer("readback", total, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  try {
    const encoder = gpu.device.createCommandEncoder();
    let at = 0;
    for (const { buffer, offset, bytes } of ranges) {
      if (bytes) encoder.copyBufferToBuffer(buffer, offset, staging, at, bytes);
      at += bytes;
    }
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const all = new Uint8Array(staging.getMappedRange().slice(0));
    staging.unmap();
    gpu.check();
    let from = 0;
    return ranges.map(({ bytes }) => all.slice(from, from += bytes));
  } catch (cause) {
    gpu.check();
    throw new DeviceError(`Cannot read ${total} bytes back from ${gpu.description}: ${String(cause)}`, { cause });
  } finally {
    staging.destroy();
  }
}

/** What {@linkcode readback} needs to know of a tensor. */
export interface Readable {
  /** Element type. */
  readonly dtype: Dtype;
  /** Elements. */
  readonly size: number;
  /** Bytes, a multiple of four. */
  readonly bytes: number;
  /** Offset within the storage, bytes. */
  readonly byteOffset: number;
  /** Where the elements are. */
  readonly storage: { readonly buffer: GPUBuffer | undefined; readonly offset: number; readonly label: string };
}

/**
 * Elements of tensors as numbers, in one wait.
 *
 * @throws {DeviceError} If a tensor has no memory yet or the device is lost.
 */
export async function readback(
  gpu: Gpu,
  ...tensors: Readable[]
): Promise<(Float32Array | Uint32Array | Int32Array)[]> {
  // An empty tensor has no memory: nothing writes it.
  const filled = tensors.filter(({ size }) => size > 0);
  const ranges = filled.map((tensor) => {
    const { buffer, offset, label } = tensor.storage;
    if (!buffer) throw new DeviceError(`Cannot read ${label}: it has no memory, compile its plan first`);
    return { buffer, offset: offset + tensor.byteOffset, bytes: tensor.bytes };
  });
  const all = await readRanges(gpu, ranges);
  let next = 0;
  return tensors.map(({ dtype, size }) => decode(size > 0 ? all[next++]! : new Uint8Array(0), dtype, size));
}
