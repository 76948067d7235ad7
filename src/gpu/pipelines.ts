/**
 * Pipelines and bind-group layouts, each made once per device.
 *
 * @module
 */

import { firstLine, type Gpu, kernelError } from "./device.ts";
import { spelled } from "./subgroups.ts";

/** Layout of binding 0 (uniform `Params`) and the storage tensors: `r` read, `w` read-write, in binding order. */
export function bindGroupLayout(gpu: Gpu, accesses: string): GPUBindGroupLayout {
  let layout = gpu.layouts.get(accesses);
  if (!layout) {
    const visibility = GPUShaderStage.COMPUTE;
    layout = gpu.device.createBindGroupLayout({
      label: accesses,
      entries: [
        { binding: 0, visibility, buffer: { type: "uniform" } },
        ...[...accesses].map((access, i): GPUBindGroupLayoutEntry => ({
          binding: i + 1,
          visibility,
          buffer: { type: access === "r" ? "read-only-storage" : "storage" },
        })),
      ],
    });
    gpu.layouts.set(accesses, layout);
  }
  return layout;
}

/**
 * Compiled pipeline of one kernel variant.
 *
 * @throws {KernelError} With the compiler's message if the driver refuses it.
 */
export function pipeline(gpu: Gpu, name: string, wgsl: string, accesses: string): Promise<GPUComputePipeline> {
  let made = gpu.pipelines.get(wgsl);
  if (!made) {
    made = compile(gpu, name, wgsl, accesses);
    gpu.pipelines.set(wgsl, made);
  }
  return made;
}

async function compile(gpu: Gpu, name: string, code: string, accesses: string): Promise<GPUComputePipeline> {
  const { device } = gpu;
  // All of a plan are asked for before the first is waited for: browsers and Dawn compile them side by side.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: name, code: spelled(code, gpu.caps.subgroups) });
  const layout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout(gpu, accesses)] });
  let made: GPUComputePipeline | undefined;
  let thrown: unknown;
  const compute = { module, entryPoint: "main" };
  const pending = device.createComputePipelineAsync({ label: name, layout, compute }).then(
    (pipeline) => void (made = pipeline),
    (error) => void (thrown = error),
  );
  const scope = device.popErrorScope();
  await pending;
  const error = await scope;
  if (!error && made && !thrown) return made;
  const messages = (await module.getCompilationInfo()).messages.filter((m) => m.type === "error");
  const first = messages[0];
  const text = first ? `line ${first.lineNum}: ${firstLine(first.message)}` : error?.message ?? String(thrown);
  throw kernelError(name, text, code, thrown ?? error);
}
