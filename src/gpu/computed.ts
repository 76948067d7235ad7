/**
 * Runs one text on a device, to see what the device does; plans have nothing to do with it.
 *
 * @module
 */

/** Runs a text whose binding 0 is an array of f32. @returns What it wrote; undefined if the device refuses it. */
export async function computed(
  device: GPUDevice,
  label: string,
  code: string,
  count: number,
): Promise<Float32Array | undefined> {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  device.pushErrorScope("validation");
  const y = device.createBuffer({ label, size: count * 4, usage: STORAGE | COPY_SRC });
  const back = device.createBuffer({ label, size: count * 4, usage: MAP_READ | COPY_DST });
  let found: Float32Array | undefined;
  try {
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const entries = [{ binding: 0, resource: { buffer: y } }];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(y, 0, back, 0, count * 4);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    found = new Float32Array(back.getMappedRange()).slice();
    back.unmap();
  } catch {
    found = undefined;
  }
  y.destroy();
  back.destroy();
  return await device.popErrorScope() === null ? found : undefined;
}
