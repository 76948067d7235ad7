/**
 * What every peer does alike once its GPUDevice is known.
 *
 * @module
 */

/** Waits for everything submitted to the device; about 10 ms in Deno when it is idle. */
export async function idle(device: GPUDevice): Promise<void> {
  device.queue.submit([]);
  await device.queue.onSubmittedWorkDone();
}

/** A storage buffer holding `data`. */
export function upload(device: GPUDevice, data: Float32Array<ArrayBuffer>): GPUBuffer {
  const buffer = storage(device, data.length);
  device.queue.writeBuffer(buffer, 0, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return buffer;
}

/** A storage buffer for `length` f32 values. */
export function storage(device: GPUDevice, length: number): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return device.createBuffer({ size: 4 * length, usage });
}

/** Reads `length` f32 values from the start of `buffer`. */
export async function download(device: GPUDevice, buffer: GPUBuffer, length: number): Promise<Float32Array> {
  const staging = device.createBuffer({ size: 4 * length, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, 4 * length);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return values;
}
